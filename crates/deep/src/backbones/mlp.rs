//! A perceptron with two hidden layers.

use super::Backbone;
use crate::layers::Activation;
use crate::{DeepError, InputShape, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "mlp",
    title: "Perceptron with two hidden layers of 256",
    input: InputShape::Rows { width: 256 },
    n_classes: 10,
    feature_layer: "relu2",
    feature_width: HIDDEN,
    aliases: &[],
    names_of: "this project",
    pixels: super::Pixels::Centred,
    reference: "Rumelhart, Hinton, Williams. Learning Representations by Back-Propagating Errors. Nature 323, 1986. doi:10.1038/323533a0",
    layers,
}];

const INPUT: i64 = 256;
const HIDDEN: i64 = 256;

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    Ok(Sequence::new()
        .then(scope.linear("fc1", INPUT, HIDDEN)?)
        .then(scope.enter("relu1").layer(Activation::Relu))
        .then(scope.linear("fc2", HIDDEN, HIDDEN)?)
        .then(scope.enter("relu2").layer(Activation::Relu))
        .then(scope.linear("fc3", HIDDEN, n_classes)?))
}
