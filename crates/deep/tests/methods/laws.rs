//! What every method keeps, and what makes it comparable with the others.

use super::*;

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

/// Every method of the registry with parameters that let it learn from files.
fn every(check: impl Fn(&str, Value)) {
    let (folder, path, _) = pretrained();
    // A classifier as it is has to have the classes of the task.
    let whole = folder.path().join("whole.safetensors");
    let network = backbones::find("small-cnn").unwrap();
    let network = network.build(CLASSES as i64, Device::Cpu, 7).unwrap();
    network.state().unwrap().write(&whole).unwrap();
    for entry in registry().methods() {
        let names_weights = entry
            .info
            .parameters
            .iter()
            .any(|known| known.name == "weights");
        let params = match entry.info.name {
            "pretrained" => json!({"weights": whole}),
            "dann" | "deep-coral" => json!({}),
            _ if names_weights => json!({"weights": path}),
            _ => json!({}),
        };
        check(entry.info.name, params);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    every(|method, params| {
        let scores = |seed| {
            let fitted = fit_with(method, params.clone(), learner(), 6, seed).unwrap();
            predict(&fitted).scores.unwrap()
        };
        assert_eq!(scores(1), scores(1), "{method}");
        // Nothing is drawn where nothing learns.
        assert_eq!(scores(1) == scores(2), method == "pretrained", "{method}");
    });
    for strategy in ["lora", "dora", "ia3"] {
        let scores = |seed| {
            let params = json!({"weights": "random", "strategy": strategy});
            predict(&fit("fine-tune", params, seed)).scores.unwrap()
        };
        assert_eq!(scores(1), scores(1), "{strategy}");
        assert_ne!(scores(1), scores(2), "{strategy}");
    }
}

#[test]
fn a_class_that_the_source_lacks_is_no_obstacle() {
    let (whole, test, _) = problem(6);
    let source = whole.source().unwrap();
    let labels = source.labels.classes("test").unwrap().to_vec();
    let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] != 1).collect();
    let lacking = whole.with_source_rows(&rows).unwrap();
    every(|method, params| {
        let registry = registry();
        let learner = registry.learner("network").unwrap().build(map(learner()));
        let entry = registry.method(method).unwrap();
        let built = entry.build(map(params), Some(learner.unwrap())).unwrap();
        let fitted = built.fit(&lacking, 0).unwrap();
        let scores = fitted.model.predict(&test).unwrap().scores.unwrap();
        assert_eq!(scores.matrix().ncols(), CLASSES, "{method}");
        assert!(scores.matrix().iter().all(|score| score.is_finite()));
    });
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
    let check = |fitted: &Fitted, what: &str| {
        let text = serde_json::to_string(fitted).unwrap();
        let loaded: Fitted = serde_json::from_str(&text).unwrap();
        assert_eq!(predict(&loaded), predict(fitted), "{what}");
    };
    every(|method, params| check(&fit_with(method, params, learner(), 6, 3).unwrap(), method));
    let dora = json!({"weights": "random", "strategy": "dora"});
    check(&fit("fine-tune", dora, 3), "dora");
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
    let listed: Vec<&str> = include_str!("../../names.txt").split_whitespace().collect();
    names.sort_unstable();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, names);
}
