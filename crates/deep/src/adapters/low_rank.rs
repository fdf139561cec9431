//! LoRA and DoRA: a product of low rank beside a frozen weight.

use tch::Tensor;

use super::{Adapter, LowRank, Maker, targets};
use crate::init::Init;
use crate::{DeepError, Network, Pass, Weight};

/// Lengths below this count as it, so that a row of zeros stays one.
const SHORTEST: f64 = 1e-12;

#[derive(Debug)]
struct Product {
    weight: Weight,
    a: Weight,
    b: Weight,
    factor: f64,
    magnitude: Option<Weight>,
}

pub(super) fn make(
    network: &Network,
    spec: &LowRank,
    learns_lengths: bool,
    maker: Maker,
) -> Result<Vec<Box<dyn Adapter>>, DeepError> {
    let factor = spec.factor()?;
    let mut adapters: Vec<Box<dyn Adapter>> = Vec::new();
    for target in targets::matrices(network, &spec.targets)? {
        let shape = target.weight.tensor().size();
        let (outputs, inputs) = (shape[0], shape[1..].iter().product());
        let name = |tensor: &str| format!("{}.{tensor}", target.layer);
        let magnitude = if learns_lengths {
            let lengths = row_lengths(target.weight.tensor())?;
            Some(maker.learned_from(&name("magnitude"), &lengths)?)
        } else {
            None
        };
        adapters.push(Box::new(Product {
            a: maker.learned(
                &name("lora_A"),
                &[spec.rank, inputs],
                Init::torch_default(inputs),
            )?,
            b: maker.learned(&name("lora_B"), &[outputs, spec.rank], Init::Constant(0.0))?,
            weight: target.weight,
            factor,
            magnitude,
        }));
    }
    Ok(adapters)
}

/// The length of each row of a weight seen as a matrix, without a gradient.
fn row_lengths(weight: &Tensor) -> Result<Tensor, DeepError> {
    let rows = weight.f_detach()?.f_flatten(1, -1)?;
    Ok(rows.f_norm_scalaropt_dim(2.0, [1].as_slice(), false)?)
}

/// One number for each row of `weight`, in a shape that multiplies its rows.
pub(super) fn by_row(numbers: &Tensor, weight: &Tensor) -> Result<Tensor, DeepError> {
    let mut shape = vec![1; weight.dim()];
    shape[0] = -1;
    Ok(numbers.f_view(shape.as_slice())?)
}

impl Adapter for Product {
    fn kind(&self) -> &'static str {
        match self.magnitude {
            Some(_) => "dora",
            None => "lora",
        }
    }

    fn tensors(&self) -> Vec<&Weight> {
        [&self.a, &self.b]
            .into_iter()
            .chain(&self.magnitude)
            .collect()
    }

    fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError> {
        let weight = pass.value(&self.weight);
        let product = self.b.tensor().f_matmul(self.a.tensor())?;
        let change = product.f_mul_scalar(self.factor)?.f_view_as(weight)?;
        let moved = weight.f_add(&change)?;
        let value = match &self.magnitude {
            None => moved,
            Some(magnitude) => {
                // The quotient first: a fresh one is 1 to the bit.
                let lengths = row_lengths(&moved)?.f_clamp_min(SHORTEST)?;
                let ratios = magnitude.tensor().f_div(&lengths)?;
                moved.f_mul(&by_row(&ratios, &moved)?)?
            }
        };
        pass.replace(&self.weight, value);
        Ok(())
    }
}
