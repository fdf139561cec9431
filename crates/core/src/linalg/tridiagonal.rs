//! Symmetric matrices as tridiagonal ones: half of an eigendecomposition, which is often all that is needed.

use std::iter::once;

use faer::diag::{Diag, DiagRef};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{
    ComputeEigenvectors, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd,
};
use faer::linalg::householder::{
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transpose,
};
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Conj, Mat, Par};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix2};

use super::LinalgError;
use super::bridge::{Readable, check_shapes, symmetric, to_array, with_scratch, within_range};

/// `T` of `A = Q T Qᵀ`, with orthogonal `Q` and entries on the diagonal and beside it alone, and `QᵀB` for some columns `B`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tridiagonal {
    /// The `n` entries on the diagonal.
    pub diagonal: Array1<f64>,
    /// The `n − 1` entries beside it.
    pub beside: Array1<f64>,
    /// `QᵀB` (`n x k`).
    pub turned: Array2<f64>,
}

/// The symmetric matrix `A` as a tridiagonal one, and the columns of `B` (`n x k`) in its coordinates.
///
/// The eigenvalues of `A` and forms as `bᵀ(A + s I)⁻¹ b` follow from them in O(n) each, so that many shifts `s` cost no more
/// than one. `A` may be asymmetric by rounding, as for [`eigh`](super::eigh). Costs `4/3 n³ + 2 n² k` operations on one
/// thread, a fifth of what the eigenvectors would.
///
/// # Errors
/// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`], [`LinalgError::NotSymmetric`] and
/// [`LinalgError::ShapeMismatch`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::tridiagonalize;
///
/// let a = array![[4.0, 1.0, 2.0], [1.0, 3.0, 0.0], [2.0, 0.0, 5.0]];
/// let found = tridiagonalize(&a, &array![[1.0], [2.0], [3.0]])?;
/// assert!((found.eigenvalues()?.sum() - 12.0).abs() < 1e-12);
/// // bᵀ(A + I)⁻¹ b by Cramer's rule.
/// assert!((found.inverse_form(found.turned.column(0), 1.0) - 251.0 / 98.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn tridiagonalize<S, T>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Result<Tridiagonal, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    const OPERATION: &str = "tridiagonalize";
    let a = symmetric(OPERATION, a.view())?;
    let n = a.nrows();
    check_shapes(
        OPERATION,
        a.dim(),
        b.dim(),
        n == b.nrows(),
        "the columns must have as many rows as the matrix",
    )?;
    if n < 2 {
        return Ok(Tridiagonal {
            diagonal: a.diag().to_owned(),
            beside: Array1::zeros(0),
            turned: b.to_owned(),
        });
    }
    let (scaled, scale) = within_range(a.view());
    let mut reduced = Readable::new(scaled.view()).view().to_owned();
    let mut turned = Readable::new(b.view()).view().to_owned();
    let block = recommended_block_size::<f64>(n, n);
    let mut householder = Mat::<f64>::zeros(block, n - 1);
    let need = tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default());
    with_scratch(need, |stack| {
        tridiag_in_place(
            reduced.as_mut(),
            householder.as_mut(),
            Par::Seq,
            stack,
            Default::default(),
        );
    });
    with_scratch(
        apply_scratch::<f64>(n - 1, block, turned.ncols()),
        |stack| {
            apply_transpose(
                reduced.as_ref().submatrix(1, 0, n - 1, n - 1),
                householder.as_ref(),
                Conj::No,
                turned.as_mut().subrows_mut(1, n - 1),
                Par::Seq,
                stack,
            );
        },
    );
    Ok(Tridiagonal {
        diagonal: (0..n).map(|i| reduced[(i, i)] / scale).collect(),
        beside: (1..n).map(|i| reduced[(i, i - 1)] / scale).collect(),
        turned: to_array(turned.as_ref()),
    })
}

impl Tridiagonal {
    /// The eigenvalues, ascending.
    ///
    /// # Errors
    /// [`LinalgError::NoConvergence`] when one overflows.
    pub fn eigenvalues(&self) -> Result<Array1<f64>, LinalgError> {
        let n = self.diagonal.len();
        let mut values = Diag::<f64>::zeros(n);
        let (diagonal, mut beside) = (self.diagonal.to_vec(), self.beside.to_vec());
        // faer wants the two equally long.
        beside.resize(n, 0.0);
        let need = self_adjoint_evd_scratch::<f64>(
            n,
            ComputeEigenvectors::No,
            Par::Seq,
            Default::default(),
        );
        let failed = LinalgError::NoConvergence {
            operation: "Tridiagonal::eigenvalues",
            rows: n,
            columns: n,
        };
        with_scratch(need, |stack| {
            tridiagonal_self_adjoint_evd(
                DiagRef::from_slice(&diagonal),
                DiagRef::from_slice(&beside),
                values.as_mut(),
                None,
                Par::Seq,
                stack,
                Default::default(),
            )
        })
        .map_err(|_| failed.clone())?;
        let values: Array1<f64> = (0..n).map(|i| values.column_vector()[i]).collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(failed)
        }
    }

    /// `bᵀ(A + shift · I)⁻¹ b` of a column of `turned`; O(n). NaN where the shifted matrix is not positive definite.
    pub fn inverse_form(&self, turned: ArrayView1<'_, f64>, shift: f64) -> f64 {
        let mut form = 0.0;
        let (mut pivot, mut rest) = (1.0, 0.0);
        let beside = once(&0.0).chain(&self.beside);
        for ((&diagonal, &beside), &b) in self.diagonal.iter().zip(beside).zip(&turned) {
            // One step of the factor L D Lᵀ, and of L⁻¹ b.
            let below = beside / pivot;
            pivot = diagonal + shift - below * beside;
            if pivot <= 0.0 {
                return f64::NAN;
            }
            rest = b - below * rest;
            form += rest * rest / pivot;
        }
        form
    }
}
