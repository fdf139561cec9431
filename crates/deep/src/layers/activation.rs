//! Activations and dropout.

use tch::Tensor;

use crate::{DeepError, Layer, Pass, gaps};

/// A function of each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x Φ(x)`.
    Gelu,
    /// `x σ(x)`, also called swish.
    Silu,
    /// `σ(x) = 1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
}

impl Layer for Activation {
    fn forward(&self, x: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(match self {
            Self::Relu => x.f_relu()?,
            Self::Relu6 => x.f_relu6()?,
            Self::Gelu => x.f_gelu("none")?,
            Self::Silu => x.f_silu()?,
            Self::Sigmoid => x.f_sigmoid()?,
            Self::Tanh => x.f_tanh()?,
        })
    }

    /// Rectifiers write over what nobody else holds: their gradient needs their output alone, and memory that was just
    /// written is still near.
    fn consume(&self, mut x: Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(match self {
            Self::Relu if gaps::is_unshared(&x)? => x.f_relu_()?,
            Self::Relu6 if gaps::is_unshared(&x)? => x.f_relu6_()?,
            _ => self.forward(&x, pass)?,
        })
    }
}

/// Sets numbers to 0 with probability `p` while training, and scales the others so that the mean stays.
///
/// What is dropped is drawn from the pass's own seed, not from libtorch's global generator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The share that is dropped, in `[0, 1)`.
    pub p: f64,
}

/// Sets whole rows to 0 with probability `p` while training, and scales the others so that the mean stays: the branch of a
/// [`Residual`](super::Residual) is skipped for some rows.
///
/// What is dropped is drawn from the pass's own seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochasticDepth {
    /// The share that is dropped, in `[0, 1)`.
    pub p: f64,
}

impl Layer for Dropout {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        mask_out(x, self.p, &x.size(), pass)
    }
}

impl Layer for StochasticDepth {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let mut rows = vec![1; x.dim()];
        if let Some(first) = rows.first_mut() {
            *first = x.size()[0];
        }
        mask_out(x, self.p, &rows, pass)
    }
}

/// `x` times a mask of this shape, of zeros with probability `p`.
fn mask_out(x: &Tensor, p: f64, shape: &[i64], pass: &mut Pass) -> Result<Tensor, DeepError> {
    if !pass.is_train() || p <= 0.0 {
        return Ok(x.shallow_clone());
    }
    let kept = (1.0 / (1.0 - p)) as f32;
    let n: i64 = shape.iter().product();
    let mask: Vec<f32> = (0..n)
        .map(|_| if pass.rng().uniform() < p { 0.0 } else { kept })
        .collect();
    let mask = Tensor::f_from_slice(&mask)?
        .f_view(shape)?
        .f_to_device(x.device())?
        .f_to_kind(x.kind())?;
    Ok(x.f_mul(&mask)?)
}
