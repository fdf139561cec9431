//! SqueezeNet: few channels between 1 × 1 and 3 × 3 convolutions.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Dropout, Flatten, Pool};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[
    SQUEEZENET1_0,
    Backbone {
        name: "squeezenet1-1",
        title: "SqueezeNet 1.1",
        input: InputShape::Image {
            channels: 3,
            size: 224,
            least: 17,
        },
        layers: |scope, n_classes| layers(scope, n_classes, (64, 3), &[2, 2, 4]),
        ..SQUEEZENET1_0
    },
];

const SQUEEZENET1_0: Backbone = Backbone {
    name: "squeezenet1-0",
    title: "SqueezeNet 1.0",
    input: InputShape::Image {
        channels: 3,
        size: 224,
        least: 21,
    },
    n_classes: 1000,
    feature_layer: "avgpool",
    feature_width: FEATURES,
    aliases: &[("conv10", "classifier.1"), ("pool10", "classifier.3")],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer. SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters and <0.5MB Model Size. 2016. doi:10.48550/arXiv.1602.07360",
    layers: |scope, n_classes| layers(scope, n_classes, (96, 7), &[3, 4, 1]),
};

/// Channels of the last feature map.
const FEATURES: i64 = 512;

/// The eight fires: channels squeezed to, and channels each kernel expands to.
const FIRES: [(i64, i64); 8] = [
    (16, 64),
    (16, 64),
    (32, 128),
    (32, 128),
    (48, 192),
    (48, 192),
    (64, 256),
    (64, 256),
];

/// The network with this first convolution (channels, kernel) and this many fires after each pooling.
fn layers(
    scope: &Scope,
    n_classes: i64,
    (mut channels, kernel): (i64, i64),
    groups: &[usize],
) -> Result<Sequence, DeepError> {
    let features = scope.enter("features");
    let mut body = Sequence::new()
        .then(conv(
            &features,
            "0",
            3,
            channels,
            ConvParams::square(kernel).stride(2),
        )?)
        .then(features.enter(1).layer(Activation::Relu));
    let mut fires = FIRES.into_iter();
    for &group in groups {
        body.push(features.enter(body.len()).layer(Pool::Max {
            kernel: 3,
            stride: 2,
            padding: 0,
            ceil: true,
        }));
        for (squeezed, expanded) in fires.by_ref().take(group) {
            let place = features.enter(body.len());
            body.push(place.layer(Fire::new(&place, channels, squeezed, expanded)?));
            channels = 2 * expanded;
        }
    }
    let pooled = scope
        .enter("avgpool")
        .layer(Pool::AdaptiveAverage { size: 1 });
    let classifier = scope.enter("classifier");
    let (weight, bias) = (Init::Normal(0.01), Init::Constant(0.0));
    let last = ConvParams::square(1).biased();
    let head = Sequence::new()
        .then(classifier.enter(0).layer(Dropout { p: 0.5 }))
        .then(classifier.conv2d_with("1", FEATURES, n_classes, last, weight, bias)?)
        .then(classifier.enter(2).layer(Activation::Relu))
        .then(classifier.enter(3).layer(Pool::AdaptiveAverage { size: 1 }));
    Ok(Sequence::new()
        .then(features.layer(body))
        .then(scope.enter("beside").layer(Beside(pooled)))
        .then(classifier.layer(head))
        .then(scope.enter("flatten").layer(Flatten)))
}

fn conv(
    scope: &Scope,
    name: &str,
    channels_in: i64,
    channels_out: i64,
    params: ConvParams,
) -> Result<Named, DeepError> {
    let bound = (6.0 / (channels_in * params.area()) as f64).sqrt();
    let (weight, bias) = (Init::Uniform(bound), Init::Constant(0.0));
    scope.conv2d_with(
        name,
        channels_in,
        channels_out,
        params.biased(),
        weight,
        bias,
    )
}

/// Channels squeezed, and expanded by kernels of 1 × 1 and 3 × 3.
#[derive(Debug)]
struct Fire {
    squeeze: Sequence,
    expand: [Sequence; 2],
}

impl Fire {
    fn new(scope: &Scope, channels: i64, squeezed: i64, expanded: i64) -> Result<Self, DeepError> {
        let rectified = |name: &str, from, to, params| {
            Ok::<_, DeepError>(
                Sequence::new()
                    .then(conv(scope, name, from, to, params)?)
                    .then(
                        scope
                            .enter(format_args!("{name}_activation"))
                            .layer(Activation::Relu),
                    ),
            )
        };
        let (one, three) = (ConvParams::square(1), ConvParams::square(3).padding(1));
        Ok(Self {
            squeeze: rectified("squeeze", channels, squeezed, one)?,
            expand: [
                rectified("expand1x1", squeezed, expanded, one)?,
                rectified("expand3x3", squeezed, expanded, three)?,
            ],
        })
    }
}

impl Layer for Fire {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let x = self.squeeze.forward(x, pass)?;
        let [one, three] = &self.expand;
        let parts = [one.forward(&x, pass)?, three.forward(&x, pass)?];
        Ok(Tensor::f_cat(&parts, 1)?)
    }
}

/// The mean of the last feature map, where features are taken: SqueezeNet itself has no such layer and goes on with the
/// map as it is.
#[derive(Debug)]
struct Beside(Named);

impl Layer for Beside {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        // The pass keeps it where it is asked for.
        let _pooled = self.0.forward(x, pass)?;
        Ok(x.shallow_clone())
    }
}
