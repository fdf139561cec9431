//! The vision transformer ViT-B/16, as torchvision has it.

use tch::Tensor;

use super::Backbone;
use crate::init::Init;
use crate::layers::{Activation, Conv2d, ConvParams, Func, Residual};
use crate::{DeepError, InputShape, Layer, Named, Pass, Scope, Sequence, Weight};

pub(super) static ENTRIES: &[Backbone] = &[Backbone {
    name: NAME,
    title: "Vision transformer ViT-B/16",
    input: INPUT,
    n_classes: 1000,
    feature_layer: "first_token",
    feature_width: WIDTH,
    aliases: &[("cls", "first_token")],
    names_of: "torchvision",
    pixels: super::Pixels::ImageNet,
    reference: "Dosovitskiy, Beyer, Kolesnikov, Weissenborn, Zhai, Unterthiner, Dehghani, Minderer, Heigold, Gelly, Uszkoreit, Houlsby. An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale. ICLR 2021. doi:10.48550/arXiv.2010.11929",
    layers,
}];

const NAME: &str = "vit-b-16";
const INPUT: InputShape = InputShape::Image {
    channels: 3,
    size: SIZE,
    least: SIZE,
};
/// Positions are learned for this height and width alone.
const SIZE: i64 = 224;
const PATCH: i64 = 16;
const TOKENS: i64 = 1 + (SIZE / PATCH) * (SIZE / PATCH);
const WIDTH: i64 = 768;
const HIDDEN: i64 = 3072;
const HEADS: i64 = 12;
const DEPTH: i64 = 12;
const EPSILON: f64 = 1e-6;
const ZERO: Init = Init::Constant(0.0);

fn layers(scope: &Scope, n_classes: i64) -> Result<Sequence, DeepError> {
    let tokens = Tokens {
        class: scope.weight("class_token", &[1, 1, WIDTH], ZERO)?,
        patches: patches(&scope.enter("conv_proj"))?,
    };
    let encoder = scope.enter("encoder");
    let positions = encoder.weight("pos_embedding", &[1, TOKENS, WIDTH], Init::Normal(0.02))?;
    let placed = Func(move |x: &Tensor, pass: &mut Pass| -> Result<_, DeepError> {
        Ok(x.f_add(pass.value(&positions))?)
    });
    let at = encoder.enter("layers");
    let mut blocks = Sequence::new();
    for i in 0..DEPTH {
        blocks.push(block(&at.enter(format!("encoder_layer_{i}")))?);
    }
    let encode = Sequence::new()
        .then(encoder.enter("pos_embedding").layer(placed))
        .then(at.layer(blocks))
        .then(encoder.layer_norm("ln", WIDTH, EPSILON)?);
    let first = Func(|x: &Tensor, _: &mut Pass| -> Result<_, DeepError> { Ok(x.f_select(1, 0)?) });
    Ok(Sequence::new()
        .then(scope.enter("tokens").layer(tokens))
        .then(encoder.layer(encode))
        .then(scope.enter("first_token").layer(first))
        .then(
            scope
                .enter("heads")
                .linear_with("head", WIDTH, n_classes, ZERO, ZERO)?,
        ))
}

/// Attention, then a perceptron, each beside a shortcut.
fn block(scope: &Scope) -> Result<Named, DeepError> {
    let attention = Sequence::new()
        .then(scope.layer_norm("ln_1", WIDTH, EPSILON)?)
        .then(scope.self_attention("self_attention", WIDTH, HEADS)?);
    let at = scope.enter("mlp");
    let (weight, bias) = (
        Init::Uniform((6.0 / (WIDTH + HIDDEN) as f64).sqrt()),
        Init::Normal(1e-6),
    );
    // 2 and 4 are dropout, of nothing in this network.
    let mlp = Sequence::new()
        .then(at.linear_with("0", WIDTH, HIDDEN, weight, bias)?)
        .then(at.enter(1).layer(Activation::Gelu))
        .then(at.linear_with("3", HIDDEN, WIDTH, weight, bias)?);
    let perceptron = Sequence::new()
        .then(scope.layer_norm("ln_2", WIDTH, EPSILON)?)
        .then(at.layer(mlp));
    let both = Sequence::new()
        .then(scope.enter("attention_sum").layer(Residual::new(attention)))
        .then(scope.enter("mlp_sum").layer(Residual::new(perceptron)));
    Ok(scope.layer(both))
}

fn patches(scope: &Scope) -> Result<Named, DeepError> {
    let params = ConvParams::square(PATCH).stride(PATCH).biased();
    let deviation = (1.0 / (3 * PATCH * PATCH) as f64).sqrt();
    let weight = scope.weight("weight", &[WIDTH, 3, PATCH, PATCH], Init::Normal(deviation))?;
    let bias = scope.weight("bias", &[WIDTH], ZERO)?;
    Ok(scope.layer(Conv2d::new(weight, Some(bias), params)))
}

/// A token for the class, and one for each patch of the image.
#[derive(Debug)]
struct Tokens {
    class: Weight,
    patches: Named,
}

impl Layer for Tokens {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let shape = x.size();
        if shape[2..] != [SIZE, SIZE] {
            return Err(DeepError::InputShape {
                network: NAME.to_owned(),
                expected: format!("[n, 3, {SIZE}, {SIZE}]"),
                found: shape,
            });
        }
        let patches = self
            .patches
            .forward(x, pass)?
            .f_flatten(2, -1)?
            .f_permute([0, 2, 1])?;
        let class = pass
            .value(&self.class)
            .f_expand([shape[0], 1, WIDTH], false)?;
        Ok(Tensor::f_cat(&[class, patches], 1)?)
    }
}
