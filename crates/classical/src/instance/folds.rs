//! An order of rows that depends on their values alone, so that neither folds nor draws change when rows change places.

use std::cmp::Ordering;

use ndarray::ArrayView1;
use translearn_core::{Csr, Features};

/// The rows, sorted by their first value, then by their second, …: the same rows in the same order, however they came.
///
/// Images keep their order: whoever needs vectors refuses them.
pub(super) fn by_content(features: &Features) -> Vec<usize> {
    let mut order: Vec<usize> = (0..features.n_rows()).collect();
    match features {
        Features::Dense(x) => order.sort_by(|&i, &j| dense(x.row(i), x.row(j))),
        Features::Sparse(x) => {
            let rows: Vec<Vec<(usize, f64)>> = order.iter().map(|&row| entries(x, row)).collect();
            order.sort_by(|&i, &j| sparse(&rows[i], &rows[j]));
        }
        Features::Images(_) => {}
    }
    order
}

/// The fold of each row, one of `n_folds`: the rows of a group, in the order of their values, take turns. So every fold
/// gets its share of every group and of every region of the data.
pub(super) fn folds(
    features: &Features,
    group: impl Fn(usize) -> usize,
    n_folds: usize,
) -> Vec<usize> {
    let mut fold_of = vec![0; features.n_rows()];
    let mut next: Vec<usize> = Vec::new();
    for row in by_content(features) {
        let group = group(row);
        if next.len() <= group {
            next.resize(group + 1, 0);
        }
        fold_of[row] = next[group];
        next[group] = (next[group] + 1) % n_folds;
    }
    fold_of
}

fn compare(a: f64, b: f64) -> Ordering {
    // Features are finite.
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn dense(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> Ordering {
    let mut orders = a.iter().zip(b).map(|(&a, &b)| compare(a, b));
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The values of a row that are not 0, with their columns.
fn entries(x: &Csr, row: usize) -> Vec<(usize, f64)> {
    let row = x.outer_view(row);
    row.iter()
        .flat_map(|row| row.iter())
        .filter(|&(_, &value)| value != 0.0)
        .map(|(column, &value)| (column, value))
        .collect()
}

/// As [`dense`] orders the same rows: what is not there is 0.
fn sparse(a: &[(usize, f64)], b: &[(usize, f64)]) -> Ordering {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    match (a.get(same), b.get(same)) {
        (Some(&(i, a)), Some(&(j, b))) if i == j => compare(a, b),
        (Some(&(i, a)), other) if other.is_none_or(|&(j, _)| i < j) => compare(a, 0.0),
        (_, Some(&(_, b))) => compare(0.0, b),
        (Some(_), None) | (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;
    use translearn_core::seed;

    use super::*;

    proptest! {
        #[test]
        fn sparse_and_dense_rows_have_one_order(n in 1usize..20, d in 1usize..5, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, d), || rng.below(3) as f64 - 1.0);
            let features = Features::from(x.clone());
            let csr = Features::Sparse(features.to_sparse().unwrap().into_owned());
            let order = by_content(&features);
            prop_assert_eq!(&order, &by_content(&csr));
            for pair in order.windows(2) {
                prop_assert!(x.row(pair[0]).to_vec() <= x.row(pair[1]).to_vec());
            }
        }

        #[test]
        fn folds_follow_their_rows(n in 1usize..30, n_folds in 2usize..6, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, 2), || rng.normal());
            let order = rng.permutation(n);
            let group = |row: usize| usize::from(x[[row, 0]] > 0.0);
            let original = folds(&Features::from(x.clone()), group, n_folds);
            let shuffled = Features::from(x.select(ndarray::Axis(0), &order));
            let moved = folds(&shuffled, |row| group(order[row]), n_folds);
            for (row, &from) in order.iter().enumerate() {
                prop_assert_eq!(moved[row], original[from]);
            }
            // Within a group no two folds differ by more than a row.
            for wanted in 0..2 {
                let size = |fold: usize| (0..n).filter(|&i| group(i) == wanted && original[i] == fold).count();
                let sizes: Vec<usize> = (0..n_folds).map(size).collect();
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }
}
