//! The methods that train networks, through the registry: laws that make them comparable with each other.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use translearn_core::{
    Domain, Features, Fitted, Image, ImageRows, LabelSpace, Labels, Prediction, Task,
    TransferError, TransferProblem, seed,
};
use translearn_deep::methods::{class_relationship, feature_map_distance, spectral_shrinkage};
use translearn_deep::{
    Network, Pretrained, backbones, knowledge_distillation, registry, soft_cross_entropy,
};

const CLASSES: usize = 3;

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

#[test]
fn without_weight_the_target_changes_no_bit() {
    let plain = source_only(learner(), 5);
    for method in ["dann", "deep-coral"] {
        assert_eq!(
            predict(&fit(method, json!({"lambda": 0.0}), 5)),
            plain,
            "{method}"
        );
        assert_ne!(
            predict(&fit(method, json!({"lambda": 0.5}), 5)),
            plain,
            "{method}"
        );
    }
    let from_nothing = json!({"weights": "random", "pretrained_rate": 1.0});
    assert_eq!(predict(&fit("fine-tune", from_nothing, 5)), plain);
}

/// The methods that add to the loss of fine-tuning, and the parameter that weighs what they add.
const REGULARISERS: [(&str, &str); 3] =
    [("bss", "eta"), ("lwf", "lambda"), ("co-tuning", "lambda")];

#[test]
fn without_weight_a_regulariser_is_fine_tuning_bit_for_bit() {
    let (_folder, path, _) = pretrained();
    let scores = |method: &str, params: Value| {
        let mut all = map(json!({"weights": path, "pretrained_rate": 0.5, "target_weight": 0.7}));
        all.extend(map(params));
        predict(&fit_with(method, Value::Object(all), learner(), 4, 5).unwrap()).scores
    };
    let plain = scores("fine-tune", json!({}));
    for (method, weight) in REGULARISERS {
        assert_eq!(scores(method, json!({weight: 0.0})), plain, "{method}");
        let weighted = scores(method, json!({weight: 0.5}));
        assert_ne!(weighted, plain, "{method}");
        assert_ne!(weighted, scores(method, json!({weight: 1.0})), "{method}");
    }
    let pulled = scores("fine-tune", json!({"l2_sp": 0.1}));
    assert_eq!(scores("bss", json!({"eta": 0.0, "l2_sp": 0.1})), pulled);
    assert_ne!(pulled, plain);
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let (_folder, path, _) = pretrained();
    for (method, _) in REGULARISERS {
        let scores = |seed| predict(&fit(method, json!({"weights": path}), seed)).scores;
        assert_eq!(scores(1), scores(1), "{method}");
        assert_ne!(scores(1), scores(2), "{method}");
    }
    for (method, params) in [
        ("dann", json!({})),
        ("deep-coral", json!({})),
        (
            "fine-tune",
            json!({"weights": "random", "strategy": "lora"}),
        ),
    ] {
        let first = predict(&fit(method, params.clone(), 1));
        assert_eq!(predict(&fit(method, params.clone(), 1)), first, "{method}");
        assert_ne!(predict(&fit(method, params, 2)), first, "{method}");
    }
}

#[test]
fn a_class_that_the_source_lacks_is_no_obstacle() {
    let (whole, test, _) = problem(6);
    let source = whole.source().unwrap();
    let labels = source.labels.classes("test").unwrap().to_vec();
    let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] != 1).collect();
    let lacking = whole.with_source_rows(&rows).unwrap();
    let learner = registry()
        .learner("network")
        .unwrap()
        .build(map(learner()))
        .unwrap();
    let (_folder, path, _) = pretrained();
    for entry in registry().methods() {
        let params = match entry.info.name {
            "pretrained" => continue,
            "dann" | "deep-coral" => json!({}),
            _ => json!({"weights": path}),
        };
        let method = entry.build(map(params), Some(learner.clone())).unwrap();
        let fitted = method.fit(&lacking, 0).unwrap();
        let scores = fitted.model.predict(&test).unwrap().scores.unwrap();
        assert_eq!(scores.matrix().ncols(), CLASSES, "{}", entry.info.name);
        assert!(scores.matrix().iter().all(|score| score.is_finite()));
    }
}

#[test]
fn one_labelled_target_row_counts() {
    let params = json!({"lambda": 0.0});
    let (none, one) = (
        fit_with("deep-coral", params.clone(), learner(), 0, 5).unwrap(),
        fit_with("deep-coral", params, learner(), 1, 5).unwrap(),
    );
    assert_ne!(predict(&none), predict(&one));
}

#[test]
fn saved_and_loaded_models_predict_the_same() {
    let (_folder, path, _) = pretrained();
    for (method, params) in [
        ("dann", json!({})),
        ("lwf", json!({"weights": path})),
        ("delta", json!({"weights": path})),
        (
            "fine-tune",
            json!({"weights": "random", "strategy": "dora"}),
        ),
    ] {
        let fitted = fit(method, params, 3);
        let text = serde_json::to_string(&fitted).unwrap();
        let loaded: Fitted = serde_json::from_str(&text).unwrap();
        assert_eq!(predict(&loaded), predict(&fitted), "{method}");
    }
}

#[test]
fn probabilities_sum_to_one_and_a_row_alone_is_predicted_as_among_others() {
    let fitted = fit("dann", json!({}), 4);
    let all = predict(&fitted).scores.unwrap();
    for row in all.matrix().outer_iter() {
        assert!((row.sum() - 1.0).abs() < 1e-12);
    }
    let test = problem(0).1;
    for row in 0..test.n_rows() {
        let one = fitted.model.predict(&test.select_rows(&[row])).unwrap();
        let one = one.scores.unwrap().matrix().row(0).to_owned();
        let difference = (&one - &all.matrix().row(row)).fold(0.0_f64, |m, d| m.max(d.abs()));
        assert!(difference < 1e-5, "{difference}");
    }
}

#[test]
fn every_method_learns_what_can_be_learned() {
    let longer = json!({"backbone": "small-cnn", "epochs": 15, "batch_size": 8, "image_size": 16, "rate": 0.02});
    let truth = problem(0).2;
    let right = |prediction: &Prediction| {
        let labels = prediction.labels.classes("test").unwrap().to_vec();
        labels.iter().zip(&truth).filter(|(a, b)| a == b).count()
    };
    for (method, params) in [
        ("dann", json!({"target_weight": 1.0})),
        ("deep-coral", json!({})),
        (
            "fine-tune",
            json!({"weights": "random", "pretrained_rate": 1.0, "l2_sp": 0.001}),
        ),
        (
            "fine-tune",
            json!({"weights": "random", "pretrained_rate": 1.0, "strategy": "gradual"}),
        ),
    ] {
        // With labels of the target there is no doubt what is right.
        let fitted = fit_with(method, params, longer.clone(), 18, 0).unwrap();
        assert!(
            right(&predict(&fitted)) >= 11,
            "{method}: {}",
            right(&predict(&fitted))
        );
    }
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

#[test]
fn what_is_frozen_stays_bit_for_bit_and_what_learns_moves() {
    let (_folder, path, network) = pretrained();
    let before = network.state().unwrap();
    let moved = |params: Value| -> Vec<String> {
        let after = tensors(&fit("fine-tune", params, 6));
        let changed = before.iter().filter(|(name, tensor)| {
            !name.starts_with("fc2") && after.tensor(name).unwrap() != *tensor
        });
        changed.map(|(name, _)| name.to_owned()).collect()
    };
    let with = |more: Value| {
        let mut params = map(json!({"weights": path}));
        params.extend(map(more));
        Value::Object(params)
    };
    assert_eq!(moved(with(json!({"strategy": "head"}))), [] as [&str; 0]);
    let late = moved(with(json!({"freeze_before": "conv2"})));
    assert!(
        late.iter()
            .all(|name| !name.contains('1') || name.starts_with("fc1")),
        "{late:?}"
    );
    assert!(
        late.iter().any(|name| name == "bn2.running_mean"),
        "{late:?}"
    );
    let all: Vec<String> = before
        .names()
        .filter(|name| !name.starts_with("fc2"))
        .map(str::to_owned)
        .collect();
    assert_eq!(moved(with(json!({}))), all);
    assert_eq!(
        moved(with(json!({"strategy": "lp-ft", "probe_epochs": 1}))),
        all
    );
    let lora = moved(with(json!({"strategy": "lora", "rank": 2})));
    assert_eq!(lora, ["conv1.weight", "conv2.weight", "fc1.weight"]);
    let bitfit = moved(with(json!({"strategy": "bitfit"})));
    assert!(
        bitfit.iter().all(|name| name.ends_with("bias")) && !bitfit.is_empty(),
        "{bitfit:?}"
    );
}

/// The squared distance from the first weights of two layers, for `fine-tune`.
fn distance(params: Value) -> f64 {
    let (_folder, path, network) = pretrained();
    let before = network.state().unwrap();
    let mut all = map(json!({"weights": path}));
    all.extend(map(params));
    let after = tensors(&fit("fine-tune", Value::Object(all), 6));
    let of = |name: &str| {
        let pair = [&before, &after].map(|file| file.tensor(name).unwrap().to_f32().unwrap());
        pair[0]
            .iter()
            .zip(&pair[1])
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum::<f64>()
    };
    of("conv2.weight") + of("fc1.weight")
}

#[test]
fn a_pull_towards_the_first_weights_keeps_them_near() {
    let pulled = |weight: f64| distance(json!({"l2_sp": weight, "pretrained_rate": 1.0}));
    let (free, near) = (pulled(0.0), pulled(10.0));
    assert!(near < 0.3 * free, "{near} against {free}");
}

#[test]
fn adapters_learn_at_the_rate_of_what_was_loaded() {
    for strategy in ["lora", "dora", "ia3"] {
        let at = |rate: f64, decay: f64| {
            distance(json!({"strategy": strategy, "pretrained_rate": rate, "layer_decay": decay}))
        };
        let (still, slow, fast) = (at(1e-12, 1.0), at(0.1, 1.0), at(1.0, 1.0));
        assert!(
            still < 1e-6 * slow && slow < 0.5 * fast,
            "{strategy}: {still} {slow} {fast}"
        );
        // `conv2` is a group below `fc1`.
        let lower = at(1.0, 0.1);
        assert!(lower < 0.9 * fast, "{strategy}: {lower} {fast}");
    }
}

/// What a fitted network of `small-cnn` gives of the source's images at a layer, and what the original one gives.
fn outputs_at(layer: &str, fitted: &Fitted, original: &Network) -> [Tensor; 2] {
    let mut network = backbones::find("small-cnn")
        .unwrap()
        .build(CLASSES as i64, Device::Cpu, 0)
        .unwrap();
    network.load_whole(&tensors(fitted)).unwrap();
    let (images, _) = images(24, 0, 1);
    let transform = Pretrained::find("small-cnn", "random", "".as_ref())
        .unwrap()
        .transform()
        .of_size(16);
    let images: Vec<Tensor> = images
        .iter()
        .map(|image| transform.apply(image).unwrap())
        .collect();
    let images = Tensor::stack(&images, 0);
    [&network, original].map(|network| network.outputs_of(&images, &[layer]).unwrap().remove(0))
}

#[test]
fn what_a_regulariser_minimises_is_smaller_for_it() {
    let (_folder, path, original) = pretrained();
    let get = |name: &str| original.parameters()[name].tensor.detach();
    // What the published head makes of features.
    let classify = |features: &Tensor| features.linear(&get("fc2.weight"), Some(get("fc2.bias")));
    let longer = json!({"backbone": "small-cnn", "epochs": 10, "batch_size": 8, "image_size": 16, "rate": 0.02});
    let with = |method: &str, name: &str, weight: f64| {
        let params = json!({"weights": path, "pretrained_rate": 0.5, name: weight});
        fit_with(method, params, longer.clone(), 0, 6).unwrap()
    };
    let number = |loss: Tensor| loss.double_value(&[]);
    let spectrum = |weight: f64| {
        let [now, _] = outputs_at("relu3", &with("bss", "eta", weight), &original);
        number(spectral_shrinkage(&now, 8).unwrap())
    };
    let behaviour = |weight: f64| {
        let [now, then] = outputs_at("relu2", &with("delta", "lambda", weight), &original);
        let alike = Tensor::full([64], 1.0 / 64.0, (Kind::Float, Device::Cpu));
        number(feature_map_distance(&now, &then, &alike).unwrap())
    };
    let forgotten = |weight: f64| {
        let [now, then] = outputs_at("relu3", &with("lwf", "lambda", weight), &original);
        number(knowledge_distillation(&classify(&now), &classify(&then), 2.0).unwrap())
    };
    let unlike = |weight: f64| {
        let [now, then] = outputs_at("relu3", &with("co-tuning", "lambda", weight), &original);
        let (_, labels) = images(24, 0, 1);
        let relationship = class_relationship(&classify(&then), &labels, CLASSES, 1.0).unwrap();
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let targets = relationship.index_select(0, &Tensor::from_slice(&labels));
        let entropy = number(soft_cross_entropy(&targets.log(), &targets, None).unwrap());
        number(soft_cross_entropy(&classify(&now), &targets, None).unwrap()) - entropy
    };
    for (name, free, bound) in [
        ("bss", spectrum(0.0), spectrum(0.1)),
        ("delta", behaviour(0.0), behaviour(10.0)),
        ("lwf", forgotten(0.0), forgotten(10.0)),
        ("co-tuning", unlike(0.0), unlike(10.0)),
    ] {
        println!("{name}: {bound} for {free}");
        assert!(bound < 0.7 * free, "{name}: {bound} for {free}");
    }
}

#[test]
fn a_training_that_diverges_says_so() {
    let (_folder, path, _) = pretrained();
    let mut wild = map(learner());
    wild.insert("rate".to_owned(), json!(1e25));
    for (method, _) in REGULARISERS.into_iter().chain([("fine-tune", "")]) {
        let params = json!({"weights": path});
        let error = fit_with(method, params, Value::Object(wild.clone()), 0, 0).unwrap_err();
        assert!(
            error.to_string().contains("a smaller learning rate"),
            "{method}: {error}"
        );
    }
}

#[test]
fn the_importance_of_channels_and_the_layers_count() {
    let (_folder, path, _) = pretrained();
    let scores = |params: Value| {
        let mut all = map(json!({"weights": path, "probe_epochs": 2, "lambda": 5.0}));
        all.extend(map(params));
        predict(&fit("delta", Value::Object(all), 0)).scores
    };
    let chosen = scores(json!({}));
    assert_eq!(chosen, scores(json!({"layers": "relu1 relu2 avgpool"})));
    let two = scores(json!({"layers": "relu1 relu2"}));
    assert_ne!(chosen, two);
    assert_eq!(two, scores(json!({"layers": "relu1  relu2 relu1"})));
    assert_ne!(chosen, scores(json!({"importance_rows": 0})));
    // More rows than there are.
    assert_eq!(
        scores(json!({"importance_rows": 24})),
        scores(json!({"importance_rows": 1000}))
    );
}

#[test]
fn the_published_head_is_found_whatever_its_number_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    let backbone = backbones::find("small-cnn").unwrap();
    let own = backbone.build(7, Device::Cpu, 3).unwrap();
    own.state().unwrap().write(&path).unwrap();
    let find = |name: &str| Pretrained::find("small-cnn", name, folder.path()).unwrap();
    let original = find("own.safetensors").build_original(Device::Cpu).unwrap();
    assert_eq!(original.state().unwrap(), own.state().unwrap());
    let params = json!({"weights": path.to_str().unwrap()});
    for method in ["lwf", "co-tuning"] {
        assert!(predict(&fit(method, params.clone(), 0)).scores.is_some());
    }
    // A file without the head serves fine-tuning alone.
    let state = own.state().unwrap();
    let below = state.iter().filter(|(name, _)| !name.starts_with("fc2"));
    let below: Vec<_> = below
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    translearn_weights::StateDict::from_tensors("own", below)
        .unwrap()
        .write(&path)
        .unwrap();
    fit("bss", params.clone(), 0);
    fit("delta", params.clone(), 0);
    for method in ["lwf", "co-tuning"] {
        let error = fit_with(method, params.clone(), learner(), 0, 0).unwrap_err();
        assert!(
            error.to_string().contains("fc2.weight"),
            "{method}: {error}"
        );
    }
}

#[test]
fn early_stopping_and_augmentation_run_and_change_the_model() {
    let stopping = json!({
        "backbone": "small-cnn", "epochs": 6, "batch_size": 8, "image_size": 16, "rate": 0.02, "patience": 1,
        "augment": "digits", "mixup": 0.2, "label_smoothing": 0.1, "ema": 0.9, "clip_norm": 1.0,
        "optimizer": "adamw", "schedule": "one-cycle", "warm_up": 0.1
    });
    let fitted = fit_with("dann", json!({}), stopping.clone(), 0, 0).unwrap();
    assert_ne!(predict(&fitted), predict(&fit("dann", json!({}), 0)));
    let again = fit_with("dann", json!({}), stopping, 0, 0).unwrap();
    assert_eq!(predict(&fitted), predict(&again));
}

#[test]
fn what_cannot_be_served_says_why() {
    let message = |method: &str, params: Value, learner: Value| {
        fit_with(method, params, learner, 0, 0)
            .unwrap_err()
            .to_string()
    };
    let error = message("dann", json!({}), json!({"backbone": "smal-cnn"}));
    assert!(error.contains("did you mean `small-cnn`"), "{error}");
    for (method, params) in [
        ("dann", json!({"layer": "relu9"})),
        (
            "delta",
            json!({"weights": "random", "layers": "relu1 relu9"}),
        ),
    ] {
        let error = message(method, params, learner());
        assert!(
            error.contains("relu9") && error.contains("did you mean"),
            "{error}"
        );
    }
    for (method, _) in REGULARISERS.into_iter().chain([("fine-tune", "")]) {
        let error = message(method, json!({"weights": "no-such-file"}), learner());
        assert!(error.contains("no-such-file"), "{error}");
        let error = message(method, json!({}), learner());
        assert!(
            error.contains("no published ones of `small-cnn`"),
            "{error}"
        );
    }
    let blank = json!({"weights": "random", "layers": " "});
    let error = message("delta", blank, learner());
    assert!(error.contains("`layers` is blank"), "{error}");
    let (_folder, path, _) = pretrained();
    let error = message("pretrained", json!({"weights": path}), learner());
    assert!(
        error.contains("fc2.weight: expected 3x128, found 10x128"),
        "{error}"
    );
    let (problem, _, _) = problem(0);
    let few = problem.with_source_rows(&[0, 1, 2]).unwrap();
    let mut stopping = map(learner());
    stopping.insert("patience".to_owned(), json!(1));
    let stopping = registry()
        .learner("network")
        .unwrap()
        .build(stopping)
        .unwrap();
    let method = registry()
        .method("dann")
        .unwrap()
        .build(Map::new(), Some(stopping))
        .unwrap();
    let error = method.fit(&few, 0).unwrap_err().to_string();
    assert!(
        error.contains("keeps a fifth aside") && error.contains('3'),
        "{error}"
    );
    // Images that are predicted by a model of images alone.
    let fitted = fit("deep-coral", json!({}), 0);
    let vectors = Features::from(ndarray::Array2::zeros((2, 3)));
    assert!(fitted.model.predict(&vectors).is_err());
}

#[test]
fn the_tables_state_the_defaults_and_the_names_stand_where_others_read_them() {
    let registry = registry();
    let stated = |parameters: &[translearn_core::ParamInfo]| -> Map<String, Value> {
        let pairs = parameters.iter().map(|parameter| {
            (
                parameter.name.to_owned(),
                serde_json::from_str(parameter.default).unwrap(),
            )
        });
        pairs.collect()
    };
    let mut names = Vec::new();
    for entry in registry.learners() {
        assert_eq!(
            entry.build(Map::new()).unwrap().params(),
            stated(entry.info.parameters)
        );
        names.push(entry.info.name);
    }
    for entry in registry.methods() {
        let built = entry.build(Map::new(), None).unwrap();
        assert_eq!(
            built.params(),
            stated(entry.info.parameters),
            "{}",
            entry.info.name
        );
        names.push(entry.info.name);
    }
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, table) = readme.split_once("## Methods over libtorch").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), registry.methods().len());
    for (row, entry) in rows.iter().zip(registry.methods()) {
        let start = format!("| `{}` | {} | ", entry.info.name, entry.info.title);
        assert!(
            row.starts_with(&start) && row.contains(entry.info.reference),
            "{row}"
        );
    }
    // `cargo xtask` reads these to know which specifications need libtorch.
    let listed: Vec<&str> = include_str!("../names.txt").split_whitespace().collect();
    names.sort_unstable();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, names);
}

#[test]
fn layers_of_the_target_itself_are_those_of_target_only() {
    let (problem, ..) = problem(12);
    let labelled = problem.target_labelled().unwrap();
    let sample =
        translearn_core::Sample::new(&labelled.features, &labelled.labels, CLASSES).unwrap();
    let learner = registry().learner("network").unwrap().build(map(learner()));
    let seed = translearn_core::seed::derive(5, &["learner"]);
    let base = learner.unwrap().fit_boxed(&sample, seed).unwrap();
    let base = tensors_of(&serde_json::to_value(&base).unwrap());
    let transferred = |params: Value| {
        tensors(&fit_with("layer-transfer", params, self::learner(), 12, 5).unwrap())
    };
    let same =
        |a: &translearn_weights::StateDict, b: &translearn_weights::StateDict| -> Vec<String> {
            let equal = a
                .iter()
                .filter(|(name, tensor)| b.tensor(name).unwrap() == *tensor);
            equal.map(|(name, _)| name.to_owned()).collect()
        };
    let first_two = [
        "conv1.weight",
        "bn1.weight",
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
    ];
    let frozen = transferred(json!({"layers": 1, "from": "target"}));
    let kept = same(&frozen, &base);
    assert!(
        first_two
            .iter()
            .all(|name| kept.iter().any(|kept| kept == name)),
        "{kept:?}"
    );
    assert!(
        kept.iter().all(|name| name.contains("conv1")
            || name.contains("bn1")
            || name.ends_with("num_batches_tracked")),
        "{kept:?}"
    );
    // The layers of the source are others, and so are those that went on learning.
    let other = transferred(json!({"layers": 1, "from": "source"}));
    assert!(
        !same(&other, &base)
            .iter()
            .any(|name| name == "conv1.weight")
    );
    let tuned = transferred(json!({"layers": 1, "from": "target", "frozen": false}));
    assert!(
        !same(&tuned, &base)
            .iter()
            .any(|name| name == "conv1.weight")
    );
    // Nothing copied: whose layers they would be does not matter.
    let none = |from: &str| {
        predict(
            &fit_with(
                "layer-transfer",
                json!({"layers": 0, "from": from}),
                self::learner(),
                12,
                5,
            )
            .unwrap(),
        )
    };
    assert_eq!(none("source"), none("target"));
}

#[test]
fn layer_transfer_says_what_it_lacks() {
    let message = |params: Value, labelled| {
        let error = fit_with("layer-transfer", params, learner(), labelled, 0);
        error.unwrap_err().to_string()
    };
    let error = message(json!({}), 0);
    assert!(
        error.contains("layer-transfer") && error.contains("label"),
        "{error}"
    );
    let error = message(json!({"layers": 4}), 12);
    assert!(
        error.contains("`layers` is 4") && error.contains("below 4"),
        "{error}"
    );
}
