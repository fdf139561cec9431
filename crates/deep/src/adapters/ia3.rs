//! (IA)³: a factor for each output of a layer.

use super::low_rank::by_row;
use super::{Adapter, Ia3, Maker, targets};
use crate::init::Init;
use crate::{DeepError, Network, Pass, Weight};

#[derive(Debug)]
struct Factors {
    weight: Weight,
    bias: Option<Weight>,
    factors: Weight,
}

pub(super) fn make(
    network: &Network,
    spec: &Ia3,
    maker: Maker,
) -> Result<Vec<Box<dyn Adapter>>, DeepError> {
    let mut adapters: Vec<Box<dyn Adapter>> = Vec::new();
    for target in targets::matrices(network, &spec.targets)? {
        let outputs = target.weight.tensor().size()[0];
        let name = format!("{}.ia3", target.layer);
        adapters.push(Box::new(Factors {
            factors: maker.learned(&name, &[outputs], Init::Constant(1.0))?,
            weight: target.weight,
            bias: target.bias,
        }));
    }
    Ok(adapters)
}

impl Adapter for Factors {
    fn kind(&self) -> &'static str {
        "ia3"
    }

    fn tensors(&self) -> Vec<&Weight> {
        vec![&self.factors]
    }

    fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError> {
        for weight in [&self.weight].into_iter().chain(&self.bias) {
            let value = pass.value(weight);
            let scaled = value.f_mul(&by_row(self.factors.tensor(), value)?)?;
            pass.replace(weight, scaled);
        }
        Ok(())
    }
}
