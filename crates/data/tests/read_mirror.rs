//! The public data sets against SciPy, h5py, NumPy, pandas and scikit-learn (`fixtures/read/reference.json`).
//!
//! Needs the mirror: `TRANSLEARN_MIRROR=folder`. Without it each test says what it skips.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test, whose helpers clippy does not know as such"
)]

use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value as Json;
use translearn_core::Features;
use translearn_data::read::{ReadOptions, Value, delimited, file, idx, mat, npz};
use translearn_data::{Cells, RawFeatures, RawLabels};

fn mirror(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TRANSLEARN_MIRROR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: {what} (TRANSLEARN_MIRROR names no folder)");
    }
    folder
}

fn reference(key: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/read/reference.json");
    let json: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    json["mirror"][key].clone()
}

/// Shape, number of non-zeros, sum, and a sum weighted by place, against the reference.
fn check(key: &str, features: &Features) {
    let want = reference(key);
    let (mut sum, mut placed, mut nnz) = (0.0, 0.0, 0_u64);
    let mut add = |row: usize, column: usize, value: f64| {
        sum += value;
        placed += value * ((row * 31 + column * 17) % 101) as f64;
        nnz += u64::from(value != 0.0);
    };
    match features {
        Features::Dense(x) => x
            .indexed_iter()
            .for_each(|((row, column), &value)| add(row, column, value)),
        Features::Sparse(x) => x
            .iter()
            .for_each(|(&value, (row, column))| add(row, column, value)),
        Features::Images(_) => panic!("no file is read as images"),
    }
    let shape = [features.n_rows() as u64, features.n_columns() as u64];
    assert_eq!(want["shape"], Json::from(shape.to_vec()), "{key}");
    assert_eq!(want["nnz"], Json::from(nnz), "{key}");
    for (name, found) in [("sum", sum), ("placed", placed)] {
        let wanted = want[name].as_f64().unwrap();
        // Only the order of summation differs.
        assert!(
            (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
            "{key} {name}: {found} is not {wanted}"
        );
    }
}

fn check_labels(key: &str, labels: &Option<RawLabels>) {
    let Some(RawLabels::Numbers(numbers)) = labels else {
        panic!("{key}: {labels:?}")
    };
    let column = Array2::from_shape_vec((numbers.len(), 1), numbers.clone()).unwrap();
    check(key, &Features::Dense(column));
}

fn options(features: &str, label: &str) -> ReadOptions {
    ReadOptions {
        features: Some(features.into()),
        label: Some(label.into()),
        ..ReadOptions::default()
    }
}

fn check_file(root: &Path, name: &str, features: &str, label: &str) {
    let sample = file(&root.join(name), &options(features, label)).unwrap();
    let RawFeatures::Matrix(matrix) = &sample.features else {
        panic!("{name}")
    };
    check(&format!("{name}:{features}"), matrix);
    check_labels(&format!("{name}:{label}"), &sample.labels);
}

#[test]
fn office_caltech() {
    let Some(root) = mirror("office-caltech10-surf") else {
        return;
    };
    for domain in ["Caltech10", "amazon", "webcam", "dslr"] {
        check_file(
            &root,
            &format!("office-caltech10-surf/{domain}_SURF_L10.mat"),
            "fts",
            "labels",
        );
    }
}

#[test]
fn school_cells() {
    let Some(root) = mirror("school") else { return };
    let content = mat::read(&root.join("school/school.mat")).unwrap();
    for name in ["X", "Y"] {
        let Value::Cell { shape, cells } = content.get(name).unwrap() else {
            panic!()
        };
        assert_eq!(shape, &[1, 139]);
        let blocks: Vec<Array2<f64>> = (cells.iter())
            .map(|cell| match cell {
                Value::Numeric(array) => array.dense(Path::new("school.mat"), name).unwrap(),
                other => panic!("{}", other.describe()),
            })
            .collect();
        let views: Vec<_> = blocks.iter().map(Array2::view).collect();
        let all = ndarray::concatenate(ndarray::Axis(0), &views).unwrap();
        check(&format!("school/school.mat:{name}"), &Features::Dense(all));
    }
}

#[test]
fn citation_networks() {
    let Some(root) = mirror("citation-domains, citation-npz") else {
        return;
    };
    for name in ["acmv9", "citationv1"] {
        let name = format!("citation-domains/{name}.mat");
        let content = mat::read(&root.join(&name)).unwrap();
        for array in ["network", "attrb", "group"] {
            let features = match content.get(array).unwrap() {
                Value::Sparse(matrix) => Features::from(matrix.to_csr()),
                // As sparse rows: a dense copy takes half a gigabyte.
                Value::Numeric(numbers) => Features::Sparse(numbers.sparse(&root, array).unwrap()),
                other => panic!("{}", other.describe()),
            };
            check(&format!("{name}:{array}"), &features);
        }
    }
    for name in ["cora", "citeseer"] {
        let name = format!("citation-npz/{name}.npz");
        check_file(&root, &name, "attr", "labels");
        let content = npz::read(&root.join(&name)).unwrap();
        let Value::Sparse(network) = content.get("adj").unwrap() else {
            panic!()
        };
        check(&format!("{name}:adj"), &Features::from(network.clone()));
    }
}

#[cfg(feature = "hdf5")]
#[test]
fn hdf5_files() {
    let Some(root) = mirror("mnist-usps, usps") else {
        return;
    };
    for (features, label) in [("Xs", "Ys"), ("Xt", "Yt")] {
        check_file(&root, "mnist-usps/MNIST_vs_USPS.mat", features, label);
    }
    for part in ["train", "test"] {
        check_file(
            &root,
            "usps/usps.h5",
            &format!("{part}/data"),
            &format!("{part}/target"),
        );
    }
    assert_eq!(
        translearn_data::read::hdf5::read(&root.join("usps/usps.h5"))
            .unwrap()
            .names()
            .collect::<Vec<_>>(),
        ["test/data", "test/target", "train/data", "train/target"]
    );
}

#[test]
fn half_precision_npz() {
    let Some(root) = mirror("awa1") else { return };
    check_file(&root, "awa1/awa1_phog_f16.npz", "X", "y");
}

#[test]
fn idx_images() {
    let Some(root) = mirror("mnist-t10k") else {
        return;
    };
    let images = root.join("mnist-t10k/t10k-images-idx3-ubyte.gz");
    assert_eq!(idx::read(&images).unwrap().shape(), [10_000, 28, 28]);
    let given = ReadOptions {
        label: Some("t10k-labels-idx1-ubyte.gz".into()),
        ..ReadOptions::default()
    };
    let sample = file(&images, &given).unwrap();
    let RawFeatures::Matrix(matrix) = &sample.features else {
        panic!()
    };
    check("mnist-t10k/t10k-images-idx3-ubyte.gz", matrix);
    check_labels("mnist-t10k/t10k-labels-idx1-ubyte.gz", &sample.labels);
}

#[test]
fn amazon_reviews() {
    let Some(root) = mirror("amazon-reviews") else {
        return;
    };
    for domain in ["books", "dvd", "electronics", "kitchen"] {
        for part in ["train", "test"] {
            let name = format!("amazon-reviews/{domain}_{part}.svmlight");
            let given = ReadOptions {
                n_features: Some(5000),
                ..ReadOptions::default()
            };
            let sample = file(&root.join(&name), &given).unwrap();
            let RawFeatures::Matrix(matrix) = &sample.features else {
                panic!()
            };
            check(&format!("{name}:features"), matrix);
            check_labels(&format!("{name}:labels"), &sample.labels);
        }
    }
}

/// The numeric columns of a table side by side.
fn numeric(columns: &[translearn_data::Column]) -> (Vec<String>, Array2<f64>) {
    let numbers: Vec<(&str, &Vec<f64>)> = (columns.iter())
        .filter_map(|column| match &column.cells {
            Cells::Numbers(numbers) => Some((column.name.as_str(), numbers)),
            Cells::Categories(_) => None,
        })
        .collect();
    let matrix = Array2::from_shape_fn((numbers[0].1.len(), numbers.len()), |(row, column)| {
        numbers[column].1[row]
    });
    (
        numbers.iter().map(|(name, _)| (*name).to_owned()).collect(),
        matrix,
    )
}

#[test]
fn csv_tables() {
    let Some(root) = mirror("wine-quality, student-performance, mushroom") else {
        return;
    };
    for name in [
        "wine-quality/winequality-red.csv",
        "wine-quality/winequality-white.csv",
    ] {
        let table = delimited::read(&root.join(name), &ReadOptions::default()).unwrap();
        check(name, &Features::Dense(numeric(&table.columns).1));
    }
    for name in [
        "student-performance/student-mat.csv",
        "student-performance/student-por.csv",
    ] {
        let table = delimited::read(&root.join(name), &ReadOptions::default()).unwrap();
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(reference(name)["columns"], Json::from(names));
        let (names, matrix) = numeric(&table.columns);
        assert_eq!(reference(name)["numeric"], Json::from(names));
        check(name, &Features::Dense(matrix));
    }

    let name = "mushroom/agaricus-lepiota.data";
    // Every cell is a letter, so nothing but the repeated letters of the first row tells that it is no header.
    let error = delimited::read(&root.join(name), &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("both named `p`") && error.contains("without header"),
        "{error}"
    );
    let given = ReadOptions {
        header: Some(false),
        ..ReadOptions::default()
    };
    let table = delimited::read(&root.join(name), &given).unwrap();
    let want = reference(name);
    assert_eq!(
        want["shape"],
        Json::from(vec![8124, table.columns.len() as u64])
    );
    for (column, (missing, counts)) in table.columns.iter().zip(
        want["missing"]
            .as_array()
            .unwrap()
            .iter()
            .zip(want["counts"].as_array().unwrap()),
    ) {
        let Cells::Categories(cells) = &column.cells else {
            panic!("{}", column.name)
        };
        assert_eq!(
            *missing,
            Json::from(cells.iter().filter(|cell| cell.is_none()).count())
        );
        for (letter, count) in counts.as_object().unwrap() {
            let found = cells
                .iter()
                .filter(|cell| cell.as_deref() == Some(letter))
                .count();
            assert_eq!(*count, Json::from(found), "{} {letter}", column.name);
        }
    }
}
