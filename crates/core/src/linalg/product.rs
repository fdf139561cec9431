//! Matrix products, computed block by block.

use faer::linalg::matmul::matmul as faer_matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix2, s};

use super::LinalgError;
use super::bridge::{Readable, check_shapes, release_vector_registers, writable};

/// A product of at most this many multiplications is not cut further: about a millisecond of work.
const BLOCK_WORK: usize = 1 << 24;
/// Neither is a block with no side longer than this, which keeps the copies of the operands cheap.
const BLOCK_SIDE: usize = 128;
/// A symmetric product at least this wide is computed from rows that were copied to lie one after the other: read across
/// rows a power of two apart, which share their places in the caches, that of 20 000 x 2048 took 1.6 times as long.
const LARGE: usize = 1024;
/// Terms of each of its sums that are taken at a time, so that the copy is small.
const DEPTH: usize = 2000;
/// A result this many times as long as it is wide is computed column by column.
const SKINNY: usize = 8;

/// `A B`, for `A` of `n x k` and `B` of `k x m`.
///
/// Costs `n·k·m` multiplications, spread over the threads of the current rayon pool; the bits do not depend on their
/// number. Entries are not checked: NaN and infinities go through, as in any arithmetic.
///
/// # Errors
/// [`LinalgError::ShapeMismatch`] when `A` has not as many columns as `B` has rows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::matmul;
///
/// let a = array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(matmul(&a, &a.t())?, array![[5.0, 11.0], [11.0, 25.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn matmul<S, T>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Result<Array2<f64>, LinalgError>
where
    S: Data<Elem = f64>,
    T: Data<Elem = f64>,
{
    check_shapes(
        "matmul",
        a.dim(),
        b.dim(),
        a.ncols() == b.nrows(),
        "the left must have as many columns as the right has rows",
    )?;
    Ok(product(a.view(), b.view()))
}

fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let (a, b) = (Readable::new(a), Readable::new(b));
    let (a, b) = (a.view(), b.view());
    let shape = (a.nrows(), b.ncols());
    if shape.1 * SKINNY <= shape.0 {
        // Long columns fill vector registers; short rows leave them half empty.
        let mut transposed = Array2::zeros((shape.1, shape.0));
        blocks(writable(&mut transposed).transpose_mut(), a, b);
        return transposed.t().as_standard_layout().into_owned();
    }
    let mut out = Array2::zeros(shape);
    blocks(writable(&mut out), a, b);
    out
}

/// `X Yᵀ` into `out`, all three row-major with rows of equal length.
///
/// # Panics
/// When the lengths of the slices do not belong to `n x width`, `m x width` and `n x m`.
pub(crate) fn rows_by_rows(
    out: &mut [f64],
    x: &[f64],
    n: usize,
    y: &[f64],
    m: usize,
    width: usize,
) {
    blocks(
        MatMut::from_row_major_slice_mut(out, n, m),
        MatRef::from_row_major_slice(x, n, width),
        MatRef::from_column_major_slice(y, width, m),
    );
}

/// Cuts the longer side of the result in two until a block is small; where it cuts depends on the shapes alone.
fn blocks(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    add_blocks(out, Accum::Replace, a, b);
}

/// [`blocks`], added to what is there if `accum` says so.
fn add_blocks(out: MatMut<'_, f64>, accum: Accum, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let (rows, columns, depth) = (out.nrows(), out.ncols(), a.ncols());
    let work = rows.saturating_mul(columns).saturating_mul(depth);
    if work <= BLOCK_WORK || rows.max(columns) <= BLOCK_SIDE {
        faer_matmul(out, accum, a, b, 1.0, Par::Seq);
        release_vector_registers();
    } else if rows >= columns {
        let cut = middle(rows);
        let (top, bottom) = out.split_at_row_mut(cut);
        let (a_top, a_bottom) = a.split_at_row(cut);
        rayon::join(
            || add_blocks(top, accum, a_top, b),
            || add_blocks(bottom, accum, a_bottom, b),
        );
    } else {
        let cut = middle(columns);
        let (left, right) = out.split_at_col_mut(cut);
        let (b_left, b_right) = b.split_at_col(cut);
        rayon::join(
            || add_blocks(left, accum, a, b_left),
            || add_blocks(right, accum, a, b_right),
        );
    }
}

/// Half of `n`, rounded up to a multiple of 16, so that blocks fill whole vector registers.
fn middle(n: usize) -> usize {
    (n / 2).next_multiple_of(16).min(n)
}

/// `AᵀA`, exactly symmetric, for `A` of `n x d`: half the work of [`matmul`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::gram;
///
/// assert_eq!(gram(&array![[1.0, 2.0], [3.0, 4.0]]), array![[10.0, 14.0], [14.0, 20.0]]);
/// ```
pub fn gram<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Array2<f64> {
    scaled_gram(a.view(), 1.0)
}

fn scaled_gram(a: ArrayView2<'_, f64>, scale: f64) -> Array2<f64> {
    symmetric_product(a.t(), a, scale)
}

/// `scale · A B` where that is known to be symmetric: the lower triangle, mirrored.
pub(super) fn symmetric_product(
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
    scale: f64,
) -> Array2<f64> {
    let (n, depth) = a.dim();
    let b = Readable::new(b);
    let mut out = Array2::zeros((n, n));
    if n < LARGE || depth < DEPTH {
        let a = Readable::new(a);
        lower_blocks(writable(&mut out), Accum::Replace, a.view(), b.view());
    } else {
        for start in (0..depth).step_by(DEPTH) {
            let size = DEPTH.min(depth - start);
            let part = Readable::row_major(a.slice(s![.., start..start + size]));
            let other = b.view().subrows(start, size);
            lower_blocks(writable(&mut out), Accum::Add, part.view(), other);
        }
    }
    for i in 0..n {
        for j in 0..=i {
            let value = scale * out[(i, j)];
            out[(i, j)] = value;
            out[(j, i)] = value;
        }
    }
    out
}

/// The lower triangle of `A B` where the product is known to be symmetric.
fn lower_blocks(out: MatMut<'_, f64>, accum: Accum, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    let n = out.nrows();
    if n <= BLOCK_SIDE || n.saturating_mul(n).saturating_mul(a.ncols()) <= BLOCK_WORK {
        let dense = BlockStructure::Rectangular;
        triangular::matmul(
            out,
            BlockStructure::TriangularLower,
            accum,
            a,
            dense,
            b,
            dense,
            1.0,
            Par::Seq,
        );
        release_vector_registers();
        return;
    }
    let cut = middle(n);
    let (first, _, below, second) = out.split_at_mut(cut, cut);
    let (a_first, a_second) = a.split_at_row(cut);
    let (b_first, b_second) = b.split_at_col(cut);
    rayon::join(
        || add_blocks(below, accum, a_second, b_first),
        || {
            rayon::join(
                || lower_blocks(first, accum, a_first, b_first),
                || lower_blocks(second, accum, a_second, b_second),
            )
        },
    );
}

/// The mean of each column; `None` when there is no row.
pub fn column_means<S: Data<Elem = f64>>(x: &ArrayBase<S, Ix2>) -> Option<Array1<f64>> {
    x.mean_axis(Axis(0))
}

/// The covariance of the columns of `x`, `(X - x̄)ᵀ(X - x̄) / (n - 1)`, for `x` of `n x d`.
///
/// The columns are centred before they are multiplied, so nothing is lost when the means are large.
///
/// # Errors
/// [`LinalgError::TooFewRows`] when there are fewer than two rows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::linalg::covariance;
///
/// assert_eq!(covariance(&array![[1.0, 0.0], [3.0, 2.0]])?, array![[2.0, 2.0], [2.0, 2.0]]);
/// # Ok::<(), translearn_core::linalg::LinalgError>(())
/// ```
pub fn covariance<S: Data<Elem = f64>>(x: &ArrayBase<S, Ix2>) -> Result<Array2<f64>, LinalgError> {
    let rows = x.nrows();
    match column_means(x) {
        Some(means) if rows >= 2 => {
            let centred = x - &means;
            Ok(scaled_gram(centred.view(), 1.0 / (rows as f64 - 1.0)))
        }
        _ => Err(LinalgError::TooFewRows {
            operation: "covariance",
            rows,
            needed: 2,
        }),
    }
}
