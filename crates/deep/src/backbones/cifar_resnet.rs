//! Residual networks for images of 32 × 32, without parameters in the shortcuts (option A of the paper).

use super::Backbone;
use super::resnet::Residual;
use crate::layers::{Activation, ConvParams, Flatten, Func};
use crate::{DeepError, InputShape, Named, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[
    RESNET20,
    Backbone {
        name: "cifar-resnet32",
        title: "ResNet-32 for CIFAR",
        layers: |scope, n_classes| layers(scope, n_classes, 5),
        ..RESNET20
    },
    Backbone {
        name: "cifar-resnet44",
        title: "ResNet-44 for CIFAR",
        layers: |scope, n_classes| layers(scope, n_classes, 7),
        ..RESNET20
    },
    Backbone {
        name: "cifar-resnet56",
        title: "ResNet-56 for CIFAR",
        layers: |scope, n_classes| layers(scope, n_classes, 9),
        ..RESNET20
    },
];

const RESNET20: Backbone = Backbone {
    name: "cifar-resnet20",
    title: "ResNet-20 for CIFAR",
    input: InputShape::Image {
        channels: 3,
        size: 32,
        least: 1,
    },
    n_classes: 10,
    feature_layer: "avgpool",
    feature_width: 64,
    aliases: &[],
    names_of: "akamaster/pytorch_resnet_cifar10",
    pixels: super::Pixels::ImageNet,
    reference: "He, Zhang, Ren, Sun. Deep Residual Learning for Image Recognition. CVPR 2016. doi:10.1109/CVPR.2016.90",
    layers: |scope, n_classes| layers(scope, n_classes, 3),
};

fn layers(scope: &Scope, n_classes: i64, depth: i64) -> Result<Sequence, DeepError> {
    let conv = ConvParams::square(3).padding(1);
    let mut network = Sequence::new()
        .then(scope.conv2d("conv1", 3, 16, conv)?)
        .then(scope.batch_norm("bn1", 16)?)
        .then(scope.enter("relu").layer(Activation::Relu));
    let mut channels = 16;
    for (stage, width) in [(1, 16), (2, 32), (3, 64)] {
        let scope = scope.enter(format_args!("layer{stage}"));
        let mut blocks = Sequence::new();
        for block in 0..depth {
            let scope = scope.enter(block);
            let stride = if channels == width { 1 } else { 2 };
            let convs = [(width, conv.stride(stride)), (width, conv)];
            let layer = Residual::new(&scope, channels, &convs, || {
                Ok(Some(shortcut(&scope.enter("shortcut"), width - channels)))
            })?;
            blocks.push(scope.layer(layer));
            channels = width;
        }
        network.push(scope.layer(blocks));
    }
    Ok(network
        .then(scope.avgpool(1))
        .then(scope.enter("flatten").layer(Flatten))
        .then(scope.linear("linear", channels, n_classes)?))
}

/// What comes in; where channels are to be added, every second point of it, between channels of zeros.
fn shortcut(scope: &Scope, added: i64) -> Named {
    if added == 0 {
        return scope.layer(Sequence::new());
    }
    scope.layer(Func(move |x: &tch::Tensor, _: &mut crate::Pass| {
        let half = x.f_slice(2, None, None, 2)?.f_slice(3, None, None, 2)?;
        Ok(half.f_constant_pad_nd([0, 0, 0, 0, added / 2, added / 2])?)
    }))
}
