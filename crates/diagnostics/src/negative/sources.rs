//! Which of several sources does good.

use translearn_core::{TransferError, TransferMethod, TransferProblem};

use super::evidence::{Evidence, TargetCrossValidation};
use super::gate::baseline;

/// The gain of a method with each source alone, in their order, by cross-validation on the labelled target rows.
///
/// All sources meet the same folds and the same baseline, so that they can be compared. A source on which the method cannot be
/// fitted has its error in its place.
///
/// *Cost.* A cross-validation for each source.
///
/// # Errors
/// As [`TargetCrossValidation`] for the baseline.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use translearn_classical::SourceOnly;
/// use translearn_core::{Domain, LabelSpace, Labels, Task, TransferProblem};
/// use translearn_diagnostics::negative::{TargetCrossValidation, by_source};
///
/// let part = |name: &str, left: usize| {
///     let x = Array2::from_shape_fn((20, 1), |(row, _)| row as f64);
///     let y = Array1::from_shape_fn(20, |row| if row < 10 { left } else { 1 - left });
///     (Domain { name: name.into(), features: x.into() }, Task::labelled(LabelSpace::numbered(2), Labels::Classes(y)))
/// };
/// let problem = TransferProblem::from_parts(vec![part("alike", 0), part("opposed", 1)], part("target", 0))?;
/// let gains = by_source(&TargetCrossValidation::default(), &problem, &SourceOnly::params(), 0)?;
/// assert!(gains[0].as_ref().is_ok_and(|found| found.gain >= 0.0));
/// assert!(gains[1].as_ref().is_ok_and(|found| found.gain < -0.8));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn by_source(
    validation: &TargetCrossValidation,
    problem: &TransferProblem,
    method: &dyn TransferMethod,
    seed: u64,
) -> Result<Vec<Result<Evidence, TransferError>>, TransferError> {
    let baseline = baseline(method, problem);
    (0..problem.sources().len())
        .map(|source| {
            let alone = problem.with_source(source)?;
            let mut found = validation.evidence_of(&alone, &*baseline, &[method], seed)?;
            Ok(found.swap_remove(0))
        })
        .collect()
}
