//! Fine-tuning and what is added to it: what stays, what moves, what becomes smaller.

use super::*;

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
    assert_eq!(scores("stoch-norm", json!({"p": 1.0})), plain);
    assert_ne!(scores("stoch-norm", json!({})), plain);
    let pulled = scores("fine-tune", json!({"l2_sp": 0.1}));
    assert_eq!(scores("bss", json!({"eta": 0.0, "l2_sp": 0.1})), pulled);
    assert_ne!(pulled, plain);
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
    let mixed_up = |weight: f64| {
        let [now, _] = outputs_at("relu3", &with("bi-tuning", "lambda", weight), &original);
        let rows = &now
            / now
                .square()
                .sum_dim_intlist([1_i64].as_slice(), true, Kind::Float)
                .sqrt();
        let labels: Vec<i64> = images(24, 0, 1)
            .1
            .iter()
            .map(|&label| label as i64)
            .collect();
        let labels = Tensor::from_slice(&labels);
        let same = labels.unsqueeze(1).eq_tensor(&labels);
        number(contrast(&(rows.matmul(&rows.tr()) / 0.5), &same).unwrap())
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
    // Of 24 rows, 8 of each class: at best ln 8 and a little.
    let (free, bound) = (mixed_up(0.0), mixed_up(1.0));
    println!("bi-tuning: {bound} for {free}");
    assert!(bound < free - 0.05, "{bound} for {free}");
}

#[test]
fn keys_and_what_makes_them_count() {
    let (_folder, path, _) = pretrained();
    let scores = |params: Value| {
        let mut all = map(json!({"weights": path, "pretrained_rate": 0.5}));
        all.extend(map(params));
        predict(&fit("bi-tuning", Value::Object(all), 5)).scores
    };
    let plain = scores(json!({}));
    for params in [
        json!({"keys": 1}),
        json!({"momentum": 0.0}),
        json!({"temperature": 0.5}),
        json!({"projection": 4}),
    ] {
        assert_ne!(scores(params.clone()), plain, "{params}");
    }
    // Eight steps of eight images never give a class more than this.
    assert_eq!(scores(json!({"keys": 1000})), scores(json!({"keys": 100})));
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
