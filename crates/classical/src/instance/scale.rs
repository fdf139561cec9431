//! Both domains in units of their common spread, so that densities of one shape can be laid over all columns.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_core::{TransferError, TransferProblem};

/// Source and target rows, each column divided by its standard deviation over both domains together and with mean 0;
/// columns that are constant over both say nothing of the domains and are left out.
pub(super) fn common_scale(
    problem: &TransferProblem,
    method: &str,
) -> Result<(Array2<f64>, Array2<f64>), TransferError> {
    let source = problem.source()?.features;
    let (source, target) = (source.dense()?, problem.target_features().dense()?);
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
    Ok((scaled(&source), scaled(&target)))
}

/// `exp(log)`, on the scale on which the largest is 1: what is left when a common factor does not matter.
pub(super) fn relative_exponentials(log: &Array1<f64>) -> Array1<f64> {
    let largest = log.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    log.mapv(|v| (v - largest).exp())
}
