//! What two predictions cost, row by row.

use ndarray::Array1;
use translearn_core::{Labels, TransferError};

use crate::row_losses::row_losses;

/// The losses of a baseline and of a method on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PairedLosses {
    kind: Kind,
    pub(super) baseline: Array1<f64>,
    pub(super) method: Array1<f64>,
}

/// What a loss is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// 1 for a wrong class, 0 for the right one; between them where several predictions are averaged.
    Errors,
    /// The squared difference.
    Squares,
}

impl PairedLosses {
    pub(super) fn new(
        truth: &Labels,
        baseline: &Labels,
        method: &Labels,
    ) -> Result<Self, TransferError> {
        let (kind, baseline) = losses("the baseline's prediction", truth, baseline)?;
        let (_, method) = losses("the method's prediction", truth, method)?;
        if baseline.is_empty() {
            return Err(TransferError::Empty {
                what: "the sample that two predictions are compared on".to_owned(),
                needed: 1,
            });
        }
        Ok(Self {
            kind,
            baseline,
            method,
        })
    }

    /// Losses of several predictions of each row, averaged.
    pub(super) fn mean(all: &[Self]) -> Option<Self> {
        let first = all.first()?;
        let mean = |of: fn(&Self) -> &Array1<f64>| {
            let sum = all
                .iter()
                .fold(Array1::zeros(of(first).len()), |sum, losses| {
                    sum + of(losses)
                });
            sum / all.len() as f64
        };
        Some(Self {
            kind: first.kind,
            baseline: mean(|losses| &losses.baseline),
            method: mean(|losses| &losses.method),
        })
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let of = |losses: &Array1<f64>| rows.iter().map(|&row| losses[row]).collect();
        Self {
            kind: self.kind,
            baseline: of(&self.baseline),
            method: of(&self.method),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.baseline.len()
    }

    /// What the method saves of each row's loss.
    pub(super) fn saved(&self) -> Array1<f64> {
        &self.baseline - &self.method
    }

    /// The scores of both: accuracies, or root mean squared errors.
    pub(super) fn scores(&self) -> (f64, f64) {
        let mean = |losses: &Array1<f64>| losses.mean().unwrap_or_default();
        let score = |losses| match self.kind {
            Kind::Errors => 1.0 - mean(losses),
            Kind::Squares => mean(losses).sqrt(),
        };
        (score(&self.baseline), score(&self.method))
    }

    pub(super) fn gain(&self) -> f64 {
        let counts = vec![1.0; self.len()];
        self.gain_of(&counts)
    }

    /// The gain where each row counts as often as it says.
    pub(super) fn gain_of(&self, counts: &[f64]) -> f64 {
        let total: f64 = counts.iter().sum();
        let mean = |losses: &Array1<f64>| {
            losses.iter().zip(counts).map(|(l, n)| n * l).sum::<f64>() / total
        };
        let (baseline, method) = (mean(&self.baseline), mean(&self.method));
        match self.kind {
            Kind::Errors => baseline - method,
            Kind::Squares => relative(baseline.sqrt(), method.sqrt()),
        }
    }

    /// The standard error of the gain, from how far single rows pull it (the infinitesimal jackknife).
    ///
    /// Two rows are added on which one of both is better alone, by a whole error or by the mean loss, so that a few rows of one
    /// mind do not pass for certainty. `None` where nothing can be said: of values, for a single row, or where one of both is
    /// always exact.
    pub(super) fn standard_error(&self) -> Option<f64> {
        let n = self.len() as f64;
        match self.kind {
            Kind::Errors => {
                let saved = self.saved();
                let squares = saved.dot(&saved) + 2.0;
                let rows = n + 2.0;
                let mean = saved.sum() / rows;
                Some(((squares / rows - mean * mean) / rows).sqrt())
            }
            Kind::Squares => {
                let (baseline, method) = self.scores();
                let (least, most) = (baseline.min(method), baseline.max(method));
                if least == 0.0 || n < 2.0 {
                    return None;
                }
                let ratio = 0.5 * least / most;
                let pull =
                    ratio * (&self.baseline / baseline.powi(2) - &self.method / method.powi(2));
                let squares = pull.dot(&pull) + 2.0 * ratio * ratio;
                Some((squares / (n * (n - 1.0))).sqrt())
            }
        }
    }
}

/// By how much of the larger one two errors differ, positive where the second is smaller.
fn relative(baseline: f64, method: f64) -> f64 {
    let most = baseline.max(method);
    if most == 0.0 {
        0.0
    } else {
        (baseline - method) / most
    }
}

/// The mean loss of a prediction were another one the truth: the share of rows of which the classes differ, or the mean squared
/// difference.
pub(super) fn distance(truth: &Labels, other: &Labels) -> Result<f64, TransferError> {
    let (_, apart) = losses("the other prediction", truth, other)?;
    Ok(apart.mean().unwrap_or_default())
}

fn losses(
    what: &str,
    truth: &Labels,
    predicted: &Labels,
) -> Result<(Kind, Array1<f64>), TransferError> {
    if truth.len() != predicted.len() {
        return Err(TransferError::LengthMismatch {
            left: "the truth".to_owned(),
            left_len: truth.len(),
            right: what.to_owned(),
            right_len: predicted.len(),
        });
    }
    let losses = row_losses(truth, predicted, what)?;
    if let Some(row) = losses.iter().position(|loss| !loss.is_finite()) {
        return Err(TransferError::NotFinite {
            what: format!("the squared error of {what}"),
            row,
            column: 0,
            value: losses[row].to_string(),
        });
    }
    let kind = match truth {
        Labels::Classes(_) => Kind::Errors,
        Labels::Values(_) => Kind::Squares,
    };
    Ok((kind, losses))
}
