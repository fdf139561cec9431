//! Newton's method on the primal of one two-class problem, for where coordinate descent is slow.
//!
//! The objective is piecewise quadratic, a ridge regression on the signs over the rows inside the margin, so once these
//! are the right ones a single step ends at the optimum (Keerthi and DeCoste, JMLR 6, 2005, 341-361).

use ndarray::{Array1, Axis};
use translearn_core::{Features, TransferError, images_were_refused};

use super::dual::Binary;
use crate::ridge::solve;

/// Newton steps after which to give up; a dozen is usual.
const MAX_STEPS: usize = 200;

/// A gradient at which the arithmetic, not the iteration, has come to its end, where it falls no more.
const ROUNDING_FLOOR: f64 = 1e-9;

impl Binary<'_> {
    /// Minimises from `w`, until no row's score changes by more than `tolerance` along the gradient: for the dual
    /// variables `2 cost slack` that belong to `w`, this is the largest entry of the dual's gradient.
    pub(super) fn newton(
        &self,
        mut w: Vec<f64>,
        tolerance: f64,
    ) -> Result<Vec<f64>, TransferError> {
        let n = self.signs.len();
        let all: Vec<usize> = (0..n).collect();
        let (mut left, mut before) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..MAX_STEPS {
            let scores: Vec<f64> = all.iter().map(|&row| self.score(row, &w)).collect();
            let slack = |row: usize| 1.0 - self.signs[row] * scores[row];
            let inside: Vec<usize> = all
                .iter()
                .copied()
                .filter(|&row| slack(row) > 0.0)
                .collect();
            let mut gradient = w.clone();
            for &row in &inside {
                self.add(
                    row,
                    -2.0 * self.costs[row] * self.signs[row] * slack(row),
                    &mut gradient,
                );
            }
            left = all
                .iter()
                .map(|&row| self.score(row, &gradient).abs())
                .fold(0.0, f64::max);
            if left <= tolerance || before <= left && left <= ROUNDING_FLOOR {
                return Ok(w);
            }
            before = left;
            let target = self.optimum_over(&inside)?;
            let step: Vec<f64> = target
                .iter()
                .zip(&w)
                .map(|(target, w)| target - w)
                .collect();
            let changes: Vec<f64> = all.iter().map(|&row| self.score(row, &step)).collect();
            let length = self.line_minimum(&w, &step, &scores, &changes);
            if length == 0.0 {
                break;
            }
            w.iter_mut()
                .zip(&step)
                .for_each(|(w, step)| *w += length * step);
        }
        if left <= ROUNDING_FLOOR {
            return Ok(w);
        }
        Err(TransferError::NotConverged {
            what: "linear SVM".to_owned(),
            iterations: MAX_STEPS,
            residual: left,
            tolerance,
        })
    }

    /// The optimum if the rows inside the margin were `inside` for good: `min Σ cost (sign - w·x)² + ½‖w‖²`.
    fn optimum_over(&self, inside: &[usize]) -> Result<Vec<f64>, TransferError> {
        if inside.is_empty() {
            return Ok(vec![0.0; self.features.n_columns()]);
        }
        let pick =
            |values: &[f64]| -> Array1<f64> { inside.iter().map(|&row| values[row]).collect() };
        let (costs, signs) = (pick(&self.costs), pick(&self.signs).insert_axis(Axis(1)));
        let linear = match self.features.select_rows(inside) {
            Features::Dense(x) => solve::dense(x, signs, &costs, 0.5, false)?,
            Features::Sparse(x) => solve::sparse(&x, signs, &costs, 0.5, false)?,
            Features::Images(_) => images_were_refused(),
        };
        Ok(linear.coefficients.into_iter().collect())
    }

    /// The minimum along a step: the root of a slope that is increasing and piecewise linear, by Newton's method kept
    /// within a bracket.
    fn line_minimum(&self, w: &[f64], step: &[f64], scores: &[f64], changes: &[f64]) -> f64 {
        let (along, squared) = (dot(w, step), dot(step, step));
        let slope = |t: f64| {
            let (mut slope, mut curvature) = (along + t * squared, squared);
            for row in 0..scores.len() {
                let slack = 1.0 - self.signs[row] * (scores[row] + t * changes[row]);
                if slack > 0.0 {
                    slope -= 2.0 * self.costs[row] * slack * self.signs[row] * changes[row];
                    curvature += 2.0 * self.costs[row] * changes[row] * changes[row];
                }
            }
            (slope, curvature)
        };
        let (mut low, mut high, mut t) = (0.0, f64::INFINITY, 1.0);
        let start = slope(0.0).0;
        if start >= 0.0 {
            return 0.0;
        }
        for _ in 0..100 {
            let (at, curvature) = slope(t);
            if at.abs() <= 1e-12 * start.abs() {
                break;
            }
            if at < 0.0 {
                low = t;
            } else {
                high = t;
            }
            let newton = t - at / curvature;
            t = match high.is_finite() {
                true if newton <= low || newton >= high => 0.5 * (low + high),
                false if newton <= low => 2.0 * low,
                _ => newton,
            };
        }
        t
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
