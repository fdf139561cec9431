//! Which learned tensors stay as they are.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{DeepError, Network, Role, Weight};

/// Which layers of a network stay as they are while it is trained; all others learn.
///
/// *When*: few labelled rows. Early layers are general and transfer as they are, late ones belong to their task
/// (Yosinski and others 2014); what is frozen needs no gradient, no optimiser state, and cannot overfit.
///
/// A name stands for the layer and everything below it, or for one tensor: `layer1`, `layer1.0`, `class_token`. `*`
/// stands for one part of a name: `encoder.layers.*.mlp`. In a spec: `"nothing"`, `{ layers = ["conv1", "bn1"] }`,
/// `{ before = "layer3" }`, `{ all-but = ["fc"] }`.
///
/// A layer of batch normalisation that is frozen keeps its statistics, too. Tensors of adapters are never frozen.
///
/// ```
/// use tch::Device;
/// use translearn_deep::{Freeze, backbones};
///
/// let network = backbones::find("resnet18")?.build(10, Device::Cpu, 0)?;
/// network.freeze(&Freeze::AllBut(vec![network.head().to_owned()]))?;
/// assert_eq!(network.n_learned(), 512 * 10 + 10); // weights and biases of the head
/// network.freeze(&Freeze::Before("layer4".to_owned()))?;
/// assert!(network.learned().all(|tensor| tensor.name().starts_with("layer4") || tensor.name().starts_with("fc")));
/// # Ok::<(), translearn_deep::DeepError>(())
/// ```
///
/// Yosinski, Clune, Bengio, Lipson. How Transferable Are Features in Deep Neural Networks? NIPS 2014.
/// doi:10.48550/arXiv.1411.1792
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Everything learns.
    #[default]
    Nothing,
    /// These layers are frozen.
    Layers(Vec<String>),
    /// Every tensor is frozen that was made before the first of this layer: the layers that come earlier in the
    /// network.
    Before(String),
    /// Everything is frozen but these layers.
    AllBut(Vec<String>),
}

/// Whether a pattern stands for a name: part by part it is the name's beginning, where `*` is any part.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = name.split('.');
    let mut same = |wanted| {
        parts
            .next()
            .is_some_and(|part| wanted == "*" || part == wanted)
    };
    pattern.split('.').all(&mut same)
}

/// Whether one of the patterns stands for the name.
pub(crate) fn any_covers(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| covers(pattern, name))
}

impl Network {
    /// Freezes what is named and lets every other layer learn; what was frozen before does not count.
    ///
    /// After [`adapt`](Network::adapt) the weights below the adapters learn again where this does not name them.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that stands for no layer and no tensor, with the nearest; nothing is changed
    /// then.
    pub fn freeze(&self, freeze: &Freeze) -> Result<(), DeepError> {
        match freeze {
            Freeze::Nothing => self.unfreeze_all(),
            Freeze::Layers(names) => {
                self.check_names(names)?;
                self.let_learn(|_, name| !any_covers(names, name))
            }
            Freeze::AllBut(names) => {
                self.check_names(names)?;
                self.let_learn(|_, name| any_covers(names, name))
            }
            Freeze::Before(layer) => {
                let first = self.first_tensor(layer)?;
                self.let_learn(|index, _| index >= first)
            }
        }
    }

    /// Lets everything learn.
    ///
    /// # Errors
    /// [`DeepError::Torch`].
    pub fn unfreeze_all(&self) -> Result<(), DeepError> {
        self.let_learn(|_, _| true)
    }

    /// What is learned at present, with the tensors of adapters: what an optimiser takes.
    pub fn learned(&self) -> impl Iterator<Item = Weight> {
        self.parameters
            .iter()
            .filter(|(_, p)| p.role == Role::Weight && p.tensor.requires_grad())
            .map(|(name, p)| Weight::new(name, p.tensor.shallow_clone()))
    }

    /// How many numbers are learned at present.
    pub fn n_learned(&self) -> usize {
        self.learned().map(|weight| weight.tensor().numel()).sum()
    }

    /// Names of the learned tensors, frozen or not, in groups from input to output: for unfreezing one group after the
    /// other (Howard and Ruder 2018) and for rates that grow from group to group.
    ///
    /// A group is a top layer: `conv1`, `layer3`, `fc`. A layer without a number in its name that only holds others
    /// (`features`, `encoder.layers`) gives a group for each of those. Tensors of adapters are in the group of their
    /// layer.
    ///
    /// Howard, Ruder. Universal Language Model Fine-tuning for Text Classification. ACL 2018. doi:10.18653/v1/P18-1031
    pub fn layer_groups(&self) -> Vec<Vec<String>> {
        let mut groups = IndexMap::<&str, Vec<String>>::new();
        for (name, parameter) in &self.parameters {
            if parameter.role == Role::Weight {
                groups.entry(group(name)).or_default().push(name.clone());
            }
        }
        groups.into_values().collect()
    }

    /// Lets the tensors of the layers learn for which `learns` says so of their place and name, and freezes the others.
    pub(crate) fn let_learn(
        &self,
        mut learns: impl FnMut(usize, &str) -> bool,
    ) -> Result<(), DeepError> {
        for (index, (name, parameter)) in self.base().enumerate() {
            if parameter.role == Role::Weight {
                let learned = learns(index, name);
                let _same = parameter.tensor.f_set_requires_grad(learned)?;
            }
        }
        Ok(())
    }

    fn check_names(&self, names: &[String]) -> Result<(), DeepError> {
        let known = || {
            let tensors = self.base().map(|(name, _)| name);
            self.layers().iter().map(String::as_str).chain(tensors)
        };
        match names
            .iter()
            .find(|pattern| !known().any(|name| covers(pattern, name)))
        {
            Some(name) => Err(DeepError::unknown("layer", name, known())),
            None => Ok(()),
        }
    }

    /// The place of the first tensor of a layer; for a layer without tensors, the place after those made before it.
    fn first_tensor(&self, layer: &str) -> Result<usize, DeepError> {
        if let Some(first) = self.base().position(|(name, _)| covers(layer, name)) {
            return Ok(first);
        }
        self.check_layer(layer)?;
        let before = self.layers().iter().take_while(|name| *name != layer);
        let ends = before.filter_map(|earlier| {
            let last = self.base().rposition(|(name, _)| covers(earlier, name))?;
            Some(last + 1)
        });
        Ok(ends.max().unwrap_or(0))
    }
}

/// The group of a tensor: down to the first part with a number, or the layer that holds it.
fn group(tensor: &str) -> &str {
    let Some((layer, _)) = tensor.rsplit_once('.') else {
        return tensor;
    };
    let mut end = 0;
    for part in layer.split('.') {
        end += part.len();
        if part.contains(|c: char| c.is_ascii_digit()) {
            return &layer[..end];
        }
        end += 1;
    }
    layer
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::{Optimizer, OptimizerState, Pass, backbones};

    fn network(name: &str) -> Network {
        let backbone = backbones::find(name).unwrap();
        backbone.build(4, Device::Cpu, 0).unwrap()
    }

    fn names(freeze: &Freeze, network: &Network) -> Vec<String> {
        network.freeze(freeze).unwrap();
        network.learned().map(|w| w.name().to_owned()).collect()
    }

    #[test]
    fn names_prefixes_depths_and_complements_freeze_what_they_say() {
        let mlp = network("mlp");
        let layers = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let late = ["fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"];
        assert_eq!(names(&Freeze::Layers(layers(&["fc1"])), &mlp), late);
        assert_eq!(names(&Freeze::Before("fc2".to_owned()), &mlp), late);
        // No tensor of its own: what was made before it counts.
        assert_eq!(names(&Freeze::Before("relu1".to_owned()), &mlp), late);
        assert_eq!(
            names(&Freeze::AllBut(layers(&["fc3"])), &mlp),
            ["fc3.weight", "fc3.bias"]
        );
        assert_eq!(
            names(&Freeze::Layers(layers(&["fc1.weight", "*.bias"])), &mlp),
            ["fc2.weight", "fc3.weight"]
        );
        assert_eq!(names(&Freeze::Nothing, &mlp).len(), 6);

        // `layer1` is no prefix of a name that only begins alike.
        assert!(covers("layer1", "layer1.0.conv1") && !covers("layer1", "layer10.conv1"));
        assert!(covers("a.*.c", "a.b.c.d") && !covers("a.*.c", "a.b.d"));
        assert!(!covers("a.b.c", "a.b"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_changes_nothing() {
        let mlp = network("mlp");
        for freeze in [
            Freeze::Layers(vec!["fc1".to_owned(), "fc22".to_owned()]),
            Freeze::Before("fc22".to_owned()),
            Freeze::AllBut(vec!["fc22".to_owned()]),
        ] {
            let error = mlp.freeze(&freeze).unwrap_err().to_string();
            assert!(
                error.contains("no layer `fc22`; did you mean `fc2"),
                "{error}"
            );
            assert_eq!(mlp.learned().count(), 6);
        }
    }

    #[test]
    fn it_reads_from_specs() {
        let read = |text: &str| serde_json::from_str::<Freeze>(text);
        assert_eq!(read("\"nothing\"").unwrap(), Freeze::Nothing);
        let before = Freeze::Before("layer3".to_owned());
        assert_eq!(read("{\"before\": \"layer3\"}").unwrap(), before);
        let all_but = Freeze::AllBut(vec!["fc".to_owned()]);
        assert_eq!(read("{\"all-but\": [\"fc\"]}").unwrap(), all_but);
        assert!(read("{\"after\": \"layer3\"}").is_err());
    }

    #[test]
    fn groups_are_top_layers_in_order_and_hold_every_learned_tensor_once() {
        let firsts = |name: &str| -> Vec<String> {
            let network = network(name);
            let groups = network.layer_groups();
            let weights = network
                .parameters
                .iter()
                .filter(|(_, p)| p.role == Role::Weight);
            let mut all: Vec<String> = weights.map(|(name, _)| name.clone()).collect();
            let mut grouped = groups.concat();
            all.sort();
            grouped.sort();
            assert_eq!(grouped, all, "{name}");
            groups
                .iter()
                .map(|tensors| group(&tensors[0]).to_owned())
                .collect()
        };
        let stages = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"];
        assert_eq!(firsts("resnet18"), stages);
        let vgg = firsts("vgg11");
        assert_eq!(vgg.first().unwrap(), "features.0");
        assert_eq!(vgg.last().unwrap(), "classifier.6");
        assert_eq!(vgg.len(), 11);
        let mobile = firsts("mobilenet-v2");
        assert_eq!((mobile.len(), mobile[18].as_str()), (20, "features.18"));
    }

    #[test]
    fn what_is_frozen_gets_no_gradient_and_moves_not_even_by_its_statistics() {
        let cnn = network("small-cnn");
        let weights = || {
            cnn.parameters
                .iter()
                .filter(|(_, p)| p.role == Role::Weight)
        };
        let all = weights().map(|(_, p)| p.tensor.shallow_clone());
        let decay = Optimizer::Sgd {
            momentum: 0.9,
            weight_decay: 0.1,
            nesterov: false,
        };
        let mut optimizer = OptimizerState::new(decay, all).unwrap();
        let x = Tensor::arange(2 * 28 * 28, (Kind::Float, Device::Cpu))
            .sin()
            .view([2, 1, 28, 28]);
        let mut learn = |seed| {
            optimizer.clear_gradients().unwrap();
            let y = cnn.forward(&x, &mut Pass::train(seed)).unwrap();
            let loss = y.log_softmax(1, Kind::Float).select(1, 0).sum(Kind::Float);
            (-loss).backward();
            optimizer.step(0.1).unwrap();
        };
        let copy = || -> Vec<(String, Tensor)> {
            let all = cnn.parameters.iter();
            all.map(|(name, p)| (name.clone(), p.tensor.detach().copy()))
                .collect()
        };
        // First all learn, so that gradients and momenta stand when layers are frozen.
        learn(1);
        cnn.freeze(&Freeze::Before("conv2".to_owned())).unwrap();
        let before = copy();
        learn(2);
        for ((name, old), (_, new)) in before.iter().zip(copy()) {
            let frozen = name.starts_with("conv1") || name.starts_with("bn1");
            assert_eq!(*old == new, frozen, "{name}");
        }
    }
}
