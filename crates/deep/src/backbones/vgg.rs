//! VGG: 3 × 3 convolutions in five stages, with and without batch normalisation.

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Dropout, Flatten, Pool};
use crate::{DeepError, InputShape, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[
    VGG11,
    Backbone {
        name: "vgg11-bn",
        title: "VGG-11 with batch normalisation",
        layers: |scope, n_classes| layers(scope, n_classes, [1, 1, 2, 2, 2], true),
        ..VGG11
    },
    Backbone {
        name: "vgg13",
        title: "VGG-13",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 2, 2, 2], false),
        ..VGG11
    },
    Backbone {
        name: "vgg13-bn",
        title: "VGG-13 with batch normalisation",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 2, 2, 2], true),
        ..VGG11
    },
    Backbone {
        name: "vgg16",
        title: "VGG-16",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 3, 3, 3], false),
        ..VGG11
    },
    Backbone {
        name: "vgg16-bn",
        title: "VGG-16 with batch normalisation",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 3, 3, 3], true),
        ..VGG11
    },
    Backbone {
        name: "vgg19",
        title: "VGG-19",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 4, 4, 4], false),
        ..VGG11
    },
    Backbone {
        name: "vgg19-bn",
        title: "VGG-19 with batch normalisation",
        layers: |scope, n_classes| layers(scope, n_classes, [2, 2, 4, 4, 4], true),
        ..VGG11
    },
];

const VGG11: Backbone = Backbone {
    name: "vgg11",
    title: "VGG-11",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 32,
    },
    n_classes: 1000,
    feature_layer: "classifier.4",
    feature_width: 4096,
    aliases: &[
        ("pool5", "features"),
        ("fc6", "classifier.0"),
        ("relu6", "classifier.1"),
        ("fc7", "classifier.3"),
        ("relu7", "classifier.4"),
        ("fc8", "classifier.6"),
    ],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Simonyan, Zisserman. Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015. doi:10.48550/arXiv.1409.1556",
    layers: |scope, n_classes| layers(scope, n_classes, [1, 1, 2, 2, 2], false),
};

/// The network with this many convolutions in each stage.
fn layers(
    scope: &Scope,
    n_classes: i64,
    depths: [usize; 5],
    normalised: bool,
) -> Result<Sequence, DeepError> {
    let features = scope.enter("features");
    let mut convs = Sequence::new();
    let mut channels = 3;
    let conv = ConvParams::square(3).padding(1).biased();
    let zero = Init::Constant(0.0);
    for (width, depth) in [64, 128, 256, 512, 512].into_iter().zip(depths) {
        for _ in 0..depth {
            let init = Init::kaiming(width * conv.area());
            let index = convs.len().to_string();
            convs.push(features.conv2d_with(&index, channels, width, conv, init, zero)?);
            if normalised {
                convs.push(features.batch_norm(&convs.len().to_string(), width)?);
            }
            convs.push(features.enter(convs.len()).layer(Activation::Relu));
            channels = width;
        }
        convs.push(features.enter(convs.len()).layer(Pool::Max {
            kernel: 2,
            stride: 2,
            padding: 0,
            ceil: false,
        }));
    }
    let classifier = scope.enter("classifier");
    let normal = Init::Normal(0.01);
    let head = Sequence::new()
        .then(classifier.linear_with("0", channels * 7 * 7, 4096, normal, zero)?)
        .then(classifier.enter(1).layer(Activation::Relu))
        .then(classifier.enter(2).layer(Dropout { p: 0.5 }))
        .then(classifier.linear_with("3", 4096, 4096, normal, zero)?)
        .then(classifier.enter(4).layer(Activation::Relu))
        .then(classifier.enter(5).layer(Dropout { p: 0.5 }))
        .then(classifier.linear_with("6", 4096, n_classes, normal, zero)?);
    Ok(Sequence::new()
        .then(features.layer(convs))
        .then(scope.avgpool(7))
        .then(scope.enter("flatten").layer(Flatten))
        .then(classifier.layer(head)))
}
