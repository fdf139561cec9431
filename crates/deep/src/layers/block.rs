//! Blocks of layers that several networks share.

use tch::Tensor;

use super::{Activation, ConvParams, Sequence};
use crate::{DeepError, Layer, Named, Pass, Scope, gaps};

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
        add(y, &self.shortcut.forward(x, pass)?)
    }
}

/// `y + shortcut`, written over `y` where nobody else holds it.
pub(crate) fn add(mut y: Tensor, shortcut: &Tensor) -> Result<Tensor, DeepError> {
    let alike = y.kind() == shortcut.kind() && y.size() == shortcut.size();
    Ok(if alike && gaps::is_unshared(&y)? {
        y.f_add_(shortcut)?
    } else {
        y.f_add(shortcut)?
    })
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
