//! Both domains in units of their common spread, so that densities of one shape can be laid over all columns.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_core::{Features, TransferError, TransferProblem};

/// Source and target rows, each column with mean 0 and standard deviation 1 over both domains together.
///
/// The rows stand in the order of their values, and sums are taken in it: no bit of a density depends on the order in
/// which rows came.
#[derive(Debug)]
pub(super) struct CommonScale {
    pub(super) source: Array2<f64>,
    pub(super) target: Array2<f64>,
    /// Which source row stands at each place.
    places: Vec<usize>,
}

impl CommonScale {
    /// The rows of a problem; columns that are constant over both domains say nothing of them and are left out.
    pub(super) fn new(problem: &TransferProblem, method: &str) -> Result<Self, TransferError> {
        let ordered = |features: &Features| -> Result<_, TransferError> {
            let places = features.rows_by_value();
            let rows = features.dense()?.select(Axis(0), &places);
            Ok((rows, places))
        };
        let (source, places) = ordered(&problem.source()?.features)?;
        let (target, _) = ordered(problem.target_features())?;
        #[expect(clippy::expect_used, reason = "both domains have as many columns")]
        let rows = concatenate(Axis(0), &[source.view(), target.view()]).expect("as many columns");
        let spread = rows.std_axis(Axis(0), 0.0);
        let varied: Vec<usize> = (0..spread.len())
            .filter(|&c| rows.column(c).iter().any(|&v| v != rows[[0, c]]))
            .collect();
        if varied.is_empty() {
            return Err(TransferError::Unsupported {
                method: method.to_owned(),
                needs: "rows that differ".to_owned(),
                has: format!("{} equal rows", rows.nrows()),
            });
        }
        let mean: Array1<f64> = rows.sum_axis(Axis(0)) / rows.nrows() as f64;
        let (mean, spread) = (
            mean.select(Axis(0), &varied),
            spread.select(Axis(0), &varied),
        );
        let scaled = |x: &Array2<f64>| (x.select(Axis(1), &varied) - &mean) / &spread;
        Ok(Self {
            source: scaled(&source),
            target: scaled(&target),
            places,
        })
    }

    /// `exp(log)` for values of the source rows as they stand here, in the order in which the rows came; on the scale on
    /// which the largest is 1, as a common factor does not matter.
    pub(super) fn relative_exponentials(&self, log: &Array1<f64>) -> Array1<f64> {
        let largest = log.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let mut out = Array1::zeros(log.len());
        for (&row, v) in self.places.iter().zip(log) {
            out[row] = (v - largest).exp();
        }
        out
    }
}
