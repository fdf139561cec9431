//! Networks filled by a formula and compared with what PyTorch made of them: the other side of `fixtures/filled.py`, whose
//! head states the formula.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what differs, and how close it came"
)]

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{Device, Kind, Tensor};
use translearn_deep::{Network, Pass, Role, backbones};

/// What PyTorch computed in double precision, where we compute in single: of the largest value of a tensor.
pub(crate) const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
pub(crate) struct Record {
    parameters: usize,
    published: i64,
    n_classes: i64,
    input: Vec<i64>,
    gain: f64,
    tensors: Vec<String>,
    logits: Vec<Vec<f64>>,
    layers: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    shape: Vec<i64>,
    mean: f64,
    first: Vec<f64>,
}

pub(crate) type Records = BTreeMap<String, Record>;

/// 24 bits in `[0, 1)` for each number of the tensor `name`.
fn uniform(name: &str, n: usize) -> impl Iterator<Item = f64> {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (0..n as u64).map(move |i| {
        let z = hash.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24)
    })
}

fn values(name: &str, shape: &[i64], gain: f64) -> Tensor {
    let n = shape.iter().product::<i64>() as usize;
    let last = name.rsplit('.').next().unwrap();
    let (scale, offset) = if (last.ends_with("weight") || last.ends_with("kernel"))
        && shape.len() > 1
    {
        let bound = gain * (3.0 / shape[1..].iter().product::<i64>() as f64).sqrt();
        // As written there, so that the bits agree: (2u - 1) * bound.
        let drawn: Vec<f32> = uniform(name, n)
            .map(|u| ((2.0 * u - 1.0) * bound) as f32)
            .collect();
        return Tensor::from_slice(&drawn).view(shape);
    } else if ["weight", "gamma", "running_var", "moving_variance"].contains(&last) {
        (0.4, 0.8)
    } else if last.ends_with("bias") || ["beta", "running_mean", "moving_mean"].contains(&last) {
        (0.2, -0.1)
    } else {
        (1.0, -0.5)
    };
    let drawn: Vec<f32> = uniform(name, n)
        .map(|u| (scale * u + offset) as f32)
        .collect();
    Tensor::from_slice(&drawn).view(shape)
}

/// Images in `[-1, 1)`.
fn images(shape: &[i64]) -> Tensor {
    let n = shape.iter().product::<i64>() as usize;
    let drawn: Vec<f32> = uniform("input", n)
        .map(|u| (2.0 * u - 1.0) as f32)
        .collect();
    Tensor::from_slice(&drawn).view(shape)
}

fn fill(network: &Network, gain: f64) {
    tch::no_grad(|| {
        for (name, parameter) in network.parameters() {
            let tensor = &parameter.tensor;
            tensor
                .shallow_clone()
                .copy_(&values(name, &tensor.size(), gain));
        }
    });
}

/// How far `found` is from `expected`, of the largest magnitude of `expected` or of the whole tensor it is a part of.
fn distance(found: &[f64], expected: &[f64], largest: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let worst = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs())
        .fold(0.0, f64::max);
    // A NaN counts as far.
    if found.iter().all(|f| f.is_finite()) {
        worst / largest
    } else {
        f64::INFINITY
    }
}

fn numbers(x: &Tensor) -> Vec<f64> {
    Vec::try_from(x.to_kind(Kind::Double).flatten(0, -1)).unwrap()
}

/// Compares names, shapes, the number of parameters, logits and the outputs of some layers; returns the largest error.
pub(crate) fn check(name: &str, record: &Record) -> f64 {
    let backbone = backbones::find(name).unwrap();
    let device = Device::Cpu;
    let published = backbone.build(record.published, device, 0).unwrap();
    assert_eq!(published.n_parameters(), record.parameters, "{name}");
    assert_eq!(backbone.n_classes, record.published, "{name}");
    let network = if record.n_classes == record.published {
        published
    } else {
        drop(published);
        backbone.build(record.n_classes, device, 0).unwrap()
    };
    let mut ours: Vec<String> = network
        .parameters()
        .iter()
        .map(|(tensor, p)| {
            let shape: Vec<String> = p.tensor.size().iter().map(i64::to_string).collect();
            format!("{tensor} {}", shape.join("x"))
        })
        .collect();
    let mut theirs = record.tensors.clone();
    ours.sort();
    theirs.sort();
    if let Some((found, expected)) = ours.iter().zip(&theirs).find(|(a, b)| a != b) {
        panic!("{name}: `{found}` where the reference has `{expected}`");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");

    fill(&network, record.gain);
    let x = images(&record.input);
    let mut worst = 0.0_f64;

    let layers: Vec<&str> = record.layers.keys().map(String::as_str).collect();
    let outputs = network.outputs_of(&x, &layers).unwrap();
    for ((layer, expected), found) in record.layers.iter().zip(&outputs) {
        assert_eq!(found.size(), expected.shape, "{name} {layer}");
        let largest = found.abs().max().double_value(&[]);
        let mean = found.mean(Kind::Double).double_value(&[]);
        let first = numbers(&found.flatten(0, -1).narrow(0, 0, 8));
        let far = distance(&[mean], &[expected.mean], largest).max(distance(
            &first,
            &expected.first,
            largest,
        ));
        assert!(far < TOLERANCE, "{name} {layer}: {far:.1e}");
        worst = worst.max(far);
    }

    let logits = tch::no_grad(|| network.forward(&x, &mut Pass::eval())).unwrap();
    assert_eq!(logits.size(), [record.input[0], record.n_classes], "{name}");
    let logits = logits.narrow(1, 0, record.logits[0].len() as i64);
    let expected = record.logits.concat();
    let largest = expected.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
    let far = distance(&numbers(&logits), &expected, largest);
    assert!(far < TOLERANCE, "{name}: logits are {far:.1e} off");
    worst = worst.max(far);

    // The layer that serves as features has the width that is declared.
    let features = network.outputs_of(&x, &[backbone.feature_layer]).unwrap();
    assert_eq!(
        features[0].flatten(1, -1).size(),
        [record.input[0], backbone.feature_width],
        "{name}"
    );
    for (alias, layer) in backbone.aliases {
        assert_eq!(backbone.layer(alias), *layer);
        assert!(
            network.layers().iter().any(|l| l == layer),
            "{name} {layer}"
        );
    }
    println!("{name}: {worst:.1e} of the largest value, on {device:?}");
    worst
}

/// In a pass that trains, every learned tensor gets a gradient, save those whose names start as one of `except`.
pub(crate) fn gradients_reach(name: &str, shape: &[i64], gain: f64, except: &[&str]) {
    let network = backbones::find(name)
        .unwrap()
        .build(3, Device::Cpu, 0)
        .unwrap();
    fill(&network, gain);
    let logits = network
        .forward(&images(shape), &mut Pass::train(1))
        .unwrap();
    // Not a plain sum: what a softmax or a normalisation leaves unchanged would have no gradient.
    let loss = logits
        .log_softmax(-1, Kind::Float)
        .select(1, 0)
        .sum(Kind::Float);
    loss.backward();
    for (tensor, parameter) in network.parameters() {
        if parameter.role == Role::Weight {
            let gradient = parameter.tensor.grad();
            let reached = gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0;
            let expected = !except.iter().any(|start| tensor.starts_with(start));
            assert_eq!(reached, expected, "{name}: gradient of {tensor}");
        }
    }
}
