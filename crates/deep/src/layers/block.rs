//! Blocks of layers that several networks share.

use tch::Tensor;

use super::{Activation, ConvParams, Sequence};
use crate::{DeepError, Layer, Named, Pass, Scope};

/// The sum of a branch and a shortcut past it. An empty shortcut hands the input on.
#[derive(Debug)]
pub struct Residual {
    /// The layers.
    pub branch: Sequence,
    /// The way past them.
    pub shortcut: Sequence,
}

impl Residual {
    /// `x + branch(x)`.
    pub fn new(branch: Sequence) -> Self {
        Self {
            branch,
            shortcut: Sequence::new(),
        }
    }
}

impl Layer for Residual {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let y = self.branch.forward(x, pass)?;
        Ok(y.f_add(&self.shortcut.forward(x, pass)?)?)
    }
}

impl Scope {
    /// Convolution `0`, batch normalisation `1` and, where there is one, activation `2` below this place, which names the
    /// three together: torchvision's `Conv2dNormActivation`.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn conv_norm(
        &self,
        channels_in: i64,
        channels_out: i64,
        params: ConvParams,
        activation: Option<Activation>,
    ) -> Result<Named, DeepError> {
        let mut layers = Sequence::new()
            .then(self.conv2d("0", channels_in, channels_out, params)?)
            .then(self.batch_norm("1", channels_out)?);
        if let Some(activation) = activation {
            layers.push(self.enter(2).layer(activation));
        }
        Ok(self.layer(layers))
    }
}
