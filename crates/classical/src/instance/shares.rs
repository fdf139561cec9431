//! Predictions of classes as shares of one.

use ndarray::Array2;
use translearn_core::{Prediction, Scores, TransferError};

/// The share of each class in the answer for each row: its probability; decision values as logistic functions of each
/// class's value, scaled to sum 1; without scores all for the answer.
pub(super) fn class_shares(
    prediction: &Prediction,
    n_classes: usize,
) -> Result<Array2<f64>, TransferError> {
    match &prediction.scores {
        Some(Scores::Probabilities(p)) => Ok(p.clone()),
        Some(Scores::Decision(values)) => {
            let mut p = values.mapv(|v| 1.0 / (1.0 + (-v).exp()));
            for mut row in p.rows_mut() {
                let sum = row.sum();
                row.mapv_inplace(|v| v / sum.max(f64::MIN_POSITIVE));
            }
            Ok(p)
        }
        None => one_hot(prediction, n_classes),
    }
}

/// 1 for the class that each row is given, 0 for the others.
pub(super) fn one_hot(
    prediction: &Prediction,
    n_classes: usize,
) -> Result<Array2<f64>, TransferError> {
    let labels = prediction.labels.classes("votes of classes")?;
    let mut votes = Array2::zeros((labels.len(), n_classes));
    for (row, &class) in labels.indexed_iter() {
        votes[[row, class]] = 1.0;
    }
    Ok(votes)
}
