//! The scatter of rows within their classes and between them.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{
    TransferError,
    linalg::{LinalgError, gram},
};

/// `S_w = Σ_i (x_i - m_c)(x_i - m_c)ᵀ` and `S_b = Σ_c n_c (m_c - m)(m_c - m)ᵀ`, with the mean `m_c` of the `n_c` rows
/// of a class and `m` that of all rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClassScatter {
    /// `S_w` (`d x d`).
    pub(super) within: Array2<f64>,
    /// `S_b` (`d x d`).
    pub(super) between: Array2<f64>,
}

impl ClassScatter {
    /// Of rows with their classes, numbered below `n_classes`; a class without rows adds nothing.
    pub(super) fn new(rows: &Array2<f64>, classes: &Array1<usize>, n_classes: usize) -> Self {
        let mut means = Array2::<f64>::zeros((n_classes, rows.ncols()));
        let mut counts = Array1::<f64>::zeros(n_classes);
        for (row, &class) in rows.rows().into_iter().zip(classes) {
            means.row_mut(class).scaled_add(1.0, &row);
            counts[class] += 1.0;
        }
        means /= &counts.mapv(|count| count.max(1.0)).insert_axis(Axis(1));
        let mean = rows.mean_axis(Axis(0)).unwrap_or_default();
        let from_means = rows - &means.select(Axis(0), &classes.to_vec());
        let of_means = (&means - &mean) * counts.mapv(f64::sqrt).insert_axis(Axis(1));
        Self {
            within: gram(&from_means),
            between: gram(&of_means),
        }
    }
}

/// The error of a method whose penalty is nothing beside its scatters, which makes the denominator singular.
pub(super) fn penalty_lost(method: &str, error: LinalgError) -> TransferError {
    match error {
        LinalgError::NotPositiveDefinite { .. } => TransferError::Unsupported {
            method: method.to_owned(),
            needs:
                "rows beside which its penalty is not lost in rounding, as `normalize` makes them"
                    .to_owned(),
            has: format!("larger ones ({error})"),
        },
        error => error.into(),
    }
}
