//! Optional sample weights, checked.

use ndarray::ArrayView1;

use super::MetricError;

/// One weight per row, at least 0, finite, with a positive sum; all 1 when none were given.
pub(super) struct Weights<'a> {
    given: Option<ArrayView1<'a, f64>>,
    total: f64,
}

impl<'a> Weights<'a> {
    pub(super) fn new(
        rows: usize,
        given: Option<ArrayView1<'a, f64>>,
    ) -> Result<Self, MetricError> {
        if rows == 0 {
            return Err(MetricError::Empty);
        }
        let Some(weights) = given else {
            return Ok(Self {
                given: None,
                total: rows as f64,
            });
        };
        same_length(("the truth", rows), ("the sample weights", weights.len()))?;
        let total = weights.sum();
        let wrong = weights
            .iter()
            .position(|&weight| !(weight >= 0.0 && weight.is_finite()));
        let row = match wrong {
            Some(row) => row,
            None if total > 0.0 && total.is_finite() => {
                return Ok(Self {
                    given: Some(weights),
                    total,
                });
            }
            None => 0,
        };
        Err(MetricError::InvalidWeight {
            row,
            value: weights[row].to_string(),
        })
    }

    pub(super) fn get(&self, row: usize) -> f64 {
        self.given.map_or(1.0, |weights| weights[row])
    }

    /// `Σ w f / Σ w`.
    pub(super) fn mean(&self, f: impl Fn(usize) -> f64) -> f64 {
        let rows = self
            .given
            .map_or(self.total as usize, |weights| weights.len());
        (0..rows).map(|row| self.get(row) * f(row)).sum::<f64>() / self.total
    }
}

pub(super) fn same_length(
    (left, left_len): (&'static str, usize),
    (right, right_len): (&'static str, usize),
) -> Result<(), MetricError> {
    if left_len == right_len {
        return Ok(());
    }
    Err(MetricError::LengthMismatch {
        left,
        left_len,
        right,
        right_len,
    })
}
