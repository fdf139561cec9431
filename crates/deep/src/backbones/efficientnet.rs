//! EfficientNet-B0, as torchvision has it.

use tch::Tensor;

use super::Backbone;
use super::mobilenet_v2::with_classifier;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Residual, StochasticDepth};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "efficientnet-b0",
    title: "EfficientNet-B0",
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
    reference: "Tan, Le. EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019. doi:10.48550/arXiv.1905.11946",
    layers,
}];

const WIDTH: i64 = 1280;

/// Factor of expansion, kernel, step of the first block, channels, blocks.
const STAGES: [(i64, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// Share of rows for which the deepest block would be skipped; it grows linearly from 0.
const DROPPED: f64 = 0.2;

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let at = scope.enter("features");
    let mut channels = 32;
    let stem = ConvParams::square(3).stride(2).padding(1);
    let mut features =
        Sequence::new().then(
            at.enter(0)
                .conv_norm(3, channels, stem, Some(Activation::Silu))?,
        );
    let depth: i64 = STAGES.iter().map(|(.., n)| n).sum();
    let mut passed = 0;
    for (i, (factor, kernel, stride, wider, n)) in (1..).zip(STAGES) {
        let stage = at.enter(i);
        let mut blocks = Sequence::new();
        for j in 0..n {
            let block = Block {
                channels,
                wider,
                hidden: channels * factor,
                kernel,
                stride: if j == 0 { stride } else { 1 },
                dropped: DROPPED * passed as f64 / depth as f64,
            };
            blocks.push(block.lay_out(&stage.enter(j))?);
            channels = wider;
            passed += 1;
        }
        features.push(stage.layer(blocks));
    }
    features.push(at.enter(STAGES.len() + 1).conv_norm(
        channels,
        WIDTH,
        ConvParams::square(1),
        Some(Activation::Silu),
    )?);
    let init = Init::torch_default(n_classes);
    with_classifier(scope, at.layer(features), WIDTH, n_classes, init)
}

struct Block {
    channels: i64,
    wider: i64,
    hidden: i64,
    kernel: i64,
    stride: i64,
    dropped: f64,
}

impl Block {
    /// An inverted residual whose channels are weighed before it gets narrow again.
    fn lay_out(&self, scope: &Scope) -> Result<Named, DeepError> {
        let &Self {
            channels,
            wider,
            hidden,
            kernel,
            stride,
            dropped,
        } = self;
        let at = scope.enter("block");
        let mut layers = Sequence::new();
        let mut i = 0;
        if hidden != channels {
            let expand = ConvParams::square(1);
            layers.push(
                at.enter(i)
                    .conv_norm(channels, hidden, expand, Some(Activation::Silu))?,
            );
            i += 1;
        }
        let depthwise = ConvParams::square(kernel)
            .stride(stride)
            .padding(kernel / 2)
            .groups(hidden);
        layers.push(
            at.enter(i)
                .conv_norm(hidden, hidden, depthwise, Some(Activation::Silu))?,
        );
        layers.push(squeeze_excitation(&at.enter(i + 1), hidden, channels / 4)?);
        layers.push(
            at.enter(i + 2)
                .conv_norm(hidden, wider, ConvParams::square(1), None)?,
        );
        let branch = Sequence::new().then(at.layer(layers));
        Ok(if stride == 1 && channels == wider {
            let depth = scope
                .enter("stochastic_depth")
                .layer(StochasticDepth { p: dropped });
            scope.layer(Residual::new(branch.then(depth)))
        } else {
            scope.layer(branch)
        })
    }
}

fn squeeze_excitation(scope: &Scope, channels: i64, squeezed: i64) -> Result<Named, DeepError> {
    let conv = ConvParams::square(1).biased();
    let scale = Sequence::new()
        .then(scope.avgpool(1))
        .then(scope.conv2d("fc1", channels, squeezed, conv)?)
        .then(scope.enter("activation").layer(Activation::Silu))
        .then(scope.conv2d("fc2", squeezed, channels, conv)?)
        .then(scope.enter("scale_activation").layer(Activation::Sigmoid));
    Ok(scope.layer(Scaled(scale)))
}

/// The input times what the layers make of it.
#[derive(Debug)]
struct Scaled(Sequence);

impl Layer for Scaled {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        Ok(x.f_mul(&self.0.forward(x, pass)?)?)
    }
}
