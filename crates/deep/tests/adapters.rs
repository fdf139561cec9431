//! Adapters on published networks, and against PEFT: `fixtures/adapters_peft.py` made the values.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{Device, Kind, Tensor};
use translearn_deep::adapters::{Bottleneck, Ia3, LowRank, Prompt, RankScaling};
use translearn_deep::layers::{Activation, ConvParams, Pool};
use translearn_deep::{AdapterSpec, InputShape, Network, Pass, Role, Sequence, backbones};

/// Single precision here, double there.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Record {
    base: BTreeMap<String, Numbers>,
    input: Numbers,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    initial: BTreeMap<String, Numbers>,
    tensors: BTreeMap<String, Numbers>,
    output: Numbers,
    gradients: BTreeMap<String, Numbers>,
}

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<i64>,
    values: Vec<f64>,
}

impl Numbers {
    fn tensor(&self) -> Tensor {
        let flat = Tensor::from_slice(&self.values).to_kind(Kind::Float);
        flat.view(self.shape.as_slice())
    }
}

fn far(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let largest = expected.abs().max().double_value(&[]);
    (found - expected).abs().max().double_value(&[]) / largest
}

fn set(network: &Network, values: &BTreeMap<String, Numbers>) {
    for (name, numbers) in values {
        let mut tensor = network.parameters()[name].tensor.shallow_clone();
        assert_eq!(tensor.size(), numbers.shape, "{name}");
        tch::no_grad(|| tensor.copy_(&numbers.tensor()));
    }
}

fn small() -> Network {
    let input = InputShape::Image {
        channels: 2,
        size: 5,
        least: 1,
    };
    let conv = ConvParams::square(3).padding(1).biased();
    Network::build("small", input, Device::Cpu, 0, |scope| {
        Ok(Sequence::new()
            .then(scope.conv2d("conv", 2, 3, conv)?)
            .then(scope.enter("relu").layer(Activation::Relu))
            .then(scope.enter("pool").layer(Pool::GlobalAverage))
            .then(scope.linear("fc1", 3, 5)?)
            .then(scope.enter("gelu").layer(Activation::Gelu))
            .then(scope.linear("fc2", 5, 2)?))
    })
    .unwrap()
}

#[test]
fn outputs_and_gradients_are_those_of_peft() {
    let record: Record = serde_json::from_str(include_str!("fixtures/adapters_peft.json")).unwrap();
    let low_rank = |scaling| LowRank {
        rank: 2,
        alpha: 3.0,
        scaling,
        ..LowRank::default()
    };
    let specs = [
        ("lora", AdapterSpec::Lora(low_rank(RankScaling::Standard))),
        (
            "rank-stabilised",
            AdapterSpec::Lora(low_rank(RankScaling::RankStabilised)),
        ),
        ("dora", AdapterSpec::Dora(low_rank(RankScaling::Standard))),
        ("ia3", AdapterSpec::Ia3(Ia3::default())),
    ];
    assert_eq!(specs.len(), record.cases.len());
    for (name, spec) in specs {
        let case = &record.cases[name];
        let mut network = small();
        set(&network, &record.base);
        network.adapt(&spec, 0).unwrap();
        let added = network.parameters().len() - record.base.len();
        assert_eq!(added, case.tensors.len(), "{name}");
        for (tensor, numbers) in &case.initial {
            let found = network.parameters()[tensor].tensor.detach();
            assert!(
                far(&found, &numbers.tensor()) < TOLERANCE,
                "{name} {tensor}"
            );
        }
        set(&network, &case.tensors);
        let output = network
            .forward(&record.input.tensor(), &mut Pass::train(0))
            .unwrap();
        let expected = case.output.tensor();
        assert!(far(&output.detach(), &expected) < TOLERANCE, "{name}");
        output.square().sum(Kind::Float).backward();
        for (tensor, numbers) in &case.gradients {
            let found = network.parameters()[tensor].tensor.grad();
            let off = far(&found, &numbers.tensor());
            assert!(
                off < TOLERANCE,
                "{name}: gradient of {tensor} is {off:.1e} off"
            );
        }
        network.merge().unwrap();
        let merged = tch::no_grad(|| network.forward(&record.input.tensor(), &mut Pass::eval()));
        assert!(
            far(&merged.unwrap(), &expected) < TOLERANCE,
            "{name} merged"
        );
    }
}

fn wave(shape: &[i64], phase: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let steps = Tensor::arange(n, (Kind::Float, Device::Cpu));
    (steps * 0.7 + phase).sin().view(shape)
}

/// Adds a little to everything that learns; the head of ViT begins at zero and would let no gradient through.
fn train(network: &Network) {
    for (i, weight) in network.learned().enumerate() {
        let step = wave(&weight.tensor().size(), i as f64) * 0.01;
        let _moved = tch::no_grad(|| weight.tensor().shallow_clone().g_add_(&step));
    }
}

fn build(name: &str) -> Network {
    let backbone = backbones::find(name).unwrap();
    backbone.build(3, Device::Cpu, 0).unwrap()
}

fn output(network: &Network, x: &Tensor) -> Tensor {
    tch::no_grad(|| network.forward(x, &mut Pass::eval())).unwrap()
}

/// Adapts a network, and checks what has to hold of every adapter: where it begins, what learns, what stays.
fn check(name: &str, side: i64, spec: &AdapterSpec, begins_equal: bool) -> Network {
    let mut network = build(name);
    let x = wave(&[2, 3, side, side], 0.0);
    let before = output(&network, &x);
    network.adapt(spec, 1).unwrap();
    if begins_equal {
        assert_eq!(output(&network, &x), before, "{name}");
    }
    train(&network);
    let buffers = |network: &Network| -> Vec<Tensor> {
        let all = network.parameters().values();
        all.filter(|p| p.role == Role::Buffer)
            .map(|p| p.tensor.copy())
            .collect()
    };
    let statistics = buffers(&network);
    let logits = network.forward(&x, &mut Pass::train(1)).unwrap();
    let likelihood = logits.log_softmax(1, Kind::Float).select(1, 0);
    likelihood.sum(Kind::Float).backward();
    for (tensor, parameter) in network.parameters() {
        let gradient = parameter.tensor.grad();
        let reached = gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0;
        let learns = parameter.tensor.requires_grad();
        assert_eq!(reached, learns, "{name}: gradient of {tensor}");
    }
    assert_eq!(buffers(&network), statistics, "{name}");
    network
}

fn merges(network: &mut Network, side: i64) {
    let x = wave(&[2, 3, side, side], 0.0);
    let before = output(network, &x);
    network.merge().unwrap();
    let merged = far(&output(network, &x), &before);
    assert!(merged < 1e-5, "{}: {merged:.1e}", network.name());
    network.unmerge().unwrap();
    assert_eq!(output(network, &x), before);
}

fn low_rank(rank: i64) -> LowRank {
    LowRank {
        rank,
        ..LowRank::default()
    }
}

#[test]
fn convolutions_of_published_networks_take_low_rank_products() {
    // Depthwise convolutions among them, and the kernels of Keras.
    for (name, side) in [
        ("mobilenet-v2", 64),
        ("mobilenet-v1-0.25", 64),
        ("resnet18", 64),
    ] {
        for spec in [
            AdapterSpec::Lora(low_rank(2)),
            AdapterSpec::Dora(low_rank(2)),
        ] {
            let mut network = check(name, side, &spec, true);
            merges(&mut network, side);
        }
    }
    let resnet = check("resnet18", 64, &AdapterSpec::Ia3(Ia3::default()), true);
    assert!(
        resnet
            .parameters()
            .contains_key("layer2.0.downsample.0.ia3")
    );
    let groups = resnet.layer_groups();
    assert!(groups[2].contains(&"layer1.0.conv1.ia3".to_owned()));
    // Its second classifier takes no part.
    let mut inception = build("inception-v3");
    inception.adapt(&AdapterSpec::Lora(low_rank(1)), 0).unwrap();
    assert!(inception.learned().all(|w| !w.name().starts_with("Aux")));
}

#[test]
fn a_transformer_takes_products_bottlenecks_and_prompts() {
    let lora = AdapterSpec::Lora(LowRank {
        targets: vec!["encoder.layers.*.self_attention".to_owned()],
        ..low_rank(2)
    });
    let mut vit = check("vit-b-16", 224, &lora, true);
    let tensors = vit.parameters();
    let block = "encoder.layers.encoder_layer_11.self_attention";
    let shape = |name: &str| tensors[&format!("{block}.{name}")].tensor.size();
    assert_eq!(shape("lora_B"), [3 * 768, 2]);
    assert_eq!(shape("lora_A"), [2, 768]);
    assert_eq!(shape("out_proj.lora_B"), [768, 2]);
    // Per block: the projections to three and back to one.
    let expected = 12 * 2 * ((768 + 3 * 768) + (768 + 768)) + 768 * 3 + 3;
    assert_eq!(vit.n_learned(), expected);
    merges(&mut vit, 224);
    drop(vit);

    let places = ["encoder.layers.*.self_attention", "encoder.layers.*.mlp"];
    let behind = Bottleneck {
        size: 4,
        ..Bottleneck::behind(places)
    };
    let vit = check("vit-b-16", 224, &AdapterSpec::Bottleneck(behind), true);
    assert_eq!(vit.n_learned(), 24 * (2 * 4 * 768 + 4 + 768) + 768 * 3 + 3);
    drop(vit);

    let prompt = AdapterSpec::Prompt(Prompt {
        tokens: 5,
        ..Prompt::default()
    });
    let mut vit = check("vit-b-16", 224, &prompt, false);
    assert_eq!(vit.n_learned(), 5 * 768 + 768 * 3 + 3);
    let x = wave(&[2, 3, 224, 224], 0.0);
    let layers = ["tokens", "encoder.pos_embedding", "encoder", "first_token"];
    let outputs = vit.outputs_of(&x, &layers).unwrap();
    let sizes: Vec<Vec<i64>> = outputs.iter().map(Tensor::size).collect();
    let expected: [&[i64]; 4] = [&[2, 197, 768], &[2, 202, 768], &[2, 202, 768], &[2, 768]];
    assert_eq!(sizes, expected);
    // The class stays first, the learned tokens follow for every image, and the patches come last.
    let learned = vit.parameters()["encoder.pos_embedding.prompt"]
        .tensor
        .detach();
    let positions = vit.parameters()["encoder.pos_embedding"].tensor.detach();
    let plain = &outputs[0] + positions;
    for image in 0..2 {
        let (found, plain) = (outputs[1].get(image), plain.get(image));
        assert_eq!(found.narrow(0, 0, 1), plain.narrow(0, 0, 1));
        assert_eq!(found.narrow(0, 1, 5), learned);
        assert_eq!(found.narrow(0, 6, 196), plain.narrow(0, 1, 196));
    }
    let error = vit.merge().unwrap_err().to_string();
    assert!(error.contains("`prompt` adapters"), "{error}");
}
