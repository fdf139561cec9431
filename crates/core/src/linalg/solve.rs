//! General square systems.

use faer::Par;
use faer::linalg::lu::partial_pivoting::{factor, solve as lu_solve};
use faer::perm::PermRef;
use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::LinalgError;
use super::bridge::{Readable, check_finite, check_shapes, check_square, to_array, with_scratch};

/// `X` with `A X = B` for a square `A` (`n x n`) and `B` of `n x m`, by an LU decomposition with row pivoting.
///
/// For a symmetric positive definite `A` use [`cholesky_solve`](super::cholesky_solve), at half the cost.
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
    check_shapes(
        operation,
        a.dim(),
        b.dim(),
        n == b.nrows(),
        "both must have the same number of rows",
    )?;
    check_finite(operation, a.view())?;
    check_finite(operation, b.view())?;
    let mut factors = Readable::new(a.view()).view().to_owned();
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
    for j in 0..n {
        let largest = a
            .column(j)
            .iter()
            .fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let regular = factors[(j, j)].abs() > n as f64 * f64::EPSILON * largest;
        if !regular {
            return Err(LinalgError::RankDeficient {
                operation,
                columns: n,
                column: j,
            });
        }
    }
    let mut x = Readable::new(b.view()).view().to_owned();
    with_scratch(
        lu_solve::solve_in_place_scratch::<usize, f64>(n, b.ncols(), Par::Seq),
        |stack| {
            lu_solve::solve_in_place(
                factors.as_ref(),
                factors.as_ref(),
                PermRef::new_checked(&forward, &backward, n),
                x.as_mut(),
                Par::Seq,
                stack,
            );
        },
    );
    Ok(to_array(x.as_ref()))
}
