//! Masses as whole numbers, so that flows are exact.

use ndarray::Array1;

/// Both sides add up to about this many units.
const TOTAL: f64 = (1_u64 << 60) as f64;

/// The masses of both sides in units of about 2⁻⁶⁰ of their sum.
pub(super) struct WholeMasses {
    pub(super) rows: Vec<i64>,
    pub(super) columns: Vec<i64>,
    /// What one unit weighs.
    pub(super) unit: f64,
    /// The largest flow that rounding alone can bring about.
    pub(super) negligible: i64,
}

impl WholeMasses {
    /// For masses that were checked: at least 0, with sums above 0 that agree.
    ///
    /// Equal masses become equal numbers, so that ties between them stay ties. What rounding makes of the sums is taken
    /// from the largest column, which notices it least.
    pub(super) fn new(a: &Array1<f64>, b: &Array1<f64>) -> Self {
        let (rows, mut columns) = (whole(a), whole(b));
        let total: i64 = rows.iter().sum();
        let excess = columns.iter().sum::<i64>() - total;
        if let Some(largest) = columns.iter_mut().max() {
            *largest -= excess;
        }
        Self {
            unit: a.sum() / total as f64,
            negligible: excess.abs() + (rows.len() + columns.len()) as i64,
            rows,
            columns,
        }
    }
}

fn whole(masses: &Array1<f64>) -> Vec<i64> {
    let total = masses.sum();
    let units = masses
        .iter()
        .map(|mass| (mass / total * TOTAL).round() as i64);
    units.collect()
}
