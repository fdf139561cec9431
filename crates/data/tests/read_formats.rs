//! Small files written by SciPy, h5py, NumPy and pandas (`fixtures/read/make_fixtures.py`), read here.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test, whose helpers clippy does not know as such"
)]

use std::path::{Path, PathBuf};

use ndarray::{Array2, array};
use translearn_data::read::{ReadOptions, Value, Variables, file, mat, npy, npz};
use translearn_data::{Cells, DataError, RawFeatures, RawLabels, RawSample};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/read")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn x() -> Array2<f64> {
    Array2::from_shape_fn((4, 3), |(row, column)| {
        (3 * row + column) as f64 * 0.5 - 1.0
    })
}

fn s() -> Array2<f64> {
    array![
        [0.0, 1.5, 0.0],
        [2.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, -3.0, 4.0]
    ]
}

fn options(features: &str, label: &str) -> ReadOptions {
    let some = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    ReadOptions {
        features: some(features),
        label: some(label),
        ..ReadOptions::default()
    }
}

fn matrix(sample: &RawSample) -> Array2<f64> {
    match &sample.features {
        RawFeatures::Matrix(features) => features.dense().unwrap().into_owned(),
        other => panic!("{other:?}"),
    }
}

fn labels() -> Option<RawLabels> {
    Some(RawLabels::Numbers(vec![1.0, 2.0, 1.0, 2.0]))
}

fn describe(file: &Variables, name: &str) -> String {
    file.get(name).unwrap().describe()
}

#[test]
fn mat_version_5_with_and_without_compression() {
    for name in ["v5.mat", "v7.mat"] {
        let sample = file(&fixture(name), &options("fts", "labels")).unwrap();
        assert_eq!((matrix(&sample), sample.labels), (x(), labels()));
        let sparse = file(&fixture(name), &options("sparse", "labels")).unwrap();
        assert!(matches!(&sparse.features, RawFeatures::Matrix(features) if features.is_sparse()));
        assert_eq!(matrix(&sparse), s());

        let content = mat::read(&fixture(name)).unwrap();
        let Value::Cell { shape, cells } = content.get("cells").unwrap() else {
            panic!()
        };
        assert_eq!(shape, &[1, 2]);
        assert!(
            matches!(&cells[0], Value::Numeric(array) if array.dense(Path::new(""), "").unwrap() == x())
        );
        assert_eq!(
            content.labels("names").unwrap(),
            RawLabels::Names(vec!["cat".into(), "dög".into()])
        );
        assert_eq!(
            content.get("title").unwrap(),
            &Value::Text(vec!["Grüße".into()])
        );
        assert_eq!(
            content.labels("flags").unwrap(),
            RawLabels::Numbers(vec![1.0, 0.0])
        );
        assert_eq!(
            content.labels("big").unwrap(),
            RawLabels::Numbers(vec![2f64.powi(40)])
        );
        let Value::Struct { fields, .. } = content.get("record").unwrap() else {
            panic!()
        };
        assert_eq!(fields[0].0, "alpha");
        assert!(matches!(&fields[1].1[0], Value::Struct { fields, .. } if fields[0].0 == "k"));
        assert_eq!(describe(&content, "complex"), "1 x 1 complex numbers");
        assert_eq!(describe(&content, "nothing"), "0 x 3 numbers");
    }
    let error = file(&fixture("v4.mat"), &options("x", "")).unwrap_err();
    assert!(error.to_string().contains("version 4"), "{error}");
}

#[test]
fn several_arrays_and_no_name_list_them() {
    let error = file(&fixture("v5.mat"), &options("", "labels"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("features") && error.contains("fts") && error.contains("sparse"),
        "{error}"
    );
    let error = file(&fixture("v5.mat"), &options("ftss", "labels"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("has no array `ftss`; did you mean `fts`?"),
        "{error}"
    );
    let error = file(&fixture("v5.mat"), &options("cells", "labels"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`cells` (1 x 2 cells) is not supported"),
        "{error}"
    );
}

#[test]
fn npy_and_npz() {
    for name in ["fortran.npy", "half_big_endian.npy"] {
        let sample = file(&fixture(name), &ReadOptions::default()).unwrap();
        assert_eq!((matrix(&sample), sample.labels), (x(), None));
    }
    let value = npy::read(&fixture("record.npy")).unwrap();
    assert_eq!(value.describe(), "a record array");

    let sample = file(&fixture("mixed.npz"), &options("fts", "labels")).unwrap();
    assert_eq!((matrix(&sample), sample.labels), (x(), labels()));
    let content = npz::read(&fixture("mixed.npz")).unwrap();
    assert_eq!(
        content.get("names").unwrap(),
        &Value::Text(["a", "b", "a", "漢"].map(String::from).to_vec())
    );
    assert_eq!(
        content.get("raw").unwrap(),
        &Value::Text(vec!["p".into(), "qq".into()])
    );
    let error = content.labels("objects").unwrap_err().to_string();
    assert!(
        error.contains("dtype |O") && error.contains("not supported"),
        "{error}"
    );

    let sample = file(&fixture("parts.npz"), &options("attr", "y")).unwrap();
    assert_eq!((matrix(&sample), sample.labels), (s(), labels()));
    let sample = file(&fixture("scipy_csc.npz"), &options("matrix", "")).unwrap();
    assert_eq!(matrix(&sample), s());
}

#[cfg(feature = "hdf5")]
mod hdf5 {
    use super::*;
    use translearn_data::read::hdf5;

    #[test]
    fn plain_files() {
        let sample = file(&fixture("plain.h5"), &options("train/data", "train/target")).unwrap();
        assert_eq!((matrix(&sample), sample.labels), (x(), labels()));
        let content = hdf5::read(&fixture("plain.h5")).unwrap();
        assert_eq!(
            content.labels("flags").unwrap(),
            RawLabels::Numbers(vec![1.0, 0.0, 1.0, 1.0])
        );
        assert_eq!(
            content.labels("names").unwrap(),
            RawLabels::Names(["a", "b", "a", "ö"].map(String::from).to_vec())
        );
        let images = content.sample(&options("images", "train/target")).unwrap();
        assert_eq!(matrix(&images).row(1).to_vec(), [4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn version_7_3() {
        let sample = file(&fixture("v73.mat"), &options("X", "Y")).unwrap();
        assert_eq!((matrix(&sample), sample.labels), (x(), labels()));
        let sample = file(&fixture("v73.mat"), &options("sparse", "Y")).unwrap();
        assert_eq!(matrix(&sample), s());
        let content = mat::read(&fixture("v73.mat")).unwrap();
        assert_eq!(
            content.get("title").unwrap(),
            &Value::Text(vec!["Grüße".into()])
        );
        assert_eq!(describe(&content, "X"), "4 x 3 numbers");
    }

    /// The contract on orientation, in both dialects.
    #[test]
    fn rows_are_the_axis_as_long_as_the_labels() {
        let square = x().slice(ndarray::s![..3, ..]).to_owned();
        for (name, when_tied) in [
            ("v73.mat", square.clone()),
            ("plain.h5", square.t().to_owned()),
        ] {
            let tied = options("square", "three");
            assert_eq!(matrix(&file(&fixture(name), &tied).unwrap()), when_tied);
            let turned = ReadOptions {
                transpose: true,
                ..tied
            };
            assert_eq!(
                matrix(&file(&fixture(name), &turned).unwrap()),
                when_tied.t()
            );
            let free = file(&fixture(name), &options("square", "")).unwrap();
            assert_eq!(
                matrix(&free),
                square,
                "without labels rows are as they were written"
            );
        }
        let error = file(&fixture("plain.h5"), &options("images", "three"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("4 x 2 x 2 numbers") && error.contains("3 labels"),
            "{error}"
        );
        // Labels decide, whatever `transpose` says.
        let turned = ReadOptions {
            transpose: true,
            ..options("X", "Y")
        };
        assert_eq!(matrix(&file(&fixture("v73.mat"), &turned).unwrap()), x());
    }

    #[test]
    fn truncations_are_errors() {
        for name in ["plain.h5", "v73.mat"] {
            let whole = bytes(name);
            let all = hdf5::parse(Path::new(name), &whole).unwrap();
            let mut refused = 0;
            for length in (0..whole.len()).step_by(7) {
                match hdf5::parse(Path::new(name), &whole[..length]) {
                    Err(_) => refused += 1,
                    Ok(part) => {
                        for array in part.names() {
                            assert_eq!(
                                part.get(array).ok(),
                                all.get(array).ok(),
                                "{name} cut at {length}"
                            );
                        }
                    }
                }
            }
            assert!(refused > 100, "{name}: {refused}");
        }
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_in_every_codec() {
    let drop = vec!["when".to_owned()];
    for codec in ["snappy", "zstd", "gzip", "none"] {
        let path = fixture(&format!("{codec}.parquet"));
        let given = ReadOptions {
            label: Some("y".into()),
            drop: drop.clone(),
            ..ReadOptions::default()
        };
        let sample = file(&path, &given).unwrap();
        assert_eq!(sample.labels, Some(RawLabels::Numbers(vec![1.0, 2.0, 1.0])));
        let RawFeatures::Table(translearn_data::Table { columns }) = sample.features else {
            panic!()
        };
        let shown: Vec<String> = columns
            .iter()
            .map(|column| format!("{} {:?}", column.name, column.cells))
            .collect();
        assert_eq!(
            shown,
            [
                "i Numbers([1.0, NaN, 3.0])",
                "u Numbers([1.0, 2.0, 4294967295.0])",
                "f Numbers([0.5, NaN, -1.5])",
                "b Numbers([1.0, 0.0, 1.0])",
                "c Categories([Some(\"red\"), None, Some(\"blue\")])",
                "s Categories([Some(\"a\"), Some(\"b\"), Some(\"ä\")])",
                "d Numbers([1.25, NaN, -3e16])",
            ]
        );
        let error = file(&path, &ReadOptions::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("column `when`") && error.contains("drop = [\"when\"]"),
            "{error}"
        );
        let wrong = ReadOptions {
            drop: vec!["whenn".into()],
            ..ReadOptions::default()
        };
        let error = file(&path, &wrong).unwrap_err().to_string();
        assert!(error.contains("did you mean `when`?"), "{error}");
    }
    let whole = bytes("snappy.parquet");
    for length in (0..whole.len()).step_by(13) {
        assert!(
            translearn_data::read::parquet::parse(Path::new("t"), whole[..length].to_vec(), &drop)
                .is_err()
        );
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_in_both_page_versions() {
    let rows = 0..300;
    let numbers: Vec<f64> = rows
        .clone()
        .map(|k| {
            if k % 5 == 0 {
                f64::NAN
            } else {
                f64::from(k % 7)
            }
        })
        .collect();
    let categories: Vec<Option<String>> = rows
        .clone()
        .map(|k| (k % 11 != 0).then(|| format!("s{}", k % 3)))
        .collect();
    let even: Vec<f64> = rows.map(|k| f64::from(u8::from(k % 2 == 0))).collect();
    for name in ["long_dictionary.parquet", "long_plain.parquet"] {
        let translearn_data::Table { columns } =
            translearn_data::read::parquet::read(&fixture(name), &[]).unwrap();
        let [i, s, b] = &columns[..] else {
            panic!("{} columns", columns.len())
        };
        assert_eq!(
            format!("{:?}", i.cells),
            format!("Numbers({numbers:?})"),
            "{name}"
        );
        assert_eq!(s.cells, Cells::Categories(categories.clone()), "{name}");
        assert_eq!(b.cells, Cells::Numbers(even.clone()), "{name}");
    }
    let error = file(&fixture("delta.parquet"), &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`i` in the encoding DELTA_BINARY_PACKED"),
        "{error}"
    );
}

#[test]
fn idx_with_its_label_file() {
    let sample = file(&fixture("images.idx.gz"), &options("", "labels.idx")).unwrap();
    assert_eq!(matrix(&sample).row(2).to_vec(), [8.0, 9.0, 10.0, 11.0]);
    assert_eq!(sample.labels, labels());
    let error = file(&fixture("images.idx.gz"), &options("", "v5.mat"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("label file"), "{error}");
}

#[test]
fn tables_and_their_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv");
    std::fs::write(&path, "id\tx, y\tclass\n1\t0.5\ta\n2\t\tb\n").unwrap();
    let given = ReadOptions {
        drop: vec!["id".into()],
        ..options("", "class")
    };
    let sample = file(&path, &given).unwrap();
    assert_eq!(
        sample.labels,
        Some(RawLabels::Names(vec!["a".into(), "b".into()]))
    );
    let RawFeatures::Table(table) = &sample.features else {
        panic!()
    };
    assert_eq!(
        (table.columns.len(), table.columns[0].name.as_str()),
        (1, "x, y")
    );
    assert!(matches!(&table.columns[0].cells, Cells::Numbers(numbers) if numbers[1].is_nan()));

    let error = file(&path, &options("", "clas")).unwrap_err().to_string();
    assert!(
        error.contains("no column `clas`; did you mean `class`?"),
        "{error}"
    );
    let error = file(&path, &options("", "x, y")).unwrap_err().to_string();
    assert!(
        error.contains("row 2") && error.contains("all 2 rows"),
        "{error}"
    );
    assert!(matches!(
        file(folder.path(), &given),
        Err(DataError::Unsupported { .. })
    ));
    assert!(matches!(
        file(&folder.path().join("none.csv"), &given),
        Err(DataError::Io { .. })
    ));
    let odd = folder.path().join("t.xlsx");
    std::fs::write(&odd, "?").unwrap();
    let error = file(&odd, &given).unwrap_err().to_string();
    assert!(
        error.contains("`.xlsx` is not supported; use csv"),
        "{error}"
    );
}

#[test]
fn truncated_numpy_files_are_errors() {
    for name in ["fortran.npy", "half_big_endian.npy"] {
        let whole = bytes(name);
        for length in 0..whole.len() {
            assert!(
                npy::parse(Path::new(name), "x", &whole[..length]).is_err(),
                "{name} cut at {length}"
            );
        }
    }
    for name in ["mixed.npz", "parts.npz"] {
        let whole = bytes(name);
        for length in 0..whole.len() {
            assert!(
                npz::parse(Path::new(name), &whole[..length]).is_err(),
                "{name} cut at {length}"
            );
        }
    }
}

#[cfg(all(feature = "hdf5", feature = "parquet"))]
/// Each byte changed in turn: whatever a dependency makes of it, there is an answer.
#[test]
fn changed_bytes_are_survived() {
    type Parse = fn(&[u8]) -> bool;
    let parquet = |bytes: &[u8]| {
        translearn_data::read::parquet::parse(Path::new("t"), bytes.to_vec(), &["when".to_owned()])
            .is_ok()
    };
    let files: [(&str, Parse); 6] = [
        ("mixed.npz", |bytes| {
            npz::parse(Path::new("t"), bytes).is_ok()
        }),
        ("parts.npz", |bytes| {
            npz::parse(Path::new("t"), bytes).is_ok()
        }),
        ("plain.h5", |bytes| {
            translearn_data::read::hdf5::parse(Path::new("t"), bytes).is_ok()
        }),
        ("v73.mat", |bytes| mat::parse(Path::new("t"), bytes).is_ok()),
        ("none.parquet", parquet),
        ("snappy.parquet", parquet),
    ];
    for (name, parse) in files {
        let whole = bytes(name);
        let mut refused = 0;
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= [0x01, 0x80, 0xff][at % 3];
            refused += usize::from(!parse(&changed));
        }
        assert!(
            refused > 100,
            "{name}: {refused} of {} refused",
            whole.len()
        );
    }
}
