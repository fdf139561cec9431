//! The linear layer.

use tch::Tensor;

use crate::init::Init;
use crate::{DeepError, Layer, Named, Pass, Scope};

/// `x Wᵀ + b`: `[…, in]` to `[…, out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Layer for Linear {
    fn forward(&self, x: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
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
