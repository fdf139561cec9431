//! Metrics of predicted values.

use ndarray::ArrayView1;

use super::MetricError;
use super::weights::{Weights, same_length};

fn check<'a>(
    truth: ArrayView1<'_, f64>,
    predicted: ArrayView1<'_, f64>,
    weights: Option<ArrayView1<'a, f64>>,
) -> Result<Weights<'a>, MetricError> {
    same_length(
        ("the truth", truth.len()),
        ("the prediction", predicted.len()),
    )?;
    let weights = Weights::new(truth.len(), weights)?;
    for (what, values) in [
        ("the truth", truth.view()),
        ("the prediction", predicted.view()),
    ] {
        if let Some((row, value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(MetricError::NotFinite {
                what,
                row,
                value: value.to_string(),
            });
        }
    }
    Ok(weights)
}

/// A sum of squares that overflowed is no answer.
fn finite(what: &'static str, value: f64) -> Result<f64, MetricError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(MetricError::NotFinite {
        what,
        row: 0,
        value: value.to_string(),
    })
}

/// Root of the mean squared error, `√(Σ w (ŷ - y)² / Σ w)`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::LengthMismatch`], [`MetricError::InvalidWeight`], [`MetricError::NotFinite`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::rmse;
///
/// assert_eq!(rmse(array![0.0, 0.0].view(), array![1.0, 7.0].view(), None)?, 5.0);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn rmse(
    truth: ArrayView1<'_, f64>,
    predicted: ArrayView1<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    finite(
        "the squared error",
        weights
            .mean(|row| (predicted[row] - truth[row]).powi(2))
            .sqrt(),
    )
}

/// Mean absolute error, `Σ w |ŷ - y| / Σ w`.
///
/// # Errors
/// As [`rmse`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::mae;
///
/// assert_eq!(mae(array![0.0, 0.0].view(), array![1.0, -7.0].view(), None)?, 4.0);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn mae(
    truth: ArrayView1<'_, f64>,
    predicted: ArrayView1<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    finite(
        "the error",
        weights.mean(|row| (predicted[row] - truth[row]).abs()),
    )
}

/// The coefficient of determination, `1 - Σ w (ŷ - y)² / Σ w (y - ȳ)²`, with the weighted mean `ȳ`.
///
/// # Errors
/// As [`rmse`], and [`MetricError::ConstantTruth`] when the true values (of positive weight) are all equal.
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::r2;
///
/// assert_eq!(r2(array![1.0, 3.0].view(), array![2.0, 2.0].view(), None)?, 0.0);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn r2(
    truth: ArrayView1<'_, f64>,
    predicted: ArrayView1<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    let variance = variance_of_truth("r2", truth, &weights)?;
    finite(
        "r2",
        1.0 - weights.mean(|row| (predicted[row] - truth[row]).powi(2)) / variance,
    )
}

/// The share of variance explained, `1 - Var(ŷ - y) / Var(y)`: like [`r2`] but blind to a constant error.
///
/// # Errors
/// As [`r2`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::explained_variance;
///
/// assert_eq!(explained_variance(array![1.0, 3.0].view(), array![11.0, 13.0].view(), None)?, 1.0);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn explained_variance(
    truth: ArrayView1<'_, f64>,
    predicted: ArrayView1<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check(truth, predicted, weights)?;
    let variance = variance_of_truth("explained_variance", truth, &weights)?;
    let error = |row| predicted[row] - truth[row];
    let mean = weights.mean(error);
    finite(
        "explained_variance",
        1.0 - weights.mean(|row| (error(row) - mean).powi(2)) / variance,
    )
}

fn variance_of_truth(
    metric: &'static str,
    truth: ArrayView1<'_, f64>,
    weights: &Weights<'_>,
) -> Result<f64, MetricError> {
    // By comparison: the variance of equal values is often a little above 0 by rounding.
    let mut counted = (0..truth.len())
        .filter(|&row| weights.get(row) > 0.0)
        .map(|row| truth[row]);
    let first = counted.next().unwrap_or(0.0);
    let mean = weights.mean(|row| truth[row]);
    let variance = weights.mean(|row| (truth[row] - mean).powi(2));
    if counted.all(|value| value == first) || variance == 0.0 {
        return Err(MetricError::ConstantTruth {
            metric,
            value: first,
        });
    }
    Ok(variance)
}
