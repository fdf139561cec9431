//! Files that torch, safetensors, h5py, Keras and libtorch wrote (`fixtures/make_fixtures.py`), number by number.
#![expect(
    clippy::unwrap_used,
    reason = "a test, whose helpers clippy does not know as such"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use translearn_weights::{DType, Format, RawTensor, StateDict, keras_to_torch};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn reference() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(fixture("reference.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

fn shape(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|axis| axis.as_u64().unwrap() as usize)
        .collect()
}

/// The numbers in `f64`, by a conversion that is not the one under test.
fn numbers(tensor: &RawTensor) -> Vec<f64> {
    let data = tensor.data().chunks_exact(tensor.dtype().size());
    let half = |bits: u16| {
        let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        sign * if exponent == 0 {
            fraction * 2f64.powi(-24)
        } else {
            (1024.0 + fraction) * 2f64.powi(exponent - 25)
        }
    };
    data.map(|b| match tensor.dtype() {
        DType::F16 => half(u16::from_le_bytes([b[0], b[1]])),
        DType::BF16 => f32::from_le_bytes([0, 0, b[0], b[1]]).into(),
        DType::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into(),
        DType::F64 => f64::from_le_bytes(b.try_into().unwrap()),
        DType::I8 => f64::from(b[0] as i8),
        DType::I16 => i16::from_le_bytes([b[0], b[1]]).into(),
        DType::I32 => i32::from_le_bytes([b[0], b[1], b[2], b[3]]).into(),
        DType::I64 => i64::from_le_bytes(b.try_into().unwrap()) as f64,
        DType::U8 | DType::Bool => b[0].into(),
    })
    .collect()
}

#[test]
fn every_file_holds_what_its_writer_says() {
    let reference = reference();
    assert!(reference.len() >= 15, "{} files", reference.len());
    for (file, content) in &reference {
        let path = fixture(file);
        let dict = StateDict::read(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let expected = content["tensors"].as_array().unwrap();
        let names: Vec<&str> = expected
            .iter()
            .map(|pair| pair[0].as_str().unwrap())
            .collect();
        // safetensors orders tensors by type; Keras files and TorchScript have orders of their own.
        let sorted = |mut names: Vec<String>| {
            names.sort_unstable();
            names
        };
        let own: fn(Vec<String>) -> Vec<String> =
            if matches!(dict.format(), Format::Torch | Format::TorchLegacy) {
                |names| names
            } else {
                sorted
            };
        let owned = |names: Vec<&str>| own(names.into_iter().map(str::to_owned).collect());
        assert_eq!(owned(dict.names().collect()), owned(names), "{file}");
        for pair in expected {
            let (name, about) = (pair[0].as_str().unwrap(), &pair[1]);
            let tensor = dict.tensor(name).unwrap();
            assert_eq!(
                tensor.dtype().name(),
                about["dtype"].as_str().unwrap(),
                "{file}: {name}"
            );
            assert_eq!(tensor.shape(), shape(&about["shape"]), "{file}: {name}");
            let values: Vec<f64> = about["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_f64().unwrap())
                .collect();
            assert_eq!(numbers(tensor), values, "{file}: {name}");
            let singles: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            assert_eq!(tensor.to_f32().unwrap(), singles, "{file}: {name}");
        }
        let skipped: Vec<&str> = dict
            .skipped()
            .iter()
            .map(|skipped| skipped.name.as_str())
            .collect();
        assert_eq!(skipped, strings(&content["skipped"]), "{file}");
        // The same bytes in memory.
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            StateDict::from_bytes(&bytes, &path).unwrap(),
            dict,
            "{file}"
        );
    }
}

#[test]
fn the_content_and_not_the_name_says_what_a_file_is() {
    for (file, format) in [
        ("views.pt", Format::Torch),
        ("views.th", Format::TorchLegacy),
        ("scripted.pt", Format::TorchScript),
        ("varstore.ot", Format::TorchScript),
        ("views.safetensors", Format::Safetensors),
        ("keras3.h5", Format::Hdf5),
    ] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        assert_eq!(
            StateDict::from_bytes(&bytes, "weights").unwrap().format(),
            format,
            "{file}"
        );
    }
}

#[test]
fn what_stands_beside_the_weights_is_described() {
    let dict = StateDict::read(fixture("checkpoint.pt")).unwrap();
    let described: Vec<(&str, &str)> = dict
        .skipped()
        .iter()
        .map(|skipped| (skipped.name.as_str(), skipped.what.as_str()))
        .collect();
    assert_eq!(
        described,
        [
            ("epoch", "the integer 3"),
            ("best", "a number"),
            ("large", "a large integer"),
            ("accuracy", "a number of NumPy"),
            ("args", "a namespace of options"),
            ("optimizer", "a dictionary of 2, with tensors"),
        ]
    );
}

/// The mirrored MobileNet has Keras's names and torch's layout; so has what Keras wrote, once converted. Convolving as
/// torch does must then give what Keras predicted.
#[test]
fn a_converted_keras_file_computes_what_keras_computed() {
    let reference = reference();
    let keras3 = keras_to_torch(StateDict::read(fixture("keras3.h5")).unwrap()).unwrap();
    let keras2 = keras_to_torch(StateDict::read(fixture("keras2.h5")).unwrap()).unwrap();
    assert_eq!(
        keras3.names().collect::<Vec<_>>(),
        keras2.names().collect::<Vec<_>>()
    );
    let get = |name: &str| {
        let tensor = keras3.tensor(name).unwrap();
        assert_eq!(tensor, keras2.tensor(name).unwrap(), "{name}");
        (tensor.shape().to_vec(), tensor.to_f32().unwrap())
    };

    let (n, c) = (6, 2);
    // Keras's picture is H x W x C.
    let picture: Vec<f32> = (0..72).map(|i| -1.0 + 2.0 * i as f32 / 71.0).collect();
    let at = |channel: usize, y: usize, x: usize| picture[(y * n + x) * c + channel];

    let (shape, kernel) = get("conv1.kernel");
    assert_eq!(shape, [3, 2, 2, 2]);
    let bias = get("conv1.bias").1;
    let mut conv = vec![vec![vec![0.0; 5]; 5]; 3];
    for (o, y, x) in places(3, 5) {
        let mut sum = bias[o];
        for (i, dy, dx) in places(2, 2) {
            sum += kernel[((o * 2 + i) * 2 + dy) * 2 + dx] * at(i, y + dy, x + dx);
        }
        conv[o][y][x] = sum;
    }
    let (shape, kernel) = get("conv_dw_1.depthwise_kernel");
    assert_eq!(shape, [6, 1, 2, 2]);
    let norm = ["gamma", "beta", "moving_mean", "moving_variance"]
        .map(|part| get(&format!("conv_dw_1_bn.{part}")).1);
    let mut pooled = [0.0; 6];
    for (o, y, x) in places(6, 4) {
        let mut sum = 0.0;
        // Two filters for each channel, as torch groups them.
        for (_, dy, dx) in places(1, 2) {
            sum += kernel[(o * 2 + dy) * 2 + dx] * conv[o / 2][y + dy][x + dx];
        }
        let [gamma, beta, mean, variance] = &norm;
        let scaled = (sum - mean[o]) / (variance[o] + 1e-3).sqrt() * gamma[o] + beta[o];
        pooled[o] += scaled.max(0.0) / 16.0;
    }
    let (shape, kernel) = get("dense.kernel");
    assert_eq!(shape, [4, 6]);
    let bias = get("dense.bias").1;
    let outputs = reference["keras3.h5"]["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 4);
    for (o, expected) in outputs.iter().enumerate() {
        let found: f32 = bias[o] + (0..6).map(|i| kernel[o * 6 + i] * pooled[i]).sum::<f32>();
        let expected = expected.as_f64().unwrap() as f32;
        // Sums of 20 singles each, in another order.
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

fn places(channels: usize, side: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..channels).flat_map(move |o| (0..side).flat_map(move |y| (0..side).map(move |x| (o, y, x))))
}
