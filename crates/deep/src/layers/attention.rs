//! Multi-head self-attention.

use tch::Tensor;

use crate::init::Init;
use crate::{DeepError, Layer, Named, Pass, Scope, Weight};

/// Multi-head self-attention over rows of tokens, `[n, tokens, width]`, under the names of `torch.nn.MultiheadAttention`.
#[derive(Debug)]
pub struct SelfAttention {
    in_weight: Weight,
    in_bias: Weight,
    out: Named,
    heads: i64,
    width: i64,
}

impl Layer for SelfAttention {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let (rows, tokens) = (x.size()[0], x.size()[1]);
        let head = self.width / self.heads;
        // [3, n, heads, tokens, head]: queries, keys and values.
        let projected = x
            .f_linear(pass.value(&self.in_weight), Some(pass.value(&self.in_bias)))?
            .f_view([rows, tokens, 3, self.heads, head])?
            .f_permute([2, 0, 3, 1, 4])?;
        let [query, key, value] = [0, 1, 2].map(|part| projected.f_select(0, part));
        let mixed = Tensor::f_scaled_dot_product_attention(
            &query?,
            &key?,
            &value?,
            None::<&Tensor>,
            0.0,
            false,
            None::<f64>,
            false,
        )?;
        let joined = mixed
            .f_permute([0, 2, 1, 3])?
            .f_reshape([rows, tokens, self.width])?;
        self.out.forward(&joined, pass)
    }
}

impl Scope {
    /// Self-attention named `name`, with tensors `in_proj_weight`, `in_proj_bias` and the layer `out_proj`.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] when the heads do not divide the width; [`DeepError::OutOfMemory`].
    pub fn self_attention(&self, name: &str, width: i64, heads: i64) -> Result<Named, DeepError> {
        if heads < 1 || width % heads != 0 {
            return Err(DeepError::InvalidParameter {
                name: "heads",
                value: heads.to_string(),
                range: format!("a divisor of the width {width}"),
            });
        }
        let scope = self.enter(name);
        // Xavier's uniform bound, as PyTorch has it.
        let init = Init::Uniform((6.0 / (4 * width) as f64).sqrt());
        let layer = SelfAttention {
            in_weight: scope.weight("in_proj_weight", &[3 * width, width], init)?,
            in_bias: scope.weight("in_proj_bias", &[3 * width], Init::Constant(0.0))?,
            out: scope.linear("out_proj", width, width)?,
            heads,
            width,
        };
        Ok(scope.layer(layer))
    }
}
