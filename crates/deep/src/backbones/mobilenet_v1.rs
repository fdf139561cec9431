//! MobileNet, first version, as Keras has it: its names, its padding and its numbers, in the layout of PyTorch.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, Conv2d, ConvParams, Dropout, Func, Pool};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence, Weight};

pub(super) static ENTRIES: &[Backbone] = &[
    entry(
        "mobilenet-v1-0.25",
        "MobileNet v1, a quarter of the channels",
        256,
        |scope, n_classes| layers(scope, n_classes, 1),
    ),
    entry(
        "mobilenet-v1-0.5",
        "MobileNet v1, half of the channels",
        512,
        |scope, n_classes| layers(scope, n_classes, 2),
    ),
    entry(
        "mobilenet-v1-0.75",
        "MobileNet v1, three quarters of the channels",
        768,
        |scope, n_classes| layers(scope, n_classes, 3),
    ),
    entry(
        "mobilenet-v1-1.0",
        "MobileNet v1",
        1024,
        |scope, n_classes| layers(scope, n_classes, 4),
    ),
];

const fn entry(
    name: &'static str,
    title: &'static str,
    feature_width: i64,
    layers: fn(&Scope, i64) -> Result<Sequence, DeepError>,
) -> Backbone {
    Backbone {
        name,
        title,
        input: InputShape::Image {
            channels: 3,
            size: 224,
            least: 32,
        },
        n_classes: 1000,
        feature_layer: "global_pool",
        feature_width,
        aliases: &[
            ("global_average_pooling2d", "global_pool"),
            ("avg_pool", "global_pool"),
        ],
        names_of: "Keras",
        pixels: super::Pixels::Centred,
        reference: "Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam. MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications. 2017. doi:10.48550/arXiv.1704.04861",
        layers,
    }
}

/// Channels and step of the thirteen blocks.
const BLOCKS: [(i64, i64); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

fn layers(scope: &Scope, n_classes: i64, quarters: i64) -> Result<Sequence, DeepError> {
    let mut channels = 32 * quarters / 4;
    let mut net = Sequence::new()
        .then(pad(scope, "conv1_pad"))
        .then(conv(
            scope,
            "conv1",
            "kernel",
            3,
            channels,
            ConvParams::square(3).stride(2),
        )?)
        .then(norm(scope, "conv1_bn", channels)?)
        .then(scope.enter("conv1_relu").layer(Activation::Relu6));
    for (i, (full, stride)) in (1..).zip(BLOCKS) {
        let wider = full * quarters / 4;
        let (depthwise, pointwise) = (format!("conv_dw_{i}"), format!("conv_pw_{i}"));
        let params = ConvParams::square(3).groups(channels).stride(stride);
        let params = if stride == 1 {
            params.padding(1)
        } else {
            net.push(pad(scope, &format!("conv_pad_{i}")));
            params
        };
        net = net
            .then(conv(
                scope,
                &depthwise,
                "depthwise_kernel",
                channels,
                channels,
                params,
            )?)
            .then(norm(scope, &format!("{depthwise}_bn"), channels)?)
            .then(
                scope
                    .enter(format!("{depthwise}_relu"))
                    .layer(Activation::Relu6),
            )
            .then(conv(
                scope,
                &pointwise,
                "kernel",
                channels,
                wider,
                ConvParams::square(1),
            )?)
            .then(norm(scope, &format!("{pointwise}_bn"), wider)?)
            .then(
                scope
                    .enter(format!("{pointwise}_relu"))
                    .layer(Activation::Relu6),
            );
        channels = wider;
    }
    let classifier = scope.enter("conv_preds");
    let preds = Preds {
        kernel: classifier.weight(
            "kernel",
            &[n_classes, channels, 1, 1],
            glorot(channels, n_classes),
        )?,
        bias: classifier.weight("bias", &[n_classes], Init::Constant(0.0))?,
    };
    Ok(net
        .then(scope.enter("global_pool").layer(Pool::GlobalAverage))
        .then(scope.enter("dropout").layer(Dropout { p: 1e-3 }))
        .then(classifier.layer(preds)))
}

/// Where the step is 2, Keras adds a row below and a column to the right, not one on each side.
fn pad(scope: &Scope, name: &str) -> Named {
    scope
        .enter(name)
        .layer(Func(|x: &Tensor, _: &mut Pass| -> Result<_, DeepError> {
            Ok(x.f_constant_pad_nd([0, 1, 0, 1])?)
        }))
}

fn conv(
    scope: &Scope,
    name: &str,
    tensor: &str,
    channels_in: i64,
    channels_out: i64,
    params: ConvParams,
) -> Result<Named, DeepError> {
    let scope = scope.enter(name);
    let [height, width] = params.kernel;
    let per_group = channels_in / params.groups;
    let weight = scope.weight(
        tensor,
        &[channels_out, per_group, height, width],
        glorot(
            per_group * height * width,
            channels_out / params.groups * height * width,
        ),
    )?;
    Ok(scope.layer(Conv2d::new(weight, None, params)))
}

fn norm(scope: &Scope, name: &str, channels: i64) -> Result<Named, DeepError> {
    let tensors = ["gamma", "beta", "moving_mean", "moving_variance"];
    // Keras counts the share that stays, 0.99.
    // A tenth of each batch, as in PyTorch. Keras takes a hundredth, for trainings of many thousand steps: after the hundred
    // steps of a small set its statistics would still be the first ones.
    scope.batch_norm_named(name, tensors, channels, 1e-3, 0.1)
}

fn glorot(fan_in: i64, fan_out: i64) -> Init {
    Init::Uniform((6.0 / (fan_in + fan_out) as f64).sqrt())
}

/// The classifier, stored as a convolution of one pixel.
#[derive(Debug)]
struct Preds {
    kernel: Weight,
    bias: Weight,
}

impl Layer for Preds {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let kernel = pass.value(&self.kernel).f_flatten(1, -1)?;
        Ok(x.f_linear(&kernel, Some(pass.value(&self.bias)))?)
    }
}
