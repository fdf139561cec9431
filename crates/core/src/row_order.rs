//! An order of rows that depends on their values alone, so that neither folds nor draws change when rows change places.

use std::cmp::Ordering;

use ndarray::ArrayView1;

use crate::{Csr, Features};

impl Features {
    /// The rows, sorted by their first value, then by their second, …: the same rows in the same order, however they
    /// came. Images keep their order: whoever needs vectors refuses them.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_core::Features;
    ///
    /// let x = Features::from(array![[2.0, 0.0], [1.0, 5.0], [1.0, 3.0]]);
    /// assert_eq!(x.rows_by_value(), [2, 1, 0]);
    /// ```
    pub fn rows_by_value(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.n_rows()).collect();
        match self {
            Self::Dense(x) => order.sort_by(|&i, &j| dense(x.row(i), x.row(j))),
            Self::Sparse(x) => {
                let rows: Vec<Vec<(usize, f64)>> =
                    order.iter().map(|&row| entries(x, row)).collect();
                order.sort_by(|&i, &j| sparse(&rows[i], &rows[j]));
            }
            Self::Images(_) => {}
        }
        order
    }
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

    use super::*;
    use crate::seed;

    proptest! {
        #[test]
        fn sparse_and_dense_rows_have_one_order(n in 1usize..20, d in 1usize..5, seed in 0u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, d), || rng.below(3) as f64 - 1.0);
            let features = Features::from(x.clone());
            let csr = Features::Sparse(features.to_sparse().unwrap().into_owned());
            let order = features.rows_by_value();
            prop_assert_eq!(&order, &csr.rows_by_value());
            for pair in order.windows(2) {
                prop_assert!(x.row(pair[0]).to_vec() <= x.row(pair[1]).to_vec());
            }
        }
    }
}
