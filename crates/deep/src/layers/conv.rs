//! Convolution.

use tch::Tensor;

use crate::init::Init;
use crate::{DeepError, Layer, Named, Pass, Scope, Weight};

/// Shape and step of a convolution; everything not set is as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvParams {
    /// Height and width of the kernel.
    pub kernel: [i64; 2],
    /// Step down and to the right.
    pub stride: [i64; 2],
    /// Zeros added on both sides, above and below, left and right.
    pub padding: [i64; 2],
    /// Distance between the points of the kernel.
    pub dilation: i64,
    /// Groups of channels that do not mix.
    pub groups: i64,
    /// Whether a number is added to each channel.
    pub bias: bool,
}

impl ConvParams {
    /// A square kernel, step 1, no padding, one group, no bias (batch normalisation follows in most networks).
    pub fn square(kernel: i64) -> Self {
        Self {
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding: [0, 0],
            dilation: 1,
            groups: 1,
            bias: false,
        }
    }

    /// Sets both steps.
    #[must_use]
    pub fn stride(mut self, stride: i64) -> Self {
        self.stride = [stride, stride];
        self
    }

    /// Sets the padding on all sides.
    #[must_use]
    pub fn padding(mut self, padding: i64) -> Self {
        self.padding = [padding, padding];
        self
    }

    /// Sets the groups.
    #[must_use]
    pub fn groups(mut self, groups: i64) -> Self {
        self.groups = groups;
        self
    }

    /// Adds a number to each channel.
    #[must_use]
    pub fn biased(mut self) -> Self {
        self.bias = true;
        self
    }

    /// Points of the kernel.
    pub fn area(&self) -> i64 {
        self.kernel[0] * self.kernel[1]
    }
}

/// A convolution of images: `[n, c_in, h, w]` to `[n, c_out, h', w']`.
#[derive(Debug)]
pub struct Conv2d {
    weight: Weight,
    bias: Option<Weight>,
    params: ConvParams,
}

impl Conv2d {
    /// From tensors made elsewhere, where they have other names or first values than [`Scope::conv2d`] gives them.
    pub fn new(weight: Weight, bias: Option<Weight>, params: ConvParams) -> Self {
        Self {
            weight,
            bias,
            params,
        }
    }
}

impl Layer for Conv2d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let p = self.params;
        Ok(x.f_conv2d(
            pass.value(&self.weight),
            self.bias.as_ref().map(|bias| pass.value(bias)),
            p.stride,
            p.padding,
            [p.dilation, p.dilation],
            p.groups,
        )?)
    }
}

impl Scope {
    /// A convolution named `name`, with tensors `weight` (`[out, in / groups, h, w]`) and, where asked for, `bias`.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn conv2d(
        &self,
        name: &str,
        channels_in: i64,
        channels_out: i64,
        params: ConvParams,
    ) -> Result<Named, DeepError> {
        let fan_out = channels_out / params.groups * params.area();
        let fan_in = channels_in / params.groups * params.area();
        let (weight, bias) = (Init::kaiming(fan_out), Init::torch_default(fan_in));
        self.conv2d_with(name, channels_in, channels_out, params, weight, bias)
    }

    /// A convolution with other first values.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn conv2d_with(
        &self,
        name: &str,
        channels_in: i64,
        channels_out: i64,
        params: ConvParams,
        weight: Init,
        bias: Init,
    ) -> Result<Named, DeepError> {
        let scope = self.enter(name);
        let [height, width] = params.kernel;
        let shape = [channels_out, channels_in / params.groups, height, width];
        let weight = scope.weight("weight", &shape, weight)?;
        let bias = if params.bias {
            Some(scope.weight("bias", &[channels_out], bias)?)
        } else {
            None
        };
        Ok(scope.layer(Conv2d {
            weight,
            bias,
            params,
        }))
    }
}
