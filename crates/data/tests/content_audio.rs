//! Sounds: decoding, file names, summaries against numpy and scipy, broken files, and the real set.
#![cfg(feature = "audio")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;
use serde::Deserialize;
use translearn_data::audio::{AudioFeatures, AudioParams, Recordings, Waveform, mfcc_frames, read};
use translearn_data::folder::FolderParams;
use translearn_data::{DataError, RawFeatures, RawLabels};

const MONO_16: WavSpec = WavSpec {
    channels: 1,
    sample_rate: 8000,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

fn wav(spec: WavSpec, samples: &[i32]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for &sample in samples {
        match spec.sample_format {
            SampleFormat::Int => writer.write_sample(sample).unwrap(),
            SampleFormat::Float => writer.write_sample(sample as f32 / 100.0).unwrap(),
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn folder_with(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn open(root: &tempfile::TempDir) -> Recordings {
    Recordings::open(root.path(), &FolderParams::default()).unwrap()
}

#[test]
fn samples_are_scaled_and_channels_averaged() {
    let spec = |bits_per_sample, channels, sample_format| WavSpec {
        bits_per_sample,
        channels,
        sample_format,
        ..MONO_16
    };
    for (spec, samples, expected) in [
        (MONO_16, vec![0, 16_384, -32_768], vec![0.0, 0.5, -1.0]),
        (
            spec(8, 1, SampleFormat::Int),
            vec![0, 64, -128],
            vec![0.0, 0.5, -1.0],
        ),
        (spec(24, 1, SampleFormat::Int), vec![1 << 22], vec![0.5]),
        (spec(32, 1, SampleFormat::Int), vec![i32::MIN], vec![-1.0]),
        (
            spec(32, 1, SampleFormat::Float),
            vec![25, -100],
            vec![0.25, -1.0],
        ),
        (
            spec(16, 2, SampleFormat::Int),
            vec![0, 16_384, -16_384, 16_384],
            vec![0.25, 0.0],
        ),
    ] {
        let root = folder_with(&[("a/1.wav", wav(spec, &samples))]);
        let waveform = open(&root).get(0).unwrap();
        assert_eq!(
            waveform,
            Waveform {
                samples: expected,
                sample_rate: 8000
            },
            "{spec:?}"
        );
    }
}

#[test]
fn names_give_label_and_domain() {
    let tone = |n: i32| wav(MONO_16, &(0..n).map(|i| 1000 * (i % 7)).collect::<Vec<_>>());
    let root = folder_with(&[
        ("r/0_ann_0.wav", tone(500)),
        ("r/1_ann_0.wav", tone(600)),
        ("r/1_bob_0.wav", tone(2)),
    ]);
    let params = AudioParams {
        label_field: Some(0),
        domain_field: Some(1),
        domain: Some("ann".to_owned()),
        features: AudioFeatures::Waveform,
        n_samples: 3,
        ..AudioParams::default()
    };
    let read_with = |params: &AudioParams| read(root.path(), &FolderParams::default(), params);
    let sample = read_with(&params).unwrap();
    assert_eq!(
        sample.labels,
        Some(RawLabels::Names(vec!["0".into(), "1".into()]))
    );
    let all = AudioParams {
        domain: None,
        label_field: None,
        ..params.clone()
    };
    let sample = read_with(&all).unwrap();
    assert_eq!(sample.labels, Some(RawLabels::Names(vec!["r".into(); 3])));
    let RawFeatures::Matrix(x) = sample.features else {
        panic!()
    };
    let step = 1000.0 / 32_768.0;
    assert_eq!(
        *x.dense().unwrap(),
        ndarray::array![
            [0.0, step, 2.0 * step],
            [0.0, step, 2.0 * step],
            [0.0, step, 0.0]
        ]
    );
    let refuse = |params: AudioParams| read_with(&params).unwrap_err();
    let error = refuse(AudioParams {
        domain: Some("an".to_owned()),
        ..params.clone()
    });
    assert!(error.to_string().contains("did you mean `ann`?"), "{error}");
    let error = refuse(AudioParams {
        label_field: Some(3),
        ..params.clone()
    });
    assert!(
        error.to_string().contains("`0_ann_0` has 3 parts"),
        "{error}"
    );
    for wrong in [
        AudioParams {
            domain_field: None,
            ..params.clone()
        },
        AudioParams {
            n_mfcc: 0,
            ..params.clone()
        },
        AudioParams {
            n_mfcc: 41,
            ..params.clone()
        },
        AudioParams {
            n_samples: 0,
            ..params.clone()
        },
    ] {
        assert!(matches!(refuse(wrong), DataError::InvalidOption { .. }));
    }
    assert!(matches!(
        refuse(AudioParams {
            n_samples: usize::MAX,
            ..params
        }),
        DataError::TooLarge { .. }
    ));
}

#[derive(Deserialize)]
struct Case {
    rate: u32,
    n_mfcc: usize,
    samples: Vec<f32>,
    shape: (usize, usize),
    mfcc: Vec<f64>,
}

#[test]
fn coefficients_are_those_of_numpy_and_scipy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/content/mfcc.json");
    let cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let frames = mfcc_frames(
            &Waveform {
                samples: case.samples,
                sample_rate: case.rate,
            },
            case.n_mfcc,
        );
        assert_eq!(frames.dim(), case.shape);
        for (ours, theirs) in frames.iter().zip(&case.mfcc) {
            assert!(
                (ours - theirs).abs() < 1e-8,
                "{ours} against {theirs} at {} Hz",
                case.rate
            );
        }
    }
}

#[test]
fn summaries_are_mean_and_deviation_over_frames() {
    let samples: Vec<i32> = (0..1000).map(|i| (i * i) % 20_000 - 10_000).collect();
    let root = folder_with(&[("a/1.wav", wav(MONO_16, &samples))]);
    let frames = mfcc_frames(&open(&root).get(0).unwrap(), 5);
    let params = AudioParams {
        n_mfcc: 5,
        ..AudioParams::default()
    };
    let RawFeatures::Matrix(x) = open(&root).read(&params).unwrap().features else {
        panic!()
    };
    let row = x.dense().unwrap().row(0).to_owned();
    assert_eq!(row.len(), 10);
    for j in 0..5 {
        let column = frames.column(j);
        assert!((row[j] - column.mean().unwrap()).abs() < 1e-12);
        assert!((row[5 + j] - column.std(0.0)).abs() < 1e-9);
        assert!(row[5 + j] > 0.0);
    }
}

#[test]
fn broken_recordings_are_refused() {
    let whole = wav(MONO_16, &[1, 2, 3, 4]);
    let mut no_rate = whole.clone();
    no_rate[24..32].fill(0);
    let mut hasty = whole.clone();
    hasty[24..28].copy_from_slice(&2_000_000_000_u32.to_le_bytes());
    hasty[28..32].copy_from_slice(&4_000_000_000_u32.to_le_bytes());
    let not_finite = {
        let spec = WavSpec {
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
            ..MONO_16
        };
        let mut bytes = wav(spec, &[1]);
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    for bytes in [
        Vec::new(),
        b"RIFF".to_vec(),
        whole[..whole.len() - 3].to_vec(),
        whole[..30].to_vec(),
        wav(MONO_16, &[]),
        no_rate,
        hasty,
        not_finite,
    ] {
        let root = folder_with(&[("a/1.wav", bytes)]);
        match open(&root).get(0) {
            Err(DataError::Decode {
                path,
                format: "wav",
                ..
            }) => assert!(path.ends_with("a/1.wav")),
            other => panic!("{other:?}"),
        }
    }
    let other_rate = wav(
        WavSpec {
            sample_rate: 16_000,
            ..MONO_16
        },
        &[1],
    );
    let root = folder_with(&[("a/1.wav", whole), ("a/2.wav", other_rate)]);
    let error = open(&root)
        .read(&AudioParams::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("8000 samples") && error.contains("16000"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn damaged_bytes_never_panic(at in 0_usize..60, value: u8) {
        let mut bytes = wav(MONO_16, &[1, 2, 3, 4, 5, 6]);
        let at = at % bytes.len();
        bytes[at] = value;
        let root = folder_with(&[("a/1.wav", bytes)]);
        let recordings = open(&root);
        match recordings.get(0) {
            Ok(waveform) => {
                prop_assert!(waveform.samples.iter().all(|s| s.abs() <= 1.0));
                prop_assert!(recordings.read(&AudioParams::default()).is_ok());
            }
            Err(error) => prop_assert!(matches!(error, DataError::Decode { .. }), "another kind of error"),
        }
    }
}

#[test]
fn the_real_digits_have_their_shape() {
    let Some(mirror) = std::env::var_os("TRANSLEARN_MIRROR") else {
        eprintln!("skipped: TRANSLEARN_MIRROR is not set, so fsdd is not read");
        return;
    };
    let archive = Path::new(&mirror).join("fsdd/recordings.tar.gz");
    let recordings = Recordings::open(&archive, &FolderParams::under("recordings")).unwrap();
    assert_eq!(recordings.len(), 3000);
    let params = AudioParams {
        label_field: Some(0),
        domain_field: Some(1),
        domain: Some("theo".to_owned()),
        ..AudioParams::default()
    };
    let sample = recordings.read(&params).unwrap();
    let RawFeatures::Matrix(x) = sample.features else {
        panic!()
    };
    assert_eq!((x.n_rows(), x.n_columns()), (500, 26));
    assert!(x.check_finite("fsdd").is_ok());
    let Some(RawLabels::Names(digits)) = sample.labels else {
        panic!()
    };
    assert_eq!(digits.iter().filter(|digit| *digit == "7").count(), 50);
    let total: usize = (0..recordings.len())
        .map(|i| recordings.get(i).unwrap().samples.len())
        .sum();
    assert_eq!(total, 10_498_424);
}
