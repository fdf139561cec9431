//! Singular values, and what follows from them.

use faer::diag::Diag;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2, s};

use super::LinalgError;
use super::bridge::{Readable, check_finite, check_shapes, to_array, with_scratch, within_range};
use super::columns::fix_signs;
use super::product::matmul;

/// The thin singular value decomposition `A = U diag(s) Vᵀ` of an `n x d` matrix, `r = min(n, d)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Left singular vectors, one per column (`n x r`).
    pub u: Array2<f64>,
    /// Singular values, descending (`r`).
    pub values: Array1<f64>,
    /// Right singular vectors, one per column (`d x r`).
    pub v: Array2<f64>,
}

/// The thin singular value decomposition of `A` (`n x d`): `A = U diag(s) Vᵀ`, `UᵀU = VᵀV = I`.
///
/// The sign is fixed on the columns of `U`; those of `V` turn with them. Runs on one thread.
///
/// # Errors
/// [`LinalgError::NotFinite`], and [`LinalgError::NoConvergence`] when a singular value overflows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::svd_thin;
///
/// let svd = svd_thin(&array![[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]])?;
/// assert_eq!(svd.values, array![3.0, 2.0]);
/// assert_eq!((svd.u.dim(), svd.v.dim()), ((3, 2), (2, 2)));
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn svd_thin<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Svd, LinalgError> {
    svd_named("svd_thin", a)
}

fn svd_named<S: Data<Elem = f64>>(
    operation: &'static str,
    a: &ArrayBase<S, Ix2>,
) -> Result<Svd, LinalgError> {
    check_finite(operation, a.view())?;
    let (n, d) = a.dim();
    let r = n.min(d);
    let failed = LinalgError::NoConvergence {
        operation,
        rows: n,
        columns: d,
    };
    let (scaled, scale) = within_range(a.view());
    let (mut u, mut v) = (Mat::<f64>::zeros(n, r), Mat::<f64>::zeros(d, r));
    let mut values = Diag::<f64>::zeros(r);
    let thin = ComputeSvdVectors::Thin;
    let need = svd_scratch::<f64>(n, d, thin, thin, Par::Seq, Default::default());
    with_scratch(need, |stack| {
        svd(
            Readable::new(scaled.view()).view(),
            values.as_mut(),
            Some(u.as_mut()),
            Some(v.as_mut()),
            Par::Seq,
            stack,
            Default::default(),
        )
    })
    .map_err(|_| failed.clone())?;
    let values = Array1::from_shape_fn(r, |i| values.column_vector()[i] / scale);
    let (mut u, mut v) = (to_array(u.as_ref()), to_array(v.as_ref()));
    if !values
        .iter()
        .chain(&u)
        .chain(&v)
        .all(|value| value.is_finite())
    {
        return Err(failed);
    }
    fix_signs(&mut u, Some(&mut v));
    Ok(Svd { u, values, v })
}

impl Svd {
    /// The number of singular values above `max(n, d) · ε` times the largest.
    pub fn rank(&self) -> usize {
        let size = self.u.nrows().max(self.v.nrows()) as f64;
        let largest = self.values.first().copied().unwrap_or(0.0);
        self.values
            .iter()
            .take_while(|&&value| value > size * f64::EPSILON * largest)
            .count()
    }
}

/// The `X` of least Frobenius norm among those that minimise `‖A X - B‖²`, for `A` of `n x d` and `B` of `n x m`.
///
/// Singular values at or below `max(n, d) · ε` times the largest count as 0, so that dependent columns and `d > n` are no
/// error.
///
/// # Errors
/// [`LinalgError::ShapeMismatch`], and as [`svd_thin`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::lstsq;
///
/// let x = lstsq(&array![[1.0, 1.0], [1.0, 1.0]], &array![[2.0], [4.0]])?;
/// assert!((x[[0, 0]] - 1.5).abs() < 1e-14 && (x[[1, 0]] - 1.5).abs() < 1e-14);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn lstsq<S, T>(a: &ArrayBase<S, Ix2>, b: &ArrayBase<T, Ix2>) -> Result<Array2<f64>, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    let rule = "both must have the same number of rows";
    check_shapes("lstsq", a.dim(), b.dim(), a.nrows() == b.nrows(), rule)?;
    check_finite("lstsq", b.view())?;
    let svd = svd_named("lstsq", a)?;
    let rank = svd.rank();
    let coordinates = matmul(&svd.u.slice(s![.., ..rank]).t(), b)?;
    let scaled = coordinates / svd.values.slice(s![..rank]).insert_axis(Axis(1));
    matmul(&svd.v.slice(s![.., ..rank]), &scaled)
}
