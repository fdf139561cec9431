//! MobileNet, second version, as torchvision has it.

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Dropout, Flatten, Residual};
use crate::{DeepError, InputShape, Named, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "mobilenet-v2",
    title: "MobileNet v2",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 32,
    },
    n_classes: 1000,
    feature_layer: "flatten",
    feature_width: WIDTH,
    aliases: &[],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Sandler, Howard, Zhu, Zhmoginov, Chen. MobileNetV2: Inverted Residuals and Linear Bottlenecks. CVPR 2018. doi:10.1109/CVPR.2018.00474",
    layers,
}];

const WIDTH: i64 = 1280;

/// Factor of expansion, channels, blocks, step of the first.
const STAGES: [(i64, i64, i64, i64); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let at = scope.enter("features");
    let mut channels = 32;
    let stem = ConvParams::square(3).stride(2).padding(1);
    let mut features =
        Sequence::new().then(
            at.enter(0)
                .conv_norm(3, channels, stem, Some(Activation::Relu6))?,
        );
    let blocks = STAGES.into_iter().flat_map(|(factor, wider, n, stride)| {
        (0..n).map(move |i| (factor, wider, if i == 0 { stride } else { 1 }))
    });
    let mut i = 1;
    for (factor, wider, stride) in blocks {
        features.push(block(&at.enter(i), channels, wider, factor, stride)?);
        channels = wider;
        i += 1;
    }
    features.push(at.enter(i).conv_norm(
        channels,
        WIDTH,
        ConvParams::square(1),
        Some(Activation::Relu6),
    )?);
    with_classifier(
        scope,
        at.layer(features),
        WIDTH,
        n_classes,
        Init::Normal(0.01),
    )
}

/// The features, their means, and a linear classifier behind dropout, whose first weights are drawn as `init`.
pub(super) fn with_classifier(
    scope: &Scope,
    features: Named,
    width: i64,
    n_classes: i64,
    init: Init,
) -> Result<Sequence, DeepError> {
    let classifier = scope.enter("classifier");
    let zero = Init::Constant(0.0);
    Ok(Sequence::new()
        .then(features)
        .then(scope.avgpool(1))
        .then(scope.enter("flatten").layer(Flatten))
        .then(classifier.enter(0).layer(Dropout { p: 0.2 }))
        .then(classifier.linear_with("1", width, n_classes, init, zero)?))
}

/// An inverted residual: wider, filtered channel by channel, and narrow again without an activation.
fn block(
    scope: &Scope,
    channels: i64,
    wider: i64,
    factor: i64,
    stride: i64,
) -> Result<Named, DeepError> {
    let at = scope.enter("conv");
    let hidden = channels * factor;
    let mut conv = Sequence::new();
    let mut i = 0;
    if factor != 1 {
        let expand = ConvParams::square(1);
        conv.push(
            at.enter(i)
                .conv_norm(channels, hidden, expand, Some(Activation::Relu6))?,
        );
        i += 1;
    }
    let depthwise = ConvParams::square(3)
        .stride(stride)
        .padding(1)
        .groups(hidden);
    conv.push(
        at.enter(i)
            .conv_norm(hidden, hidden, depthwise, Some(Activation::Relu6))?,
    );
    conv.push(at.conv2d(&(i + 1).to_string(), hidden, wider, ConvParams::square(1))?);
    conv.push(at.batch_norm(&(i + 2).to_string(), wider)?);
    let branch = Sequence::new().then(at.layer(conv));
    Ok(if stride == 1 && channels == wider {
        scope.layer(Residual::new(branch))
    } else {
        scope.layer(branch)
    })
}
