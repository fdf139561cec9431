//! The methods that train networks, through the registry: laws that make them comparable with each other.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod laws;
mod layers;
mod refusals;
mod tuning;

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use translearn_core::{
    Domain, Features, Fitted, Image, ImageRows, LabelSpace, Labels, Prediction, Task,
    TransferError, TransferProblem, seed,
};
use translearn_deep::methods::{
    class_relationship, contrast, feature_map_distance, spectral_shrinkage,
};
use translearn_deep::{
    Network, Pretrained, backbones, knowledge_distillation, registry, soft_cross_entropy,
};

const CLASSES: usize = 3;

/// The methods that add to the loss of fine-tuning, and the parameter that weighs what they add.
const REGULARISERS: [(&str, &str); 4] = [
    ("bss", "eta"),
    ("lwf", "lambda"),
    ("co-tuning", "lambda"),
    ("bi-tuning", "lambda"),
];

/// Grey images with a bright square, in a place that tells the class; `shade` tells the domain.
fn images(n: usize, shade: usize, seed: u64) -> (ImageRows, Vec<usize>) {
    let mut rng = seed::rng(seed);
    let mut labels = Vec::new();
    let image = |row: usize| {
        let class = row % CLASSES;
        labels.push(class);
        let mut pixels: Vec<u8> = (0..256).map(|_| (shade + rng.below(40)) as u8).collect();
        for y in 4..12 {
            for x in 0..5 {
                pixels[y * 16 + 5 * class + x] = (150 + shade / 2 + rng.below(40)) as u8;
            }
        }
        Image::new(16, 16, 1, pixels).unwrap()
    };
    let images = (0..n).map(image).collect();
    (images, labels)
}

fn space() -> LabelSpace {
    LabelSpace::numbered(CLASSES)
}

/// 24 source images, 18 target images of which the first `labelled` have a label, 12 images to predict.
fn problem(labelled: usize) -> (TransferProblem, Features, Vec<usize>) {
    let (source, labels) = images(24, 0, 1);
    let (target, target_labels) = images(18, 80, 2);
    let domain = |name: &str, images: ImageRows| Domain {
        name: name.to_owned(),
        features: images.into(),
    };
    let known = match labelled {
        0 => Task::unlabelled(space()),
        n => Task::partly_labelled(
            space(),
            (0..n).collect(),
            Labels::Classes(target_labels[..n].to_vec().into()),
        ),
    };
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space(), Labels::Classes(labels.into())),
        )],
        (domain("target", target), known),
    );
    let (test, test_labels) = images(12, 80, 3);
    (problem.unwrap(), test.into(), test_labels)
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn learner() -> Value {
    json!({"backbone": "small-cnn", "epochs": 3, "batch_size": 8, "image_size": 16, "rate": 0.02})
}

fn fit_with(
    method: &str,
    params: Value,
    learner: Value,
    labelled: usize,
    seed: u64,
) -> Result<Fitted, TransferError> {
    let registry = registry();
    let learner = registry.learner("network")?.build(map(learner))?;
    let method = registry.method(method)?.build(map(params), Some(learner))?;
    method.fit(&problem(labelled).0, seed)
}

fn fit(method: &str, params: Value, seed: u64) -> Fitted {
    fit_with(method, params, learner(), 0, seed).unwrap()
}

fn predict(fitted: &Fitted) -> Prediction {
    fitted.model.predict(&problem(0).1).unwrap()
}

/// What the baseline `source-only` does with the learner.
fn source_only(learner: Value, seed: u64) -> Prediction {
    let (problem, test, _) = problem(0);
    let source = problem.source().unwrap();
    let sample = translearn_core::Sample::new(&source.features, &source.labels, CLASSES).unwrap();
    let learner = registry()
        .learner("network")
        .unwrap()
        .build(map(learner))
        .unwrap();
    let seed = translearn_core::seed::derive(seed, &["learner"]);
    learner
        .fit_boxed(&sample, seed)
        .unwrap()
        .predict(&test)
        .unwrap()
}

/// The weights of a network that was trained on something else.
fn pretrained() -> (tempfile::TempDir, String, Network) {
    let network = backbones::find("small-cnn")
        .unwrap()
        .build(10, Device::Cpu, 99)
        .unwrap();
    tch::no_grad(|| {
        for (name, parameter) in network.parameters() {
            if name.contains("running_mean") {
                let _moved = parameter.tensor.shallow_clone().fill_(0.01);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    network.state().unwrap().write(&path).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path, network)
}

fn tensors(fitted: &Fitted) -> translearn_weights::StateDict {
    tensors_of(&serde_json::to_value(fitted).unwrap()["model"])
}

fn tensors_of(model: &Value) -> translearn_weights::StateDict {
    let text = model["tensors"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    translearn_weights::StateDict::from_bytes(&bytes, "a model").unwrap()
}
