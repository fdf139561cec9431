//! The silhouette of rows in classes: how much nearer each is to its own class than to the next one.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;
use translearn_core::distance::squared_distances;
use translearn_core::{Features, TransferError};

/// Rows whose distances to all others are in memory together.
const BLOCK: usize = 256;

/// The mean silhouette by Euclidean distances.
pub(crate) fn of_features(rows: &Features, classes: &Array1<usize>) -> Result<f64, TransferError> {
    let counts = counts(classes)?;
    let all: Vec<usize> = (0..classes.len()).collect();
    let sums: Vec<f64> = all
        .par_chunks(BLOCK)
        .map(|block| {
            let mut distances = squared_distances(&rows.select_rows(block), rows)?;
            distances.mapv_inplace(f64::sqrt);
            let each = block.iter().zip(distances.axis_iter(Axis(0)));
            Ok(each
                .map(|(&row, distances)| of_row(row, distances, classes, &counts))
                .sum())
        })
        .collect::<Result<_, TransferError>>()?;
    Ok(sums.iter().sum::<f64>() / classes.len() as f64)
}

/// The mean silhouette by given distances, `n x n`.
pub(crate) fn of_distances(
    distances: &Array2<f64>,
    classes: &Array1<usize>,
) -> Result<f64, TransferError> {
    let counts = counts(classes)?;
    let each = distances.outer_iter().enumerate();
    let sum: f64 = each
        .map(|(row, distances)| of_row(row, distances, classes, &counts))
        .sum();
    Ok(sum / classes.len() as f64)
}

/// The number of rows of each class, of which there have to be two.
fn counts(classes: &Array1<usize>) -> Result<Vec<f64>, TransferError> {
    let mut counts = vec![0.0; classes.iter().max().map_or(0, |&code| code + 1)];
    classes.iter().for_each(|&class| counts[class] += 1.0);
    match counts.iter().filter(|&&count| count > 0.0).count() {
        n_classes @ ..2 => Err(TransferError::TooFewClasses {
            what: "the classes of a silhouette".to_owned(),
            classes: n_classes,
        }),
        _ => Ok(counts),
    }
}

fn of_row(
    row: usize,
    distances: ArrayView1<'_, f64>,
    classes: &Array1<usize>,
    counts: &[f64],
) -> f64 {
    let own = classes[row];
    if counts[own] < 2.0 {
        return 0.0;
    }
    let mut sums = vec![0.0; counts.len()];
    // Rounding may leave a row away from itself.
    for (other, distance) in distances.indexed_iter().filter(|&(other, _)| other != row) {
        sums[classes[other]] += distance;
    }
    let within = sums[own] / (counts[own] - 1.0);
    let others = (0..sums.len()).filter(|&class| class != own && counts[class] > 0.0);
    let between = others
        .map(|class| sums[class] / counts[class])
        .fold(f64::INFINITY, f64::min);
    let larger = within.max(between);
    if larger > 0.0 {
        (between - within) / larger
    } else {
        0.0
    }
}
