//! Numbers that change when a matrix is transposed, shuffled or shifted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use translearn_core::Features;
use translearn_data::{Cells, RawFeatures, RawLabels};

#[derive(Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) set: String,
    pub(crate) domain: Option<String>,
    pub(crate) split: Option<String>,
    pub(crate) rows: usize,
    pub(crate) features: Option<f64>,
    pub(crate) cells: Option<Vec<(usize, usize, f64)>>,
    pub(crate) labels: Option<f64>,
    pub(crate) counts: Option<BTreeMap<String, usize>>,
    pub(crate) edges: Option<f64>,
    pub(crate) classes: Option<f64>,
}

pub(crate) fn fingerprints() -> Vec<Fingerprint> {
    serde_json::from_str(include_str!("../fixtures/catalog/fingerprints.json")).unwrap()
}

pub(crate) fn weight(row: usize, column: usize) -> f64 {
    ((31 * row + 17 * column) % 1009) as f64
}

pub(crate) fn shape(features: &RawFeatures) -> (usize, Option<usize>) {
    match features {
        RawFeatures::Matrix(x) => (x.n_rows(), Some(x.n_columns())),
        RawFeatures::Texts(texts) => (texts.len(), None),
        RawFeatures::Table(table) => {
            let rows: BTreeSet<usize> = (table.columns.iter())
                .map(|column| match &column.cells {
                    Cells::Numbers(cells) => cells.len(),
                    Cells::Categories(cells) => cells.len(),
                })
                .collect();
            assert_eq!(rows.len(), 1, "columns of different lengths: {rows:?}");
            (*rows.first().unwrap(), Some(table.columns.len()))
        }
    }
}

pub(crate) fn matrix_fingerprint(x: &Features) -> f64 {
    match x {
        Features::Dense(x) => x
            .indexed_iter()
            .map(|((i, j), value)| value * weight(i, j))
            .sum(),
        Features::Sparse(x) => x.iter().map(|(value, (i, j))| value * weight(i, j)).sum(),
        Features::Images(_) => panic!("no set is read as images"),
    }
}

pub(crate) fn features_fingerprint(features: &RawFeatures) -> f64 {
    match features {
        RawFeatures::Matrix(x) => matrix_fingerprint(x),
        RawFeatures::Texts(texts) => texts
            .iter()
            .enumerate()
            .map(|(i, text)| text.chars().count() as f64 * weight(i, 0))
            .sum(),
        RawFeatures::Table(table) => {
            let cells = |(j, cells): (usize, &Cells)| match cells {
                Cells::Numbers(cells) => cells
                    .iter()
                    .enumerate()
                    .map(|(i, x)| x * weight(i, j))
                    .sum::<f64>(),
                Cells::Categories(cells) => {
                    let length =
                        |cell: &Option<String>| cell.as_ref().map_or(0.0, |text| text.len() as f64);
                    cells
                        .iter()
                        .enumerate()
                        .map(|(i, cell)| length(cell) * weight(i, j))
                        .sum()
                }
            };
            table
                .columns
                .iter()
                .map(|column| &column.cells)
                .enumerate()
                .map(cells)
                .sum()
        }
    }
}

pub(crate) fn labels_fingerprint(labels: &RawLabels) -> f64 {
    let numbers = match labels {
        RawLabels::Numbers(numbers) => numbers.clone(),
        RawLabels::Names(names) => {
            let sorted: Vec<String> = counts(labels).into_keys().collect();
            names
                .iter()
                .map(|name| sorted.binary_search(name).unwrap() as f64)
                .collect()
        }
    };
    numbers
        .iter()
        .enumerate()
        .map(|(i, y)| y * (i % 1009) as f64)
        .sum()
}

pub(crate) fn counts(labels: &RawLabels) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let names = match labels {
        RawLabels::Names(names) => names.clone(),
        RawLabels::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
    };
    names
        .into_iter()
        .for_each(|name| *counts.entry(name).or_insert(0) += 1);
    counts
}

/// Sums of the same numbers in another order.
pub(crate) const ROUNDING: f64 = 1e-12;

pub(crate) fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= tolerance, "{what}: {found} against {expected}");
}
