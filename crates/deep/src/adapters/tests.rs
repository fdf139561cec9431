use std::collections::BTreeMap;

use tch::Kind;

use super::*;
use crate::{Freeze, Optimizer, OptimizerState, backbones};

fn network(name: &str) -> Network {
    let backbone = backbones::find(name).unwrap();
    backbone.build(4, Device::Cpu, 0).unwrap()
}

/// Numbers in `[-1, 1]` that no two tensors share.
fn wave(shape: &[i64], phase: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let steps = Tensor::arange(n, (Kind::Float, Device::Cpu));
    (steps * 0.7 + phase).sin().view(shape)
}

fn output(network: &Network, x: &Tensor) -> Tensor {
    tch::no_grad(|| network.forward(x, &mut Pass::eval())).unwrap()
}

/// Moves every tensor of the adapters, as training would.
fn train(network: &Network) {
    for (i, (_, p)) in network
        .parameters
        .iter()
        .enumerate()
        .skip(network.adapted.base)
    {
        let step = wave(&p.tensor.size(), i as f64) * 0.1;
        let _moved = tch::no_grad(|| p.tensor.shallow_clone().g_add_(&step));
    }
}

fn copies(network: &Network) -> BTreeMap<String, Tensor> {
    let all = network.parameters.iter();
    all.map(|(name, p)| (name.clone(), p.tensor.detach().copy()))
        .collect()
}

fn low_rank(rank: i64) -> LowRank {
    LowRank {
        rank,
        ..LowRank::default()
    }
}

fn mergeable() -> [AdapterSpec; 3] {
    [
        AdapterSpec::Lora(low_rank(3)),
        AdapterSpec::Dora(low_rank(3)),
        AdapterSpec::Ia3(Ia3::default()),
    ]
}

fn all_kinds() -> Vec<AdapterSpec> {
    let behind = Bottleneck {
        size: 5,
        ..Bottleneck::behind(["bn1", "fc1"])
    };
    let mut kinds = Vec::from(mergeable());
    kinds.push(AdapterSpec::Bitfit(Bitfit::default()));
    kinds.push(AdapterSpec::Bottleneck(behind));
    kinds
}

const IMAGES: [i64; 4] = [3, 1, 28, 28];

#[test]
fn a_fresh_adapter_changes_no_bit() {
    let x = wave(&IMAGES, 0.0);
    for spec in all_kinds() {
        let mut cnn = network("small-cnn");
        let before = output(&cnn, &x);
        cnn.adapt(&spec, 1).unwrap();
        assert_eq!(output(&cnn, &x), before, "{spec:?}");
        train(&cnn);
        let bitfit = matches!(spec, AdapterSpec::Bitfit(_));
        assert_eq!(output(&cnn, &x) == before, bitfit, "{spec:?}");
    }
}

#[test]
fn effective_weights_are_those_of_the_formulas() {
    let spec = LowRank {
        rank: 3,
        alpha: 5.0,
        scaling: RankScaling::RankStabilised,
        targets: vec!["conv2".to_owned(), "fc1".to_owned()],
        train_head: false,
    };
    let factor = 5.0 / 3.0_f64.sqrt();
    for learns_lengths in [false, true] {
        let mut cnn = network("small-cnn");
        let kind = if learns_lengths {
            AdapterSpec::Dora
        } else {
            AdapterSpec::Lora
        };
        cnn.adapt(&kind(spec.clone()), 1).unwrap();
        train(&cnn);
        let mut pass = Pass::eval();
        cnn.adapted.prepare(&mut pass).unwrap();
        for layer in ["conv2", "fc1"] {
            let tensor = |name: &str| &cnn.parameters[&format!("{layer}.{name}")].tensor;
            let flat = |t: &Tensor| -> Vec<f64> {
                Vec::try_from(t.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap()
            };
            let weight = Weight::new(&format!("{layer}.weight"), tensor("weight").shallow_clone());
            let found = pass.value(&weight);
            assert_eq!(found.size(), weight.tensor().size());
            let (w, a, b) = (
                flat(weight.tensor()),
                flat(tensor("lora_A")),
                flat(tensor("lora_B")),
            );
            let found = flat(found);
            let outputs = weight.tensor().size()[0] as usize;
            let inputs = w.len() / outputs;
            let mut worst = 0.0_f64;
            for i in 0..outputs {
                let mut row: Vec<f64> = (0..inputs)
                    .map(|j| {
                        let product: f64 = (0..3).map(|k| b[i * 3 + k] * a[k * inputs + j]).sum();
                        w[i * inputs + j] + factor * product
                    })
                    .collect();
                if learns_lengths {
                    let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                    let m = flat(tensor("magnitude"))[i];
                    row.iter_mut().for_each(|v| *v *= m / length);
                }
                for (j, expected) in row.iter().enumerate() {
                    worst = worst.max((found[i * inputs + j] - expected).abs());
                }
            }
            assert!(worst < 1e-6, "{layer}: {worst:.1e}");
        }
    }
}

#[test]
fn merged_gives_what_unmerged_gives_and_unmerging_gives_the_bits_back() {
    let x = wave(&IMAGES, 1.0);
    for spec in mergeable() {
        let mut cnn = network("small-cnn");
        cnn.adapt(&spec, 1).unwrap();
        train(&cnn);
        let (before, weights) = (output(&cnn, &x), copies(&cnn));
        let learned = cnn.adapter_state().unwrap();
        cnn.merge().unwrap();
        cnn.merge().unwrap();
        assert!(cnn.is_merged());
        assert_ne!(copies(&cnn)["conv2.weight"], weights["conv2.weight"]);
        let far = (output(&cnn, &x) - &before).abs().max().double_value(&[]);
        assert!(far < 1e-5, "{spec:?}: {far:.1e}");
        assert_eq!(cnn.adapter_state().unwrap(), learned);

        // As a file of a plain network.
        let mut plain = network("small-cnn");
        plain.load_whole(&cnn.state().unwrap()).unwrap();
        assert_eq!(output(&plain, &x), output(&cnn, &x));

        for refused in [
            cnn.adapt(&spec, 2),
            cnn.load_adapter(&learned),
            cnn.load(&learned).map(|_| ()),
        ] {
            assert!(matches!(refused, Err(DeepError::Merged { .. })));
        }
        cnn.unmerge().unwrap();
        assert_eq!(copies(&cnn), weights);
        assert_eq!(output(&cnn, &x), before);
    }
}

#[test]
fn gradients_reach_every_tensor_of_an_adapter_and_nothing_that_is_frozen() {
    for spec in all_kinds() {
        let mut cnn = network("small-cnn");
        cnn.adapt(&spec, 1).unwrap();
        train(&cnn);
        let before = copies(&cnn);
        let learned: Vec<Tensor> = cnn.learned().map(|w| w.tensor().shallow_clone()).collect();
        let mut optimizer = OptimizerState::new(Optimizer::sgd(), learned).unwrap();
        let y = cnn
            .forward(&wave(&IMAGES, 2.0), &mut Pass::train(1))
            .unwrap();
        y.log_softmax(1, Kind::Float)
            .select(1, 0)
            .sum(Kind::Float)
            .backward();
        optimizer.step(0.1).unwrap();
        let bitfit = matches!(spec, AdapterSpec::Bitfit(_));
        for (index, (name, p)) in cnn.parameters.iter().enumerate() {
            let added = index >= cnn.adapted.base;
            let learns = added || name.starts_with("fc2") || (bitfit && name.ends_with("bias"));
            let gradient = p.tensor.grad();
            let reached = gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0;
            assert_eq!(reached, learns, "{spec:?}: gradient of {name}");
            // Statistics of batch normalisation are among those that stay.
            assert_eq!(p.tensor != before[name], learns, "{spec:?}: {name}");
        }
    }
}

#[test]
fn a_bottleneck_adds_what_its_formula_says() {
    // Behind a layer of channels, and behind one of rows.
    for (layer, axis) in [("pool1", 1), ("fc1", -1)] {
        let mut cnn = network("small-cnn");
        let x = wave(&IMAGES, 3.0);
        let before = cnn.outputs_of(&x, &[layer]).unwrap().remove(0);
        let spec = Bottleneck {
            size: 2,
            ..Bottleneck::behind([layer])
        };
        cnn.adapt(&AdapterSpec::Bottleneck(spec), 1).unwrap();
        train(&cnn);
        let found = cnn.outputs_of(&x, &[layer]).unwrap().remove(0);
        let t = |name: &str| {
            let tensor = &cnn.parameters[&format!("{layer}.bottleneck_{name}")].tensor;
            tensor.detach().to_kind(Kind::Double)
        };
        let y = before.to_kind(Kind::Double).movedim_int(axis, -1);
        let hidden = y.matmul(&t("down").tr()) + t("down_bias");
        // x Φ(x) with Φ from the error function.
        let gaussian = ((&hidden / 2.0_f64.sqrt()).erf() + 1.0) * 0.5;
        let expected = &y + (hidden * gaussian).matmul(&t("up").tr()) + t("up_bias");
        let far = (found.movedim_int(axis, -1) - expected).abs().max();
        assert!(far.double_value(&[]) < 1e-5, "{layer}");
        assert!((found - before).abs().max().double_value(&[]) > 1e-2);
        assert!(matches!(
            cnn.merge(),
            Err(DeepError::NotMergeable {
                adapter: "bottleneck"
            })
        ));
        assert!(!cnn.is_merged());
    }
}

#[test]
fn what_is_learned_and_the_pretrained_weights_are_the_network() {
    let x = wave(&IMAGES, 4.0);
    let mut kinds = all_kinds();
    kinds.push(AdapterSpec::Lora(LowRank {
        train_head: false,
        ..low_rank(2)
    }));
    for spec in kinds {
        let mut trained = network("small-cnn");
        trained.adapt(&spec, 1).unwrap();
        for (i, weight) in trained.learned().enumerate() {
            let step = wave(&weight.tensor().size(), i as f64) * 0.1;
            let _moved = tch::no_grad(|| weight.tensor().shallow_clone().g_add_(&step));
        }
        let file = trained.adapter_state().unwrap();
        assert_eq!(file.numbers(), trained.n_learned(), "{spec:?}");
        let mut other = network("small-cnn");
        other.adapt(&spec, 9).unwrap();
        other.load_adapter(&file).unwrap();
        assert_eq!(output(&other, &x), output(&trained, &x), "{spec:?}");

        let mut foreign = network("small-cnn");
        foreign.adapt(&AdapterSpec::Lora(low_rank(7)), 1).unwrap();
        let before = copies(&foreign);
        let error = foreign.load_adapter(&file).unwrap_err().to_string();
        assert!(error.contains("another adaptation of small-cnn"), "{error}");
        assert_eq!(copies(&foreign), before);
    }
    // Thawed normalisation moves its statistics, which then belong to what is learned.
    let mut cnn = network("small-cnn");
    cnn.adapt(&AdapterSpec::Ia3(Ia3::default()), 1).unwrap();
    cnn.freeze(&Freeze::AllBut(vec!["bn2".to_owned()])).unwrap();
    let file = cnn.adapter_state().unwrap();
    let names: Vec<&str> = file
        .names()
        .filter(|name| name.contains("running"))
        .collect();
    assert_eq!(names, ["bn2.running_mean", "bn2.running_var"]);
}

#[test]
fn adapters_stack_and_none_comes_twice() {
    let x = wave(&IMAGES, 5.0);
    let mut cnn = network("small-cnn");
    let [lora, dora, ia3] = mergeable();
    cnn.adapt(&lora, 1).unwrap();
    train(&cnn);
    let alone = output(&cnn, &x);
    cnn.adapt(&ia3, 1).unwrap();
    assert_eq!(output(&cnn, &x), alone);
    train(&cnn);
    let both = output(&cnn, &x);
    assert_ne!(both, alone);
    cnn.merge().unwrap();
    assert!((output(&cnn, &x) - both).abs().max().double_value(&[]) < 1e-5);
    cnn.unmerge().unwrap();
    let n = cnn.parameters.len();
    for spec in [lora, dora] {
        let error = cnn.adapt(&spec, 1).unwrap_err();
        assert!(
            matches!(&error, DeepError::AdaptedTwice { tensor } if tensor.ends_with("lora_A")),
            "{error}"
        );
    }
    assert_eq!(cnn.parameters.len(), n);
    assert_eq!(cnn.head(), "fc2");
}

#[test]
fn the_seed_decides_the_first_values_and_targets_the_layers() {
    let adapted = |spec: &AdapterSpec, seed| {
        let mut mlp = network("mlp");
        mlp.adapt(spec, seed).unwrap();
        mlp
    };
    let [lora, ..] = mergeable();
    assert_eq!(copies(&adapted(&lora, 1)), copies(&adapted(&lora, 1)));
    assert_ne!(copies(&adapted(&lora, 1)), copies(&adapted(&lora, 2)));
    let names = |targets: &[&str], train_head| {
        let spec = AdapterSpec::Lora(LowRank {
            targets: targets.iter().map(|&t| t.to_owned()).collect(),
            train_head,
            ..LowRank::default()
        });
        let learned = adapted(&spec, 1);
        let names = learned.learned().map(|w| w.name().to_owned());
        names.collect::<Vec<_>>()
    };
    let head = ["fc3.weight", "fc3.bias"];
    let second = ["fc2.lora_A", "fc2.lora_B"];
    assert_eq!(names(&["fc2"], true), [head, second].concat());
    assert_eq!(names(&["fc2"], false), second);
    // A head with an adapter does not also learn as a whole.
    assert_eq!(names(&["fc3"], true), ["fc3.lora_A", "fc3.lora_B"]);
    assert_eq!(names(&[], false).len(), 4);
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let refused = |spec: AdapterSpec| {
        let mut cnn = network("small-cnn");
        let before = copies(&cnn);
        let error = cnn.adapt(&spec, 1).unwrap_err();
        assert_eq!(copies(&cnn), before);
        assert_eq!(cnn.learned().count(), 10);
        error.to_string()
    };
    let named = |targets: &[&str]| targets.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
    let lora = |targets: &[&str]| {
        AdapterSpec::Lora(LowRank {
            targets: named(targets),
            ..LowRank::default()
        })
    };
    let error = refused(lora(&["conv2", "conv3"]));
    assert!(
        error.contains("no linear or convolution layer `conv3`; did you mean `conv"),
        "{error}"
    );
    // A layer, but none with a matrix.
    assert!(refused(lora(&["relu1"])).contains("`relu1`"));
    assert!(refused(AdapterSpec::Lora(low_rank(0))).contains("`rank` is 0"));
    let alpha = |alpha| {
        AdapterSpec::Dora(LowRank {
            alpha,
            ..LowRank::default()
        })
    };
    assert!(refused(alpha(f64::NAN)).contains("`alpha` is NaN"));
    assert!(refused(alpha(0.0)).contains("`alpha` is 0"));
    let behind = |size, targets: &[&str]| {
        AdapterSpec::Bottleneck(Bottleneck {
            size,
            targets: named(targets),
            train_head: true,
        })
    };
    assert!(refused(behind(0, &["fc1"])).contains("`size` is 0"));
    assert!(refused(behind(4, &[])).contains("`targets`"));
    assert!(refused(behind(4, &["fc9"])).contains("no layer `fc9`"));
    let prompt = |tokens, after: &str| {
        AdapterSpec::Prompt(Prompt {
            tokens,
            after: after.to_owned(),
            train_head: true,
        })
    };
    assert!(refused(prompt(0, "conv1")).contains("`tokens` is 0"));
    assert!(refused(prompt(4, "conv1")).contains("`conv1` is [1, 32, 28, 28]"));
    let error = refused(AdapterSpec::Prompt(Prompt::default()));
    assert!(
        error.contains("no layer `encoder.pos_embedding`"),
        "{error}"
    );
}

#[test]
fn specs_read_with_their_defaults_and_refuse_what_they_do_not_know() {
    let read = |text: &str| serde_json::from_str::<AdapterSpec>(text);
    let spec = read(r#"{"use": "dora", "scaling": "rank-stabilised", "train-head": false}"#);
    let expected = LowRank {
        scaling: RankScaling::RankStabilised,
        train_head: false,
        ..LowRank::default()
    };
    assert_eq!(spec.unwrap(), AdapterSpec::Dora(expected));
    let spec = read(r#"{"use": "bottleneck", "targets": ["fc1"]}"#).unwrap();
    assert_eq!(spec, AdapterSpec::Bottleneck(Bottleneck::behind(["fc1"])));
    for (kind, spec) in [
        ("ia3", AdapterSpec::Ia3(Ia3::default())),
        ("bitfit", AdapterSpec::Bitfit(Bitfit::default())),
        ("prompt", AdapterSpec::Prompt(Prompt::default())),
    ] {
        assert_eq!(read(&format!(r#"{{"use": "{kind}"}}"#)).unwrap(), spec);
        let unknown = read(&format!(r#"{{"use": "{kind}", "ranks": 1}}"#));
        assert!(unknown.is_err(), "{kind}");
        let written = serde_json::to_string(&spec).unwrap();
        assert_eq!(read(&written).unwrap(), spec);
    }
    assert!(read(r#"{"use": "bottleneck"}"#).is_err());
    assert!(read(r#"{"use": "adapters"}"#).is_err());
}
