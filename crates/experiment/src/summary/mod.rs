//! From trials to means, gains and verdicts.
//!
//! **Gain.** How much better a method is than a baseline with the same learner on the same test rows: the difference of
//! accuracy, and for regression the *decrease* of the RMSE, so that above 0 is always better. `target-only` decides the
//! verdict where labelled target rows exist, else `source-only`.
//!
//! **Within a task** the interval is a paired bootstrap over test rows: 2000 resamples of the rows of the target's file,
//! each applied to both methods and all seeds at once; the gain of a resample is averaged over seeds. It says how far the
//! finding depends on the test rows; the draw of labelled rows and the randomness of a method show in the standard
//! deviation over seeds.
//!
//! **Across tasks** the gains of the (task, seed) pairs are resampled. Where no seed changes a single outcome of the
//! method and its baseline on any task, one seed counts. Below six pairs there is no interval: equal signs of five say
//! nothing at 5 % (2 · 2⁻⁵ = 6.25 %).
//!
//! **Curves.** A sweep of a method's parameter, or tasks that differ in a number. Over all tasks a point is the mean over
//! (task, seed) pairs, and so are the differences between curves and their slopes (least squares on the swept parameter);
//! intervals are over the pairs, as above. Only pairs with a score at every point count.
//!
//! **Learning curves.** Where the tasks with a place differ in the number of labelled target rows, each method is compared with
//! `target-only` around the same learner: a higher start, slope or asymptote, and what else
//! [`ComparedCurves`](translearn_diagnostics::curves::ComparedCurves) has. Intervals are over the seeds; below six there are none.
//!
//! **Gates.** Where a method runs with and without a gate, its gain without tells what the gate kept from it, with every task and
//! seed a problem of its own: see [`audit`](translearn_diagnostics::negative::audit). Of regression, gains are shares of the larger RMSE.
//!
//! A verdict is `positive` or `negative` when the 95 % interval (percentiles 2.5 and 97.5) excludes 0.

mod baseline;
mod bootstrap;
mod curve;
mod gates;
mod learning;
mod outcomes;
mod overall;
mod task;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use baseline::BASELINES;
pub use outcomes::Outcomes;
pub use types::{
    Choice, ContrastSummary, CurveSummary, DifferenceSummary, Failure, Gain, GateSummary,
    LearningSummary, MethodSummary, MetricSummary, OverallSummary, PointSummary, SeriesSummary,
    Summary, TrialCounts, Verdict,
};

use crate::plan::PlanFile;
use crate::{SCHEMA, Status, TrialRecord};

/// Summarises the trials of a plan, finished so far.
pub fn summarise(plan: &PlanFile, records: &[TrialRecord]) -> Summary {
    let tasks: Vec<task::TaskResults<'_>> = plan
        .spec
        .tasks
        .iter()
        .map(|task| task::TaskResults::new(plan, task, records))
        .collect();
    Summary {
        schema: SCHEMA,
        experiment: plan.experiment.clone(),
        trials: count(plan, records),
        overall: overall::summarise(plan, &tasks),
        curves: curve::summarise(plan, records, &tasks),
        gates: gates::summarise(plan, &tasks, records),
        results: tasks.into_iter().flat_map(|task| task.methods).collect(),
        failures: records.iter().filter_map(failure).collect(),
    }
}

fn count(plan: &PlanFile, records: &[TrialRecord]) -> TrialCounts {
    let count = |status| {
        records
            .iter()
            .filter(|record| record.status == status)
            .count()
    };
    TrialCounts {
        planned: plan.trials.len(),
        ok: count(Status::Ok),
        failed: count(Status::Failed),
        unsupported: count(Status::Unsupported),
        timeout: count(Status::Timeout),
    }
}

fn failure(record: &TrialRecord) -> Option<Failure> {
    (record.status != Status::Ok).then(|| Failure {
        task: record.task.clone(),
        method: record.method.clone(),
        seed: record.seed,
        status: record.status,
        error: record.error.clone().unwrap_or_default(),
    })
}

/// The mean of some numbers; `None` of none.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
