//! The scatter of rows within their classes and between them.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{
    Labels, TransferError,
    linalg::{LinalgError, gram, unit_columns},
};

use super::components::centred;

/// `S_w = Σ_i (x_i - m_c)(x_i - m_c)ᵀ` and `S_b = Σ_c n_c (m_c - m)(m_c - m)ᵀ`, with the mean `m_c` of the `n_c` rows
/// of a class and `m` that of all rows. Where labels are values, the line through the rows that least squares draws for
/// a label stands for the means of the classes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LabelScatter {
    /// `S_w` (`d x d`).
    pub(super) within: Array2<f64>,
    /// `S_b` (`d x d`).
    pub(super) between: Array2<f64>,
}

impl LabelScatter {
    /// Of rows with their labels.
    pub(super) fn new(rows: &Array2<f64>, labels: &Labels, n_classes: usize) -> Self {
        match labels {
            Labels::Classes(classes) => Self::of_classes(rows, classes, n_classes),
            Labels::Values(values) => Self::of_values(rows, values),
        }
    }

    /// Of rows with their classes, numbered below `n_classes`; a class without rows adds nothing.
    pub(super) fn of_classes(
        rows: &Array2<f64>,
        classes: &Array1<usize>,
        n_classes: usize,
    ) -> Self {
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

    /// Of rows with values; labels that are all alike explain nothing.
    fn of_values(rows: &Array2<f64>, values: &Array1<f64>) -> Self {
        let mut labels = centred(&values.view().insert_axis(Axis(1)).to_owned());
        unit_columns(&mut labels);
        let from_mean = centred(rows);
        let slopes = labels.t().dot(&from_mean);
        Self {
            within: gram(&(&from_mean - &labels.dot(&slopes))),
            between: gram(&slopes),
        }
    }

    /// `S_w + S_b`: the scatter about the mean of all rows.
    pub(super) fn total(&self) -> Array2<f64> {
        &self.within + &self.between
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
