//! Unusable data are found before anything runs.

use std::collections::BTreeSet;

use super::TaskCache;
use crate::plan::{Plan, Trial};
use crate::spec::{SpecError, SpecProblem};

/// Prepares the task of each of these trials of a plan once, for its first seed: sets that cannot be fetched, files that
/// cannot be read, labels that are missing and draws that ask for too much are errors of the specification, and not of
/// trials. Images are read but not decoded for it, which finds most that are broken.
///
/// # Errors
/// [`SpecError`] with the task's line.
pub fn check<'t>(
    plan: &Plan,
    trials: impl IntoIterator<Item = &'t Trial>,
) -> Result<(), SpecError> {
    let mut cache = TaskCache::default();
    let mut seen = BTreeSet::new();
    for trial in trials {
        let name = trial.task.name.as_str();
        if !seen.insert(name) {
            continue;
        }
        if let Err(error) = cache.check(trial) {
            let place = format!("task `{name}`");
            // A trial that came as JSON has lost its line; the plan's own tasks have theirs.
            let line = plan
                .file
                .spec
                .tasks
                .iter()
                .find(|task| task.name == name)
                .map(|task| task.line);
            return Err(SpecProblem::Task {
                place,
                error: Box::new(error),
            }
            .at(&plan.file.spec.file, line));
        }
    }
    Ok(())
}
