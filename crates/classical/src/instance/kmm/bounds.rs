//! The box and the band that the weights of kernel mean matching stay in.

use ndarray::{Array1, Zip};
use translearn_core::TransferError;

/// `0 ≤ β_i ≤ upper` and `sum.0 ≤ Σβ ≤ sum.1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Upper bound of each weight.
    pub upper: f64,
    /// Bounds of the sum of the weights.
    pub sum: (f64, f64),
}

impl Bounds {
    /// Refuses bounds that no `n` weights satisfy.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`].
    pub fn check(&self, n: usize) -> Result<(), TransferError> {
        if self.upper * (n as f64) < self.sum.0 {
            return Err(TransferError::InvalidParameter {
                name: "bound".to_owned(),
                value: self.upper.to_string(),
                range: format!(
                    "[{}, ∞), or the weights cannot reach their sum",
                    self.sum.0 / n as f64
                ),
            });
        }
        Ok(())
    }

    /// The nearest feasible point.
    pub fn project(&self, point: &Array1<f64>) -> Array1<f64> {
        let clipped = |shift: f64| point.mapv(|v| (v - shift).clamp(0.0, self.upper));
        let inside = clipped(0.0);
        let sum = inside.sum();
        let goal = sum.clamp(self.sum.0, self.sum.1.max(self.sum.0));
        if sum == goal {
            return inside;
        }
        // The sum falls as the shift grows; bisect to the last bit.
        let reach = point.fold(0.0_f64, |a, &b| a.max(b.abs())) + self.upper;
        let (mut low, mut high) = (-reach, reach);
        loop {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                return clipped(high);
            }
            if clipped(middle).sum() > goal {
                low = middle;
            } else {
                high = middle;
            }
        }
    }

    /// The feasible point with the least `slopeᵀ s`.
    pub(super) fn lowest(&self, slope: &Array1<f64>) -> Array1<f64> {
        self.fill(slope, Array1::zeros(slope.len()), |_| true, self.sum)
    }

    /// The point with the largest `slopeᵀ s` among those that touch every bound that `weights` touches.
    pub(super) fn highest_beside(&self, slope: &Array1<f64>, weights: &Array1<f64>) -> Array1<f64> {
        let full = weights.mapv(|w| if w >= self.upper { self.upper } else { 0.0 });
        let free = |i: usize| weights[i] > 0.0 && weights[i] < self.upper;
        let sum = match self.touched(weights.sum()) {
            Some(end) => (end, end),
            None => self.sum,
        };
        self.fill(&-slope, full, free, sum)
    }

    /// How far one may go from `weights` along `step` without leaving the bounds.
    pub(super) fn room(&self, weights: &Array1<f64>, step: &Array1<f64>) -> f64 {
        let mut room = f64::INFINITY;
        Zip::from(weights).and(step).for_each(|&w, &d| {
            if d < 0.0 {
                room = room.min(-w / d);
            } else if d > 0.0 {
                room = room.min((self.upper - w) / d);
            }
        });
        let (sum, growth) = (weights.sum(), step.sum());
        // A sum that only rounding moves is no obstacle.
        if growth.abs() > 1e-9 * (1.0 + self.sum.1.abs()) {
            let end = if growth > 0.0 { self.sum.1 } else { self.sum.0 };
            room = room.min((end - sum) / growth);
        }
        room.max(0.0)
    }

    /// The end of the band that the sum lies on.
    fn touched(&self, sum: f64) -> Option<f64> {
        let slack = 1e-9 * (1.0 + self.sum.1.abs());
        [self.sum.0, self.sum.1]
            .into_iter()
            .find(|end| (sum - end).abs() <= slack)
    }

    /// `start` with its free weights filled up, those of least slope first: for as long as it pays and as the sum demands.
    fn fill(
        &self,
        slope: &Array1<f64>,
        start: Array1<f64>,
        free: impl Fn(usize) -> bool,
        sum: (f64, f64),
    ) -> Array1<f64> {
        let mut order: Vec<usize> = (0..slope.len()).filter(|&i| free(i)).collect();
        order.sort_by(|&i, &j| slope[i].total_cmp(&slope[j]));
        let mut total = start.sum();
        let mut point = start;
        for i in order {
            let goal = if slope[i] < 0.0 { sum.1 } else { sum.0 };
            if total >= goal {
                break;
            }
            point[i] = self.upper.min(goal - total);
            total += point[i];
        }
        point
    }
}
