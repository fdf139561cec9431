//! DenseNet: each layer sees what all before it in its block gave.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Flatten, Pool};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "densenet121",
    title: "DenseNet-121",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 29,
    },
    n_classes: 1000,
    feature_layer: "avgpool",
    feature_width: 1024,
    aliases: &[],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Huang, Liu, van der Maaten, Weinberger. Densely Connected Convolutional Networks. CVPR 2017. doi:10.1109/CVPR.2017.243",
    layers: |scope, n_classes| layers(scope, n_classes, 32, [6, 12, 24, 16]),
}];

/// The network whose layers add `growth` channels each, with this many layers in each block.
fn layers(
    scope: &Scope,
    n_classes: i64,
    growth: i64,
    depths: [i64; 4],
) -> Result<Sequence, DeepError> {
    let features = scope.enter("features");
    let mut channels = 2 * growth;
    let mut body = Sequence::new()
        .then(conv(
            &features,
            "conv0",
            3,
            channels,
            ConvParams::square(7).stride(2).padding(3),
        )?)
        .then(features.batch_norm("norm0", channels)?)
        .then(features.enter("relu0").layer(Activation::Relu))
        .then(features.enter("pool0").layer(Pool::Max {
            kernel: 3,
            stride: 2,
            padding: 1,
            ceil: false,
        }));
    for (block, depth) in (1..).zip(depths) {
        if block > 1 {
            let place = features.enter(format_args!("transition{}", block - 1));
            body.push(place.layer(transition(&place, channels)?));
            channels /= 2;
        }
        let place = features.enter(format_args!("denseblock{block}"));
        let mut dense = Vec::new();
        for index in 1..=depth {
            let place = place.enter(format_args!("denselayer{index}"));
            dense.push(place.layer(layer(&place, channels, growth)?));
            channels += growth;
        }
        body.push(place.layer(Block(dense)));
    }
    body.push(features.batch_norm("norm5", channels)?);
    let (weight, bias) = (Init::torch_default(channels), Init::Constant(0.0));
    Ok(Sequence::new()
        .then(features.layer(body))
        .then(scope.enter("relu").layer(Activation::Relu))
        .then(scope.avgpool(1))
        .then(scope.enter("flatten").layer(Flatten))
        .then(scope.linear_with("classifier", channels, n_classes, weight, bias)?))
}

/// A convolution with first values that keep the variance on the way forward.
fn conv(
    scope: &Scope,
    name: &str,
    channels_in: i64,
    channels_out: i64,
    params: ConvParams,
) -> Result<Named, DeepError> {
    let init = Init::kaiming(channels_in * params.area());
    scope.conv2d_with(name, channels_in, channels_out, params, init, init)
}

/// A layer of a block: `growth` new channels, by way of four times as many.
fn layer(scope: &Scope, channels: i64, growth: i64) -> Result<Sequence, DeepError> {
    let three = ConvParams::square(3).padding(1);
    Ok(Sequence::new()
        .then(scope.batch_norm("norm1", channels)?)
        .then(scope.enter("relu1").layer(Activation::Relu))
        .then(conv(
            scope,
            "conv1",
            channels,
            4 * growth,
            ConvParams::square(1),
        )?)
        .then(scope.batch_norm("norm2", 4 * growth)?)
        .then(scope.enter("relu2").layer(Activation::Relu))
        .then(conv(scope, "conv2", 4 * growth, growth, three)?))
}

/// Half the channels, height and width.
fn transition(scope: &Scope, channels: i64) -> Result<Sequence, DeepError> {
    Ok(Sequence::new()
        .then(scope.batch_norm("norm", channels)?)
        .then(scope.enter("relu").layer(Activation::Relu))
        .then(conv(
            scope,
            "conv",
            channels,
            channels / 2,
            ConvParams::square(1),
        )?)
        .then(scope.enter("pool").layer(Pool::Average {
            kernel: 2,
            stride: 2,
            padding: 0,
        })))
}

/// A dense block: the input and what each layer makes of all before it.
#[derive(Debug)]
struct Block(Vec<Named>);

impl Layer for Block {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let mut all = x.shallow_clone();
        for layer in &self.0 {
            let new = layer.forward(&all, pass)?;
            all = Tensor::f_cat(&[all, new], 1)?;
        }
        Ok(all)
    }
}
