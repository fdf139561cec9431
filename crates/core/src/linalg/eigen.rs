//! Symmetric eigenproblems and the matrix functions made of them.

use faer::Mat;
use faer::Par;
use faer::diag::Diag;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2, s};

use super::LinalgError;
use super::bridge::{Readable, check_shapes, symmetric, to_array, with_scratch, within_range};
use super::cholesky::factor;
use super::columns::fix_signs;
use super::product::symmetric_product;

/// Eigenvalues and eigenvectors of a symmetric problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigh {
    /// The `n` eigenvalues, ascending.
    pub values: Array1<f64>,
    /// The eigenvectors, one per column, in the order of the values (`n x n`).
    pub vectors: Array2<f64>,
}

impl Eigh {
    /// The `k` largest eigenvalues, largest first, and their vectors.
    ///
    /// # Errors
    /// [`LinalgError::TooMany`] when `k` is above the number of eigenvalues.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_core::linalg::eigh;
    ///
    /// let (values, vectors) = eigh(&array![[1.0, 0.0], [0.0, 5.0]])?.largest(1)?;
    /// assert_eq!((values, vectors), (array![5.0], array![[0.0], [1.0]]));
    /// # Ok::<(), translearn_core::linalg::LinalgError>(())
    /// ```
    pub fn largest(&self, k: usize) -> Result<(Array1<f64>, Array2<f64>), LinalgError> {
        let first = self.check_count("Eigh::largest", k)?;
        Ok((
            self.values.slice(s![first..;-1]).to_owned(),
            self.vectors
                .slice(s![.., first..;-1])
                .as_standard_layout()
                .into_owned(),
        ))
    }

    /// The `k` smallest eigenvalues, smallest first, and their vectors.
    ///
    /// # Errors
    /// [`LinalgError::TooMany`] when `k` is above the number of eigenvalues.
    pub fn smallest(&self, k: usize) -> Result<(Array1<f64>, Array2<f64>), LinalgError> {
        self.check_count("Eigh::smallest", k)?;
        Ok((
            self.values.slice(s![..k]).to_owned(),
            self.vectors
                .slice(s![.., ..k])
                .as_standard_layout()
                .into_owned(),
        ))
    }

    fn check_count(&self, operation: &'static str, asked: usize) -> Result<usize, LinalgError> {
        let (rows, columns) = self.vectors.dim();
        columns.checked_sub(asked).ok_or(LinalgError::TooMany {
            operation,
            asked,
            available: columns,
            rows,
            columns,
        })
    }

    /// `V diag(f(λ)) Vᵀ`, exactly symmetric.
    fn apply(&self, f: impl Fn(f64) -> f64) -> Array2<f64> {
        let scaled = &self.vectors * &self.values.mapv(f).insert_axis(Axis(0));
        symmetric_product(scaled.view(), self.vectors.t(), 1.0)
    }
}

/// How many of the eigenvalues, which ascend, are no more than rounding: at most `size · ε` of the largest. For a positive
/// semi-definite matrix, with `size` the terms summed in an entry or its own size.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::{eigh, lost_in_rounding};
///
/// let eigen = eigh(&array![[1.0, 1.0], [1.0, 1.0]])?;
/// assert_eq!(lost_in_rounding(&eigen.values, 2), 1);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn lost_in_rounding(values: &Array1<f64>, size: usize) -> usize {
    let largest = values.last().copied().unwrap_or(0.0);
    let least = size as f64 * f64::EPSILON * largest;
    values.iter().filter(|&&value| value <= least).count()
}

/// All eigenvalues and eigenvectors of the symmetric matrix `A`: `A V = V diag(λ)` with `VᵀV = I`.
///
/// `A` may be asymmetric by rounding (up to 1e-8 of its largest entry): its symmetric part is decomposed. Costs about
/// `9 n³` operations on one thread; 800 columns take a tenth of a second.
///
/// # Errors
/// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`], [`LinalgError::NotSymmetric`], and
/// [`LinalgError::NoConvergence`] when an eigenvalue overflows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::eigh;
///
/// let eigen = eigh(&array![[0.0, 1.0], [1.0, 0.0]])?;
/// let h = 0.5_f64.sqrt();
/// assert!((eigen.values[1] - 1.0).abs() < 1e-15);
/// assert!((eigen.vectors[[1, 1]] - h).abs() < 1e-15);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn eigh<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Eigh, LinalgError> {
    eigh_named("eigh", a)
}

fn eigh_named<S: Data<Elem = f64>>(
    operation: &'static str,
    a: &ArrayBase<S, Ix2>,
) -> Result<Eigh, LinalgError> {
    let a = symmetric(operation, a.view())?;
    let n = a.nrows();
    if n == 0 {
        return Ok(Eigh {
            values: Array1::zeros(0),
            vectors: a,
        });
    }
    let failed = LinalgError::NoConvergence {
        operation,
        rows: n,
        columns: n,
    };
    let (scaled, scale) = within_range(a.view());
    let readable = Readable::new(scaled.view());
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    let need =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    with_scratch(need, |stack| {
        self_adjoint_evd(
            readable.view(),
            values.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            stack,
            Default::default(),
        )
    })
    .map_err(|_| failed.clone())?;
    let values = Array1::from_shape_fn(n, |i| values.column_vector()[i] / scale);
    let mut vectors = to_array(vectors.as_ref());
    if !values.iter().chain(&vectors).all(|value| value.is_finite()) {
        return Err(failed);
    }
    fix_signs(&mut vectors, None);
    Ok(Eigh { values, vectors })
}

/// All solutions of `A v = λ B v` for symmetric `A` and symmetric positive definite `B`.
///
/// With the Cholesky factor `B = L Lᵀ` the problem is `(L⁻¹ A L⁻ᵀ) w = λ w`, `v = L⁻ᵀ w`. The vectors satisfy
/// `VᵀBV = I`; for columns of unit length use [`unit_columns`](super::unit_columns). Where `B` is singular in theory (a centred kernel
/// matrix), add a ridge to its diagonal.
///
/// # Errors
/// As [`eigh`], and [`LinalgError::ShapeMismatch`] or [`LinalgError::NotPositiveDefinite`] for `B`.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::eigh_generalized;
///
/// let eigen = eigh_generalized(&array![[2.0, 0.0], [0.0, 3.0]], &array![[4.0, 0.0], [0.0, 1.0]])?;
/// assert_eq!(eigen.values, array![0.5, 3.0]);
/// assert_eq!(eigen.vectors, array![[0.5, 0.0], [0.0, 1.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn eigh_generalized<S, T>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Result<Eigh, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    let operation = "eigh_generalized";
    check_shapes(
        operation,
        a.dim(),
        b.dim(),
        a.dim() == b.dim(),
        "both must be square and of one size",
    )?;
    let a = symmetric(operation, a.view())?;
    let b = factor(operation, b.view())?;
    let half = b.solve_lower(a);
    let whitened = b.solve_lower(half.reversed_axes());
    let eigen = eigh_named(operation, &whitened)?;
    let mut vectors = b.solve_upper(eigen.vectors);
    fix_signs(&mut vectors, None);
    Ok(Eigh {
        values: eigen.values,
        vectors,
    })
}

/// The symmetric square root of a symmetric positive semi-definite matrix: `S S = A`.
///
/// Eigenvalues that are negative by rounding (down to `-n ε λ_max`) count as 0.
///
/// # Errors
/// As [`eigh`], and [`LinalgError::NotPositiveDefinite`] with the smallest eigenvalue when it is below that.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::sqrtm_spd;
///
/// assert_eq!(sqrtm_spd(&array![[4.0, 0.0], [0.0, 9.0]])?, array![[2.0, 0.0], [0.0, 3.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn sqrtm_spd<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>, LinalgError> {
    let eigen = eigh_named("sqrtm_spd", a)?;
    check_spectrum("sqrtm_spd", &eigen.values, |smallest, rounding| {
        smallest >= -rounding
    })?;
    Ok(eigen.apply(|value| value.max(0.0).sqrt()))
}

/// The inverse of the symmetric square root of a symmetric positive definite matrix: `S A S = I`.
///
/// # Errors
/// As [`eigh`], and [`LinalgError::NotPositiveDefinite`] when the smallest eigenvalue is not above `n ε λ_max`, where
/// it is lost in rounding.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::inv_sqrtm_spd;
///
/// assert_eq!(inv_sqrtm_spd(&array![[4.0, 0.0], [0.0, 16.0]])?, array![[0.5, 0.0], [0.0, 0.25]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn inv_sqrtm_spd<S: Data<Elem = f64>>(
    a: &ArrayBase<S, Ix2>,
) -> Result<Array2<f64>, LinalgError> {
    let eigen = eigh_named("inv_sqrtm_spd", a)?;
    check_spectrum("inv_sqrtm_spd", &eigen.values, |smallest, rounding| {
        smallest > rounding
    })?;
    Ok(eigen.apply(|value| 1.0 / value.sqrt()))
}

fn check_spectrum(
    operation: &'static str,
    values: &Array1<f64>,
    accept: impl Fn(f64, f64) -> bool,
) -> Result<(), LinalgError> {
    let (Some(&smallest), Some(&largest)) = (values.first(), values.last()) else {
        return Ok(());
    };
    let size = values.len();
    let rounding = size as f64 * f64::EPSILON * largest.abs().max(smallest.abs());
    if accept(smallest, rounding) {
        return Ok(());
    }
    Err(LinalgError::NotPositiveDefinite {
        operation,
        size,
        pivot: 0,
        value: smallest,
    })
}
