//! Xception, as timm's `legacy_xception` has it.

use super::Backbone;
use crate::layers::{Activation, ConvParams, Pool, Residual};
use crate::{DeepError, InputShape, Named, Scope, Sequence};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "xception",
    title: "Xception",
    input: InputShape::Image {
        channels: 3,
        size: 299,
        least: 71,
    },
    n_classes: 1000,
    feature_layer: "global_pool",
    feature_width: WIDTH,
    aliases: &[("avg_pool", "global_pool")],
    names_of: "timm",
    pixels: super::Pixels::Centred,
    reference: "Chollet. Xception: Deep Learning with Depthwise Separable Convolutions. CVPR 2017. doi:10.1109/CVPR.2017.195",
    layers,
}];

const WIDTH: i64 = 2048;

/// Where the channels of a block change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grows {
    First,
    Last,
}

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let relu = |name: &str| scope.enter(name).layer(Activation::Relu);
    let mut net = Sequence::new()
        .then(scope.conv2d("conv1", 3, 32, ConvParams::square(3).stride(2))?)
        .then(scope.batch_norm("bn1", 32)?)
        .then(relu("act1"))
        .then(scope.conv2d("conv2", 32, 64, ConvParams::square(3))?)
        .then(scope.batch_norm("bn2", 64)?)
        .then(relu("act2"));
    let mut blocks = vec![
        (64, 128, 2, Grows::First),
        (128, 256, 2, Grows::First),
        (256, 728, 2, Grows::First),
    ];
    blocks.extend([(728, 728, 3, Grows::First); 8]);
    blocks.push((728, 1024, 2, Grows::Last));
    for (i, (channels, wider, n, grows)) in (1..).zip(blocks) {
        let at = scope.enter(format!("block{i}"));
        // The first follows an activation.
        net.push(block(&at, channels, wider, n, grows, i > 1)?);
    }
    Ok(net
        .then(separable(&scope.enter("conv3"), 1024, 1536)?)
        .then(scope.batch_norm("bn3", 1536)?)
        .then(relu("act3"))
        .then(separable(&scope.enter("conv4"), 1536, WIDTH)?)
        .then(scope.batch_norm("bn4", WIDTH)?)
        .then(relu("act4"))
        .then(scope.enter("global_pool").layer(Pool::GlobalAverage))
        .then(scope.linear("fc", WIDTH, n_classes)?))
}

/// `n` separable convolutions beside a shortcut; a block that makes the image wider also halves it.
fn block(
    scope: &Scope,
    channels: i64,
    wider: i64,
    n: i64,
    grows: Grows,
    starts_active: bool,
) -> Result<Named, DeepError> {
    let halves = wider != channels;
    let at = scope.enter("rep");
    let mut rep = Sequence::new();
    let mut position = 0;
    let mut next = || {
        position += 1;
        (position - 1).to_string()
    };
    for i in 0..n {
        let (from, to) = match grows {
            Grows::First => (if i == 0 { channels } else { wider }, wider),
            Grows::Last => (channels, if i + 1 == n { wider } else { channels }),
        };
        if i > 0 || starts_active {
            rep.push(at.enter(next()).layer(Activation::Relu));
        }
        rep.push(separable(&at.enter(next()), from, to)?);
        rep.push(at.batch_norm(&next(), to)?);
    }
    if halves {
        rep.push(at.enter(next()).layer(Pool::Max {
            kernel: 3,
            stride: 2,
            padding: 1,
            ceil: false,
        }));
    }
    let mut residual = Residual::new(Sequence::new().then(at.layer(rep)));
    if halves {
        let params = ConvParams::square(1).stride(2);
        residual.shortcut = Sequence::new()
            .then(scope.conv2d("skip", channels, wider, params)?)
            .then(scope.batch_norm("skipbn", wider)?);
    }
    Ok(scope.layer(residual))
}

/// A convolution of each channel, then one of each pixel.
fn separable(scope: &Scope, channels_in: i64, channels_out: i64) -> Result<Named, DeepError> {
    let depthwise = ConvParams::square(3).padding(1).groups(channels_in);
    let both = Sequence::new()
        .then(scope.conv2d("conv1", channels_in, channels_in, depthwise)?)
        .then(scope.conv2d(
            "pointwise",
            channels_in,
            channels_out,
            ConvParams::square(1),
        )?);
    Ok(scope.layer(both))
}
