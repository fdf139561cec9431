//! Plans of which most entries are 0.

use ndarray::{Array1, Array2};

/// A transport plan as its entries above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SparsePlan {
    shape: (usize, usize),
    entries: Vec<(usize, usize, f64)>,
}

impl SparsePlan {
    /// From entries in order of rows, then columns.
    pub(crate) fn new(shape: (usize, usize), mut entries: Vec<(usize, usize, f64)>) -> Self {
        entries.sort_unstable_by_key(|&(row, column, _)| (row, column));
        Self { shape, entries }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Row, column and mass of each entry above 0, in order of rows, then columns.
    pub fn entries(&self) -> &[(usize, usize, f64)] {
        &self.entries
    }

    /// The plan as a matrix.
    pub fn dense(&self) -> Array2<f64> {
        let mut dense = Array2::zeros(self.shape);
        for &(row, column, mass) in &self.entries {
            dense[[row, column]] = mass;
        }
        dense
    }

    /// What leaves each row.
    pub fn row_masses(&self) -> Array1<f64> {
        let mut masses = Array1::zeros(self.shape.0);
        for &(row, _, mass) in &self.entries {
            masses[row] += mass;
        }
        masses
    }

    /// What reaches each column.
    pub fn column_masses(&self) -> Array1<f64> {
        let mut masses = Array1::zeros(self.shape.1);
        for &(_, column, mass) in &self.entries {
            masses[column] += mass;
        }
        masses
    }

    /// `Σ_ij C_ij P_ij`.
    ///
    /// # Panics
    /// When `cost` has fewer rows or columns than the plan, like all indexing.
    pub fn cost(&self, cost: &Array2<f64>) -> f64 {
        let of = |&(row, column, mass): &(usize, usize, f64)| mass * cost[[row, column]];
        self.entries.iter().map(of).sum()
    }
}
