//! An order of rows that does not depend on how their file was sorted.

use translearn_core::{Features, Labels};

/// Rows by their values, and those that are equal by their labels.
pub(crate) fn by_value_and_label(features: &Features, labels: &Labels) -> Vec<usize> {
    let mut by_label: Vec<usize> = (0..labels.len()).collect();
    match labels {
        Labels::Classes(codes) => by_label.sort_by_key(|&row| codes[row]),
        Labels::Values(values) => by_label.sort_by(|&a, &b| values[a].total_cmp(&values[b])),
    }
    // Sorting is stable: among equal rows the order of the labels stays.
    let by_value = features.select_rows(&by_label).rows_by_value();
    by_value.into_iter().map(|at| by_label[at]).collect()
}
