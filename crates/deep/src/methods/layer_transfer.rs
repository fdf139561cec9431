//! How far up the layers of a network can be used for another task.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, Needs, ParamRange, TransferError, What, seed, setters,
    transfer_method,
};

use super::declare::{EXEMPTIONS, NEEDS, at_least, network, network_builder, parameter};
use super::domains::Domains;
use super::learner::NetworkParams;
use super::recipe::Recipe;
use crate::{DeepError, Network, RANDOM, Role};

/// Whose layers are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopiedFrom {
    /// Those of a network that was trained on the source.
    #[default]
    Source,
    /// Those of a network that was trained on the labelled target rows: the control.
    Target,
}

/// The first layers of a network that was trained on one task, below new ones that are trained on another.
///
/// *When.* To measure how general the layers of a network are, not to gain by it: with a sweep over `layers`, and with both
/// values of `from` and `frozen`, it gives the curves of the paper. Its names for them, with A the source and B the target:
///
/// | | `from = "source"` | `from = "target"` |
/// |---|---|---|
/// | `frozen = true` | AnB: what is lost is lost by layers that are A's own, and by neighbouring layers torn apart | BnB: the second of the two alone |
/// | `frozen = false` | AnB⁺: transfer with fine-tuning | BnB⁺: its control, trained as long |
///
/// ```text
/// 1. base network a on the source, or on the labelled target rows, from first values
/// 2. network b from other first values; its first n layers: those of a
/// 3. train b on the labelled target rows; frozen: all but its first n layers
/// ```
///
/// A layer is a convolution or a fully connected layer, counted in the order in which the network has them, with the
/// normalisation that follows; what is frozen keeps its statistics, too. The baseline is `target-only` with the same learner: the base
/// network of BnB, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training, the same in both parts |
/// | `layers` | 1 | integer ≥ 0, below the number of layers | n; 0 copies nothing |
/// | `from` | `"source"` | `"source"`, `"target"` | on what the base network is trained |
/// | `frozen` | true | true, false | whether the copied layers stay as they are |
///
/// Source and target share one list of classes, of which each may have its own.
///
/// *Cost.* Two trainings: one of the base network's rows, one of the labelled target rows.
///
/// *Where we differ.* The paper halves ImageNet and has as many rows for B as for A; here B may be small, so that there is
/// something to lose. Its networks have a head of their own task's classes, ours one for the classes of both.
///
/// # Errors
/// [`TransferError::Backend`] where `layers` leaves no layer to be trained, with the number of layers there are.
///
/// Source: Yosinski, Clune, Bengio, Lipson, *How transferable are features in deep neural networks?*, NIPS 2014,
/// doi:10.48550/arXiv.1411.1792.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerTransferParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    layers: u64,
    from: CopiedFrom,
    frozen: bool,
}

impl Default for LayerTransferParams {
    fn default() -> Self {
        Self {
            learner: network(),
            layers: 1,
            from: CopiedFrom::Source,
            frozen: true,
        }
    }
}

network_builder!(LayerTransferParams);

setters!(LayerTransferParams {
    /// Sets how many layers are copied.
    layers: u64,
    /// Sets on what the base network is trained.
    from: CopiedFrom,
    /// Sets whether the copied layers stay as they are.
    frozen: bool,
});

/// The number of tensors that belong to the first `layers` layers of a network.
fn tensors_of_first(network: &Network, layers: u64) -> Result<usize, DeepError> {
    let starts_layer = |(index, (_, parameter)): (usize, (&str, &crate::Parameter))| {
        let is_layer = parameter.role == Role::Weight && parameter.tensor.dim() >= 2;
        is_layer.then_some(index)
    };
    let starts: Vec<usize> = network
        .base()
        .enumerate()
        .filter_map(starts_layer)
        .collect();
    let place = usize::try_from(layers).ok();
    place
        .and_then(|place| starts.get(place).copied())
        .ok_or_else(|| DeepError::InvalidParameter {
            name: "layers",
            value: layers.to_string(),
            range: format!(
                "below {}, the number of layers of {}, so that one of them learns",
                starts.len(),
                network.name()
            ),
        })
}

/// Gives `to` the values of the first tensors of `from`, a network of the same layers.
fn copy_first(from: &Network, to: &Network, n_tensors: usize) -> Result<(), DeepError> {
    tch::no_grad(|| {
        let pairs = from.base().zip(to.base()).take(n_tensors);
        for ((_, from), (_, to)) in pairs {
            to.tensor.shallow_clone().f_copy_(&from.tensor)?;
        }
        Ok(())
    })
}

static INFO: MethodInfo = MethodInfo {
    name: "layer-transfer",
    title: "Transfer of the first layers",
    family: Family::Parameter,
    what: What::Parameters,
    needs: Needs {
        target_labels: true,
        ..NEEDS
    },
    parameters: &[
        parameter("layers", "1", at_least(0), "How many layers are copied."),
        parameter(
            "from",
            "\"source\"",
            ParamRange::Choice(&["source", "target"]),
            "On what the base network is trained.",
        ),
        parameter(
            "frozen",
            "true",
            ParamRange::Flag,
            "Whether the copied layers stay as they are.",
        ),
    ],
    exemptions: EXEMPTIONS,
    reference: "Yosinski, Clune, Bengio, Lipson. How transferable are features in deep neural networks? NIPS 2014. doi:10.48550/arXiv.1411.1792",
};

transfer_method!(LayerTransferParams, INFO, |method, problem, seed| {
    let params = NetworkParams::of(&method.learner)?;
    let domains = Domains::of(problem, INFO.name)?;
    let target = domains.target_labelled.as_ref();
    let target = target.ok_or_else(|| TransferError::Unsupported {
        method: INFO.name.to_owned(),
        needs: "labelled target rows".to_owned(),
        has: "none".to_owned(),
    })?;
    let recipe = Recipe::beside_baseline(params.clone(), RANDOM, problem, seed)?;
    let base = recipe.network()?;
    let copied = tensors_of_first(&base, method.layers)?;
    let rows = match method.from {
        CopiedFrom::Source => &domains.source,
        CopiedFrom::Target => target,
    };
    recipe.train_on(&base, rows)?;
    let above = seed::derive(seed, &["above"]);
    let recipe = Recipe::new(params, RANDOM, problem.n_classes(), above)?;
    let network = recipe.network()?;
    copy_first(&base, &network, copied)?;
    if method.frozen {
        network.let_learn(|index, _| index >= copied)?;
    }
    recipe.train_on(&network, target)?;
    Ok(recipe.fitted(network))
});

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::backbones;

    fn network(name: &str, seed: u64) -> Network {
        let backbone = backbones::find(name).unwrap();
        backbone.build(4, Device::Cpu, seed).unwrap()
    }

    #[test]
    fn layers_are_counted_as_in_the_paper() {
        // AlexNet has eight: five convolutions and three that are fully connected.
        let alexnet = network("alexnet", 0);
        let first = |layers| {
            let end = tensors_of_first(&alexnet, layers).unwrap();
            alexnet.base().nth(end).unwrap().0.to_owned()
        };
        let names: Vec<String> = (0..8).map(first).collect();
        assert_eq!(
            names,
            [
                "features.0.weight",
                "features.3.weight",
                "features.6.weight",
                "features.8.weight",
                "features.10.weight",
                "classifier.1.weight",
                "classifier.4.weight",
                "classifier.6.weight"
            ]
        );
        let error = tensors_of_first(&alexnet, 8).unwrap_err().to_string();
        assert!(
            error.contains("`layers` is 8") && error.contains("below 8"),
            "{error}"
        );
        assert!(tensors_of_first(&alexnet, u64::MAX).is_err());
    }

    #[test]
    fn what_is_copied_is_the_first_layers_with_their_statistics() {
        let (a, b, untouched) = (
            network("small-cnn", 1),
            network("small-cnn", 2),
            network("small-cnn", 2),
        );
        tch::no_grad(|| {
            for (name, parameter) in a.base() {
                if name.contains("running_mean") {
                    let _moved = parameter.tensor.shallow_clone().fill_(0.5);
                }
            }
        });
        copy_first(&a, &b, tensors_of_first(&b, 2).unwrap()).unwrap();
        for (((name, a), (_, b)), (_, old)) in a.base().zip(b.base()).zip(untouched.base()) {
            let expected = if name.contains('1') && !name.starts_with("fc")
                || name.contains("conv2")
                || name.contains("bn2")
            {
                a
            } else {
                old
            };
            assert_eq!(b.tensor, expected.tensor, "{name}");
            if name.contains("running_mean") {
                assert_eq!(b.tensor.max().double_value(&[]), 0.5, "{name}");
            }
        }
    }
}
