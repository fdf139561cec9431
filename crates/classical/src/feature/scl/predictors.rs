//! Linear predictors of the occurrence of pivots, by the modified Huber loss.

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use translearn_core::{Csr, TransferError};
use translearn_learners::lbfgs::Lbfgs;

/// The penalty, and when to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predictors {
    pub lambda: f64,
    pub tolerance: f64,
    pub max_iterations: usize,
}

/// The modified Huber loss of a margin `y f(x)`, and its slope: `(1 - m)²` down to -1, a line below, 0 from 1 on.
pub(super) fn modified_huber(margin: f64) -> (f64, f64) {
    if margin >= 1.0 {
        (0.0, 0.0)
    } else if margin >= -1.0 {
        ((1.0 - margin).powi(2), -2.0 * (1.0 - margin))
    } else {
        (-4.0 * margin, -4.0)
    }
}

impl Predictors {
    /// A column of weights for each pivot: `min Σ_i L(y_i (w·x_i + b)) + λ‖w‖²` with `y_i = ±1`, whether pivot `j` occurs
    /// in row `i`.
    pub(super) fn weights(
        &self,
        rows: &Csr,
        occurs: &Array2<bool>,
    ) -> Result<Array2<f64>, TransferError> {
        let columns: Vec<Array1<f64>> = (0..occurs.ncols())
            .into_par_iter()
            .map(|pivot| self.one(rows, |row| if occurs[[row, pivot]] { 1.0 } else { -1.0 }))
            .collect::<Result<_, _>>()?;
        Ok(Array2::from_shape_fn(
            (rows.cols(), columns.len()),
            |(feature, pivot)| columns[pivot][feature],
        ))
    }

    fn one(&self, rows: &Csr, sign: impl Fn(usize) -> f64) -> Result<Array1<f64>, TransferError> {
        let d = rows.cols();
        let solver = Lbfgs {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            ..Lbfgs::default()
        };
        // The intercept is the last entry.
        let minimum = solver.minimize(vec![0.0; d + 1], |point, gradient| {
            for (slope, weight) in gradient[..d].iter_mut().zip(point) {
                *slope = 2.0 * self.lambda * weight;
            }
            gradient[d] = 0.0;
            let mut value = self.lambda * point[..d].iter().map(|w| w * w).sum::<f64>();
            for (index, row) in rows.outer_iterator().enumerate() {
                let output: f64 = row.iter().map(|(j, v)| v * point[j]).sum::<f64>() + point[d];
                let (loss, slope) = modified_huber(sign(index) * output);
                value += loss;
                if slope != 0.0 {
                    let slope = slope * sign(index);
                    row.iter().for_each(|(j, v)| gradient[j] += slope * v);
                    gradient[d] += slope;
                }
            }
            value
        });
        if !minimum.converged {
            return Err(TransferError::NotConverged {
                what: "a predictor of a pivot".to_owned(),
                iterations: minimum.iterations,
                residual: minimum.gradient_norm,
                tolerance: self.tolerance,
            });
        }
        let mut weights = minimum.point;
        weights.truncate(d);
        Ok(weights.into())
    }
}
