//! First values of parameters, drawn from explicit seeds and not from libtorch's global generator.

use tch::{Kind, Tensor};
use translearn_core::seed;

use crate::DeepError;

/// How the first values of a tensor are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All the same.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform in `[-bound, bound)`.
    Uniform(f64),
}

impl Init {
    /// He and others (2015) for a layer that feeds a rectifier: normal with variance `2 / fan_out`.
    pub fn kaiming(fan_out: i64) -> Self {
        Self::Normal((2.0 / fan_out.max(1) as f64).sqrt())
    }

    /// PyTorch's default for linear and convolution layers: uniform within `1 / √fan_in`.
    pub fn torch_default(fan_in: i64) -> Self {
        Self::Uniform(1.0 / (fan_in.max(1) as f64).sqrt())
    }

    /// A `Float` tensor on the CPU. The same seed gives the same bits.
    pub(crate) fn tensor(self, shape: &[i64], seed: u64) -> Result<Tensor, DeepError> {
        let n: i64 = shape.iter().product();
        let mut rng = seed::rng(seed);
        let values: Vec<f32> = match self {
            Self::Constant(value) => {
                return Ok(Tensor::f_full(
                    shape,
                    value,
                    (Kind::Float, tch::Device::Cpu),
                )?);
            }
            Self::Normal(deviation) => (0..n).map(|_| (deviation * rng.normal()) as f32).collect(),
            Self::Uniform(bound) => (0..n)
                .map(|_| (bound * (2.0 * rng.uniform() - 1.0)) as f32)
                .collect(),
        };
        Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_spread_asked_for_and_depend_on_the_seed_alone() {
        let shape = [64, 100];
        let draw = |init: Init, seed| init.tensor(&shape, seed).unwrap();
        let normal = draw(Init::kaiming(50), 1);
        let deviation = normal.std(false).double_value(&[]);
        assert!((deviation - 0.2).abs() < 0.01, "{deviation}");
        let uniform = draw(Init::torch_default(25), 1);
        let (low, high) = (
            uniform.min().double_value(&[]),
            uniform.max().double_value(&[]),
        );
        assert!(
            (-0.2..-0.19).contains(&low) && (0.19..=0.2).contains(&high),
            "{low} {high}"
        );
        assert_eq!(draw(Init::Normal(1.0), 3), draw(Init::Normal(1.0), 3));
        assert_ne!(draw(Init::Normal(1.0), 3), draw(Init::Normal(1.0), 4));
    }
}
