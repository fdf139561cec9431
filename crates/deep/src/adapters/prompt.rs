//! Prompts: learned tokens among those of a transformer.

use tch::Tensor;

use super::spec::at_least_one;
use super::{Adapter, Maker, Prompt, targets};
use crate::init::Init;
use crate::{DeepError, Layer, Network, Pass, Weight};

#[derive(Debug, Clone)]
struct Tokens {
    layer: String,
    tokens: Weight,
}

pub(super) fn make(
    network: &Network,
    spec: &Prompt,
    maker: Maker,
) -> Result<Vec<Box<dyn Adapter>>, DeepError> {
    at_least_one("tokens", spec.tokens)?;
    let mut adapters: Vec<Box<dyn Adapter>> = Vec::new();
    for (layer, output) in targets::outputs(network, std::slice::from_ref(&spec.after))? {
        let &[_, _, width] = output.size().as_slice() else {
            return Err(DeepError::NotTokens {
                layer,
                found: output.size(),
            });
        };
        let init = Init::Uniform((6.0 / (patch(network) + width) as f64).sqrt());
        let name = format!("{layer}.prompt");
        adapters.push(Box::new(Tokens {
            tokens: maker.learned(&name, &[spec.tokens, width], init)?,
            layer,
        }));
    }
    Ok(adapters)
}

/// Values in a patch: the inputs of the first convolution, or none.
fn patch(network: &Network) -> i64 {
    let first = network.base().find(|(_, p)| p.tensor.dim() == 4);
    first.map_or(0, |(_, p)| p.tensor.size()[1..].iter().product())
}

impl Adapter for Tokens {
    fn kind(&self) -> &'static str {
        "prompt"
    }

    fn tensors(&self) -> Vec<&Weight> {
        vec![&self.tokens]
    }

    fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError> {
        pass.put_behind(&self.layer, Box::new(self.clone()));
        Ok(())
    }
}

impl Layer for Tokens {
    fn forward(&self, y: &Tensor, _: &mut Pass) -> Result<Tensor, DeepError> {
        let (rows, tokens) = (y.size()[0], y.size()[1]);
        let class = y.f_narrow(1, 0, 1)?;
        let learned = self.tokens.tensor().f_unsqueeze(0)?;
        let learned = learned.f_expand([rows, -1, -1], false)?;
        let patches = y.f_narrow(1, 1, tokens - 1)?;
        Ok(Tensor::f_cat(&[class, learned, patches], 1)?)
    }
}
