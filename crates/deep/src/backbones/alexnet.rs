//! AlexNet on one device.

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Dropout, Flatten, Pool};
use crate::{DeepError, InputShape, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "alexnet",
    title: "AlexNet",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 63,
    },
    n_classes: 1000,
    feature_layer: "classifier.5",
    feature_width: 4096,
    aliases: &[
        ("pool5", "features.12"),
        ("fc6", "classifier.1"),
        ("relu6", "classifier.2"),
        ("fc7", "classifier.4"),
        ("relu7", "classifier.5"),
        ("fc8", "classifier.6"),
    ],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Krizhevsky. One Weird Trick for Parallelizing Convolutional Neural Networks. 2014. doi:10.48550/arXiv.1404.5997",
    layers,
}];

/// The convolutions: channels, kernel, step, padding, and whether the largest of 3 × 3 is taken afterwards.
const CONVS: [(i64, i64, i64, i64, bool); 5] = [
    (64, 11, 4, 2, true),
    (192, 5, 1, 2, true),
    (384, 3, 1, 1, false),
    (256, 3, 1, 1, false),
    (256, 3, 1, 1, true),
];

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let features = scope.enter("features");
    let mut convs = Sequence::new();
    let mut channels = 3;
    for (out, kernel, stride, padding, pooled) in CONVS {
        let params = ConvParams::square(kernel)
            .stride(stride)
            .padding(padding)
            .biased();
        let init = Init::torch_default(channels * params.area());
        let index = convs.len().to_string();
        convs.push(features.conv2d_with(&index, channels, out, params, init, init)?);
        convs.push(features.enter(convs.len()).layer(Activation::Relu));
        if pooled {
            convs.push(features.enter(convs.len()).layer(Pool::Max {
                kernel: 3,
                stride: 2,
                padding: 0,
                ceil: false,
            }));
        }
        channels = out;
    }
    let classifier = scope.enter("classifier");
    let head = Sequence::new()
        .then(classifier.enter(0).layer(Dropout { p: 0.5 }))
        .then(classifier.linear("1", channels * 6 * 6, 4096)?)
        .then(classifier.enter(2).layer(Activation::Relu))
        .then(classifier.enter(3).layer(Dropout { p: 0.5 }))
        .then(classifier.linear("4", 4096, 4096)?)
        .then(classifier.enter(5).layer(Activation::Relu))
        .then(classifier.linear("6", 4096, n_classes)?);
    Ok(Sequence::new()
        .then(features.layer(convs))
        .then(scope.avgpool(6))
        .then(scope.enter("flatten").layer(Flatten))
        .then(classifier.layer(head)))
}
