//! The nearest rows, with exact ties.

use ndarray::Array2;
use rayon::prelude::*;

use super::check;
use super::rows::{Right, Rows, Table};
use crate::{Features, TransferError};

/// Query rows handled at a time.
const QUERIES: usize = 256;
/// Rows of the table handled at a time: with 256 queries, 1 MiB of products per thread, which stays in the cache.
const REFERENCES: usize = 512;
/// Products compared with the limit at a time.
const LANES: usize = 16;

/// The `k` nearest rows of a table for each query row, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Row numbers in the table searched (`n x k`).
    pub indices: Array2<usize>,
    /// Their squared Euclidean distances (`n x k`), ascending along each row.
    pub squared_distances: Array2<f64>,
}

/// For each row of `queries` (`n x d`), the `k` rows of `table` (`m x d`) at the least Euclidean distance, ties broken by
/// the lowest row number.
///
/// The result is that of summing `(x_c - y_c)²` column by column and sorting, to the last bit: matrix products only
/// narrow the table down to the rows that rounding leaves in question, and these are compared by their differences.
/// Memory is bounded by blocks of 256 x 512 distances per thread.
///
/// # Errors
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], and [`TransferError::TooFewRows`] when the table
/// has fewer than `k` rows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::nearest};
///
/// let table = Features::from(array![[1.0], [5.0], [1.0], [3.0]]);
/// let near = nearest(&Features::from(array![[2.0]]), &table, 3)?;
/// assert_eq!(near.indices, array![[0, 2, 3]]); // all at distance 1: the lowest rows first
/// assert_eq!(near.squared_distances, array![[1.0, 1.0, 1.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn nearest(
    queries: &Features,
    table: &Features,
    k: usize,
) -> Result<Neighbours, TransferError> {
    check(queries, table)?;
    check_rows(table.n_rows(), k)?;
    let (queries, table) = (Table::new(queries), Table::new(table));
    Ok(search(queries.rows(), table.rows(), k, false))
}

/// For each row of `x`, its `k` nearest among the *other* rows of `x`; as [`nearest`] otherwise.
///
/// # Errors
/// [`TransferError::NotFinite`], and [`TransferError::TooFewRows`] when `x` has fewer than `k + 1` rows.
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::nearest_others};
///
/// let near = nearest_others(&Features::from(array![[0.0], [1.0], [5.0], [0.0]]), 1)?;
/// assert_eq!(near.indices, array![[3], [0], [1], [0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn nearest_others(x: &Features, k: usize) -> Result<Neighbours, TransferError> {
    check(x, x)?;
    check_rows(x.n_rows(), k.saturating_add(1))?;
    let x = Table::new(x);
    Ok(search(x.rows(), x.rows(), k, true))
}

fn check_rows(rows: usize, needed: usize) -> Result<(), TransferError> {
    if rows >= needed {
        return Ok(());
    }
    Err(TransferError::TooFewRows {
        what: "the table searched for neighbours".to_owned(),
        rows,
        needed,
    })
}

fn search(queries: Rows<'_>, table: Rows<'_>, k: usize, skip_self: bool) -> Neighbours {
    let n = queries.len();
    let mut indices = Array2::zeros((n, k));
    let mut squared_distances = Array2::zeros((n, k));
    let (Some(all_indices), Some(all_distances)) =
        (indices.as_slice_mut(), squared_distances.as_slice_mut())
    else {
        return Neighbours {
            indices,
            squared_distances,
        };
    };
    if k > 0 {
        let searcher = Searcher::new(queries, table, k, skip_self);
        all_indices
            .par_chunks_mut(QUERIES * k)
            .zip(all_distances.par_chunks_mut(QUERIES * k))
            .enumerate()
            .for_each(|(block, (indices, distances))| {
                searcher.search_block(block * QUERIES, indices, distances);
            });
    }
    Neighbours {
        indices,
        squared_distances,
    }
}

struct Searcher<'a> {
    queries: Rows<'a>,
    query_norms: Vec<f64>,
    table: Rows<'a>,
    table_norms: Vec<f64>,
    chunks: Vec<Right<'a>>,
    /// A fast squared distance is off by at most this share of the norms.
    rounding: f64,
    k: usize,
    skip_self: bool,
}

impl<'a> Searcher<'a> {
    fn new(queries: Rows<'a>, table: Rows<'a>, k: usize, skip_self: bool) -> Self {
        let chunks = table.chunks(REFERENCES);
        // Sums of d terms are off by at most about d ε times the sum of their magnitudes, here at most twice the norms;
        // doubled once more for the rounding of the distance it is compared with.
        Self {
            queries,
            query_norms: queries.squared_norms(),
            table,
            table_norms: table.squared_norms(),
            chunks: chunks
                .into_iter()
                .map(|chunk| Right::new(queries, chunk))
                .collect(),
            rounding: 4.0 * (table.width() as f64 + 4.0) * f64::EPSILON,
            k,
            skip_self,
        }
    }

    /// Offers the rows from `offset` on, whose products with the query are given, to its list.
    fn scan(&self, query: usize, offset: usize, products: &[f64], list: &mut Shortlist) {
        let query_norm = self.query_norms[query];
        let norms = &self.table_norms[offset..offset + products.len()];
        let bounds = |product: f64, norm: f64| {
            let norms = query_norm + norm;
            let distance = norms - 2.0 * product;
            let bound = self.rounding * norms + f64::MIN_POSITIVE;
            (distance - bound, distance + bound)
        };
        for (lane, (products, norms)) in products.chunks(LANES).zip(norms.chunks(LANES)).enumerate()
        {
            let limit = list.limit();
            // Written so that NaN, which norms that overflow lead to, is not out of reach.
            let all_out = products
                .iter()
                .zip(norms)
                .fold(true, |out, (&product, &norm)| {
                    out & (bounds(product, norm).0 > limit)
                });
            if all_out {
                continue;
            }
            for (i, (&product, &norm)) in products.iter().zip(norms).enumerate() {
                let row = offset + lane * LANES + i;
                if !(self.skip_self && row == query) {
                    let (lower, upper) = bounds(product, norm);
                    list.offer(row, lower, upper);
                }
            }
        }
        list.prune();
    }

    fn search_block(&self, first: usize, indices: &mut [usize], distances: &mut [f64]) {
        let block = self.queries.slice(first..first + indices.len() / self.k);
        let mut lists = vec![Shortlist::new(self.k); block.len()];
        let mut products = vec![0.0; block.len() * REFERENCES.min(self.table.len())];
        for (c, chunk) in self.chunks.iter().enumerate() {
            let offset = c * REFERENCES;
            let width = REFERENCES.min(self.table.len() - offset);
            let products = &mut products[..block.len() * width];
            chunk.inner_products(block, products);
            for (i, (list, products)) in lists.iter_mut().zip(products.chunks(width)).enumerate() {
                self.scan(first + i, offset, products, list);
            }
        }
        let results = indices.chunks_mut(self.k).zip(distances.chunks_mut(self.k));
        for (i, (list, (indices, distances))) in lists.into_iter().zip(results).enumerate() {
            let query = block.row(i);
            let mut exact: Vec<(f64, usize)> = list
                .candidates
                .iter()
                .map(|&(_, j)| (query.squared_distance(self.table.row(j)), j))
                .collect();
            exact.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for (slot, (distance, j)) in exact.into_iter().take(self.k).enumerate() {
                (indices[slot], distances[slot]) = (j, distance);
            }
        }
    }
}

/// The rows that may be among the `k` nearest, given distances known up to a bound.
#[derive(Clone)]
struct Shortlist {
    k: usize,
    /// The `k` least upper bounds so far, ascending: no row whose lower bound is above the last of them is among the
    /// nearest.
    uppers: Vec<f64>,
    /// Lower bound and row.
    candidates: Vec<(f64, usize)>,
}

impl Shortlist {
    fn new(k: usize) -> Self {
        Self {
            k,
            uppers: Vec::with_capacity(k + 1),
            candidates: Vec::new(),
        }
    }

    fn limit(&self) -> f64 {
        if self.uppers.len() < self.k {
            return f64::INFINITY;
        }
        self.uppers.last().copied().unwrap_or(f64::INFINITY)
    }

    fn offer(&mut self, row: usize, mut lower: f64, mut upper: f64) {
        if !(lower.is_finite() && upper.is_finite()) {
            // The norms overflowed: nothing is known.
            (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
        }
        if lower <= self.limit() {
            self.candidates.push((lower, row));
            if upper < self.limit() {
                let at = self.uppers.partition_point(|&other| other <= upper);
                self.uppers.insert(at, upper);
                self.uppers.truncate(self.k);
            }
        }
    }

    fn prune(&mut self) {
        let limit = self.limit();
        self.candidates.retain(|&(lower, _)| lower <= limit);
    }
}
