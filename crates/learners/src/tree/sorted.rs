//! The order of the rows along each feature, worked out once.

use rayon::prelude::*;
use translearn_core::{Features, TransferError};

/// The rows of a table sorted along every feature, for growing many trees on the same rows.
///
/// Sorting is what a tree spends much of its time on, and it depends on neither labels nor weights.
///
/// Cost: O(d n log n) time, 8 bytes per cell beside the table; sparse features are made dense first.
#[derive(Debug, Clone)]
pub(crate) struct SortedFeatures {
    n_rows: usize,
    columns: Vec<SortedColumn>,
}

/// One feature: its distinct values in ascending order, the rank of each row's value among them, and the rows by rank.
#[derive(Debug, Clone)]
pub(crate) struct SortedColumn {
    pub(crate) values: Vec<f64>,
    pub(crate) ranks: Vec<u32>,
    pub(crate) order: Vec<u32>,
}

impl SortedFeatures {
    /// Sorts every feature, in parallel.
    ///
    /// # Errors
    /// [`TransferError::NotFinite`], [`TransferError::DenseTooLarge`], or [`TransferError::Unsupported`] for 2³² rows
    /// and more.
    pub(crate) fn new(features: &Features) -> Result<Self, TransferError> {
        features.check_finite("the training features")?;
        let n_rows = features.n_rows();
        if u32::try_from(n_rows).is_err() {
            return Err(TransferError::Unsupported {
                method: "tree".to_owned(),
                needs: format!("at most {} rows", u32::MAX),
                has: format!("{n_rows} rows"),
            });
        }
        let dense = features.dense()?;
        let columns = (0..dense.ncols())
            .into_par_iter()
            .map(|column| SortedColumn::new(dense.column(column).iter().copied()))
            .collect();
        Ok(Self { n_rows, columns })
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of features.
    pub(crate) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn column(&self, index: usize) -> &SortedColumn {
        &self.columns[index]
    }
}

impl SortedColumn {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        // Adding 0 turns -0 into 0, so that equal values compare equal bit by bit.
        let mut pairs: Vec<(f64, u32)> = values
            .zip(0..)
            .map(|(value, row)| (value + 0.0, row))
            .collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut column = Self {
            values: Vec::new(),
            ranks: vec![0; pairs.len()],
            order: Vec::with_capacity(pairs.len()),
        };
        for (value, row) in pairs {
            if column.values.last() != Some(&value) {
                column.values.push(value);
            }
            column.ranks[row as usize] = (column.values.len() - 1) as u32;
            column.order.push(row);
        }
        column
    }

    /// A value that parts the ranks up to `below` from those from `above` on: the midpoint, as scikit-learn has it, or
    /// the lower value where the midpoint rounds up to the upper one.
    pub(crate) fn threshold(&self, below: u32, above: u32) -> f64 {
        let (low, high) = (self.values[below as usize], self.values[above as usize]);
        let middle = low / 2.0 + high / 2.0;
        if low <= middle && middle < high {
            middle
        } else {
            low
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_order_and_values_belong_together() {
        let column = SortedColumn::new([3.0, -1.0, 0.0, -0.0, 3.0].into_iter());
        assert_eq!(column.values, [-1.0, 0.0, 3.0]);
        assert_eq!(column.ranks, [2, 0, 1, 1, 2]);
        assert_eq!(column.order, [1, 2, 3, 0, 4]);
    }

    #[test]
    fn a_threshold_parts_neighbours_of_every_size() {
        let tiny = f64::from_bits(1);
        for (low, high) in [
            (1.0, 1.0 + f64::EPSILON),
            (-f64::MAX, f64::MAX),
            (0.0, tiny),
            (-tiny, 0.0),
            (2.0, 4.0),
        ] {
            let column = SortedColumn::new([high, low].into_iter());
            let threshold = column.threshold(0, 1);
            assert!(
                low <= threshold && threshold < high,
                "{low} {threshold} {high}"
            );
        }
        assert_eq!(
            SortedColumn::new([2.0, 4.0].into_iter()).threshold(0, 1),
            3.0
        );
    }
}
