//! Backbones from MobileNet on, and the two small ones, against PyTorch (`fixtures/backbones_modern.py`).
//!
//! Numbers agree within 1e-4 of the largest of their tensor: single precision against double through up to a hundred layers.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

#[path = "common/filled.rs"]
mod filled;

use filled::{Records, check, gradients_reach};
use tch::{Device, Kind, Tensor};
use translearn_deep::{DeepError, InputShape, Pass, backbones};

fn records() -> Records {
    serde_json::from_str(include_str!("fixtures/backbones_modern.json")).unwrap()
}

#[test]
fn networks_compute_what_the_reference_computes() {
    let records = records();
    assert_eq!(records.len(), 11);
    for (name, record) in &records {
        let error = check(name, record);
        // An epsilon of 1e-5 in place of 1e-6 moves these two by 8e-6 and more.
        if ["convnext-tiny", "vit-b-16"].contains(&name.as_str()) {
            assert!(error < 4e-6, "{name}: {error:.1e}");
        }
    }
}

#[test]
fn gradients_reach_every_tensor() {
    for (name, shape, gain) in [
        ("mobilenet-v1-0.25", [4, 3, 64, 64].as_slice(), 1.5),
        ("mobilenet-v2", &[4, 3, 64, 64], 1.4),
        ("efficientnet-b0", &[8, 3, 64, 64], 1.6),
        ("convnext-tiny", &[4, 3, 32, 32], 1.4),
        ("vit-b-16", &[1, 3, 224, 224], 1.0),
        ("xception", &[2, 3, 96, 96], 1.0),
        ("small-cnn", &[4, 1, 16, 16], 1.4),
        ("mlp", &[4, 256], 1.4),
    ] {
        gradients_reach(name, shape, gain, &[]);
    }
}

/// Digits of 16 pixels, images of 32 or 71: what is declared as the least is enough.
#[test]
fn networks_take_the_least_size() {
    for name in [
        "mobilenet-v1-0.25",
        "mobilenet-v2",
        "efficientnet-b0",
        "convnext-tiny",
        "xception",
        "small-cnn",
    ] {
        let network = backbones::find(name)
            .unwrap()
            .build(5, Device::Cpu, 0)
            .unwrap();
        let InputShape::Image {
            channels, least, ..
        } = network.input()
        else {
            panic!("{name} takes no images");
        };
        let forward = |side: i64| {
            let x = Tensor::ones([2, channels, side, side], (Kind::Float, Device::Cpu));
            network.forward(&x, &mut Pass::eval())
        };
        assert_eq!(forward(least).unwrap().size(), [2, 5], "{name}");
        let refused = forward(least - 1);
        assert!(
            matches!(refused, Err(DeepError::InputShape { .. })),
            "{name}"
        );
    }
}

#[test]
fn the_transformer_refuses_other_sizes() {
    let network = backbones::find("vit-b-16")
        .unwrap()
        .build(2, Device::Cpu, 0)
        .unwrap();
    let x = Tensor::ones([1, 3, 256, 256], (Kind::Float, Device::Cpu));
    let error = network.forward(&x, &mut Pass::eval()).unwrap_err();
    assert!(matches!(error, DeepError::InputShape { found, .. } if found == [1, 3, 256, 256]));
}

/// Branches are skipped in a pass that trains, by the seed of the pass and by nothing else.
#[test]
fn what_is_skipped_follows_the_seed_of_the_pass() {
    let network = backbones::find("convnext-tiny")
        .unwrap()
        .build(3, Device::Cpu, 0)
        .unwrap();
    // No dropout and no batch normalisation here: whatever differs was skipped. The factors of the branches start at 1e-6.
    tch::no_grad(|| {
        for (name, parameter) in network.parameters() {
            if name.ends_with("layer_scale") {
                let _ = parameter.tensor.shallow_clone().fill_(1.0);
            }
        }
    });
    let x = Tensor::ones([16, 3, 32, 32], (Kind::Float, Device::Cpu));
    let rows = |mut pass: Pass| tch::no_grad(|| network.forward(&x, &mut pass)).unwrap();
    let spread = |y: &Tensor| {
        let mean = y.mean_dim([0].as_slice(), true, Kind::Float);
        (y - mean).abs().max().double_value(&[])
    };
    assert!(spread(&rows(Pass::eval())) < 1e-5);
    assert!(spread(&rows(Pass::train(1))) > 1e-3);
    assert_eq!(rows(Pass::train(1)), rows(Pass::train(1)));
    assert_ne!(rows(Pass::train(1)), rows(Pass::train(2)));
}
