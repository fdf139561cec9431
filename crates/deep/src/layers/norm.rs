//! Normalisation.

use tch::Tensor;

use crate::init::Init;
use crate::{DeepError, Layer, Named, Pass, Scope, Weight};

/// Batch normalisation over all but the second axis.
///
/// It learns and gathers statistics only in a pass that trains, and only while its weights are learned: a frozen layer
/// keeps its statistics, too, and uses them.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Weight,
    bias: Weight,
    mean: Tensor,
    variance: Tensor,
    epsilon: f64,
    momentum: f64,
}

impl Layer for BatchNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let learns = pass.is_train() && self.weight.is_learned();
        Ok(x.f_batch_norm(
            Some(pass.value(&self.weight)),
            Some(pass.value(&self.bias)),
            Some(&self.mean),
            Some(&self.variance),
            learns,
            self.momentum,
            self.epsilon,
            true,
        )?)
    }
}

/// Normalises the last axis of each row.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Weight,
    bias: Weight,
    width: i64,
    epsilon: f64,
}

impl Layer for LayerNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(x.f_layer_norm(
            [self.width],
            Some(pass.value(&self.weight)),
            Some(pass.value(&self.bias)),
            self.epsilon,
            true,
        )?)
    }
}

impl Scope {
    /// Batch normalisation named `name`, at PyTorch's `epsilon` 1e-5 and `momentum` 0.1, with tensors `weight`, `bias`,
    /// `running_mean` and `running_var`.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn batch_norm(&self, name: &str, channels: i64) -> Result<Named, DeepError> {
        self.batch_norm_with(name, channels, 1e-5, 0.1)
    }

    /// Batch normalisation with another `epsilon` (added to the variance) and `momentum` (the share of a batch in the
    /// running statistics).
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn batch_norm_with(
        &self,
        name: &str,
        channels: i64,
        epsilon: f64,
        momentum: f64,
    ) -> Result<Named, DeepError> {
        let tensors = ["weight", "bias", "running_mean", "running_var"];
        self.batch_norm_named(name, tensors, channels, epsilon, momentum)
    }

    /// Batch normalisation whose tensors (factor, summand, mean, variance) have the names of another library.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn batch_norm_named(
        &self,
        name: &str,
        [weight, bias, mean, variance]: [&str; 4],
        channels: i64,
        epsilon: f64,
        momentum: f64,
    ) -> Result<Named, DeepError> {
        let scope = self.enter(name);
        let shape = [channels];
        let layer = BatchNorm {
            weight: scope.weight(weight, &shape, Init::Constant(1.0))?,
            bias: scope.weight(bias, &shape, Init::Constant(0.0))?,
            mean: scope.buffer(mean, &shape, Init::Constant(0.0))?,
            variance: scope.buffer(variance, &shape, Init::Constant(1.0))?,
            epsilon,
            momentum,
        };
        Ok(scope.layer(layer))
    }

    /// Layer normalisation named `name`, with tensors `weight` and `bias`.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn layer_norm(&self, name: &str, width: i64, epsilon: f64) -> Result<Named, DeepError> {
        let scope = self.enter(name);
        let layer = LayerNorm {
            weight: scope.weight("weight", &[width], Init::Constant(1.0))?,
            bias: scope.weight("bias", &[width], Init::Constant(0.0))?,
            width,
            epsilon,
        };
        Ok(scope.layer(layer))
    }
}
