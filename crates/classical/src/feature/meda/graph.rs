//! The graph of nearest neighbours, and what a function loses by not being smooth on it.

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use translearn_core::{Features, TransferError, distance::nearest_others};

/// The normalised Laplacian `L = I - D^{-1/2} W D^{-1/2}`, kept as the few entries of each row of `W`.
#[derive(Debug)]
pub(super) struct Laplacian {
    /// Per row, the neighbours and `W_ij / √(D_ii D_jj)`, ascending.
    neighbours: Vec<Vec<(usize, f64)>>,
}

impl Laplacian {
    /// Of rows of unit length: `W_ij` is their cosine where one is among the `k` nearest of the other, 1 for a row and
    /// itself, and else 0. A negative cosine is no similarity and counts as 0. Of `k` or fewer rows, all are
    /// neighbours.
    pub(super) fn new(rows: &Features, k: usize) -> Result<Self, TransferError> {
        let n = rows.n_rows();
        let near = nearest_others(rows, k.min(n.saturating_sub(1)))?;
        let mut weights: Vec<Vec<(usize, f64)>> = (0..n).map(|row| vec![(row, 1.0)]).collect();
        for ((row, _), &other) in near.indices.indexed_iter() {
            let slot = near.indices.row(row).iter().position(|&at| at == other);
            let squared = slot.map_or(2.0, |slot| near.squared_distances[[row, slot]]);
            // ‖x - y‖² = 2 - 2 cos.
            let cosine = (1.0 - 0.5 * squared).max(0.0);
            weights[row].push((other, cosine));
            weights[other].push((row, cosine));
        }
        for row in &mut weights {
            row.sort_unstable_by_key(|&(other, _)| other);
            row.dedup_by_key(|&mut (other, _)| other);
        }
        let degrees: Vec<f64> = weights
            .iter()
            .map(|row| row.iter().map(|&(_, weight)| weight).sum())
            .collect();
        for (row, entries) in weights.iter_mut().enumerate() {
            for (other, weight) in entries {
                *weight /= (degrees[row] * degrees[*other]).sqrt();
            }
        }
        Ok(Self {
            neighbours: weights,
        })
    }

    /// `L X`.
    pub(super) fn times(&self, x: &Array2<f64>) -> Array2<f64> {
        let mut product = x.clone();
        product
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(&self.neighbours)
            .for_each(|(mut row, neighbours)| {
                for &(other, weight) in neighbours {
                    row.scaled_add(-weight, &x.row(other));
                }
            });
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use translearn_core::seed;

    /// Entry by entry, from all cosines.
    fn naive(x: &Array2<f64>, k: usize) -> Array2<f64> {
        let n = x.nrows();
        let cosine = x.dot(&x.t());
        let is_near = |i: usize, j: usize| {
            let closer = (0..n).filter(|&l| l != i && l != j && cosine[[i, l]] > cosine[[i, j]]);
            i == j || closer.count() < k
        };
        let w = Array2::from_shape_fn((n, n), |(i, j)| {
            if is_near(i, j) || is_near(j, i) {
                cosine[[i, j]].max(0.0)
            } else {
                0.0
            }
        });
        let degree = w.sum_axis(Axis(1));
        Array2::from_shape_fn((n, n), |(i, j)| {
            f64::from(i == j) - w[[i, j]] / (degree[i] * degree[j]).sqrt()
        })
    }

    #[test]
    fn the_product_is_that_of_the_whole_matrix() {
        for (n, k) in [(23, 4), (5, 10), (1, 3)] {
            let mut rng = seed::rng(n as u64);
            let mut x = Array2::from_shape_simple_fn((n, 3), || rng.normal());
            for mut row in x.outer_iter_mut() {
                let length = row.dot(&row).sqrt();
                row /= length;
            }
            let y = Array2::from_shape_simple_fn((n, 2), || rng.normal());
            let laplacian = Laplacian::new(&x.clone().into(), k).unwrap();
            let difference = laplacian.times(&y) - naive(&x, k).dot(&y);
            assert!(
                difference.iter().all(|v| v.abs() < 1e-12),
                "{n}, {k}: {difference}"
            );
        }
    }
}
