//! Cholesky factors and the systems they solve.

use faer::Par;
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix1, Ix2, s};

use super::LinalgError;
use super::bridge::{Readable, check_finite, check_shapes, symmetric, with_scratch, writable};

/// The factor `L` of a symmetric positive definite matrix `A = L Lᵀ`, to solve several systems with.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::cholesky;
///
/// let factor = cholesky(&array![[4.0, 2.0], [2.0, 5.0]])?;
/// assert_eq!(factor.lower(), &array![[2.0, 0.0], [1.0, 2.0]]);
/// assert!((factor.log_determinant() - 16.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    lower: Array2<f64>,
}

/// The Cholesky factor of the symmetric positive definite matrix `A`, `n³/3` operations.
///
/// # Errors
/// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`], [`LinalgError::NotSymmetric`], and
/// [`LinalgError::NotPositiveDefinite`] with the first pivot that is not above 0.
pub fn cholesky<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Cholesky, LinalgError> {
    factor("cholesky", a.view())
}

pub(super) fn factor(
    operation: &'static str,
    a: ArrayView2<'_, f64>,
) -> Result<Cholesky, LinalgError> {
    let a = symmetric(operation, a)?;
    match factor_in_place(a.clone()) {
        Ok(lower) => Ok(Cholesky { lower }),
        Err(pivot) => Err(LinalgError::NotPositiveDefinite {
            operation,
            size: a.nrows(),
            pivot,
            value: pivot_value(a, pivot),
        }),
    }
}

/// The factor, or the index of the first pivot that is not positive.
fn factor_in_place(mut a: Array2<f64>) -> Result<Array2<f64>, usize> {
    let n = a.nrows();
    let need = cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
    with_scratch(need, |stack| {
        cholesky_in_place(
            writable(&mut a),
            Default::default(),
            Par::Seq,
            stack,
            Default::default(),
        )
    })
    .map_err(|LltError::NonPositivePivot { index }| index)?;
    for i in 0..n {
        a.slice_mut(s![i, i + 1..]).fill(0.0);
    }
    match a
        .diag()
        .iter()
        .position(|pivot| !(pivot.is_finite() && *pivot > 0.0))
    {
        None => Ok(a),
        Some(index) => Err(index),
    }
}

/// `a_pp - l_pᵀ l_p` for the pivot at which the factorisation stopped, for the error message.
fn pivot_value(a: Array2<f64>, pivot: usize) -> f64 {
    let diagonal = a[(pivot, pivot)];
    match factor_in_place(a.slice(s![..pivot, ..pivot]).to_owned()) {
        Err(_) => diagonal,
        Ok(lower) => {
            let column = a.slice(s![..pivot, pivot..=pivot]).to_owned();
            let above = Cholesky { lower }.solve_lower(column);
            diagonal - above.iter().map(|value| value * value).sum::<f64>()
        }
    }
}

impl Cholesky {
    /// The factor `L`, lower triangular with a positive diagonal.
    pub fn lower(&self) -> &Array2<f64> {
        &self.lower
    }

    /// `X` with `A X = B`, for `B` of `n x m`.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`] when `B` has not `n` rows, [`LinalgError::NotFinite`].
    pub fn solve<S: Data<Elem = f64>>(
        &self,
        b: &ArrayBase<S, Ix2>,
    ) -> Result<Array2<f64>, LinalgError> {
        let operation = "Cholesky::solve";
        check_shapes(
            operation,
            self.lower.dim(),
            b.dim(),
            self.lower.nrows() == b.nrows(),
            "both must have the same number of rows",
        )?;
        check_finite(operation, b.view())?;
        Ok(self.solve_upper(self.solve_lower(b.to_owned())))
    }

    /// `x` with `A x = b`.
    ///
    /// # Errors
    /// As [`Cholesky::solve`].
    pub fn solve_vector<S: Data<Elem = f64>>(
        &self,
        b: &ArrayBase<S, Ix1>,
    ) -> Result<Array1<f64>, LinalgError> {
        Ok(self
            .solve(&b.view().insert_axis(Axis(1)))?
            .remove_axis(Axis(1)))
    }

    /// `ln det A`.
    pub fn log_determinant(&self) -> f64 {
        2.0 * self
            .lower
            .diag()
            .iter()
            .map(|pivot| pivot.ln())
            .sum::<f64>()
    }

    /// `L⁻¹ B`; the rows must fit.
    pub(super) fn solve_lower(&self, b: Array2<f64>) -> Array2<f64> {
        let mut b = standard(b);
        solve_lower_triangular_in_place(
            Readable::new(self.lower.view()).view(),
            writable(&mut b),
            Par::Seq,
        );
        b
    }

    /// `L⁻ᵀ B`; the rows must fit.
    pub(super) fn solve_upper(&self, b: Array2<f64>) -> Array2<f64> {
        let mut b = standard(b);
        solve_upper_triangular_in_place(
            Readable::new(self.lower.t()).view(),
            writable(&mut b),
            Par::Seq,
        );
        b
    }
}

fn standard(a: Array2<f64>) -> Array2<f64> {
    if a.is_standard_layout() {
        a
    } else {
        a.as_standard_layout().into_owned()
    }
}

/// `X` with `A X = B` for a symmetric positive definite `A` (`n x n`) and `B` of `n x m`.
///
/// # Errors
/// As [`cholesky`] and [`Cholesky::solve`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::cholesky_solve;
///
/// assert_eq!(cholesky_solve(&array![[4.0, 2.0], [2.0, 5.0]], &array![[8.0], [12.0]])?, array![[1.0], [2.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn cholesky_solve<S, T>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Result<Array2<f64>, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    factor("cholesky_solve", a.view())?.solve(b)
}
