//! Backbones with torchvision's names against torchvision: names and shapes of tensors, number of parameters, and what filled
//! networks give, layer by layer. The values are those of `fixtures/backbones_torchvision.py`.
//!
//! Numbers agree within 1e-4 of the largest of their tensor: single precision against double through up to 150 layers.
//! What was seen is 2e-6 at most.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

#[path = "common/filled.rs"]
mod filled;

use std::sync::LazyLock;

use filled::{Records, check, gradients_reach};
use tch::{Device, Kind, Tensor};
use translearn_deep::{InputShape, Pass, backbones};

static RECORDS: LazyLock<Records> = LazyLock::new(|| {
    serde_json::from_str(include_str!("fixtures/backbones_torchvision.json")).unwrap()
});

fn agree(names: &[&str]) {
    for name in names {
        check(name, &RECORDS[*name]);
    }
}

#[test]
fn every_record_is_checked() {
    assert_eq!(
        RECORDS.len(),
        [RESNETS, CIFAR, VGG, VGG_BN, OTHERS].concat().len()
    );
}

const RESNETS: &[&str] = &["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"];
const CIFAR: &[&str] = &[
    "cifar-resnet20",
    "cifar-resnet32",
    "cifar-resnet44",
    "cifar-resnet56",
];
const VGG: &[&str] = &["vgg11", "vgg13", "vgg16", "vgg19"];
const VGG_BN: &[&str] = &["vgg11-bn", "vgg13-bn", "vgg16-bn", "vgg19-bn"];
const OTHERS: &[&str] = &[
    "alexnet",
    "densenet121",
    "squeezenet1-0",
    "squeezenet1-1",
    "inception-v3",
];

#[test]
fn resnets_agree() {
    agree(RESNETS);
}

#[test]
fn resnets_for_cifar_agree() {
    agree(CIFAR);
}

#[test]
fn vgg_agrees() {
    agree(VGG);
}

#[test]
fn vgg_with_batch_normalisation_agrees() {
    agree(VGG_BN);
}

#[test]
fn the_others_agree() {
    agree(OTHERS);
}

#[test]
fn gradients_reach_every_learned_tensor() {
    let root = 2_f64.sqrt();
    let networks = [
        ("resnet18", 64, 1.0),
        ("cifar-resnet20", 32, 1.0),
        ("alexnet", 95, root),
        ("vgg11", 64, root),
        ("densenet121", 64, root),
        ("squeezenet1-1", 64, root),
    ];
    for (name, size, gain) in networks {
        gradients_reach(name, &[2, 3, size, size], gain, &[]);
    }
    gradients_reach("inception-v3", &[2, 3, 128, 128], root, &["AuxLogits"]);
}

/// One of each family, and whether it has dropout.
const FAMILIES: [(&str, bool); 8] = [
    ("resnet18", false),
    ("resnet50", false),
    ("cifar-resnet20", false),
    ("densenet121", false),
    ("alexnet", true),
    ("vgg11", true),
    ("squeezenet1-1", true),
    ("inception-v3", true),
];

#[test]
fn the_least_size_is_taken_and_only_dropout_depends_on_the_seed() {
    for (name, drops) in FAMILIES {
        let backbone = backbones::find(name).unwrap();
        let network = backbone.build(3, Device::Cpu, 1).unwrap();
        let InputShape::Image { size, least, .. } = network.input() else {
            panic!("{name} takes rows");
        };
        let images = |side| {
            tch::manual_seed(1);
            Tensor::randn([2, 3, side, side], (Kind::Float, Device::Cpu))
        };
        let logits = |side, mut pass| {
            let logits = tch::no_grad(|| network.forward(&images(side), &mut pass)).unwrap();
            assert_eq!(logits.size(), [2, 3], "{name}");
            assert!(bool::try_from(logits.isfinite().all()).unwrap(), "{name}");
            logits
        };
        let _finite = logits(least, Pass::eval());
        let side = size.min(2 * least.max(32));
        let [first, second] = [1, 2].map(|seed| logits(side, Pass::train(seed)));
        assert_eq!(first != second, drops, "{name}");
    }
}
