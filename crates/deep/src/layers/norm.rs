//! Normalisation.

use tch::{Kind, Tensor};

use crate::init::Init;
use crate::network::copy_of;
use crate::{DeepError, Layer, Named, Pass, Scope, Weight};

/// Batch normalisation over all but the second axis.
///
/// It learns and gathers statistics only in a pass that trains, and only while its weights are learned: a frozen layer
/// keeps its statistics, too, and uses them. In a pass with [`Pass::stochastic_norm`] it is left to chance which channels are
/// normalised by the batch.
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
        let Some(share) = pass.batch_share().filter(|_| learns) else {
            return self.normalised(x, pass, (&self.mean, &self.variance), learns);
        };
        let channels = self.mean.numel();
        let chosen: Vec<f32> = (0..channels)
            .map(|_| f32::from(u8::from(pass.rng().uniform() < share)))
            .collect();
        let mut shape = vec![1; x.dim()];
        if let Some(axis) = shape.get_mut(1) {
            *axis = -1;
        }
        let by_batch = Tensor::f_from_slice(&chosen)?
            .f_to_device(x.device())?
            .f_to_kind(Kind::Bool)?
            .f_view(&*shape)?;
        // As they were before this batch, for the gradients too: the batch moves them.
        let so_far = (copy_of(&self.mean)?, copy_of(&self.variance)?);
        let moving = self.normalised(x, pass, (&so_far.0, &so_far.1), false)?;
        let batch = self.normalised(x, pass, (&self.mean, &self.variance), true)?;
        Ok(batch.f_where_self(&by_batch, &moving)?)
    }
}

impl BatchNorm {
    /// By the statistics of the batch, which then move the given ones, or by the given ones.
    fn normalised(
        &self,
        x: &Tensor,
        pass: &Pass,
        (mean, variance): (&Tensor, &Tensor),
        by_batch: bool,
    ) -> Result<Tensor, DeepError> {
        Ok(x.f_batch_norm(
            Some(pass.value(&self.weight)),
            Some(pass.value(&self.bias)),
            Some(mean),
            Some(variance),
            by_batch,
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

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::{InputShape, Network, Sequence};

    /// `[4, 3, 2]`: rows, channels, places.
    fn batch() -> Tensor {
        let x = Tensor::arange(24, (Kind::Float, Device::Cpu));
        (x * 0.7).sin().view([4, 3, 2]) * 2.0 + 1.0
    }

    fn network() -> Network {
        let input = InputShape::Image {
            channels: 3,
            size: 2,
            least: 1,
        };
        let network = Network::build("norm", input, Device::Cpu, 0, |scope| {
            Ok(Sequence::new().then(scope.batch_norm("bn", 3)?))
        });
        network.unwrap()
    }

    /// Each channel normalised by one of two pairs of statistics, number by number.
    fn naive(x: &Tensor, channel: i64, (mean, variance): (f64, f64), row: i64, place: i64) -> f64 {
        (x.double_value(&[row, channel, place]) - mean) / (variance + 1e-5).sqrt()
    }

    #[test]
    fn each_channel_has_the_statistics_of_its_batch_or_those_so_far() {
        let (network, x) = (network(), batch().view([4, 3, 2, 1]));
        let of_batch: Vec<(f64, f64)> = (0..3)
            .map(|channel| {
                let values = x.select(1, channel).to_kind(Kind::Double);
                (
                    values.mean(Kind::Double).double_value(&[]),
                    values.var(false).double_value(&[]),
                )
            })
            .collect();
        let (mut by_batch, mut by_so_far) = (0, 0);
        for seed in 0..20 {
            // Fresh statistics: mean 0, variance 1.
            let network = self::network();
            let mut pass = Pass::train(seed).stochastic_norm(0.5).unwrap();
            let y = network.forward(&x, &mut pass).unwrap().view([4, 3, 2]);
            for channel in 0..3 {
                let is = |statistics| {
                    (0..4).all(|row| {
                        (0..2).all(|place| {
                            let expected =
                                naive(&x.view([4, 3, 2]), channel, statistics, row, place);
                            (y.double_value(&[row, channel, place]) - expected).abs() < 1e-5
                        })
                    })
                };
                match (is(of_batch[channel as usize]), is((0.0, 1.0))) {
                    (true, false) => by_batch += 1,
                    (false, true) => by_so_far += 1,
                    both => panic!("channel {channel}: {both:?}"),
                }
            }
            // The batch moves what was gathered, whatever was chosen.
            let mean = network.parameters()["bn.running_mean"]
                .tensor
                .double_value(&[1]);
            assert!((mean - 0.1 * of_batch[1].0).abs() < 1e-6);
        }
        assert!(
            by_batch > 15 && by_so_far > 15,
            "{by_batch} and {by_so_far}"
        );
        // Nothing is left to chance where nothing learns.
        let mut pass = Pass::eval().stochastic_norm(1.0).unwrap();
        let y = network.forward(&x, &mut pass).unwrap().view([4, 3, 2]);
        let expected = naive(&x.view([4, 3, 2]), 2, (0.0, 1.0), 3, 1);
        assert!((y.double_value(&[3, 2, 1]) - expected).abs() < 1e-5);
        assert!(
            Pass::eval().stochastic_norm(1.5).is_err()
                && Pass::eval().stochastic_norm(f64::NAN).is_err()
        );
    }

    #[test]
    fn gradients_are_those_of_the_statistics_that_were_used() {
        let x = batch().view([4, 3, 2, 1]).set_requires_grad(true);
        let weights = Tensor::arange(24, (Kind::Float, Device::Cpu))
            .cos()
            .view([4, 3, 2, 1]);
        let gradient = |share: f64| {
            let mut pass = Pass::train(0).stochastic_norm(share).unwrap();
            let y = network().forward(&x, &mut pass).unwrap();
            Tensor::run_backward(&[(y * &weights).sum(Kind::Float)], &[&x], false, false).remove(0)
        };
        // By what was gathered, mean 0 and variance 1, it is the outer gradient itself, nearly.
        let factor = 1.0 / (1.0_f64 + 1e-5).sqrt();
        assert!(gradient(0.0).allclose(&(&weights * factor), 1e-5, 1e-6, false));
        let y = network().forward(&x, &mut Pass::train(0)).unwrap();
        let plain = Tensor::run_backward(&[(y * &weights).sum(Kind::Float)], &[&x], false, false);
        assert_eq!(gradient(1.0), plain[0]);
    }
}
