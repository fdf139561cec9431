//! What is done to an image once everything random is decided: the same numbers in, the same pixels out.

use tch::{Kind, Tensor};

use crate::DeepError;
use crate::images::resized;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) top: i64,
    pub(super) left: i64,
    pub(super) height: i64,
    pub(super) width: i64,
}

impl Window {
    /// The pixels within, sharing memory.
    fn of(self, x: &Tensor) -> Result<Tensor, DeepError> {
        Ok(x.f_narrow(1, self.top, self.height)?
            .f_narrow(2, self.left, self.width)?)
    }
}

/// A property of colours that a factor changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Adjustment {
    Brightness,
    Contrast,
    Saturation,
}

/// A change of an image `[channels, height, width]` in `[0, 1]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Edit {
    Keep,
    /// What is in the window, scaled to a square.
    ResizedCrop {
        window: Window,
        size: i64,
    },
    /// What is in the window after zeros were added at each side.
    PaddedCrop {
        padding: i64,
        window: Window,
    },
    Flip,
    /// Factors, the first one first.
    Adjust(Vec<(Adjustment, f64)>),
    /// Counter-clockwise.
    Rotate {
        degrees: f64,
    },
    /// What is in the window becomes 0.
    Erase(Window),
    Gray,
}

impl Edit {
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor, DeepError> {
        Ok(match self {
            Self::Keep => x.shallow_clone(),
            Self::ResizedCrop { window, size } => resized(&window.of(x)?, [*size, *size])?,
            Self::PaddedCrop { padding, window } => {
                window.of(&x.f_constant_pad_nd([*padding; 4])?)?
            }
            Self::Flip => x.f_flip([2])?,
            Self::Adjust(factors) => factors
                .iter()
                .try_fold(x.shallow_clone(), |x, &(what, by)| adjust(&x, what, by))?,
            Self::Rotate { degrees } => rotate(x, *degrees)?,
            Self::Erase(window) => {
                let mut erased = x.f_zeros_like()?;
                erased.f_copy_(x)?;
                let _zeros = window.of(&erased)?.f_fill_(0.0)?;
                erased
            }
            Self::Gray => brightness(x, "gray-scale")?.f_expand_as(x)?,
        })
    }
}

/// 0.2989 R + 0.587 G + 0.114 B, `[1, height, width]`; torchvision's weights, which have one digit more than those of
/// [`Transform`](crate::Transform) and sum to 0.9999.
fn brightness(x: &Tensor, who: &str) -> Result<Tensor, DeepError> {
    match x.size()[0] {
        1 => Ok(x.shallow_clone()),
        3 => {
            let share = Tensor::f_from_slice(&[0.2989f32, 0.587, 0.114])?
                .f_view([3, 1, 1])?
                .f_to_device(x.device())?;
            Ok(x.f_mul(&share)?
                .f_sum_dim_intlist([0i64].as_slice(), true, Kind::Float)?)
        }
        _ => Err(DeepError::InputShape {
            network: who.to_owned(),
            expected: "pixels [1, h, w] or [3, h, w]".to_owned(),
            found: x.size(),
        }),
    }
}

fn adjust(x: &Tensor, what: Adjustment, factor: f64) -> Result<Tensor, DeepError> {
    let scaled = x.f_mul_scalar(factor)?;
    let other = match what {
        Adjustment::Brightness => return Ok(scaled.f_clamp(0.0, 1.0)?),
        Adjustment::Contrast => brightness(x, "color-jitter")?.f_mean(Kind::Float)?,
        Adjustment::Saturation if x.size()[0] == 1 => return Ok(x.shallow_clone()),
        Adjustment::Saturation => brightness(x, "color-jitter")?,
    };
    Ok(scaled
        .f_add(&other.f_mul_scalar(1.0 - factor)?)?
        .f_clamp(0.0, 1.0)?)
}

/// Where a pixel of the result comes from: its distance from the middle, turned back, as the sampler wants it, -1 and 1
/// at the outer edges of the image.
fn rotate(x: &Tensor, degrees: f64) -> Result<Tensor, DeepError> {
    /// The sampler's number for taking the nearest pixel.
    const NEAREST: i64 = 1;
    /// The sampler's number for zeros outside of the image.
    const ZEROS: i64 = 0;
    let (height, width) = (x.size()[1], x.size()[2]);
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = |n: i64| (n - 1) as f64 / 2.0;
    let half = |n: i64| n as f64 / 2.0;
    let places = (0..height).flat_map(|i| (0..width).map(move |j| (i, j)));
    let sources: Vec<f32> = places
        .flat_map(|(i, j)| {
            let (down, right) = (i as f64 - middle(height), j as f64 - middle(width));
            [
                ((cos * right - sin * down) / half(width)) as f32,
                ((sin * right + cos * down) / half(height)) as f32,
            ]
        })
        .collect();
    let grid = Tensor::f_from_slice(&sources)?
        .f_view([1, height, width, 2])?
        .f_to_device(x.device())?;
    let turned = x
        .f_unsqueeze(0)?
        .f_grid_sampler(&grid, NEAREST, ZEROS, false)?;
    Ok(turned.f_squeeze_dim(0)?)
}

#[cfg(test)]
mod tests;
