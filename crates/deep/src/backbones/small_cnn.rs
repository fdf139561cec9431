//! A small network for grey digits, of 16 pixels a side (USPS) as of 28 (MNIST).

use super::Backbone;
use crate::layers::{Activation, ConvParams, Flatten, Pool};
use crate::{DeepError, InputShape, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "small-cnn",
    title: "Two convolutions and a hidden layer, for digits",
    input: InputShape::Image {
        channels: 1,
        size: 28,
        least: 16,
    },
    n_classes: 10,
    feature_layer: "relu3",
    feature_width: HIDDEN,
    aliases: &[],
    names_of: "this project",
    pixels: super::Pixels::Centred,
    reference: "LeCun, Bottou, Bengio, Haffner. Gradient-Based Learning Applied to Document Recognition. Proceedings of the IEEE 86(11), 1998. doi:10.1109/5.726791",
    layers,
}];

const HIDDEN: i64 = 128;
/// Height and width before the hidden layer, whatever the image had.
const SIDE: i64 = 4;

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let halve = Pool::Max {
        kernel: 2,
        stride: 2,
        padding: 0,
        ceil: false,
    };
    let conv = ConvParams::square(3).padding(1);
    Ok(Sequence::new()
        .then(scope.conv2d("conv1", 1, 32, conv)?)
        .then(scope.batch_norm("bn1", 32)?)
        .then(scope.enter("relu1").layer(Activation::Relu))
        .then(scope.enter("pool1").layer(halve))
        .then(scope.conv2d("conv2", 32, 64, conv)?)
        .then(scope.batch_norm("bn2", 64)?)
        .then(scope.enter("relu2").layer(Activation::Relu))
        .then(scope.enter("pool2").layer(halve))
        .then(
            scope
                .enter("avgpool")
                .layer(Pool::AdaptiveAverage { size: SIDE }),
        )
        .then(scope.enter("flatten").layer(Flatten))
        .then(scope.linear("fc1", 64 * SIDE * SIDE, HIDDEN)?)
        .then(scope.enter("relu3").layer(Activation::Relu))
        .then(scope.linear("fc2", HIDDEN, n_classes)?))
}
