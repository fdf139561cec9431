//! Rows of dense and sparse tables under one roof, and their inner products.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::linalg::{gram, rows_by_rows};
use crate::{Csr, Features, images_were_refused};

/// Features whose rows can be lent as slices: dense ones in row-major layout, sparse ones in compressed row storage.
pub(crate) struct Table<'a>(Cow<'a, Features>);

impl<'a> Table<'a> {
    pub(crate) fn new(features: &'a Features) -> Self {
        Self(match features {
            Features::Dense(x) if !x.is_standard_layout() => {
                Cow::Owned(Features::Dense(x.as_standard_layout().into_owned()))
            }
            Features::Sparse(x) if !x.is_csr() => Cow::Owned(Features::Sparse(x.to_csr())),
            _ => Cow::Borrowed(features),
        })
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        match self.0.as_ref() {
            Features::Dense(x) => Rows::Dense {
                data: contiguous(x),
                rows: x.nrows(),
                width: x.ncols(),
            },
            Features::Sparse(x) => Rows::Sparse {
                matrix: x,
                first: 0,
                rows: x.rows(),
            },
            Features::Images(_) => images_were_refused(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "`Table` holds dense features in standard layout only"
)]
fn contiguous(x: &Array2<f64>) -> &[f64] {
    x.as_slice().expect("standard layout")
}

/// Some rows that follow one another.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    Dense {
        data: &'a [f64],
        rows: usize,
        width: usize,
    },
    Sparse {
        matrix: &'a Csr,
        first: usize,
        rows: usize,
    },
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Dense(&'a [f64]),
    Sparse(&'a [usize], &'a [f64]),
}

impl<'a> Rows<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Dense { rows, .. } | Self::Sparse { rows, .. } => rows,
        }
    }

    pub(crate) fn width(self) -> usize {
        match self {
            Self::Dense { width, .. } => width,
            Self::Sparse { matrix, .. } => matrix.cols(),
        }
    }

    pub(crate) fn row(self, i: usize) -> Row<'a> {
        match self {
            Self::Dense { data, width, .. } => Row::Dense(&data[i * width..(i + 1) * width]),
            Self::Sparse { matrix, first, .. } => {
                let at = matrix.indptr().outer_inds_sz(first + i);
                Row::Sparse(&matrix.indices()[at.clone()], &matrix.data()[at])
            }
        }
    }

    pub(crate) fn slice(self, range: Range<usize>) -> Self {
        let rows = range.len();
        match self {
            Self::Dense { data, width, .. } => Self::Dense {
                data: &data[range.start * width..range.end * width],
                rows,
                width,
            },
            Self::Sparse { matrix, first, .. } => Self::Sparse {
                matrix,
                first: first + range.start,
                rows,
            },
        }
    }

    /// Consecutive pieces of at most `size` rows.
    pub(crate) fn chunks(self, size: usize) -> Vec<Self> {
        let starts = (0..self.len()).step_by(size);
        starts
            .map(|start| self.slice(start..self.len().min(start + size)))
            .collect()
    }

    /// `‖x_i‖²` of each row.
    pub(crate) fn squared_norms(self) -> Vec<f64> {
        let square = |i| match self.row(i) {
            Row::Dense(values) | Row::Sparse(_, values) => values.iter().map(|v| v * v).sum(),
        };
        (0..self.len()).into_par_iter().map(square).collect()
    }

    /// `f(x_iᵀ x_j)`, exactly symmetric if `f` is; see [`map_products`].
    pub(crate) fn map_gram(self, f: impl Fn(usize, &mut [f64]) + Sync) -> Array2<f64> {
        let Self::Dense { data, rows, width } = self else {
            return map_products(self, self, f);
        };
        let mut out = gram(&view(data, rows, width).t());
        for_each_row(&mut out, f);
        out
    }
}

#[expect(
    clippy::expect_used,
    reason = "`Rows` keeps the length of its data at rows times width"
)]
fn view(data: &[f64], rows: usize, width: usize) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((rows, width), data).expect("rows times width")
}

impl Row<'_> {
    /// Calls `f` with `|a_c - b_c|` for each column `c`, in order, where not both are sparse zeros.
    pub(crate) fn differences(self, other: Row<'_>, mut f: impl FnMut(f64)) {
        match (self, other) {
            (Row::Dense(a), Row::Dense(b)) => a.iter().zip(b).for_each(|(a, b)| f((a - b).abs())),
            (Row::Dense(dense), Row::Sparse(columns, values))
            | (Row::Sparse(columns, values), Row::Dense(dense)) => {
                let mut stored = columns.iter().zip(values).peekable();
                for (column, a) in dense.iter().enumerate() {
                    let b = stored
                        .next_if(|&(&c, _)| c == column)
                        .map_or(0.0, |(_, &b)| b);
                    f((a - b).abs());
                }
            }
            (Row::Sparse(a_columns, a), Row::Sparse(b_columns, b)) => {
                let (mut i, mut j) = (0, 0);
                while i < a.len() || j < b.len() {
                    let a_column = a_columns.get(i).copied().unwrap_or(usize::MAX);
                    let b_column = b_columns.get(j).copied().unwrap_or(usize::MAX);
                    let first = a_column.min(b_column);
                    let mut difference = 0.0;
                    if a_column == first {
                        difference = a[i];
                        i += 1;
                    }
                    if b_column == first {
                        difference -= b[j];
                        j += 1;
                    }
                    f(difference.abs());
                }
            }
        }
    }

    /// `‖a - b‖²` by direct differences, summed column by column.
    pub(crate) fn squared_distance(self, other: Row<'_>) -> f64 {
        let mut sum = 0.0;
        self.differences(other, |difference| sum += difference * difference);
        sum
    }
}

/// The rows on the right of many inner products, in the storage that suits those on the left.
pub(crate) enum Right<'a> {
    /// As they are.
    ByRow(Rows<'a>),
    /// Sparse on both sides: column by column, so that only shared columns cost anything.
    ByColumn {
        /// Where each column begins in `entries`.
        starts: Vec<usize>,
        /// Row and value, column by column.
        entries: Vec<(usize, f64)>,
    },
}

impl<'a> Right<'a> {
    pub(crate) fn new(left: Rows<'_>, right: Rows<'a>) -> Self {
        match (left, right) {
            (Rows::Sparse { .. }, Rows::Sparse { .. }) => {
                let width = right.width();
                let mut starts = vec![0; width + 1];
                let rows: Vec<(&[usize], &[f64])> = (0..right.len())
                    .filter_map(|i| match right.row(i) {
                        Row::Sparse(columns, values) => Some((columns, values)),
                        Row::Dense(_) => None,
                    })
                    .collect();
                for &column in rows.iter().flat_map(|(columns, _)| *columns) {
                    starts[column + 1] += 1;
                }
                for column in 0..width {
                    starts[column + 1] += starts[column];
                }
                let mut next = starts.clone();
                let mut entries = vec![(0, 0.0); starts[width]];
                for (row, (columns, values)) in rows.iter().enumerate() {
                    for (&column, &value) in columns.iter().zip(*values) {
                        entries[next[column]] = (row, value);
                        next[column] += 1;
                    }
                }
                Self::ByColumn { starts, entries }
            }
            _ => Self::ByRow(right),
        }
    }

    /// `X Yᵀ` into `out`, row by row, for rows `X` of the storage this was made for.
    pub(crate) fn inner_products(&self, left: Rows<'_>, out: &mut [f64]) {
        let (n, m) = (left.len(), out.len() / left.len().max(1));
        match (left, self) {
            (Rows::Dense { data: x, width, .. }, Self::ByRow(Rows::Dense { data: y, .. })) => {
                rows_by_rows(out, x, n, y, m, width);
            }
            (_, Self::ByRow(right)) => {
                for (at, product) in out.iter_mut().enumerate() {
                    *product = dot(left.row(at / m), right.row(at % m));
                }
            }
            (_, Self::ByColumn { starts, entries }) => {
                out.fill(0.0);
                for (i, products) in out.chunks_mut(m.max(1)).enumerate() {
                    // `Right::new` stores by column only for sparse rows on the left.
                    let Row::Sparse(columns, values) = left.row(i) else {
                        continue;
                    };
                    for (&column, &value) in columns.iter().zip(values) {
                        for &(j, other) in &entries[starts[column]..starts[column + 1]] {
                            products[j] += value * other;
                        }
                    }
                }
            }
        }
    }
}

/// `X Yᵀ`, each row handed to `f` with its number while it is in the cache. Blocks of rows run in parallel.
pub(crate) fn map_products(
    x: Rows<'_>,
    y: Rows<'_>,
    f: impl Fn(usize, &mut [f64]) + Sync,
) -> Array2<f64> {
    /// Rows computed together.
    const BLOCK: usize = 128;
    let m = y.len();
    let mut out = Array2::zeros((x.len(), m));
    let right = Right::new(x, y);
    if let (Some(entries), true) = (out.as_slice_mut(), m > 0) {
        entries
            .par_chunks_mut(BLOCK * m)
            .enumerate()
            .for_each(|(block, entries)| {
                let first = block * BLOCK;
                right.inner_products(x.slice(first..first + entries.len() / m), entries);
                for (i, row) in entries.chunks_mut(m).enumerate() {
                    f(first + i, row);
                }
            });
    }
    out
}

fn dot(a: Row<'_>, b: Row<'_>) -> f64 {
    match (a, b) {
        (Row::Dense(a), Row::Dense(b)) => a.iter().zip(b).map(|(a, b)| a * b).sum(),
        (Row::Dense(a), Row::Sparse(columns, b)) | (Row::Sparse(columns, b), Row::Dense(a)) => {
            columns
                .iter()
                .zip(b)
                .map(|(&column, b)| a[column] * b)
                .sum()
        }
        (Row::Sparse(a_columns, a), Row::Sparse(b_columns, b)) => {
            let (mut j, mut sum) = (0, 0.0);
            for (column, a) in a_columns.iter().zip(a) {
                j += b_columns[j..].partition_point(|other| other < column);
                if b_columns.get(j) == Some(column) {
                    sum += a * b[j];
                }
            }
            sum
        }
    }
}

/// Calls `f` with the index and the entries of each row, rows in parallel.
pub(crate) fn for_each_row(out: &mut Array2<f64>, f: impl Fn(usize, &mut [f64]) + Sync) {
    let width = out.ncols();
    if let (Some(entries), true) = (out.as_slice_mut(), width > 0) {
        entries
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(i, row)| f(i, row));
    }
}
