//! The linear layer.

use tch::Tensor;

use crate::init::Init;
use crate::{DeepError, Layer, Named, Pass, Scope, Weight};

/// `x Wᵀ + b`: `[…, in]` to `[…, out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Weight,
    bias: Option<Weight>,
}

impl Layer for Linear {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let bias = self.bias.as_ref().map(|bias| pass.value(bias));
        Ok(x.f_linear(pass.value(&self.weight), bias)?)
    }
}

impl Scope {
    /// A linear layer named `name`, with tensors `weight` (`[out, in]`) and `bias` (`[out]`).
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn linear(&self, name: &str, inputs: i64, outputs: i64) -> Result<Named, DeepError> {
        let init = Init::torch_default(inputs);
        self.linear_with(name, inputs, outputs, init, init)
    }

    /// A linear layer with other first values.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn linear_with(
        &self,
        name: &str,
        inputs: i64,
        outputs: i64,
        weight: Init,
        bias: Init,
    ) -> Result<Named, DeepError> {
        let scope = self.enter(name);
        let weight = scope.weight("weight", &[outputs, inputs], weight)?;
        let bias = Some(scope.weight("bias", &[outputs], bias)?);
        Ok(scope.layer(Linear { weight, bias }))
    }
}
