//! Between `ndarray` and faer, and the checks every function makes on its arguments.

use std::borrow::Cow;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::{MatMut, MatRef};
use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use rayon::prelude::*;

use super::LinalgError;

/// A matrix that faer can read: the array's own memory when its rows or its columns lie one after the other, else a
/// copy.
pub(super) struct Readable<'a> {
    data: Cow<'a, [f64]>,
    shape: (usize, usize),
    row_major: bool,
}

impl<'a> Readable<'a> {
    pub(super) fn new(a: ArrayView2<'a, f64>) -> Self {
        let shape = a.dim();
        let (data, row_major) = if let Some(rows) = a.to_slice() {
            (Cow::Borrowed(rows), true)
        } else if let Some(columns) = a.reversed_axes().to_slice() {
            (Cow::Borrowed(columns), false)
        } else {
            (Cow::Owned(a.iter().copied().collect()), true)
        };
        Self {
            data,
            shape,
            row_major,
        }
    }

    /// The array's own memory when its rows lie one after the other, else a copy in which they do.
    pub(super) fn row_major(a: ArrayView2<'a, f64>) -> Self {
        Self {
            shape: a.dim(),
            data: match a.to_slice() {
                Some(rows) => Cow::Borrowed(rows),
                None => Cow::Owned(copied_by_rows(a)),
            },
            row_major: true,
        }
    }

    pub(super) fn view(&self) -> MatRef<'_, f64> {
        let (rows, columns) = self.shape;
        if self.row_major {
            MatRef::from_row_major_slice(&self.data, rows, columns)
        } else {
            MatRef::from_column_major_slice(&self.data, rows, columns)
        }
    }
}

/// The entries row by row. They are read in small squares, so that of each line of the cache all is used at once.
fn copied_by_rows(a: ArrayView2<'_, f64>) -> Vec<f64> {
    const SIDE: usize = 8;
    let (rows, columns) = a.dim();
    let mut copy = vec![0.0; rows * columns];
    copy.par_chunks_mut((SIDE * columns).max(1))
        .enumerate()
        .for_each(|(band, copy)| {
            for start in (0..columns).step_by(SIDE) {
                let end = columns.min(start + SIDE);
                for (row, copy) in copy.chunks_mut(columns).enumerate() {
                    let from = a.row(SIDE * band + row);
                    for (column, copy) in (start..end).zip(&mut copy[start..end]) {
                        *copy = from[column];
                    }
                }
            }
        });
    copy
}

/// The memory of an array in standard layout, for faer to write to. Arrays made here are in that layout.
pub(super) fn writable(a: &mut Array2<f64>) -> MatMut<'_, f64> {
    let (rows, columns) = a.dim();
    MatMut::from_row_major_slice_mut(standard_slice(a), rows, columns)
}

#[expect(
    clippy::expect_used,
    reason = "called only on arrays made by `Array2::zeros` or `from_shape_fn`"
)]
fn standard_slice(a: &mut Array2<f64>) -> &mut [f64] {
    a.as_slice_mut().expect("standard layout")
}

pub(super) fn to_array(a: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), a.ncols()), |(i, j)| a[(i, j)])
}

/// Runs `work` with the scratch memory it says it needs.
pub(super) fn with_scratch<R>(need: StackReq, work: impl FnOnce(&mut MemStack) -> R) -> R {
    let done = work(MemStack::new(&mut MemBuffer::new(need)));
    release_vector_registers();
    done
}

/// Marks the upper halves of the vector registers as unused after faer's kernels, whose assembly leaves that out: on some
/// processors every later scalar operation would wait for them (`exp` was seen to take eighty times as long).
pub(super) fn release_vector_registers() {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        simd.avx._mm256_zeroupper();
    }
}

pub(super) fn check_finite(
    operation: &'static str,
    a: ArrayView2<'_, f64>,
) -> Result<(), LinalgError> {
    // All entries first, without looking where: that is several times faster.
    if a.iter()
        .fold(true, |finite, value| finite & value.is_finite())
    {
        return Ok(());
    }
    match a.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(LinalgError::NotFinite {
            operation,
            row,
            column,
            value: value.to_string(),
        }),
    }
}

pub(super) fn check_square(
    operation: &'static str,
    a: ArrayView2<'_, f64>,
) -> Result<usize, LinalgError> {
    match a.dim() {
        (rows, columns) if rows == columns => Ok(rows),
        (rows, columns) => Err(LinalgError::NotSquare {
            operation,
            rows,
            columns,
        }),
    }
}

/// `Ok` when `fits`, else the error that names both shapes.
pub(super) fn check_shapes(
    operation: &'static str,
    left: (usize, usize),
    right: (usize, usize),
    fits: bool,
    rule: &'static str,
) -> Result<(), LinalgError> {
    if fits {
        return Ok(());
    }
    Err(LinalgError::ShapeMismatch {
        operation,
        left_rows: left.0,
        left_columns: left.1,
        right_rows: right.0,
        right_columns: right.1,
        rule,
    })
}

/// `a` times a power of two, and that power: 1, but for entries so near the ends of the range of `f64` that their
/// squares overflow or vanish.
pub(super) fn within_range(a: ArrayView2<'_, f64>) -> (CowArray<'_, f64, Ix2>, f64) {
    let largest = a
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let limit = 2.0_f64.powi(300);
    let scale = if largest > limit {
        2.0_f64.powi(-600)
    } else if largest > 0.0 && largest < limit.recip() {
        2.0_f64.powi(600)
    } else {
        return (a.into(), 1.0);
    };
    ((&a * scale).into(), scale)
}

/// Largest `|a_ij - a_ji|` that passes as rounding, relative to the largest entry.
const SYMMETRY_TOLERANCE: f64 = 1e-8;

/// Checks that `a` is square, finite and symmetric up to rounding, and returns `(A + Aᵀ) / 2`.
pub(super) fn symmetric(
    operation: &'static str,
    a: ArrayView2<'_, f64>,
) -> Result<Array2<f64>, LinalgError> {
    let n = check_square(operation, a)?;
    check_finite(operation, a)?;
    let largest = a
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let (mut row, mut column, mut difference) = (0, 0, 0.0);
    let mut symmetric = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let (lower, upper) = (a[(i, j)], a[(j, i)]);
            if (lower - upper).abs() > difference {
                (row, column, difference) = (i, j, (lower - upper).abs());
            }
            // Halved first: the sum of two large entries could overflow.
            let mean = 0.5 * lower + 0.5 * upper;
            symmetric[(i, j)] = mean;
            symmetric[(j, i)] = mean;
        }
    }
    if difference > SYMMETRY_TOLERANCE * largest {
        return Err(LinalgError::NotSymmetric {
            operation,
            row,
            column,
            difference,
        });
    }
    Ok(symmetric)
}
