//! One two-class problem, by dual coordinate descent.

use ndarray::{ArrayView1, ArrayViewMut1};
use translearn_core::{Features, TransferError, images_were_refused, seed};

/// `min ½‖w‖² + Σᵢ costᵢ max(0, 1 - signᵢ w·xᵢ)²`; the intercept is a column of the features.
pub(super) struct Binary<'a> {
    pub(super) features: &'a Features,
    pub(super) signs: Vec<f64>,
    /// Positive.
    pub(super) costs: Vec<f64>,
}

pub(super) struct Solution {
    pub(super) coefficients: Vec<f64>,
    /// Primal minus dual objective, over the primal.
    pub(super) relative_gap: f64,
}

/// Passes after which Newton's method takes over. On sparse rows a pass is cheap and a Newton step is not.
const MAX_PASSES_DENSE: usize = 100;
const MAX_PASSES_SPARSE: usize = 1000;

impl Binary<'_> {
    /// Maximises the dual `Σ α - ½‖w‖² - Σ α²/(4 cost)`, `w = Σ α sign x`, `α ≥ 0`, one `α` at a time, and where that
    /// takes too long minimises the primal from where it stands.
    pub(super) fn solve(&self, tolerance: f64, seed: u64) -> Result<Solution, TransferError> {
        let (w, alpha, converged) = self.descend(tolerance, seed);
        if converged {
            return Ok(self.solution(w, &alpha));
        }
        let w = self.newton(w, tolerance)?;
        let alpha: Vec<f64> = (0..alpha.len())
            .map(|row| 2.0 * self.costs[row] * self.slack(row, &w))
            .collect();
        Ok(self.solution(w, &alpha))
    }

    /// `w`, `α`, and whether the projected gradient spans at most `tolerance`.
    fn descend(&self, tolerance: f64, seed: u64) -> (Vec<f64>, Vec<f64>, bool) {
        let n = self.signs.len();
        let ridge: Vec<f64> = self.costs.iter().map(|cost| 0.5 / cost).collect();
        let curvature: Vec<f64> = (0..n)
            .map(|row| self.squared_norm(row) + ridge[row])
            .collect();
        let mut alpha = vec![0.0; n];
        let mut w = vec![0.0; self.features.n_columns()];
        let mut rng = seed::rng(seed);
        let mut active: Vec<usize> = (0..n).collect();
        // A row at 0 whose gradient exceeds the largest of the last pass is left out until the others have converged.
        let mut shrink_above = f64::INFINITY;
        let max_passes = if self.features.is_sparse() {
            MAX_PASSES_SPARSE
        } else {
            MAX_PASSES_DENSE
        };
        for _ in 0..max_passes {
            rng.shuffle(&mut active);
            let (mut most, mut least) = (0.0_f64, 0.0_f64);
            active.retain(|&row| {
                let gradient =
                    self.signs[row] * self.score(row, &w) - 1.0 + ridge[row] * alpha[row];
                if alpha[row] == 0.0 && gradient > shrink_above {
                    return false;
                }
                let projected = if alpha[row] == 0.0 {
                    gradient.min(0.0)
                } else {
                    gradient
                };
                (most, least) = (most.max(projected), least.min(projected));
                if projected != 0.0 {
                    let next = (alpha[row] - gradient / curvature[row]).max(0.0);
                    self.add(row, (next - alpha[row]) * self.signs[row], &mut w);
                    alpha[row] = next;
                }
                true
            });
            if most - least > tolerance {
                shrink_above = if most > 0.0 { most } else { f64::INFINITY };
            } else if active.len() == n {
                return (w, alpha, true);
            } else {
                active = (0..n).collect();
                shrink_above = f64::INFINITY;
            }
        }
        (w, alpha, false)
    }

    /// `max(0, 1 - sign w·x)`.
    fn slack(&self, row: usize, w: &[f64]) -> f64 {
        (1.0 - self.signs[row] * self.score(row, w)).max(0.0)
    }

    /// The solution at `w` with its certificate from the dual variables `α`.
    fn solution(&self, w: Vec<f64>, alpha: &[f64]) -> Solution {
        let (mut loss, mut gain) = (0.0, 0.0);
        let mut dual_w = vec![0.0; w.len()];
        for (row, &alpha) in alpha.iter().enumerate() {
            loss += self.costs[row] * self.slack(row, &w).powi(2);
            gain += alpha - 0.25 * alpha * alpha / self.costs[row];
            self.add(row, alpha * self.signs[row], &mut dual_w);
        }
        let half_norm = |w: &[f64]| 0.5 * w.iter().map(|w| w * w).sum::<f64>();
        let (primal, dual) = (half_norm(&w) + loss, gain - half_norm(&dual_w));
        let relative_gap = (primal - dual) / primal.max(f64::MIN_POSITIVE);
        Solution {
            coefficients: w,
            relative_gap,
        }
    }

    fn squared_norm(&self, row: usize) -> f64 {
        match self.features {
            Features::Dense(x) => x.row(row).dot(&x.row(row)),
            Features::Sparse(x) => x
                .outer_view(row)
                .iter()
                .flat_map(sprs::CsVecBase::data)
                .map(|x| x * x)
                .sum(),
            Features::Images(_) => images_were_refused(),
        }
    }

    /// `w·x`.
    pub(super) fn score(&self, row: usize, w: &[f64]) -> f64 {
        match self.features {
            Features::Dense(x) => x.row(row).dot(&ArrayView1::from(w)),
            Features::Sparse(x) => x
                .outer_view(row)
                .iter()
                .flat_map(|row| row.iter())
                .map(|(column, x)| x * w[column])
                .sum(),
            Features::Images(_) => images_were_refused(),
        }
    }

    /// `w += step x`.
    pub(super) fn add(&self, row: usize, step: f64, w: &mut [f64]) {
        match self.features {
            Features::Dense(x) => ArrayViewMut1::from(w).scaled_add(step, &x.row(row)),
            Features::Sparse(x) => {
                x.outer_view(row)
                    .iter()
                    .flat_map(|row| row.iter())
                    .for_each(|(column, x)| w[column] += step * x);
            }
            Features::Images(_) => images_were_refused(),
        }
    }
}
