//! Plans that know more than costs: classes of the rows, or graphs of both sides.

mod conditional_gradient;
mod group_lasso;
mod laplace;
mod lp_l1;
#[cfg(test)]
mod tests;

pub use conditional_gradient::RegularizedPlan;
pub use group_lasso::GroupLasso;
pub use laplace::Laplace;
pub use lp_l1::{LpL1, LpL1Plan};

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use translearn_core::TransferError;

use crate::check::check_lengths;

/// The classes of the rows as codes from 0 without gaps.
struct Classes {
    codes: Vec<usize>,
    n_classes: usize,
}

impl Classes {
    fn new(classes: &[usize], n_rows: usize) -> Result<Self, TransferError> {
        check_lengths(
            "the cost matrix",
            n_rows,
            "the classes of the rows",
            classes.len(),
        )?;
        let mut known = classes.to_vec();
        known.sort_unstable();
        known.dedup();
        Ok(Self {
            codes: classes
                .iter()
                .map(|class| known.partition_point(|other| other < class))
                .collect(),
            n_classes: known.len(),
        })
    }

    /// `Σ_i value(i, j)` over the rows of each class, for each column: `k x m`.
    fn sums(&self, n_columns: usize, value: impl Fn(usize, usize) -> f64) -> Array2<f64> {
        let mut sums = Array2::zeros((self.n_classes, n_columns));
        for (i, &class) in self.codes.iter().enumerate() {
            for (j, sum) in sums.row_mut(class).iter_mut().enumerate() {
                *sum += value(i, j);
            }
        }
        sums
    }
}

/// `Σ_ij P_ij ln(P_ij / (a_i b_j)) − P_ij + a_i b_j`, with `0 ln 0 = 0`.
fn relative_entropy(plan: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    sum_of_rows(plan.nrows(), |i| {
        let entries = plan.row(i).into_iter().zip(b);
        entries
            .map(|(&p, b)| {
                let product = a[i] * b;
                let logarithm = if p > 0.0 { p * (p / product).ln() } else { 0.0 };
                logarithm - p + product
            })
            .sum()
    })
}

/// A sum over rows that run side by side and are added in their order.
fn sum_of_rows(n_rows: usize, of_row: impl Fn(usize) -> f64 + Sync + Send) -> f64 {
    let sums: Vec<f64> = (0..n_rows).into_par_iter().map(of_row).collect();
    sums.iter().sum()
}
