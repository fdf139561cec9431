//! Calibration by a temperature and a bias for each class.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::{TransferError, linalg::cholesky};

/// `p(x) = softmax(a z(x) + b)`: bias-corrected temperature scaling of scores `z`, `a` the inverse temperature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calibration {
    pub(super) scale: f64,
    pub(super) bias: Array1<f64>,
}

const STEPS: usize = 200;
const TOLERANCE: f64 = 1e-10;

impl Calibration {
    /// The most likely scale and biases for rows of known class, found by Newton steps.
    ///
    /// `(a − 1)² / 2n` is added to the mean loss, so that `a` stays finite where the scores tell all classes apart;
    /// biases are free, so the mean of `p` over the rows is the share of each class. They have sum 0, as a common part
    /// says nothing.
    ///
    /// # Errors
    /// [`TransferError::NotConverged`].
    pub(super) fn fit(scores: &Array2<f64>, classes: &[usize]) -> Result<Self, TransferError> {
        let k = scores.ncols();
        let mut at = Self {
            scale: 1.0,
            bias: Array1::zeros(k),
        };
        let mut residual = f64::INFINITY;
        for _ in 0..STEPS {
            let (gradient, hessian) = at.derivatives(scores, classes);
            residual = gradient.fold(0.0_f64, |a, &b| a.max(b.abs()));
            if residual <= TOLERANCE {
                return Ok(at);
            }
            let step = cholesky(&hessian)?.solve_vector(&gradient)?;
            let loss = at.loss(scores, classes);
            let shortened = |length: f64| Self {
                scale: at.scale - length * step[0],
                bias: &at.bias - &(&step.slice(s![1..]) * length),
            };
            // At the bottom rounding is all that a full step changes.
            let mut length = 1.0;
            while length > 1e-12 && shortened(length).loss(scores, classes) > loss + 1e-15 * loss {
                length *= 0.5;
            }
            at = shortened(length);
        }
        Err(TransferError::NotConverged {
            what: "the calibration of the learner's scores".to_owned(),
            iterations: STEPS,
            residual,
            tolerance: TOLERANCE,
        })
    }

    /// One row of probabilities per row of scores.
    pub(super) fn probabilities(&self, scores: &Array2<f64>) -> Array2<f64> {
        let mut all = scores * self.scale + &self.bias;
        for mut row in all.axis_iter_mut(Axis(0)) {
            let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|v| (v - largest).exp());
            let sum = row.sum();
            row /= sum;
        }
        all
    }

    /// The mean negative logarithm of the probability of the true class, and the penalty.
    fn loss(&self, scores: &Array2<f64>, classes: &[usize]) -> f64 {
        let n = classes.len() as f64;
        let logits = scores * self.scale + &self.bias;
        let rows = logits.outer_iter().zip(classes).map(|(row, &class)| {
            let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            largest + row.mapv(|v| (v - largest).exp()).sum().ln() - row[class]
        });
        rows.sum::<f64>() / n + 0.5 * (self.scale - 1.0).powi(2) / n + 0.5 * self.bias.sum().powi(2)
    }

    /// Gradient and Hessian of the loss in `(a, b)`.
    fn derivatives(&self, scores: &Array2<f64>, classes: &[usize]) -> (Array1<f64>, Array2<f64>) {
        let (n, k) = (classes.len() as f64, scores.ncols());
        let (mut gradient, mut hessian) = (Array1::zeros(k + 1), Array2::zeros((k + 1, k + 1)));
        let probabilities = self.probabilities(scores);
        for ((p, z), &class) in probabilities
            .outer_iter()
            .zip(scores.outer_iter())
            .zip(classes)
        {
            let mean = p.dot(&z);
            gradient[0] += (mean - z[class]) / n;
            gradient[class + 1] -= 1.0 / n;
            for c in 0..k {
                gradient[c + 1] += p[c] / n;
                hessian[[0, 0]] += p[c] * (z[c] - mean).powi(2) / n;
                hessian[[0, c + 1]] += p[c] * (z[c] - mean) / n;
                hessian[[c + 1, c + 1]] += p[c] / n;
                for d in 0..k {
                    hessian[[c + 1, d + 1]] -= p[c] * p[d] / n;
                }
            }
        }
        gradient[0] += (self.scale - 1.0) / n;
        hessian[[0, 0]] += 1.0 / n;
        let sum = self.bias.sum();
        gradient.slice_mut(s![1..]).mapv_inplace(|g| g + sum);
        hessian.slice_mut(s![1.., 1..]).mapv_inplace(|h| h + 1.0);
        for c in 1..=k {
            hessian[[c, 0]] = hessian[[0, c]];
        }
        (gradient, hessian)
    }
}
