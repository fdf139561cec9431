//! Published files, where they are at hand: `TRANSLEARN_MIRROR=folder`. Without it each test says what it skips.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, whose helpers clippy does not know as such"
)]

use std::path::Path;

use serde_json::Value;
use translearn_assets::Cache;
use translearn_weights::{Format, Match, StateDict, pretrained};

/// The mirror, or a line that says what is skipped.
fn mirror(what: &str) -> Option<(Cache, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::from_env()
        .ok()
        .and_then(|cache| Some(cache.mirror()?.to_owned()));
    let Some(mirror) = cache else {
        println!("skipped: {what} (TRANSLEARN_MIRROR names no folder)");
        return None;
    };
    Some((Cache::at(folder.path()).with_mirror(mirror), folder))
}

fn sorted(dict: StateDict) -> Vec<(String, translearn_weights::RawTensor)> {
    let mut tensors: Vec<_> = dict.into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

/// Every number of every file, as torch and safetensors read it (`fixtures/mirror.py`).
#[test]
fn sums_are_those_that_torch_computed() {
    let Some((cache, _folder)) = mirror("sums of published files") else {
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mirror.json");
    let sums: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut n_files = 0;
    for weights in pretrained::all() {
        for file in &weights.files {
            let sums = &sums[format!("{}/{file}", weights.manifest.name)];
            let dict = StateDict::read(cache.fetch(&weights.manifest, file).unwrap()).unwrap();
            assert_eq!(dict.len(), sums.as_object().unwrap().len(), "{file}");
            for (name, tensor) in dict.iter() {
                let terms = tensor.to_f32().unwrap().into_iter().enumerate();
                let terms: Vec<f64> = terms
                    .map(|(i, value)| f64::from(value) * (i % 97 + 1) as f64)
                    .collect();
                let sum: f64 = terms.iter().sum();
                let scale: f64 = terms.iter().map(|term| term.abs()).sum();
                // Another order of summation in f64.
                let expected = sums[name].as_f64().unwrap();
                assert!(
                    (sum - expected).abs() <= 1e-12 * scale,
                    "{file}: {name}: {sum} is not {expected}"
                );
            }
            n_files += 1;
        }
    }
    assert_eq!(n_files, 5);
}

/// The mirror's description calls them equal; they were saved at two times of one training, as their counters say.
#[test]
fn a_torch_archive_and_safetensors_hold_the_same_network_at_two_times() {
    let Some((cache, _folder)) = mirror("mnist-pt-pair") else {
        return;
    };
    let [early, late] = ["mnist-cnn-early", "mnist-cnn"]
        .map(|id| pretrained::get(id).unwrap().load(&cache).unwrap());
    assert_eq!(
        (early.format(), late.format()),
        (Format::Torch, Format::Safetensors)
    );
    assert!(early.skipped().is_empty(), "{:?}", early.skipped());
    let found = Match::new(
        late.iter()
            .map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())),
        &early,
    );
    assert!(
        found.is_complete() && found.unexpected.is_empty(),
        "{found}"
    );
    let batches = |dict: &StateDict| {
        dict.tensor("norm1.num_batches_tracked")
            .unwrap()
            .to_f32()
            .unwrap()
    };
    assert_eq!(
        (batches(&early), batches(&late)),
        (vec![3752.0], vec![7504.0])
    );
}

#[test]
fn a_legacy_pickle_and_safetensors_hold_the_same_resnet() {
    let Some((cache, _folder)) = mirror("cifar-resnet") else {
        return;
    };
    let weights = pretrained::get("cifar10-resnet20").unwrap();
    let path = cache
        .fetch(&weights.manifest, "resnet20-12fca82f.th")
        .unwrap();
    let raw = StateDict::read(&path).unwrap();
    assert_eq!(raw.format(), Format::TorchLegacy);
    assert!(raw.names().all(|name| name.starts_with("module.")));
    let skipped: Vec<&str> = raw
        .skipped()
        .iter()
        .map(|skipped| skipped.name.as_str())
        .collect();
    assert_eq!(skipped, ["best_prec1"]);

    let legacy = weights.load_file("resnet20-12fca82f.th", &cache).unwrap();
    let plain = weights.load_file("resnet20.safetensors", &cache).unwrap();
    assert_eq!(plain, weights.load(&cache).unwrap());
    // The prefix is found without being told.
    let found = Match::new(
        plain
            .iter()
            .map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())),
        &raw,
    );
    assert!(found.is_complete(), "{found}");
    assert_eq!(found.stripped.as_deref(), Some("module."));
    assert_eq!((legacy.len(), legacy.numbers()), (97, 271_098));
    assert_eq!(sorted(legacy), sorted(plain));
}

#[test]
fn mobilenet_has_its_tensors_under_the_names_of_keras() {
    let Some((cache, _folder)) = mirror("mobilenet025-imagenet") else {
        return;
    };
    let dict = pretrained::get("mobilenet025-imagenet")
        .unwrap()
        .load(&cache)
        .unwrap();
    assert_eq!((dict.len(), dict.numbers()), (137, 475_544));
    for (name, shape) in [
        ("conv1.kernel", &[8, 3, 3, 3][..]),
        ("conv_dw_13.depthwise_kernel", &[256, 1, 3, 3]),
        ("conv_pw_13.kernel", &[256, 256, 1, 1]),
        ("conv_pw_13_bn.moving_variance", &[256]),
        ("conv_preds.bias", &[1000]),
    ] {
        let tensor = dict.tensor(name).unwrap();
        assert_eq!(tensor.shape(), shape, "{name}");
        assert!(
            tensor
                .to_f32()
                .unwrap()
                .iter()
                .all(|value| value.is_finite()),
            "{name}"
        );
    }
}
