//! What transfer subspace learning makes small: a criterion of subspaces and the divergence of two samples.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::{
    Features, TransferError,
    kernel::ResolvedKernel,
    linalg::{LinalgError, eigh_generalized, matmul, orthonormalize},
};

use super::super::scatter::LabelScatter;
use super::descent::Evaluated;

/// Variance that Fisher's criterion adds within classes, as a share of the mean variance of a direction: a direction in
/// which the labelled rows do not differ is as bad as one in which classes do not.
const WITHIN: f64 = 1e-6;

/// Rounding of values of the order of 1 whose terms do not cancel.
const ROUNDING: f64 = 1e-14;

/// `F(U) = tr(Uᵀ A U) / tr(Uᵀ B U)`, from 0 for the best subspace that there could be to 1 for the worst.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Criterion {
    pub(super) numerator: Array2<f64>,
    pub(super) denominator: Array2<f64>,
    /// The absolute entries of both, for the rounding of the value.
    sizes: [Array2<f64>; 2],
}

impl Criterion {
    pub(super) fn new(numerator: Array2<f64>, denominator: Array2<f64>) -> Self {
        Self {
            sizes: [&numerator, &denominator].map(|matrix| matrix.mapv(f64::abs)),
            numerator,
            denominator,
        }
    }

    /// Fisher's: the share of the scatter that is within classes.
    pub(super) fn fisher(scatter: &LabelScatter) -> Self {
        let total = scatter.total();
        let r = total.nrows();
        let floor = Array2::from_diag_elem(r, WITHIN * total.diag().sum() / r as f64);
        Self::new(&scatter.within + &floor, total + floor)
    }

    /// That of principal components: the share of the scatter that a subspace of `k` dimensions loses.
    pub(super) fn principal(scatter: &LabelScatter, k: usize) -> Self {
        let total = scatter.total();
        let part = total.diag().sum() / k as f64;
        let denominator = Array2::from_diag_elem(total.nrows(), part);
        Self::new(&denominator - &total, denominator)
    }

    /// The value and its derivative, `2 (A U - F B U) / tr(Uᵀ B U)`. Where the matrices are large but for the subspace, their
    /// entries cancel in the traces, and the value has the rounding of the terms.
    pub(super) fn at(&self, subspace: &Array2<f64>) -> Result<Evaluated, LinalgError> {
        let above = matmul(&self.numerator, subspace)?;
        let below = matmul(&self.denominator, subspace)?;
        let trace = |product: &Array2<f64>| (subspace * product).sum();
        let value = trace(&above) / trace(&below);
        let sizes = subspace.mapv(f64::abs);
        let terms = |of_matrix: &Array2<f64>| -> Result<f64, LinalgError> {
            Ok((&sizes * &matmul(of_matrix, &sizes)?).sum())
        };
        let [of_numerator, of_denominator] = &self.sizes;
        let terms = terms(of_numerator)? + value * terms(of_denominator)?;
        Ok(Evaluated {
            value,
            rounding: ROUNDING.max(4.0 * f64::EPSILON * terms / trace(&below)),
            derivative: (above - &below * value) * (2.0 / trace(&below)),
        })
    }

    /// The span of the `k` solutions of smallest `φ` in `A v = φ B v`: the best subspace where `k` is 1 or `B` a
    /// multiple of the identity, and near it elsewhere.
    pub(super) fn leading(&self, k: usize) -> Result<Array2<f64>, LinalgError> {
        let (_, directions) = eigh_generalized(&self.numerator, &self.denominator)?.smallest(k)?;
        orthonormalize(&directions)
    }
}

/// Rows that are compared with all others at a time.
const BLOCK: usize = 1024;

/// `D(U) = Σ_ij w_i w_j exp(-γ ‖Uᵀ(x_i - x_j)‖²)`, with the weights `1/n_s` on source rows and `-1/n_t` on target rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Divergence {
    /// Source rows first.
    pub(super) rows: Array2<f64>,
    pub(super) n_source: usize,
    pub(super) gamma: f64,
}

impl Divergence {
    /// The value and its derivative. With `z = x U` and `K` the kernel matrix, the derivative by `z_i` is
    /// `-4γ w_i Σ_j w_j K_ij (z_i - z_j)`. `K` is never held as a whole.
    pub(super) fn at(&self, subspace: &Array2<f64>) -> Result<(f64, Array2<f64>), TransferError> {
        let (n, k) = (self.rows.nrows(), subspace.ncols());
        let n_target = n - self.n_source;
        let weights = Array1::from_shape_fn(n, |row| match row < self.n_source {
            true => 1.0 / self.n_source as f64,
            false => -1.0 / n_target as f64,
        });
        let kernel = ResolvedKernel::Rbf { gamma: self.gamma };
        let z = matmul(&self.rows, subspace)?;
        // `w_j` and `w_j z_j`, so that one product has both sums over `j`.
        let mut moments = Array2::zeros((n, k + 1));
        moments.column_mut(k).assign(&weights);
        moments
            .slice_mut(s![.., ..k])
            .assign(&(&z * &weights.view().insert_axis(Axis(1))));
        let all = Features::Dense(z);
        let z = &*all.dense()?;
        let mut value = 0.0;
        let mut by_rows = Array2::zeros((n, k));
        for first in (0..n).step_by(BLOCK) {
            let block = s![first..n.min(first + BLOCK), ..];
            let of_block = z.slice(block);
            let near = kernel.matrix(&of_block.to_owned().into(), &all)?;
            let sums = matmul(&near, &moments)?;
            for (offset, sum) in sums.rows().into_iter().enumerate() {
                let weight = weights[first + offset];
                value += weight * sum[k];
                let apart = &z.row(first + offset) * sum[k] - sum.slice(s![..k]);
                by_rows
                    .row_mut(first + offset)
                    .assign(&(apart * (-4.0 * self.gamma * weight)));
            }
        }
        Ok((value, matmul(&self.rows.t(), &by_rows)?))
    }
}

/// `F(U) + λ D(U)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Objective {
    pub(super) criterion: Criterion,
    pub(super) divergence: Divergence,
    pub(super) lambda: f64,
}

impl Objective {
    /// The value and its derivative by each entry of `U`.
    pub(super) fn at(&self, subspace: &Array2<f64>) -> Result<Evaluated, TransferError> {
        let mut both = self.criterion.at(subspace)?;
        if self.lambda > 0.0 {
            let (divergence, of_divergence) = self.divergence.at(subspace)?;
            both.value += self.lambda * divergence;
            both.derivative.scaled_add(self.lambda, &of_divergence);
        }
        Ok(both)
    }
}
