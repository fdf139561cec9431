//! The largest eigenpairs of a symmetric matrix without the others.

use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2, concatenate, s};

use super::LinalgError;
use super::bridge::symmetric;
use super::columns::{fix_signs, unit_columns};
use super::eigen::eigh;
use super::product::{gram, matmul};
use crate::seed;

/// Below this size, and for more than a tenth of the pairs, the full decomposition is faster.
const LEAST_SIZE: usize = 1000;
const LARGEST_SHARE: usize = 10;
/// Columns of the start beyond those asked for.
const GUARD: usize = 10;
/// Steps after which the full decomposition is faster.
const STEPS: usize = 200;
/// Largest residual `‖A v - λ v‖` relative to the largest `|λ|`.
const TOLERANCE: f64 = 1e-11;

/// Eigenvalues, and their vectors as columns.
type Pairs = (Array1<f64>, Array2<f64>);

/// The `k` largest eigenvalues of a symmetric matrix, largest first, and their vectors (`n x k`).
///
/// Large matrices of which few pairs are wanted are projected onto a basis that grows by the residuals of the pairs not yet
/// found (block Davidson, started over from its best vectors when it is full) until every residual `‖A v - λ v‖` is at most 1e-11 of the largest `|λ|`; where that does not
/// happen soon, and for all other matrices, the full decomposition answers. The start is drawn with a fixed seed: the
/// same matrix gives the same bits.
///
/// # Errors
/// As [`eigh`](super::eigh), and [`LinalgError::TooMany`] when `k` is above `n`.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::eigh_largest;
///
/// let (values, vectors) = eigh_largest(&array![[1.0, 0.0], [0.0, 5.0]], 1)?;
/// assert_eq!((values, vectors), (array![5.0], array![[0.0], [1.0]]));
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn eigh_largest<S: Data<Elem = f64>>(
    a: &ArrayBase<S, Ix2>,
    k: usize,
) -> Result<(Array1<f64>, Array2<f64>), LinalgError> {
    if is_partial(a.nrows(), k) {
        let a = symmetric("eigh_largest", a.view())?;
        if let Some(pairs) = grow_basis(a.nrows(), k, |v| matmul(&a, v))? {
            return Ok(pairs);
        }
    }
    eigh(a)?.largest(k)
}

/// As [`eigh_largest`], for a symmetric matrix that is known only by what it does to the columns of a matrix (`n x b`): one
/// that is a product, say, and would be dear to multiply out. `None` where the full decomposition would answer: for small
/// matrices, many pairs, or a spectrum too flat to tell apart soon.
///
/// # Errors
/// What `apply` returns, and [`LinalgError`] when a product is not finite.
///
/// ```
/// use translearn_core::linalg::eigh_largest_of;
///
/// // The matrix diag(1, 1/2, 1/3, …) without its zeros.
/// let pairs = eigh_largest_of(1000, 2, |v| {
///     Ok(ndarray::Array2::from_shape_fn(v.dim(), |(i, j)| v[[i, j]] / (i + 1) as f64))
/// })?;
/// let (values, _) = pairs.unwrap_or_default();
/// assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 0.5).abs() < 1e-12);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn eigh_largest_of(
    n: usize,
    k: usize,
    apply: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LinalgError>,
) -> Result<Option<Pairs>, LinalgError> {
    if is_partial(n, k) {
        grow_basis(n, k, apply)
    } else {
        Ok(None)
    }
}

fn is_partial(n: usize, k: usize) -> bool {
    n >= LEAST_SIZE && k > 0 && k * LARGEST_SHARE <= n
}

/// Block Davidson: the basis grows by the residuals of the pairs that have not settled, which spans a Krylov space without
/// asking more of the start than that it meets every eigenvector wanted, repeated ones included.
fn grow_basis(
    n: usize,
    k: usize,
    apply: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LinalgError>,
) -> Result<Option<Pairs>, LinalgError> {
    let size = Sizes::of(n, k);
    let mut rng = seed::rng(seed::derive(0, &["eigh_largest"]));
    let start = Array2::from_shape_simple_fn((n, size.start), || rng.normal());
    let mut q = independent(start)?;
    let mut aq = apply(&q)?;
    for _ in 0..STEPS {
        if q.ncols() < k {
            return Ok(None);
        }
        let projected = matmul(&q.t(), &aq)?;
        let ritz = eigh(&((&projected + &projected.t()) * 0.5))?;
        let scale = ritz
            .values
            .iter()
            .fold(0.0_f64, |most, v| most.max(v.abs()));
        let (values, s) = ritz.largest(q.ncols())?;
        let (values, leading) = (values.slice(s![..k]), s.slice(s![.., ..k]));
        let vectors = matmul(&q, &leading)?;
        let residual = matmul(&aq, &leading)? - &(&vectors * &values);
        let open: Vec<usize> = residual
            .columns()
            .into_iter()
            .enumerate()
            .filter(|(_, r)| {
                let length = r.dot(r).sqrt();
                length.is_nan() || length > TOLERANCE * scale
            })
            .map(|(column, _)| column)
            .take(size.block)
            .collect();
        if open.is_empty() {
            let mut vectors = vectors;
            fix_signs(&mut vectors, None);
            return Ok(Some((values.to_owned(), vectors)));
        }
        if q.ncols() + open.len() > size.most {
            let kept = s.slice(s![.., ..size.kept.min(s.ncols())]);
            (q, aq) = (matmul(&q, &kept)?, matmul(&aq, &kept)?);
        }
        let mut next = unit(residual.select(Axis(1), &open));
        // Twice is enough (Kahan).
        for _ in 0..2 {
            next = &next - &matmul(&q, &matmul(&q.t(), &next)?)?;
            next = independent(next)?;
        }
        if next.ncols() == 0 {
            break;
        }
        aq = beside(&aq, &apply(&next)?);
        q = beside(&q, &next);
    }
    Ok(None)
}

/// Columns of the basis at its start, added a step, kept when it has grown full, and then.
struct Sizes {
    start: usize,
    block: usize,
    kept: usize,
    most: usize,
}

impl Sizes {
    fn of(n: usize, k: usize) -> Self {
        let most = (8 * k).clamp(80, n / 2);
        Self {
            start: k + GUARD,
            block: 16,
            kept: (3 * k + GUARD).min(most / 2).max(k),
            most,
        }
    }
}

/// Columns at unit length, so that small residuals are not lost beside large ones.
fn unit(mut x: Array2<f64>) -> Array2<f64> {
    unit_columns(&mut x);
    x
}

/// An orthonormal basis of the columns, without directions that are lost in rounding.
fn independent(mut x: Array2<f64>) -> Result<Array2<f64>, LinalgError> {
    // The second pass repairs what the first loses by squaring.
    for _ in 0..2 {
        let eigen = eigh(&gram(&x))?;
        let largest = eigen.values.last().copied().unwrap_or(0.0);
        let first = eigen
            .values
            .iter()
            .filter(|&&v| v <= 1e-14 * largest || v == 0.0)
            .count();
        let kept = eigen.vectors.slice(s![.., first..]);
        let scale = eigen.values.slice(s![first..]).mapv(|v| v.sqrt().recip());
        x = matmul(&x, &(&kept * &scale))?;
        if x.ncols() == 0 {
            break;
        }
    }
    Ok(x)
}

#[expect(
    clippy::expect_used,
    reason = "both matrices have the rows of the same eigenproblem"
)]
fn beside(left: &Array2<f64>, right: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(1), &[left.view(), right.view()]).expect("equal rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::orthonormalize;

    /// A matrix with the eigenvalues given, repeated ones and all.
    fn with_spectrum(values: &Array1<f64>, seed: u64) -> Array2<f64> {
        let n = values.len();
        let mut rng = seed::rng(seed);
        let q = orthonormalize(&Array2::from_shape_simple_fn((n, n), || rng.normal())).unwrap();
        let a = matmul(&(&q * values), &q.t()).unwrap();
        (&a + &a.t()) * 0.5
    }

    fn check(spectrum: &Array1<f64>, k: usize, must_converge: bool) {
        let a = with_spectrum(spectrum, 4);
        let found = grow_basis(a.nrows(), k, |v| matmul(&a, v)).unwrap();
        assert!(
            found.is_some() || !must_converge,
            "the basis did not converge"
        );
        let (values, vectors) = eigh_largest(&a, k).unwrap();
        let mut sorted = spectrum.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let scale = sorted[0].abs();
        for (value, expected) in values.iter().zip(&sorted) {
            assert!(
                (value - expected).abs() < 1e-10 * scale,
                "{value} for {expected}"
            );
        }
        let residual = a.dot(&vectors) - &vectors * &values;
        assert!(residual.iter().all(|v| v.abs() < 1e-10 * scale));
        let orthonormal = gram(&vectors) - Array2::<f64>::eye(k);
        assert!(orthonormal.iter().all(|v| v.abs() < 1e-10));
    }

    #[test]
    fn fast_and_slow_decay_repeated_and_negative_values() {
        let n = LEAST_SIZE;
        check(
            &Array1::from_shape_fn(n, |i| 0.8_f64.powi(i as i32)),
            12,
            true,
        );
        check(
            &Array1::from_shape_fn(n, |i| 1.0 / (1.0 + i as f64)),
            12,
            true,
        );
        // Five times the largest, a rank of 40, and as much on the negative side.
        check(
            &Array1::from_shape_fn(n, |i| match i {
                0..5 => 3.0,
                5..40 => 2.0 - i as f64 / 50.0,
                40..50 => -3.5,
                _ => 0.0,
            }),
            20,
            true,
        );
    }

    #[test]
    fn a_flat_spectrum_falls_back_to_the_full_decomposition() {
        check(&Array1::linspace(1.0, 2.0, LEAST_SIZE), 10, false);
    }
}
