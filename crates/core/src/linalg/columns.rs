//! What is done to the columns of a matrix: signs, lengths, orthonormal bases.

use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{
    qr_in_place, qr_in_place_scratch, recommended_block_size,
};
use faer::{Conj, Mat, Par};
use ndarray::{Array2, ArrayBase, Axis, Data, Ix2};

use super::LinalgError;
use super::bridge::{Readable, check_finite, to_array, with_scratch, within_range};

/// Turns each column so that its entry of largest magnitude (the first on ties) is positive, and the columns of
/// `partner` with it.
pub(super) fn fix_signs(vectors: &mut Array2<f64>, mut partner: Option<&mut Array2<f64>>) {
    let n = vectors.ncols();
    let mut largest = vec![0.0_f64; n];
    // Row by row, because the array is row-major.
    for row in vectors.rows() {
        for (best, &value) in largest.iter_mut().zip(row) {
            if value.abs() > best.abs() {
                *best = value;
            }
        }
    }
    for (j, &value) in largest.iter().enumerate() {
        if value < 0.0 {
            vectors.column_mut(j).mapv_inplace(|entry| -entry);
            if let Some(partner) = partner.as_deref_mut() {
                partner.column_mut(j).mapv_inplace(|entry| -entry);
            }
        }
    }
}

/// Divides each column by its Euclidean length; a column of zeros stays as it is.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::unit_columns;
///
/// let mut v = array![[3.0, 0.0], [4.0, 0.0]];
/// unit_columns(&mut v);
/// assert_eq!(v, array![[0.6, 0.0], [0.8, 0.0]]);
/// ```
pub fn unit_columns(vectors: &mut Array2<f64>) {
    for mut column in vectors.axis_iter_mut(Axis(1)) {
        // Scaled by the largest entry, whose square could overflow or vanish.
        let largest = column
            .iter()
            .fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest > 0.0 && largest.is_finite() {
            column.mapv_inplace(|value| value / largest);
            let length = column.iter().map(|value| value * value).sum::<f64>().sqrt();
            column.mapv_inplace(|value| value / length);
        }
    }
}

/// An orthonormal basis `Q` of the columns of `X` (`n x d`, `n >= d`), the one of Gram and Schmidt: `X = Q R` with `R`
/// upper triangular and a positive diagonal. Computed by Householder reflections.
///
/// # Errors
/// [`LinalgError::NotFinite`], and [`LinalgError::RankDeficient`] when a column depends on those before it up to
/// rounding, as it must when `d > n`.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::orthonormalize;
///
/// let q = orthonormalize(&array![[2.0, 1.0], [0.0, 3.0]])?;
/// assert!((&q - &array![[1.0, 0.0], [0.0, 1.0]]).iter().all(|e| e.abs() < 1e-15));
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn orthonormalize<S: Data<Elem = f64>>(
    x: &ArrayBase<S, Ix2>,
) -> Result<Array2<f64>, LinalgError> {
    let operation = "orthonormalize";
    check_finite(operation, x.view())?;
    let (n, d) = x.dim();
    if d > n {
        return Err(LinalgError::RankDeficient {
            operation,
            columns: d,
            column: n,
        });
    }
    let (x, _) = within_range(x.view());
    let block = recommended_block_size::<f64>(n, d);
    let mut factors = Readable::new(x.view()).view().to_owned();
    let mut coefficients = Mat::<f64>::zeros(block, d);
    with_scratch(
        qr_in_place_scratch::<f64>(n, d, block, Par::Seq, Default::default()),
        |stack| {
            qr_in_place(
                factors.as_mut(),
                coefficients.as_mut(),
                Par::Seq,
                stack,
                Default::default(),
            );
        },
    );
    for j in 0..d {
        let length = x
            .column(j)
            .iter()
            .map(|value| value * value)
            .sum::<f64>()
            .sqrt();
        let left = factors[(j, j)].abs();
        let independent = left > n as f64 * f64::EPSILON * length;
        if !independent {
            return Err(LinalgError::RankDeficient {
                operation,
                columns: d,
                column: j,
            });
        }
    }
    let mut q = Mat::<f64>::identity(n, d);
    let need = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(n, block, d);
    with_scratch(need, |stack| {
        apply_block_householder_sequence_on_the_left_in_place_with_conj(
            factors.as_ref(),
            coefficients.as_ref(),
            Conj::No,
            q.as_mut(),
            Par::Seq,
            stack,
        );
    });
    let mut q = to_array(q.as_ref());
    for j in 0..d {
        if factors[(j, j)] < 0.0 {
            q.column_mut(j).mapv_inplace(|entry| -entry);
        }
    }
    Ok(q)
}
