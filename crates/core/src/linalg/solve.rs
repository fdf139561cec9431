//! General square systems.

use faer::linalg::lu::partial_pivoting::{factor, solve as lu_solve};
use faer::perm::PermRef;
use faer::{Mat, Par};
use ndarray::{Array2, ArrayBase, ArrayView2, Data, Ix2};

use super::LinalgError;
use super::bridge::{Readable, check_finite, check_shapes, check_square, to_array, with_scratch};

/// The factors of a square matrix with its rows exchanged, `P A = L U`, to solve several systems with.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::lu;
///
/// let factors = lu(&array![[0.0, 2.0], [1.0, 0.0]])?;
/// assert_eq!(factors.solve(&array![[4.0], [3.0]])?, array![[3.0], [2.0]]);
/// assert_eq!(factors.solve(&array![[2.0], [1.0]])?, array![[1.0], [1.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lu {
    /// `U`, and below its diagonal `L` without the ones on its own.
    factors: Mat<f64>,
    forward: Vec<usize>,
    backward: Vec<usize>,
}

/// The LU factors of the square matrix `A` (`n x n`) with row pivoting, `2/3 n³` operations on one thread; each system then
/// costs `2 n²` a column.
///
/// # Errors
/// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`], and [`LinalgError::RankDeficient`] when `A` is singular up to
/// rounding: a pivot is at most `n ε` times its column's largest entry.
pub fn lu<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Lu, LinalgError> {
    Lu::of("lu", a.view())
}

impl Lu {
    fn of(operation: &'static str, a: ArrayView2<'_, f64>) -> Result<Self, LinalgError> {
        let n = check_square(operation, a)?;
        check_finite(operation, a)?;
        let mut factors = Readable::new(a).view().to_owned();
        let (mut forward, mut backward) = (vec![0_usize; n], vec![0_usize; n]);
        with_scratch(
            factor::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, Default::default()),
            |stack| {
                factor::lu_in_place(
                    factors.as_mut(),
                    &mut forward,
                    &mut backward,
                    Par::Seq,
                    stack,
                    Default::default(),
                );
            },
        );
        let largest = a
            .rows()
            .into_iter()
            .fold(vec![0.0_f64; n], |mut most, row| {
                for (most, value) in most.iter_mut().zip(row) {
                    *most = most.max(value.abs());
                }
                most
            });
        for (j, largest) in largest.into_iter().enumerate() {
            let regular = factors[(j, j)].abs() > n as f64 * f64::EPSILON * largest;
            if !regular {
                return Err(LinalgError::RankDeficient {
                    operation,
                    columns: n,
                    column: j,
                });
            }
        }
        Ok(Self {
            factors,
            forward,
            backward,
        })
    }

    /// `X` with `A X = B`, for `B` of `n x m`.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`] when `B` has not `n` rows, [`LinalgError::NotFinite`].
    pub fn solve<S: Data<Elem = f64>>(
        &self,
        b: &ArrayBase<S, Ix2>,
    ) -> Result<Array2<f64>, LinalgError> {
        let (operation, n) = ("Lu::solve", self.forward.len());
        check_right(operation, n, b.view())?;
        Ok(self.solve_checked(b.view()))
    }

    fn solve_checked(&self, b: ArrayView2<'_, f64>) -> Array2<f64> {
        let n = self.forward.len();
        let mut x = Readable::new(b).view().to_owned();
        with_scratch(
            lu_solve::solve_in_place_scratch::<usize, f64>(n, b.ncols(), Par::Seq),
            |stack| {
                lu_solve::solve_in_place(
                    self.factors.as_ref(),
                    self.factors.as_ref(),
                    PermRef::new_checked(&self.forward, &self.backward, n),
                    x.as_mut(),
                    Par::Seq,
                    stack,
                );
            },
        );
        to_array(x.as_ref())
    }
}

/// Checks the right side of a system of `n` rows.
fn check_right(
    operation: &'static str,
    n: usize,
    b: ArrayView2<'_, f64>,
) -> Result<(), LinalgError> {
    let rule = "both must have the same number of rows";
    check_shapes(operation, (n, n), b.dim(), n == b.nrows(), rule)?;
    check_finite(operation, b)
}

/// `X` with `A X = B` for a square `A` (`n x n`) and `B` of `n x m`, by an LU decomposition with row pivoting.
///
/// For a symmetric positive definite `A` use [`cholesky_solve`](super::cholesky_solve), at half the cost; for several systems
/// with one `A`, [`lu`].
///
/// # Errors
/// [`LinalgError::NotSquare`], [`LinalgError::ShapeMismatch`], [`LinalgError::NotFinite`], and
/// [`LinalgError::RankDeficient`] when `A` is singular up to rounding: a pivot is at most `n ε` times its column's largest entry.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::solve;
///
/// assert_eq!(solve(&array![[0.0, 2.0], [1.0, 0.0]], &array![[4.0], [3.0]])?, array![[3.0], [2.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn solve<S, T>(a: &ArrayBase<S, Ix2>, b: &ArrayBase<T, Ix2>) -> Result<Array2<f64>, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    let operation = "solve";
    let n = check_square(operation, a.view())?;
    check_right(operation, n, b.view())?;
    Ok(Lu::of(operation, a.view())?.solve_checked(b.view()))
}
