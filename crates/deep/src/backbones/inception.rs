//! Inception v3: branches of convolutions side by side, large kernels taken apart.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, ConvParams, Dropout, Flatten, Pool};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence};

/// Torchvision's published weights come from TensorFlow and take colours in `[-1, 1]`; torchvision turns its usual
/// standardised images into those first (`transform_input`), which is left to the preparation of the images here.
pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: "inception-v3",
    title: "Inception v3",
    input: InputShape::Image {
        channels: 3,
        size: 299,
        least: 75,
    },
    n_classes: 1000,
    feature_layer: "avgpool",
    feature_width: 2048,
    aliases: &[("pool3", "avgpool")],
    names_of: "torchvision",
    pixels: super::Pixels::Centred,
    reference: "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. Rethinking the Inception Architecture for Computer Vision. CVPR 2016. doi:10.1109/CVPR.2016.308",
    layers,
}];

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let three = ConvParams::square(3);
    let one = ConvParams::square(1);
    let pool = Pool::Max {
        kernel: 3,
        stride: 2,
        padding: 0,
        ceil: false,
    };
    let mut network = Sequence::new()
        .then(conv(scope, "Conv2d_1a_3x3", 3, 32, three.stride(2))?)
        .then(conv(scope, "Conv2d_2a_3x3", 32, 32, three)?)
        .then(conv(scope, "Conv2d_2b_3x3", 32, 64, three.padding(1))?)
        .then(scope.enter("maxpool1").layer(pool))
        .then(conv(scope, "Conv2d_3b_1x1", 64, 80, one)?)
        .then(conv(scope, "Conv2d_4a_3x3", 80, 192, three)?)
        .then(scope.enter("maxpool2").layer(pool));
    for (name, channels, pooled) in [("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)] {
        network.push(mixed_35(&place(scope, name), channels, pooled)?);
    }
    network.push(mixed_35_to_17(&place(scope, "6a"), 288)?);
    for (name, inner) in [("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)] {
        network.push(mixed_17(&place(scope, name), 768, inner)?);
    }
    auxiliary(&scope.enter("AuxLogits"), 768, n_classes)?;
    network.push(mixed_17_to_8(&place(scope, "7a"), 768)?);
    for (name, channels) in [("7b", 1280), ("7c", 2048)] {
        network.push(mixed_8(&place(scope, name), channels)?);
    }
    Ok(network
        .then(scope.avgpool(1))
        .then(scope.enter("dropout").layer(Dropout { p: 0.5 }))
        .then(scope.enter("flatten").layer(Flatten))
        .then(scope.linear_with("fc", 2048, n_classes, FIRST, Init::torch_default(2048))?))
}

fn place(scope: &Scope, name: &str) -> Scope {
    scope.enter(format_args!("Mixed_{name}"))
}

/// The first values of all kernels.
const FIRST: Init = Init::Normal(0.1);

/// A convolution, normalised and rectified.
fn conv(
    scope: &Scope,
    name: &str,
    channels_in: i64,
    channels_out: i64,
    params: ConvParams,
) -> Result<Named, DeepError> {
    let scope = scope.enter(name);
    let steps = Sequence::new()
        .then(scope.conv2d_with("conv", channels_in, channels_out, params, FIRST, FIRST)?)
        .then(scope.batch_norm_with("bn", channels_out, 1e-3, 0.1)?)
        .then(scope.enter("relu").layer(Activation::Relu));
    Ok(scope.layer(steps))
}

/// A step of a branch: name, channels, height and width of the kernel.
type Step = (&'static str, i64, [i64; 2]);

/// Convolutions one after the other that keep height and width.
fn branch(scope: &Scope, channels: i64, steps: &[Step]) -> Result<Sequence, DeepError> {
    chain(Sequence::new(), scope, channels, steps)
}

fn chain(
    mut branch: Sequence,
    scope: &Scope,
    mut channels: i64,
    steps: &[Step],
) -> Result<Sequence, DeepError> {
    for &(name, out, kernel) in steps {
        let params = ConvParams {
            kernel,
            padding: kernel.map(|side| side / 2),
            ..ConvParams::square(1)
        };
        branch.push(conv(scope, name, channels, out, params)?);
        channels = out;
    }
    Ok(branch)
}

/// A branch whose last convolution, 3 × 3, halves height and width.
fn halving(
    scope: &Scope,
    channels: i64,
    steps: &[Step],
    last: &str,
    out: i64,
) -> Result<Sequence, DeepError> {
    let before = steps.last().map_or(channels, |step| step.1);
    let halved = conv(scope, last, before, out, ConvParams::square(3).stride(2))?;
    Ok(branch(scope, channels, steps)?.then(halved))
}

/// The mean of 3 × 3 points, and a convolution.
fn averaged(scope: &Scope, channels: i64, out: i64) -> Result<Sequence, DeepError> {
    let pool = scope.enter("pool").layer(Pool::Average {
        kernel: 3,
        stride: 1,
        padding: 1,
    });
    let steps = [("branch_pool", out, [1, 1])];
    chain(Sequence::new().then(pool), scope, channels, &steps)
}

/// The largest of 3 × 3 points, at half the height and width.
fn largest(scope: &Scope) -> Sequence {
    Sequence::new().then(scope.enter("pool").layer(Pool::Max {
        kernel: 3,
        stride: 2,
        padding: 0,
        ceil: false,
    }))
}

fn mixed_35(scope: &Scope, channels: i64, pooled: i64) -> Result<Named, DeepError> {
    Ok(scope.layer(Fork(vec![
        branch(scope, channels, &[("branch1x1", 64, [1, 1])])?,
        branch(
            scope,
            channels,
            &[("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])],
        )?,
        branch(
            scope,
            channels,
            &[
                ("branch3x3dbl_1", 64, [1, 1]),
                ("branch3x3dbl_2", 96, [3, 3]),
                ("branch3x3dbl_3", 96, [3, 3]),
            ],
        )?,
        averaged(scope, channels, pooled)?,
    ])))
}

fn mixed_35_to_17(scope: &Scope, channels: i64) -> Result<Named, DeepError> {
    let double = [
        ("branch3x3dbl_1", 64, [1, 1]),
        ("branch3x3dbl_2", 96, [3, 3]),
    ];
    Ok(scope.layer(Fork(vec![
        halving(scope, channels, &[], "branch3x3", 384)?,
        halving(scope, channels, &double, "branch3x3dbl_3", 96)?,
        largest(scope),
    ])))
}

fn mixed_17(scope: &Scope, channels: i64, inner: i64) -> Result<Named, DeepError> {
    Ok(scope.layer(Fork(vec![
        branch(scope, channels, &[("branch1x1", 192, [1, 1])])?,
        branch(
            scope,
            channels,
            &[
                ("branch7x7_1", inner, [1, 1]),
                ("branch7x7_2", inner, [1, 7]),
                ("branch7x7_3", 192, [7, 1]),
            ],
        )?,
        branch(
            scope,
            channels,
            &[
                ("branch7x7dbl_1", inner, [1, 1]),
                ("branch7x7dbl_2", inner, [7, 1]),
                ("branch7x7dbl_3", inner, [1, 7]),
                ("branch7x7dbl_4", inner, [7, 1]),
                ("branch7x7dbl_5", 192, [1, 7]),
            ],
        )?,
        averaged(scope, channels, 192)?,
    ])))
}

fn mixed_17_to_8(scope: &Scope, channels: i64) -> Result<Named, DeepError> {
    let seven = [
        ("branch7x7x3_1", 192, [1, 1]),
        ("branch7x7x3_2", 192, [1, 7]),
        ("branch7x7x3_3", 192, [7, 1]),
    ];
    Ok(scope.layer(Fork(vec![
        halving(
            scope,
            channels,
            &[("branch3x3_1", 192, [1, 1])],
            "branch3x3_2",
            320,
        )?,
        halving(scope, channels, &seven, "branch7x7x3_4", 192)?,
        largest(scope),
    ])))
}

fn mixed_8(scope: &Scope, channels: i64) -> Result<Named, DeepError> {
    // Two kernels side by side end a branch; the fork has no name in torchvision.
    let ends = |name: &str, wide, high| {
        let fork = vec![
            branch(scope, 384, &[(wide, 384, [1, 3])])?,
            branch(scope, 384, &[(high, 384, [3, 1])])?,
        ];
        Ok::<_, DeepError>(scope.enter(name).layer(Fork(fork)))
    };
    let double = [
        ("branch3x3dbl_1", 448, [1, 1]),
        ("branch3x3dbl_2", 384, [3, 3]),
    ];
    Ok(scope.layer(Fork(vec![
        branch(scope, channels, &[("branch1x1", 320, [1, 1])])?,
        branch(scope, channels, &[("branch3x3_1", 384, [1, 1])])?.then(ends(
            "branch3x3_2",
            "branch3x3_2a",
            "branch3x3_2b",
        )?),
        branch(scope, channels, &double)?.then(ends(
            "branch3x3dbl_3",
            "branch3x3dbl_3a",
            "branch3x3dbl_3b",
        )?),
        averaged(scope, channels, 192)?,
    ])))
}

/// Branches from the same input, their channels joined.
#[derive(Debug)]
struct Fork(Vec<Sequence>);

impl Layer for Fork {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let parts: Vec<Tensor> = self
            .0
            .iter()
            .map(|branch| branch.forward(x, pass))
            .collect::<Result<_, _>>()?;
        Ok(Tensor::f_cat(&parts, 1)?)
    }
}

/// The tensors of the second classifier, which helped to train the published weights. They load and save with the
/// others; nothing is computed with them, so they get no gradient.
fn auxiliary(scope: &Scope, channels: i64, n_classes: i64) -> Result<(), DeepError> {
    let (zero, one) = (Init::Constant(0.0), Init::Constant(1.0));
    for (name, from, to, side) in [("conv0", channels, 128, 1), ("conv1", 128, 768, 5)] {
        let conv = scope.enter(name).enter("conv");
        let norm = scope.enter(name).enter("bn");
        // The network holds them, no layer does.
        let _learned = [
            conv.weight("weight", &[to, from, side, side], FIRST)?,
            norm.weight("weight", &[to], one)?,
            norm.weight("bias", &[to], zero)?,
        ];
        let _kept = [
            norm.buffer("running_mean", &[to], zero)?,
            norm.buffer("running_var", &[to], one)?,
        ];
    }
    let scope = scope.enter("fc");
    let _learned = [
        scope.weight("weight", &[n_classes, 768], Init::Normal(0.001))?,
        scope.weight("bias", &[n_classes], Init::torch_default(768))?,
    ];
    Ok(())
}
