//! ConvNeXt-Tiny, as torchvision has it.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, Conv2d, ConvParams, Flatten, Func, Residual, StochasticDepth};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence, Weight};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "convnext-tiny",
    title: "ConvNeXt-Tiny",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 32,
    },
    n_classes: 1000,
    feature_layer: "classifier.1",
    feature_width: 768,
    aliases: &[("flatten", "classifier.1")],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Liu, Mao, Wu, Feichtenhofer, Darrell, Xie. A ConvNet for the 2020s. CVPR 2022. doi:10.1109/CVPR52688.2022.01167",
    layers,
}];

/// Channels and blocks.
const STAGES: [(i64, i64); 4] = [(96, 3), (192, 3), (384, 9), (768, 3)];
/// Share of rows for which the deepest block is skipped; it grows linearly from 0.
const DROPPED: f64 = 0.1;
const EPSILON: f64 = 1e-6;
const INIT: Init = Init::Normal(0.02);
const ZERO: Init = Init::Constant(0.0);

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let at = scope.enter("features");
    let mut channels = STAGES[0].0;
    let stem = at.enter(0);
    let patches = Sequence::new()
        .then(conv(
            &stem,
            "0",
            3,
            channels,
            ConvParams::square(4).stride(4),
        )?)
        .then(norm(&stem, "1", channels)?);
    let mut features = Sequence::new().then(stem.layer(patches));
    let depth: i64 = STAGES.iter().map(|(_, n)| n).sum();
    let mut passed = 0;
    let mut i = 1;
    for (wider, n) in STAGES {
        if wider != channels {
            let between = at.enter(i);
            let halve = ConvParams::square(2).stride(2);
            let layers = Sequence::new()
                .then(norm(&between, "0", channels)?)
                .then(conv(&between, "1", channels, wider, halve)?);
            features.push(between.layer(layers));
            channels = wider;
            i += 1;
        }
        let stage = at.enter(i);
        let mut blocks = Sequence::new();
        for j in 0..n {
            let dropped = DROPPED * passed as f64 / (depth - 1) as f64;
            blocks.push(block(&stage.enter(j), channels, dropped)?);
            passed += 1;
        }
        features.push(stage.layer(blocks));
        i += 1;
    }
    let classifier = scope.enter("classifier");
    Ok(Sequence::new()
        .then(at.layer(features))
        .then(scope.avgpool(1))
        .then(norm(&classifier, "0", channels)?)
        .then(classifier.enter(1).layer(Flatten))
        .then(classifier.linear_with("2", channels, n_classes, INIT, ZERO)?))
}

fn block(scope: &Scope, channels: i64, dropped: f64) -> Result<Named, DeepError> {
    let at = scope.enter("block");
    let depthwise = ConvParams::square(7).padding(3).groups(channels);
    let layers = Sequence::new()
        .then(conv(&at, "0", channels, channels, depthwise)?)
        .then(permute(&at, "1", [0, 2, 3, 1]))
        .then(at.layer_norm("2", channels, EPSILON)?)
        .then(at.linear_with("3", channels, 4 * channels, INIT, ZERO)?)
        .then(at.enter(4).layer(Activation::Gelu))
        .then(at.linear_with("5", 4 * channels, channels, INIT, ZERO)?)
        .then(permute(&at, "6", [0, 3, 1, 2]));
    let factors = scope.weight("layer_scale", &[channels, 1, 1], Init::Constant(1e-6))?;
    let scale = Func(move |x: &Tensor, pass: &mut Pass| -> Result<_, DeepError> {
        Ok(x.f_mul(pass.value(&factors))?)
    });
    let branch = Sequence::new()
        .then(at.layer(layers))
        .then(scope.enter("layer_scale").layer(scale))
        .then(
            scope
                .enter("stochastic_depth")
                .layer(StochasticDepth { p: dropped }),
        );
    Ok(scope.layer(Residual::new(branch)))
}

fn permute(scope: &Scope, name: &str, axes: [i64; 4]) -> Named {
    let permute =
        Func(move |x: &Tensor, _: &mut Pass| -> Result<_, DeepError> { Ok(x.f_permute(axes)?) });
    scope.enter(name).layer(permute)
}

fn conv(
    scope: &Scope,
    name: &str,
    channels_in: i64,
    channels_out: i64,
    params: ConvParams,
) -> Result<Named, DeepError> {
    let scope = scope.enter(name);
    let [height, width] = params.kernel;
    let shape = [channels_out, channels_in / params.groups, height, width];
    let weight = scope.weight("weight", &shape, INIT)?;
    let bias = scope.weight("bias", &[channels_out], ZERO)?;
    Ok(scope.layer(Conv2d::new(weight, Some(bias), params)))
}

fn norm(scope: &Scope, name: &str, channels: i64) -> Result<Named, DeepError> {
    let scope = scope.enter(name);
    let norm = ChannelNorm {
        weight: scope.weight("weight", &[channels], Init::Constant(1.0))?,
        bias: scope.weight("bias", &[channels], ZERO)?,
        channels,
    };
    Ok(scope.layer(norm))
}

/// Normalises the channels of each pixel.
#[derive(Debug)]
struct ChannelNorm {
    weight: Weight,
    bias: Weight,
    channels: i64,
}

impl Layer for ChannelNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let normed = x.f_permute([0, 2, 3, 1])?.f_layer_norm(
            [self.channels],
            Some(pass.value(&self.weight)),
            Some(pass.value(&self.bias)),
            EPSILON,
            true,
        )?;
        Ok(normed.f_permute([0, 3, 1, 2])?)
    }
}
