//! Pooling and flattening.

use tch::Tensor;

use crate::{DeepError, Layer, Named, Pass, Scope};

/// One number for a window of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The largest of each window.
    Max {
        /// Height and width of a window.
        kernel: i64,
        /// Step.
        stride: i64,
        /// Padding on all sides.
        padding: i64,
        /// Whether a window may hang over the end.
        ceil: bool,
    },
    /// The mean of each window.
    Average {
        /// Height and width of a window.
        kernel: i64,
        /// Step.
        stride: i64,
        /// Padding on all sides, counted in the mean.
        padding: i64,
    },
    /// The mean of as many windows as give this height and width.
    AdaptiveAverage {
        /// Height and width of the result.
        size: i64,
    },
    /// The mean of the whole image, without its axes: `[n, c]`.
    GlobalAverage,
}

impl Layer for Pool {
    fn forward(&self, x: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(match *self {
            Self::Max {
                kernel,
                stride,
                padding,
                ceil,
            } => x.f_max_pool2d(
                [kernel, kernel],
                [stride, stride],
                [padding, padding],
                [1, 1],
                ceil,
            )?,
            Self::Average {
                kernel,
                stride,
                padding,
            } => x.f_avg_pool2d(
                [kernel, kernel],
                [stride, stride],
                [padding, padding],
                false,
                true,
                None::<i64>,
            )?,
            Self::AdaptiveAverage { size } => x.f_adaptive_avg_pool2d([size, size])?,
            Self::GlobalAverage => x.f_mean_dim([2, 3].as_slice(), false, None)?,
        })
    }
}

/// All axes after the first made one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(x.f_flatten(1, -1)?)
    }
}

impl Scope {
    /// Adaptive average pooling named `avgpool`, as torchvision's networks end their convolutions.
    pub fn avgpool(&self, size: i64) -> Named {
        self.enter("avgpool").layer(Pool::AdaptiveAverage { size })
    }
}
