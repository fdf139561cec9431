//! The head that the weights came with, kept beside the new one: what learning without forgetting and co-tuning share.

use tch::Tensor;

use super::recipe::Recipe;
use crate::freeze::covers;
use crate::network::copy_of;
use crate::train::Group;
use crate::{DeepError, Network, Pass, Weight};

/// The tensors of a published head. A pass that is widened computes with both heads as one, the new classes first.
pub(super) struct OldHead {
    /// The new tensor, and the old one of the same layer.
    pairs: Vec<(Weight, Tensor)>,
}

impl OldHead {
    /// The head of `original` as it is now, beside that of `network`, which is below it the same.
    pub(super) fn of(network: &Network, original: &Network) -> Result<Self, DeepError> {
        let head = network.head();
        let new = network.base().filter(|(name, _)| covers(head, name));
        let pairs = new.filter_map(|(name, new)| {
            let old = original.parameters().get(name)?;
            Some((Weight::new(name, new.tensor.shallow_clone()), &old.tensor))
        });
        let pairs = pairs
            .map(|(new, old)| Ok((new, copy_of(old)?.f_set_requires_grad(true)?)))
            .collect::<Result<Vec<_>, DeepError>>()?;
        Ok(Self { pairs })
    }

    /// It learns as what was loaded does.
    pub(super) fn group(&self, recipe: &Recipe, pretrained_rate: f64) -> Result<Group, DeepError> {
        let tensors = self.pairs.iter().map(|(_, old)| old.shallow_clone());
        recipe.group_of(
            "old head",
            tensors,
            pretrained_rate,
            recipe.params.weight_decay,
        )
    }

    /// Lets a pass give the logits of the new classes, and those of the old ones behind.
    pub(super) fn widen(&self, mut pass: Pass) -> Result<Pass, DeepError> {
        for (new, old) in &self.pairs {
            let both = Tensor::f_cat(&[new.tensor(), old], 0)?;
            pass.replace(new, both);
        }
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::backbones;

    /// Heads that are a matrix, a convolution, and a convolution in Keras's layout.
    const HEADS: [(&str, i64); 3] = [
        ("small-cnn", 16),
        ("squeezenet1-1", 64),
        ("mobilenet-v1-0.25", 32),
    ];

    #[test]
    fn both_heads_give_what_each_gives_alone_and_both_learn() {
        for (name, side) in HEADS {
            let backbone = backbones::find(name).unwrap();
            let network = backbone.build(3, Device::Cpu, 1).unwrap();
            let original = backbone.build(5, Device::Cpu, 2).unwrap();
            let head = network.head().to_owned();
            // The same below the head.
            for (name, parameter) in network
                .parameters()
                .iter()
                .filter(|(n, _)| !covers(&head, n))
            {
                let mut to = original.parameters()[name].tensor.shallow_clone();
                tch::no_grad(|| to.copy_(&parameter.tensor));
            }
            let mut shape = network.input().batch(2);
            (shape[2], shape[3]) = (side, side);
            let x = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu))
                .sin()
                .view(&*shape);
            let old = OldHead::of(&network, &original).unwrap();
            let mut pass = old.widen(Pass::eval()).unwrap();
            let both = network.forward(&x, &mut pass).unwrap();
            assert_eq!(both.size(), [2, 8], "{name}");
            for (alone, from) in [(&network, 0), (&original, 3)] {
                let expected = alone.forward(&x, &mut Pass::eval()).unwrap();
                let found = both.narrow(1, from, expected.size()[1]);
                assert!(
                    found.allclose(&expected, 1e-5, 1e-6, false),
                    "{name}: {found} for {expected}"
                );
            }
            both.log_softmax(1, Kind::Float)
                .select(1, 4)
                .sum(Kind::Float)
                .backward();
            for (new, old) in &old.pairs {
                for tensor in [new.tensor(), old] {
                    assert!(
                        tensor.grad().abs().max().double_value(&[]) > 0.0,
                        "{name} {}",
                        new.name()
                    );
                }
            }
            // The head of the original itself stays.
            assert!(
                !original.parameters()[old.pairs[0].0.name()]
                    .tensor
                    .grad()
                    .defined()
            );
        }
    }
}
