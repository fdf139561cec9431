//! Residual networks for ImageNet, as torchvision has them: a bottleneck steps in its 3 × 3 convolution.

use tch::Tensor;

use super::Backbone;
use crate::layers::block::add;
use crate::layers::{Activation, ConvParams, Flatten, Pool};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[
    RESNET18,
    Backbone {
        name: "resnet34",
        title: "ResNet-34",
        layers: |scope, n_classes| layers(scope, n_classes, Kind::Basic, [3, 4, 6, 3]),
        ..RESNET18
    },
    Backbone {
        name: "resnet50",
        title: "ResNet-50",
        feature_width: 2048,
        layers: |scope, n_classes| layers(scope, n_classes, Kind::Bottleneck, [3, 4, 6, 3]),
        ..RESNET18
    },
    Backbone {
        name: "resnet101",
        title: "ResNet-101",
        feature_width: 2048,
        layers: |scope, n_classes| layers(scope, n_classes, Kind::Bottleneck, [3, 4, 23, 3]),
        ..RESNET18
    },
    Backbone {
        name: "resnet152",
        title: "ResNet-152",
        feature_width: 2048,
        layers: |scope, n_classes| layers(scope, n_classes, Kind::Bottleneck, [3, 8, 36, 3]),
        ..RESNET18
    },
];

const RESNET18: Backbone = Backbone {
    name: "resnet18",
    title: "ResNet-18",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 1,
    },
    n_classes: 1000,
    feature_layer: "avgpool",
    feature_width: 512,
    aliases: &[
        ("conv2_x", "layer1"),
        ("conv3_x", "layer2"),
        ("conv4_x", "layer3"),
        ("conv5_x", "layer4"),
        ("pool5", "avgpool"),
    ],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "He, Zhang, Ren, Sun. Deep Residual Learning for Image Recognition. CVPR 2016. doi:10.1109/CVPR.2016.90",
    layers: |scope, n_classes| layers(scope, n_classes, Kind::Basic, [2, 2, 2, 2]),
};

/// What a block is made of.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Two 3 × 3 convolutions.
    Basic,
    /// 1 × 1, 3 × 3 and 1 × 1, the last four times as wide.
    Bottleneck,
}

fn layers(
    scope: &Scope,
    n_classes: i64,
    kind: Kind,
    depths: [i64; 4],
) -> Result<Sequence, DeepError> {
    let stem = ConvParams::square(7).stride(2).padding(3);
    let mut network = Sequence::new()
        .then(scope.conv2d("conv1", 3, 64, stem)?)
        .then(scope.batch_norm("bn1", 64)?)
        .then(scope.enter("relu").layer(Activation::Relu))
        .then(scope.enter("maxpool").layer(Pool::Max {
            kernel: 3,
            stride: 2,
            padding: 1,
            ceil: false,
        }));
    let mut width = 64;
    for (stage, depth) in (1..).zip(depths) {
        let scope = scope.enter(format_args!("layer{stage}"));
        let mut blocks = Sequence::new();
        for block in 0..depth {
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let (layer, out) =
                Residual::imagenet(&scope.enter(block), kind, width, 32 << stage, stride)?;
            blocks.push(scope.enter(block).layer(layer));
            width = out;
        }
        network.push(scope.layer(blocks));
    }
    Ok(network
        .then(scope.avgpool(1))
        .then(scope.enter("flatten").layer(Flatten))
        .then(scope.linear("fc", width, n_classes)?))
}

/// A residual block: normalised convolutions with rectifiers between them, the shortcut added, and a rectifier.
///
/// As in torchvision one rectifier named `relu` serves all; a tap keeps what it gave last, the output of the block.
#[derive(Debug)]
pub(super) struct Residual {
    steps: Vec<[Named; 2]>,
    shortcut: Option<Named>,
    relu: Named,
}

impl Layer for Residual {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let mut y = x.shallow_clone();
        for (step, [conv, norm]) in self.steps.iter().enumerate() {
            if step > 0 {
                y = self.relu.consume(y, pass)?;
            }
            y = norm.consume(conv.consume(y, pass)?, pass)?;
        }
        let sum = match &self.shortcut {
            Some(shortcut) => add(y, &shortcut.forward(x, pass)?)?,
            None => add(y, x)?,
        };
        self.relu.consume(sum, pass)
    }
}

impl Residual {
    /// The block of these convolutions, named `conv1`, `bn1`, `conv2`, …; each is given with the channels it makes.
    pub(super) fn new(
        scope: &Scope,
        channels_in: i64,
        convs: &[(i64, ConvParams)],
        shortcut: impl FnOnce() -> Result<Option<Named>, DeepError>,
    ) -> Result<Self, DeepError> {
        let mut steps = Vec::new();
        let mut width = channels_in;
        for (step, &(channels, params)) in (1..).zip(convs) {
            let conv = scope.conv2d(&format!("conv{step}"), width, channels, params)?;
            let norm = scope.batch_norm(&format!("bn{step}"), channels)?;
            steps.push([conv, norm]);
            width = channels;
        }
        Ok(Self {
            steps,
            relu: scope.enter("relu").layer(Activation::Relu),
            shortcut: shortcut()?,
        })
    }

    /// A block of an ImageNet network, and the channels it makes; the shortcut is projected where shapes differ.
    fn imagenet(
        scope: &Scope,
        kind: Kind,
        channels_in: i64,
        width: i64,
        stride: i64,
    ) -> Result<(Self, i64), DeepError> {
        let one = ConvParams::square(1);
        let three = ConvParams::square(3).padding(1);
        let (convs, out) = match kind {
            Kind::Basic => (vec![(width, three.stride(stride)), (width, three)], width),
            Kind::Bottleneck => (
                vec![
                    (width, one),
                    (width, three.stride(stride)),
                    (4 * width, one),
                ],
                4 * width,
            ),
        };
        let block = Self::new(scope, channels_in, &convs, || {
            if stride == 1 && channels_in == out {
                return Ok(None);
            }
            let scope = scope.enter("downsample");
            let projection = Sequence::new()
                .then(scope.conv2d("0", channels_in, out, one.stride(stride))?)
                .then(scope.batch_norm("1", out)?);
            Ok(Some(scope.layer(projection)))
        })?;
        Ok((block, out))
    }
}
