//! Exponential averages of what learns.

use tch::Tensor;

use crate::DeepError;
use crate::network::copy_of;

/// Averages of tensors over the steps, `a ← d a + (1 − d) θ` with `d = min(decay, (1 + t) / (10 + t))` at step `t`: the first
/// steps, which tell little, are soon forgotten. Statistics of batch normalisation are averaged with the weights.
///
/// Polyak and Juditsky, *Acceleration of Stochastic Approximation by Averaging*, SIAM Journal on Control and Optimization
/// 30(4), 1992, doi:10.1137/0330046.
#[derive(Debug)]
pub(super) struct Average {
    decay: f64,
    pub(super) shadows: Vec<Tensor>,
}

impl Average {
    pub(super) fn new(decay: f64, tensors: &[Tensor]) -> Result<Self, DeepError> {
        if !(0.0..1.0).contains(&decay) {
            return Err(DeepError::InvalidParameter {
                name: "ema",
                value: decay.to_string(),
                range: "in [0, 1)".to_owned(),
            });
        }
        Ok(Self {
            decay,
            shadows: copies(tensors)?,
        })
    }

    /// Takes in the tensors after step `t`, counted from 1.
    pub(super) fn update(&mut self, tensors: &[Tensor], t: u64) -> Result<(), DeepError> {
        let decay = self.decay.min((1.0 + t as f64) / (10.0 + t as f64));
        tch::no_grad(|| {
            for (shadow, tensor) in self.shadows.iter_mut().zip(tensors) {
                let _moved = shadow.f_lerp_(tensor, 1.0 - decay)?;
            }
            Ok(())
        })
    }

    /// Puts the averages into the tensors and keeps what was there; a second time undoes it.
    pub(super) fn swap(&mut self, tensors: &[Tensor]) -> Result<(), DeepError> {
        let before = copies(tensors)?;
        copy_into(tensors, &self.shadows)?;
        copy_into(&self.shadows, &before)
    }
}

/// The values of tensors as they are now.
pub(super) fn copies(tensors: &[Tensor]) -> Result<Vec<Tensor>, DeepError> {
    tensors.iter().map(copy_of).collect()
}

/// Puts values into tensors of the same shapes.
pub(super) fn copy_into(tensors: &[Tensor], values: &[Tensor]) -> Result<(), DeepError> {
    tch::no_grad(|| {
        for (tensor, value) in tensors.iter().zip(values) {
            tensor.shallow_clone().f_copy_(value)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_those_of_the_formula_and_swapping_twice_changes_nothing() {
        let theta = Tensor::from_slice(&[1.0, -2.0]);
        let tensors = [theta.shallow_clone()];
        let mut average = Average::new(0.5, &tensors).unwrap();
        let mut naive = [1.0, -2.0];
        for t in 1..9_u64 {
            let _moved = theta.shallow_clone().f_add_scalar_(t as f64).unwrap();
            average.update(&tensors, t).unwrap();
            let decay = f64::min(0.5, (1.0 + t as f64) / (10.0 + t as f64));
            for (i, a) in naive.iter_mut().enumerate() {
                *a = decay * *a + (1.0 - decay) * theta.double_value(&[i as i64]);
            }
        }
        let raw = theta.copy();
        average.swap(&tensors).unwrap();
        for (i, a) in naive.iter().enumerate() {
            assert!((theta.double_value(&[i as i64]) - a).abs() < 1e-9);
        }
        average.swap(&tensors).unwrap();
        assert_eq!(theta, raw);
        assert!(Average::new(1.0, &tensors).is_err());
    }
}
