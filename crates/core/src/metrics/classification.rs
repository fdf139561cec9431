//! Metrics of predicted classes.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView1};

use super::MetricError;
use super::weights::{Weights, same_length};

fn check<'a>(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: Option<ArrayView1<'a, f64>>,
) -> Result<Weights<'a>, MetricError> {
    same_length(
        ("the truth", truth.len()),
        ("the prediction", predicted.len()),
    )?;
    Weights::new(truth.len(), weights)
}

/// The weight of rows of class i that were called class j, at `[i, j]` (`n_classes x n_classes`).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::LengthMismatch`], [`MetricError::InvalidWeight`], and
/// [`MetricError::UnknownClass`] for a code that is not below `n_classes`.
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::confusion_matrix;
///
/// let (truth, predicted) = (array![0, 0, 1], array![0, 1, 1]);
/// assert_eq!(confusion_matrix(truth.view(), predicted.view(), 2, None)?, array![[1.0, 1.0], [0.0, 1.0]]);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn confusion_matrix(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    n_classes: usize,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<Array2<f64>, MetricError> {
    let weights = check(truth, predicted, weights)?;
    for (what, codes) in [
        ("the truth", truth.view()),
        ("the prediction", predicted.view()),
    ] {
        if let Some((row, &class)) = codes.indexed_iter().find(|&(_, &class)| class >= n_classes) {
            return Err(MetricError::UnknownClass {
                what,
                row,
                class,
                n_classes,
            });
        }
    }
    let mut counts = Array2::zeros((n_classes, n_classes));
    for (row, (&i, &j)) in truth.iter().zip(predicted).enumerate() {
        counts[(i, j)] += weights.get(row);
    }
    Ok(counts)
}

/// The share of rows called rightly, `Σ w [ŷ = y] / Σ w`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::LengthMismatch`], [`MetricError::InvalidWeight`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::accuracy;
///
/// assert_eq!(accuracy(array![0, 1, 1, 2].view(), array![0, 1, 2, 2].view(), None)?, 0.75);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn accuracy(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    Ok(weights.mean(|row| f64::from(u8::from(truth[row] == predicted[row]))))
}

/// Weights of one class: called rightly, true, predicted.
#[derive(Clone, Copy, Default)]
struct Tally {
    hits: f64,
    truth: f64,
    predicted: f64,
}

/// A tally per class that occurs with positive weight, by code.
fn tallies(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: &Weights<'_>,
) -> Vec<Tally> {
    let mut tallies = BTreeMap::<usize, Tally>::new();
    for (row, (&i, &j)) in truth.iter().zip(predicted).enumerate() {
        let weight = weights.get(row);
        if weight > 0.0 {
            tallies.entry(i).or_default().truth += weight;
            tallies.entry(j).or_default().predicted += weight;
            if i == j {
                tallies.entry(i).or_default().hits += weight;
            }
        }
    }
    tallies.into_values().collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

/// The mean over the true classes of the share of their rows called rightly (recall).
///
/// # Errors
/// As [`accuracy`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::balanced_accuracy;
///
/// assert_eq!(balanced_accuracy(array![0, 0, 0, 1].view(), array![0, 0, 0, 0].view(), None)?, 0.5);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn balanced_accuracy(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    let tallies = tallies(truth, predicted, &weights);
    let present = tallies.iter().filter(|tally| tally.truth > 0.0);
    Ok(mean(present.map(|tally| tally.hits / tally.truth)))
}

/// The unweighted mean of `F1 = 2 hits / (true + predicted)` over the classes that occur, with positive weight, among
/// true or predicted labels.
///
/// # Errors
/// As [`accuracy`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::macro_f1;
///
/// let f1 = macro_f1(array![0, 0, 1].view(), array![0, 1, 1].view(), None)?;
/// assert!((f1 - 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn macro_f1(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    let tallies = tallies(truth, predicted, &weights);
    Ok(mean(tallies.iter().map(|tally| {
        2.0 * tally.hits / (tally.truth + tally.predicted)
    })))
}

/// F1 over the counts of all classes together. With one label per row this is the [`accuracy`].
///
/// # Errors
/// As [`accuracy`].
pub fn micro_f1(
    truth: ArrayView1<'_, usize>,
    predicted: ArrayView1<'_, usize>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    accuracy(truth, predicted, weights)
}
