//! Linear scores `X Wᵀ + b`, for dense and sparse rows.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    Csr, Features, TransferError, check_prediction_rows, images_were_refused, linalg::matmul,
};

/// Coefficients and intercepts of one or more linear outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Linear {
    /// One row per output, one column per feature.
    pub(crate) coefficients: Array2<f64>,
    /// One per output.
    pub(crate) intercepts: Array1<f64>,
}

impl Linear {
    /// The outputs, `n x n_outputs`.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] or [`TransferError::NotFinite`].
    pub(crate) fn outputs(&self, features: &Features) -> Result<Array2<f64>, TransferError> {
        check_prediction_rows(features, self.coefficients.ncols())?;
        let mut outputs = match features {
            Features::Dense(x) => product(x.view(), self.coefficients.t()),
            Features::Sparse(x) => {
                sparse_times(x, &self.coefficients.t().as_standard_layout().into_owned())
            }
            Features::Images(_) => images_were_refused(),
        };
        outputs += &self.intercepts;
        Ok(outputs)
    }
}

/// `A B`, where the caller knows that the shapes fit.
#[expect(
    clippy::expect_used,
    reason = "the shapes fit, the only way a product fails"
)]
pub(crate) fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    matmul(&a, &b).expect("shapes that fit")
}

/// `X V` for a sparse `X`, row by row in parallel.
pub(crate) fn sparse_times(x: &Csr, v: &Array2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((x.rows(), v.ncols()));
    out.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(0..x.rows())
        .for_each(|(mut row, i)| {
            for (j, &value) in x.outer_view(i).iter().flat_map(|entries| entries.iter()) {
                row.scaled_add(value, &v.row(j));
            }
        });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn dense_and_sparse_rows_score_the_same() {
        let linear = Linear {
            coefficients: array![[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]],
            intercepts: array![0.25, -1.0],
        };
        let dense = Features::from(array![[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, -3.0, 0.0]]);
        let expected = array![[-0.75, 5.5], [0.25, -1.0], [-5.75, -1.0]];
        assert_eq!(linear.outputs(&dense).unwrap(), expected);
        assert_eq!(
            linear
                .outputs(&Features::Sparse(dense.to_sparse().unwrap().into_owned()))
                .unwrap(),
            expected
        );
        let error = linear.outputs(&Features::from(array![[1.0]])).unwrap_err();
        assert!(matches!(
            error,
            TransferError::FeatureMismatch {
                left_features: 3,
                right_features: 1,
                ..
            }
        ));
    }
}
