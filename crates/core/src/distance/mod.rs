//! Distances between the rows of two tables, dense or sparse, and nearest neighbours.
//!
//! Inner products go through blocked matrix products (dense) or touch only the columns that two rows share (sparse); a
//! sparse table is never made dense; images have no distances and are refused ([`TransferError::NotVectors`]). Work is
//! spread over the rows on the left; the bits do not depend on the number of threads.
//!
//! `‖x - y‖² = ‖x‖² + ‖y‖² - 2 xᵀy` loses what `x` and `y` have in common to rounding. Where less than 1e-4 of the
//! norms is left, the distance is computed again from the differences: it is then exact to rounding, and exactly 0 for
//! equal rows.

mod nearest;
mod rows;
#[cfg(test)]
mod tests;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

pub use nearest::{Neighbours, nearest, nearest_others};
use rows::{Row, Rows, Table, map_products};

use crate::{Features, TransferError, check_same_features};

/// Below this share of `‖x‖² + ‖y‖²`, a squared distance is computed from the differences.
const CANCELLED: f64 = 1e-4;

fn check(x: &Features, y: &Features) -> Result<(), TransferError> {
    check_same_features("the left table", x, "the right table", y)?;
    x.check_vectors("both tables")?;
    x.check_finite("the left table")?;
    y.check_finite("the right table")
}

/// `‖x_i - y_j‖²` for each row of `x` (`n x d`) and of `y` (`m x d`): `n x m`, never negative, exactly 0 for equal rows.
///
/// Costs `n·m·d` multiplications for dense tables.
///
/// # Errors
/// [`TransferError::FeatureMismatch`] and [`TransferError::NotFinite`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::squared_distances};
///
/// let x = Features::from(array![[0.0, 0.0], [3.0, 4.0]]);
/// assert_eq!(squared_distances(&x, &x)?, array![[0.0, 25.0], [25.0, 0.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn squared_distances(x: &Features, y: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, y)?;
    let (x, y) = (Table::new(x), Table::new(y));
    let (x, y) = (x.rows(), y.rows());
    Ok(map_products(x, y, from_products(x, y)))
}

/// [`squared_distances`] of the rows of one table: exactly symmetric, at half the cost for dense tables.
///
/// # Errors
/// [`TransferError::NotFinite`].
pub fn squared_distances_within(x: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, x)?;
    let x = Table::new(x);
    let x = x.rows();
    Ok(x.map_gram(from_products(x, x)))
}

/// Turns a row of inner products into squared distances.
fn from_products<'a>(x: Rows<'a>, y: Rows<'a>) -> impl Fn(usize, &mut [f64]) + Sync + 'a {
    let (x_norms, y_norms) = (x.squared_norms(), y.squared_norms());
    move |i, row| {
        let x_norm = x_norms[i];
        // False also for NaN and infinity, where the norms overflow but the difference may not. Looked at in a pass of
        // its own: most rows have nothing to repair, and the first pass stays free of branches.
        let reliable =
            |distance: f64, norms: f64| (distance > CANCELLED * norms) & (distance <= f64::MAX);
        let mut all_reliable = true;
        for (entry, y_norm) in row.iter_mut().zip(&y_norms) {
            let norms = x_norm + y_norm;
            *entry = norms - 2.0 * *entry;
            all_reliable &= reliable(*entry, norms);
        }
        if !all_reliable {
            for (j, (entry, y_norm)) in row.iter_mut().zip(&y_norms).enumerate() {
                if !reliable(*entry, x_norm + y_norm) {
                    *entry = x.row(i).squared_distance(y.row(j));
                }
            }
        }
    }
}

/// `Σ_c |x_ic - y_jc|` for each row of `x` (`n x d`) and of `y` (`m x d`): `n x m`.
///
/// # Errors
/// [`TransferError::FeatureMismatch`] and [`TransferError::NotFinite`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::manhattan_distances};
///
/// let x = Features::from(array![[0.0, 0.0], [3.0, -4.0]]);
/// assert_eq!(manhattan_distances(&x, &x)?, array![[0.0, 7.0], [7.0, 0.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn manhattan_distances(x: &Features, y: &Features) -> Result<Array2<f64>, TransferError> {
    /// Rows on the left that share one pass over those on the right.
    const BLOCK: usize = 32;
    check(x, y)?;
    let (x, y) = (Table::new(x), Table::new(y));
    let (x, y) = (x.rows(), y.rows());
    let mut out = Array2::zeros((x.len(), y.len()));
    out.axis_chunks_iter_mut(Axis(0), BLOCK)
        .into_par_iter()
        .enumerate()
        .for_each(|(block, mut out)| {
            for j in 0..y.len() {
                for (i, entry) in out.column_mut(j).iter_mut().enumerate() {
                    *entry = manhattan(x.row(block * BLOCK + i), y.row(j));
                }
            }
        });
    Ok(out)
}

fn manhattan(a: Row<'_>, b: Row<'_>) -> f64 {
    /// Partial sums, for the vector units; always the same ones, so the order of addition is fixed.
    const LANES: usize = 8;
    let (Row::Dense(a), Row::Dense(b)) = (a, b) else {
        let mut sum = 0.0;
        a.differences(b, |difference| sum += difference);
        return sum;
    };
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| (a - b).abs()).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += (a[lane] - b[lane]).abs();
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `x_iᵀ y_j` for each row of `x` (`n x d`) and of `y` (`m x d`): `n x m`.
///
/// # Errors
/// [`TransferError::FeatureMismatch`] and [`TransferError::NotFinite`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::inner_products};
///
/// let (x, y) = (Features::from(array![[1.0, 2.0]]), Features::from(array![[3.0, 4.0], [0.0, 1.0]]));
/// assert_eq!(inner_products(&x, &y)?, array![[11.0, 2.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn inner_products(x: &Features, y: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, y)?;
    let (x, y) = (Table::new(x), Table::new(y));
    Ok(map_products(x.rows(), y.rows(), |_, _| ()))
}

/// [`inner_products`] of the rows of one table, exactly symmetric.
///
/// # Errors
/// [`TransferError::NotFinite`].
pub fn inner_products_within(x: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, x)?;
    Ok(Table::new(x).rows().map_gram(|_, _| ()))
}

/// `x_iᵀ y_j / (‖x_i‖ ‖y_j‖)`, in `[-1, 1]`, for each row of `x` and of `y`; 0 where either row is all zeros.
///
/// # Errors
/// [`TransferError::FeatureMismatch`] and [`TransferError::NotFinite`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::{Features, distance::cosine_similarities};
///
/// let (x, y) = (Features::from(array![[2.0, 0.0]]), Features::from(array![[1.0, 1.0], [0.0, 0.0]]));
/// let similarity = cosine_similarities(&x, &y)?;
/// assert!((similarity[[0, 0]] - 0.5_f64.sqrt()).abs() < 1e-15);
/// assert_eq!(similarity[[0, 1]], 0.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn cosine_similarities(x: &Features, y: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, y)?;
    let (x, y) = (Table::new(x), Table::new(y));
    let (x, y) = (x.rows(), y.rows());
    Ok(map_products(x, y, divide_by_norms(x, y)))
}

/// [`cosine_similarities`] of the rows of one table, exactly symmetric.
///
/// # Errors
/// [`TransferError::NotFinite`].
pub fn cosine_similarities_within(x: &Features) -> Result<Array2<f64>, TransferError> {
    check(x, x)?;
    let x = Table::new(x);
    let x = x.rows();
    Ok(x.map_gram(divide_by_norms(x, x)))
}

fn divide_by_norms(x: Rows<'_>, y: Rows<'_>) -> impl Fn(usize, &mut [f64]) + Sync {
    let (x_norms, y_norms) = (x.squared_norms(), y.squared_norms());
    move |i, row| {
        for (product, y_norm) in row.iter_mut().zip(&y_norms) {
            let norms = x_norms[i].sqrt() * y_norm.sqrt();
            *product = if norms > 0.0 {
                (*product / norms).clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
    }
}
