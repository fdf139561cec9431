//! Backbones under the names their published weights have.
//!
//! A backbone is a file that lays out its layers, and a line in the file's `ENTRIES`. Names of tensors and layers are those of
//! torchvision where it has the network, else those of timm or Keras, so that published weights load by name.

mod alexnet;
mod cifar_resnet;
mod convnext;
mod densenet;
mod efficientnet;
mod inception;
mod mlp;
mod mobilenet_v1;
mod mobilenet_v2;
mod resnet;
mod small_cnn;
mod squeezenet;
mod vgg;
mod vit;
mod xception;

use tch::Device;

use crate::{DeepError, InputShape, Network, Scope, Sequence};

/// How pixels in `[0, 1]` come to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Less ImageNet's mean of each channel, over its deviation.
    ImageNet,
    /// Moved to `[-1, 1]`.
    Centred,
}

/// A backbone that can be built by name.
#[derive(Debug, Clone, Copy)]
pub struct Backbone {
    /// Its name in specs.
    pub name: &'static str,
    /// Its name in prose.
    pub title: &'static str,
    /// What it takes.
    pub input: InputShape,
    /// The classes its published weights tell apart.
    pub n_classes: i64,
    /// The layer whose output serves as features unless another is named.
    pub feature_layer: &'static str,
    /// Width of that output, flattened.
    pub feature_width: i64,
    /// Other names for layers, as the literature has them: `("fc7", "classifier.5")`.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Where the names of its tensors come from: torchvision, timm, Keras or the paper's code.
    pub names_of: &'static str,
    /// How its published weights take pixels.
    pub pixels: Pixels,
    /// The paper.
    pub reference: &'static str,
    /// Lays out its layers for a number of classes.
    pub(crate) layers: fn(&Scope, i64) -> Result<Sequence, DeepError>,
}

static FAMILIES: [&[Backbone]; 15] = [
    alexnet::ENTRIES,
    cifar_resnet::ENTRIES,
    convnext::ENTRIES,
    densenet::ENTRIES,
    efficientnet::ENTRIES,
    inception::ENTRIES,
    mlp::ENTRIES,
    mobilenet_v1::ENTRIES,
    mobilenet_v2::ENTRIES,
    resnet::ENTRIES,
    small_cnn::ENTRIES,
    squeezenet::ENTRIES,
    vgg::ENTRIES,
    vit::ENTRIES,
    xception::ENTRIES,
];

const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

/// The names of [`all`], for the table of parameters.
pub(crate) static NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut entry = 0;
        while entry < FAMILIES[family].len() {
            names[count] = FAMILIES[family][entry].name;
            (count, entry) = (count + 1, entry + 1);
        }
        family += 1;
    }
    names
};

/// Every backbone.
pub fn all() -> impl Iterator<Item = &'static Backbone> {
    FAMILIES.into_iter().flatten()
}

/// The backbone of this name.
///
/// # Errors
/// [`DeepError::Unknown`], with the nearest name.
pub fn find(name: &str) -> Result<&'static Backbone, DeepError> {
    all()
        .find(|backbone| backbone.name == name)
        .ok_or_else(|| DeepError::unknown("backbone", name, all().map(|backbone| backbone.name)))
}

impl Backbone {
    /// The network with first values drawn from `seed`.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn build(&self, n_classes: i64, device: Device, seed: u64) -> Result<Network, DeepError> {
        Network::build(self.name, self.input, device, seed, |scope| {
            (self.layers)(scope, n_classes)
        })
    }

    /// The full name of a layer that may go by another.
    pub fn layer<'a>(&self, name: &'a str) -> &'a str {
        self.aliases
            .iter()
            .find(|(alias, _)| *alias == name)
            .map_or(name, |(_, full)| full)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_readme_names_every_backbone() {
        let readme = include_str!("../../README.md");
        let list = readme.split("```text\n").nth(1).unwrap();
        let list = list.split("```").next().unwrap();
        let named: BTreeSet<&str> = list.split_whitespace().collect();
        let known: BTreeSet<&str> = all().map(|backbone| backbone.name).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn the_names_are_those_of_all_backbones() {
        assert!(all().map(|backbone| backbone.name).eq(NAMES));
    }
}
