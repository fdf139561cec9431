//! The graph of nearest neighbours, and what a function loses by not being smooth on it.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use translearn_core::{Features, TransferError, distance::nearest_others};

/// A Laplacian, kept as its diagonal and the few weights of each row: `L = diag(d) - W`.
#[derive(Debug)]
pub(super) struct Laplacian {
    diagonal: Array1<f64>,
    /// Per row, the neighbours and their weights, ascending.
    neighbours: Vec<Vec<(usize, f64)>>,
}

impl Laplacian {
    /// `I - D^{-1/2} W D^{-1/2}` of rows of unit length: `W_ij` is their cosine where one is among the `k` nearest of the
    /// other, 1 for a row and itself, and else 0. A negative cosine is no similarity and counts as 0.
    pub(super) fn of_cosines(rows: &Features, k: usize) -> Result<Self, TransferError> {
        // ‖x - y‖² = 2 - 2 cos.
        let mut weights = adjacency(rows, k, |squared| (1.0 - 0.5 * squared).max(0.0))?;
        let degrees = degrees(&weights);
        for (row, entries) in weights.iter_mut().enumerate() {
            for (other, weight) in entries {
                *weight /= (degrees[row] * degrees[*other]).sqrt();
            }
        }
        Ok(Self {
            diagonal: Array1::ones(rows.n_rows()),
            neighbours: weights,
        })
    }

    /// `D - W`: `W_ij` is `exp(-γ ‖x_i - x_j‖²)` where one is among the `k` nearest of the other, and else 0.
    pub(super) fn of_heat(rows: &Features, k: usize, gamma: f64) -> Result<Self, TransferError> {
        let weights = adjacency(rows, k, |squared| (-gamma * squared).exp())?;
        Ok(Self {
            diagonal: degrees(&weights),
            neighbours: weights,
        })
    }

    /// `L X`.
    pub(super) fn times(&self, x: &Array2<f64>) -> Array2<f64> {
        let mut product = x * &self.diagonal.view().insert_axis(Axis(1));
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

    /// `‖L‖_F`.
    pub(super) fn frobenius_norm(&self) -> f64 {
        let of_row = |(row, neighbours): (usize, &Vec<(usize, f64)>)| -> f64 {
            let own = |&(other, weight): &(usize, f64)| {
                let on_diagonal = if other == row {
                    self.diagonal[row]
                } else {
                    0.0
                };
                (on_diagonal - weight).powi(2)
            };
            neighbours.iter().map(own).sum()
        };
        self.neighbours
            .iter()
            .enumerate()
            .map(of_row)
            .sum::<f64>()
            .sqrt()
    }
}

/// The weights of the graph, a row and itself among them, as functions of the squared distance. Of `k` or fewer rows, all
/// are neighbours.
fn adjacency(
    rows: &Features,
    k: usize,
    weight: impl Fn(f64) -> f64,
) -> Result<Vec<Vec<(usize, f64)>>, TransferError> {
    let n = rows.n_rows();
    let near = nearest_others(rows, k.min(n.saturating_sub(1)))?;
    let mut weights: Vec<Vec<(usize, f64)>> = (0..n).map(|row| vec![(row, weight(0.0))]).collect();
    for ((row, slot), &other) in near.indices.indexed_iter() {
        let between = weight(near.squared_distances[[row, slot]]);
        weights[row].push((other, between));
        weights[other].push((row, between));
    }
    for row in &mut weights {
        row.sort_unstable_by_key(|&(other, _)| other);
        row.dedup_by_key(|&mut (other, _)| other);
    }
    Ok(weights)
}

fn degrees(weights: &[Vec<(usize, f64)>]) -> Array1<f64> {
    weights
        .iter()
        .map(|row| row.iter().map(|&(_, weight)| weight).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use translearn_core::seed;

    /// The weights entry by entry, from the distances and the values of all pairs.
    fn naive(x: &Array2<f64>, k: usize, weight: impl Fn(f64) -> f64) -> Array2<f64> {
        let n = x.nrows();
        let squared = |i: usize, j: usize| (&x.row(i) - &x.row(j)).mapv(|v| v * v).sum();
        let is_near = |i: usize, j: usize| {
            let closer = (0..n).filter(|&l| l != i && l != j && squared(i, l) < squared(i, j));
            i == j || closer.count() < k
        };
        Array2::from_shape_fn((n, n), |(i, j)| {
            if is_near(i, j) || is_near(j, i) {
                weight(squared(i, j))
            } else {
                0.0
            }
        })
    }

    #[test]
    fn the_products_are_those_of_the_whole_matrices() {
        for (n, k) in [(23, 4), (5, 10), (1, 3)] {
            let mut rng = seed::rng(n as u64);
            let mut x = Array2::from_shape_simple_fn((n, 3), || rng.normal());
            let y = Array2::from_shape_simple_fn((n, 2), || rng.normal());
            let check = |found: &Laplacian, expected: Array2<f64>| {
                let difference = found.times(&y) - expected.dot(&y);
                assert!(
                    difference.iter().all(|v| v.abs() < 1e-12),
                    "{n}, {k}: {difference}"
                );
                let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
                assert!((found.frobenius_norm() - norm).abs() < 1e-12 * (1.0 + norm));
            };
            let w = naive(&x, k, |squared| (-0.7 * squared).exp());
            let heat = Array2::from_diag(&w.sum_axis(Axis(1))) - &w;
            check(
                &Laplacian::of_heat(&x.clone().into(), k, 0.7).unwrap(),
                heat,
            );

            for mut row in x.outer_iter_mut() {
                let length = row.dot(&row).sqrt();
                row /= length;
            }
            let w = naive(&x, k, |squared| (1.0 - 0.5 * squared).max(0.0));
            let degree = w.sum_axis(Axis(1));
            let cosines = Array2::from_shape_fn((n, n), |(i, j)| {
                f64::from(i == j) - w[[i, j]] / (degree[i] * degree[j]).sqrt()
            });
            check(&Laplacian::of_cosines(&x.into(), k).unwrap(), cosines);
        }
    }
}
