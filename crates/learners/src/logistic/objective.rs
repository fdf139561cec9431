//! Loss and gradient of logistic regression over centred and scaled columns.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use translearn_core::{Csr, Features, images_were_refused};

use crate::{
    classes::ClassRows,
    linear::{Linear, product, sparse_times},
};

/// Rows of a block: at a hundred columns it stays in the second-level cache between its two products.
const BLOCK_ROWS: usize = 512;
/// The gradients of all blocks together take at most this many numbers, unless a single one takes more.
const MAX_PARTIAL: usize = 1 << 22;

/// The objective divided by `c Σ aᵢ`, as a function of the scaled coefficients `V` (`d x k`, row by row) followed by
/// the intercepts over centred columns: `W = S V`, `b = b' - x̄·W`.
pub(super) struct Objective<'a> {
    rows: Rows<'a>,
    classes: &'a [usize],
    /// Weights that sum to 1.
    weights: Array1<f64>,
    /// Weighted column means; zeros without an intercept.
    means: Array1<f64>,
    /// One over the square root of the curvature along each column.
    scales: Array1<f64>,
    /// The same for the intercepts; `None` without.
    intercept_scale: Option<f64>,
    /// `1 / (c Σ aᵢ)`.
    penalty: f64,
    n_outputs: usize,
}

enum Rows<'a> {
    Dense(Cow<'a, Array2<f64>>),
    Sparse { rows: &'a Csr, columns: Csr },
}

impl<'a> Objective<'a> {
    pub(super) fn new(found: &'a ClassRows<'_>, c: f64, fit_intercept: bool) -> Self {
        let total = found.rows.weights.sum();
        let weights = &found.rows.weights / total;
        let rows = match &*found.rows.features {
            Features::Dense(x) if x.is_standard_layout() => Rows::Dense(Cow::Borrowed(x)),
            Features::Dense(x) => Rows::Dense(Cow::Owned(x.as_standard_layout().into_owned())),
            Features::Sparse(x) => Rows::Sparse {
                rows: x,
                columns: x.transpose_view().to_csr(),
            },
            Features::Images(_) => images_were_refused(),
        };
        let penalty = 1.0 / (c * total);
        // The curvature of the loss in a score, at score 0.
        let curvature = match found.present.n_outputs() {
            1 => 0.25,
            k => (k as f64 - 1.0) / (k * k) as f64,
        };
        let (means, squares) = moments(&rows, &weights, fit_intercept);
        let scales = squares.mapv(|square| 1.0 / (curvature * square + penalty).sqrt());
        Self {
            rows,
            classes: &found.classes,
            weights,
            means,
            scales,
            intercept_scale: fit_intercept.then(|| 1.0 / curvature.sqrt()),
            penalty,
            n_outputs: found.present.n_outputs(),
        }
    }

    /// All coefficients 0.
    pub(super) fn start(&self) -> Vec<f64> {
        let intercepts = if self.intercept_scale.is_some() {
            self.n_outputs
        } else {
            0
        };
        vec![0.0; self.means.len() * self.n_outputs + intercepts]
    }

    /// `W` as `d x k` and `b`, from a point.
    fn unscale(&self, point: &[f64]) -> (Array2<f64>, Array1<f64>) {
        let (d, k) = (self.means.len(), self.n_outputs);
        let w = Array2::from_shape_fn((d, k), |(j, class)| self.scales[j] * point[j * k + class]);
        let b = match self.intercept_scale {
            None => Array1::zeros(k),
            Some(scale) => {
                Array1::from_shape_fn(k, |class| scale * point[d * k + class]) - self.means.dot(&w)
            }
        };
        (w, b)
    }

    /// The model at a point.
    pub(super) fn linear(&self, point: &[f64]) -> Linear {
        let (w, intercepts) = self.unscale(point);
        Linear {
            coefficients: w.t().as_standard_layout().into_owned(),
            intercepts,
        }
    }

    /// The value at a point; writes the gradient.
    pub(super) fn evaluate(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let (d, k) = (self.means.len(), self.n_outputs);
        let (w, b) = self.unscale(point);
        let Sums {
            loss,
            by_coefficient,
            by_intercept,
        } = match &self.rows {
            Rows::Dense(x) => self.dense(x.view(), &w, &b),
            Rows::Sparse { rows, columns } => self.sparse(rows, columns, &w, &b),
        };
        let mut norm = 0.0;
        for j in 0..d {
            for class in 0..k {
                let w = w[[j, class]];
                norm += w * w;
                let slope = by_coefficient[[j, class]] - self.means[j] * by_intercept[class]
                    + self.penalty * w;
                gradient[j * k + class] = self.scales[j] * slope;
            }
        }
        if let Some(scale) = self.intercept_scale {
            gradient[d * k..]
                .iter_mut()
                .zip(&by_intercept)
                .for_each(|(g, sum)| *g = scale * sum);
        }
        loss + 0.5 * self.penalty * norm
    }

    fn dense(&self, x: ArrayView2<'_, f64>, w: &Array2<f64>, b: &Array1<f64>) -> Sums {
        let n = x.nrows();
        let blocks = n
            .div_ceil(BLOCK_ROWS)
            .min((MAX_PARTIAL / w.len().max(1)).max(1))
            .max(1);
        let size = n.div_ceil(blocks);
        let parts: Vec<Sums> = (0..n.div_ceil(size))
            .into_par_iter()
            .map(|block| {
                let range = block * size..((block + 1) * size).min(n);
                let x = x.slice(s![range.clone(), ..]);
                let mut scores = product(x, w.view()) + b;
                let loss = self.residuals(range.start, scores.view_mut());
                Sums {
                    loss,
                    by_coefficient: product(x.t(), scores.view()),
                    by_intercept: scores.sum_axis(Axis(0)),
                }
            })
            .collect();
        // In the order of the rows, whatever the number of threads.
        let mut sums = Sums {
            loss: 0.0,
            by_coefficient: Array2::zeros(w.dim()),
            by_intercept: Array1::zeros(w.ncols()),
        };
        for part in parts {
            sums.loss += part.loss;
            sums.by_coefficient += &part.by_coefficient;
            sums.by_intercept += &part.by_intercept;
        }
        sums
    }

    fn sparse(&self, rows: &Csr, columns: &Csr, w: &Array2<f64>, b: &Array1<f64>) -> Sums {
        let mut scores = sparse_times(rows, w) + b;
        let losses: Vec<f64> = scores
            .axis_chunks_iter_mut(Axis(0), BLOCK_ROWS)
            .into_par_iter()
            .enumerate()
            .map(|(block, scores)| self.residuals(block * BLOCK_ROWS, scores))
            .collect();
        Sums {
            loss: losses.iter().sum(),
            by_coefficient: sparse_times(columns, &scores),
            by_intercept: scores.sum_axis(Axis(0)),
        }
    }

    /// Turns scores of the rows from `first` on into the gradient of the weighted loss in them; returns the loss.
    fn residuals(&self, first: usize, mut scores: ArrayViewMut2<'_, f64>) -> f64 {
        let mut loss = 0.0;
        for (row, mut scores) in scores.outer_iter_mut().enumerate() {
            let (weight, class) = (self.weights[first + row], self.classes[first + row]);
            let scores = scores.as_slice_mut().unwrap_or_default();
            if let [score] = scores {
                let (positive, z) = (class as f64, *score);
                let small = (-z.abs()).exp();
                // log(1 + exp(-yz)), and the probability of the second class.
                loss += weight * (z.max(0.0) - positive * z + small.ln_1p());
                let probability = if z >= 0.0 {
                    1.0 / (1.0 + small)
                } else {
                    small / (1.0 + small)
                };
                *score = weight * (probability - positive);
            } else {
                let own = scores[class];
                loss += weight * (softmax(scores) - own);
                scores[class] -= 1.0;
                scores.iter_mut().for_each(|score| *score *= weight);
            }
        }
        loss
    }
}

/// Sums over rows.
struct Sums {
    loss: f64,
    by_coefficient: Array2<f64>,
    by_intercept: Array1<f64>,
}

/// Turns scores into probabilities; returns the logarithm of the sum of their exponentials.
pub(super) fn softmax(scores: &mut [f64]) -> f64 {
    let largest = scores.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    largest + sum.ln()
}

/// Weighted means of the columns (zeros unless `centre`) and weighted mean squares around them.
fn moments(rows: &Rows<'_>, weights: &Array1<f64>, centre: bool) -> (Array1<f64>, Array1<f64>) {
    match rows {
        Rows::Dense(x) => {
            let means = if centre {
                weights.dot(&**x)
            } else {
                Array1::zeros(x.ncols())
            };
            let mut squares = Array1::zeros(x.ncols());
            for (row, &weight) in x.outer_iter().zip(weights) {
                ndarray::Zip::from(&mut squares)
                    .and(row)
                    .and(&means)
                    .for_each(|sum, &x, &mean| {
                        *sum += weight * (x - mean) * (x - mean);
                    });
            }
            (means, squares)
        }
        Rows::Sparse { columns, .. } => {
            let of_column = |column: sprs::CsVecView<'_, f64>| {
                let mean: f64 = column.iter().map(|(row, &x)| weights[row] * x).sum();
                let mean = if centre { mean } else { 0.0 };
                let stored: f64 = column.iter().map(|(row, _)| weights[row]).sum();
                let around: f64 = column
                    .iter()
                    .map(|(row, &x)| weights[row] * (x - mean) * (x - mean))
                    .sum();
                (mean, around + (1.0 - stored).max(0.0) * mean * mean)
            };
            let (means, squares): (Vec<f64>, Vec<f64>) =
                columns.outer_iterator().map(of_column).unzip();
            (means.into(), squares.into())
        }
    }
}
