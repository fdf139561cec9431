//! Rows, columns, classes and values of every part.

use std::collections::BTreeSet;

use translearn_assets::Cache;
use translearn_core::Features;
use translearn_data::catalog::{self, Select, Set};
use translearn_data::{Cells, RawFeatures, RawLabels, RawSample};

use super::fingerprint::*;
use super::{available, cache};

/// Set, domain, split, rows, columns with the label, classes, as the descriptions of the sets give them; 0 columns for
/// texts, 0 classes for numbers as labels.
const SHAPES: &[(&str, &str, &str, usize, usize, usize)] = &[
    ("office-caltech10-surf", "caltech10", "", 1123, 801, 10),
    ("office-caltech10-surf", "amazon", "", 958, 801, 10),
    ("office-caltech10-surf", "webcam", "", 295, 801, 10),
    ("office-caltech10-surf", "dslr", "", 157, 801, 10),
    ("mnist-usps", "mnist", "", 2000, 257, 10),
    ("mnist-usps", "usps", "", 1800, 257, 10),
    ("usps", "", "train", 7291, 257, 10),
    ("usps", "", "test", 2007, 257, 10),
    ("mnist-t10k", "", "", 10_000, 28 * 28 + 1, 10),
    ("amazon-reviews", "books", "train", 2000, 5001, 2),
    ("amazon-reviews", "books", "test", 4465, 5001, 2),
    ("amazon-reviews", "dvd", "train", 2000, 5001, 2),
    ("amazon-reviews", "dvd", "test", 3586, 5001, 2),
    ("amazon-reviews", "electronics", "train", 2000, 5001, 2),
    ("amazon-reviews", "electronics", "test", 5681, 5001, 2),
    ("amazon-reviews", "kitchen", "train", 2000, 5001, 2),
    ("amazon-reviews", "kitchen", "test", 5945, 5001, 2),
    ("20news-bydate", "", "train", 11_314, 0, 20),
    ("20news-bydate", "", "test", 7532, 0, 20),
    ("mushroom", "", "", 8124, 23, 2),
    ("mushroom", "tapering", "", 4608, 22, 2),
    ("mushroom", "enlarging", "", 3516, 22, 2),
    ("wine-quality", "red", "", 1599, 12, 0),
    ("wine-quality", "white", "", 4898, 12, 0),
    ("student-performance", "maths", "", 395, 33, 0),
    ("student-performance", "portuguese", "", 649, 33, 0),
    ("school", "", "", 15_362, 29, 0),
    ("citation-domains", "acmv9", "", 9360, 6776, 5),
    ("citation-domains", "citationv1", "", 8935, 6776, 5),
    ("citation-npz", "cora", "", 2708, 1434, 7),
    ("citation-npz", "citeseer", "", 3312, 3704, 6),
    ("awa1", "", "", 30_475, 253, 50),
    ("cifar10-jpeg", "", "", 10_000, 32 * 32 * 3 + 1, 10),
    ("hymenoptera", "", "train", 244, 64 * 64 * 3 + 1, 2),
    ("hymenoptera", "", "val", 153, 64 * 64 * 3 + 1, 2),
    ("omniglot", "", "", 136 * 20, 105 * 105 + 1, 136),
    ("omniglot", "balinese", "", 480, 105 * 105 + 1, 24),
    ("omniglot", "early-aramaic", "", 440, 105 * 105 + 1, 22),
    ("omniglot", "greek", "", 480, 105 * 105 + 1, 24),
    ("omniglot", "korean", "", 800, 105 * 105 + 1, 40),
    ("omniglot", "latin", "", 520, 105 * 105 + 1, 26),
    ("fsdd", "", "", 3000, 27, 10),
    ("fsdd", "george", "", 500, 27, 10),
    ("fsdd", "jackson", "", 500, 27, 10),
    ("fsdd", "lucas", "", 500, 27, 10),
    ("fsdd", "nicolas", "", 500, 27, 10),
    ("fsdd", "theo", "", 500, 27, 10),
    ("fsdd", "yweweler", "", 500, 27, 10),
];

fn select(domain: Option<&str>, split: Option<&str>) -> Select {
    Select {
        domain: domain.map(str::to_owned),
        split: split.map(str::to_owned),
    }
}

#[test]
fn the_table_and_the_manifests_name_the_same_parts() {
    let own = |name: &Option<String>| name.clone().unwrap_or_default();
    let mut declared = BTreeSet::new();
    for set in catalog::sets() {
        for part in set.parts() {
            let columns = part.columns.map_or(0, |columns| columns + 1);
            let classes = part.classes.unwrap_or(0);
            declared.insert((
                set.name().to_owned(),
                own(&part.domain),
                own(&part.split),
                part.rows,
                columns,
                classes,
            ));
        }
    }
    let table = SHAPES
        .iter()
        .map(|&(set, domain, split, rows, columns, classes)| {
            (
                set.to_owned(),
                domain.to_owned(),
                split.to_owned(),
                rows,
                columns,
                classes,
            )
        });
    assert_eq!(declared, table.collect());
}

/// Reads a part and holds it against its manifest, the table and the fingerprint.
fn check(set: &Set, cache: &Cache) {
    for part in set.parts() {
        let select = select(part.domain.as_deref(), part.split.as_deref());
        let RawSample { features, labels } = set
            .load(&select, cache)
            .unwrap_or_else(|error| panic!("{error}"));
        let what = format!("{} {select:?}", set.name());
        assert_eq!(shape(&features), (part.rows, part.columns), "{what}");
        let labels = labels.as_ref();
        if let Some(labels) = labels {
            let counts = counts(labels);
            assert_eq!(counts.values().sum::<usize>(), part.rows, "{what}");
            assert!(
                part.classes.is_none_or(|classes| classes == counts.len()),
                "{what}: {counts:?}"
            );
        }
        let find = |f: &Fingerprint| {
            f.set == set.name() && f.domain == part.domain && f.split == part.split
        };
        let expected = fingerprints()
            .into_iter()
            .find(find)
            .unwrap_or_else(|| panic!("{what}: no fingerprint"));
        assert_eq!(expected.rows, part.rows, "{what}");
        if let Some(x) = expected.features {
            close(&what, features_fingerprint(&features), x, ROUNDING);
        }
        if let (Some(cells), RawFeatures::Matrix(x)) = (expected.cells, &features) {
            let x = x.dense().unwrap();
            for (row, column, value) in cells {
                let found = x[[row, column]];
                assert!(
                    (found - value).abs() <= 0.05,
                    "{what}: {found} against {value} at {row}, {column}"
                );
            }
        }
        assert_eq!(labels.is_some(), expected.labels.is_some(), "{what}");
        if let (Some(labels), Some(y)) = (labels, expected.labels) {
            close(&what, labels_fingerprint(labels), y, ROUNDING);
            assert!(
                expected
                    .counts
                    .is_none_or(|expected| expected == counts(labels)),
                "{what}"
            );
        }
        if let (Some(edges), Some(classes)) = (expected.edges, expected.classes) {
            let graph = set.graph(&select, cache).unwrap();
            let indicator = graph.classes.mapv(|is| f64::from(u8::from(is)));
            close(
                &what,
                matrix_fingerprint(&graph.edges.into()),
                edges,
                ROUNDING,
            );
            close(
                &what,
                matrix_fingerprint(&indicator.into()),
                classes,
                ROUNDING,
            );
        }
    }
}

#[test]
fn every_part_has_its_shape_and_its_values() {
    let cache = cache();
    for set in catalog::sets() {
        if let Some(set) = available(set.name(), &cache) {
            check(set, &cache);
        }
    }
}

#[test]
fn every_file_is_the_one_of_its_manifest() {
    let cache = cache();
    for set in catalog::sets() {
        if let Some(set) = available(set.name(), &cache) {
            for file in &set.manifest().files {
                assert!(!cache.verify(set.manifest(), &file.path).unwrap().is_empty());
            }
        }
    }
}

#[test]
fn splits_stand_one_after_the_other() {
    let cache = cache();
    if let Some(set) = available("usps", &cache) {
        let read = |select: Select| match set.load(&select, &cache).unwrap() {
            RawSample {
                features: RawFeatures::Matrix(Features::Dense(x)),
                labels: Some(RawLabels::Numbers(y)),
            } => (x, y),
            other => panic!("{other:?}"),
        };
        let (both, train, test) = (
            read(Select::all()),
            read(Select::all().split("train")),
            read(Select::all().split("test")),
        );
        assert_eq!(both.0.row(7290), train.0.row(7290));
        assert_eq!(both.0.row(7291 + 2006), test.0.row(2006));
        assert_eq!(both.1, [train.1, test.1].concat());
        assert!(both.0.iter().all(|value| (0.0..=1.0).contains(value)));
    }
    if let Some(set) = available("20news-bydate", &cache) {
        let both = set.load(&Select::all(), &cache).unwrap();
        assert_eq!(shape(&both.features), (11_314 + 7532, None));
        assert_eq!(counts(both.labels.as_ref().unwrap()).len(), 20);
    }
}

#[test]
fn the_missing_values_of_the_mushrooms_stay_missing() {
    let cache = cache();
    let Some(set) = available("mushroom", &cache) else {
        return;
    };
    let RawFeatures::Table(table) = set.load(&Select::all(), &cache).unwrap().features else {
        panic!("no table")
    };
    let missing: Vec<(&str, usize)> = (table.columns.iter())
        .map(|column| match &column.cells {
            Cells::Categories(cells) => (
                column.name.as_str(),
                cells.iter().filter(|cell| cell.is_none()).count(),
            ),
            Cells::Numbers(_) => panic!("`{}` is no category", column.name),
        })
        .filter(|&(_, missing)| missing > 0)
        .collect();
    assert_eq!(missing, [("stalk-root", 2480)]);
}
