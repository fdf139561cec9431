//! What a method was and what it cost.

use serde::Serialize;
use translearn_diagnostics::negative::Decision;

use super::format::{bytes, clean, params, seconds};
use crate::summary::MethodSummary;
use crate::{Status, TrialRecord};

/// One method on one task.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    name: String,
    use_: String,
    family: String,
    learner: String,
    n: usize,
    pub(super) ess: String,
    pub(super) selected: String,
    pub(super) gate: String,
    fit: String,
    predict: String,
    memory: String,
}

/// The methods that have scores, with means over seeds.
pub(super) fn of(results: &[MethodSummary], records: &[&TrialRecord]) -> Vec<Detail> {
    results
        .iter()
        .filter(|result| result.n > 0)
        .map(|result| {
            let mean = |of: fn(&TrialRecord) -> Option<f64>| {
                let ok = |record: &&&TrialRecord| {
                    record.method == result.method && record.status == Status::Ok
                };
                let values: Vec<f64> = records
                    .iter()
                    .filter(ok)
                    .filter_map(|record| of(record))
                    .collect();
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            };
            Detail {
                name: clean(&result.method),
                use_: clean(&result.use_),
                family: clean(&result.family),
                learner: clean(result.learner.as_deref().unwrap_or_default()),
                n: result.n,
                ess: result
                    .ess
                    .map(|ess| format!("{ess:.1}"))
                    .unwrap_or_default(),
                selected: selected(result),
                gate: gate(result, records),
                fit: mean(|record| record.fit_seconds)
                    .map(seconds)
                    .unwrap_or_default(),
                predict: mean(|record| record.predict_seconds)
                    .map(seconds)
                    .unwrap_or_default(),
                memory: mean(|record| record.peak_rss_bytes.map(|bytes| bytes as f64))
                    .map(bytes)
                    .unwrap_or_default(),
            }
        })
        .collect()
}

/// `lambda = 1 (source-cv, 2 of 3 seeds); lambda = 10 (source-cv, 1 of 3 seeds)`
fn selected(result: &MethodSummary) -> String {
    let one = |choice: &crate::summary::Choice| {
        let share = if choice.n == result.n {
            String::new()
        } else {
            format!(", {} of {} seeds", choice.n, result.n)
        };
        format!("{} ({}{share})", params(&choice.params), clean(&choice.by))
    };
    result
        .selected
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("; ")
}

/// `open with 2 of 3 seeds; expected gain +3.1 ± 2.0`, the mean over seeds in points of accuracy, or of the larger RMSE.
fn gate(result: &MethodSummary, records: &[&TrialRecord]) -> String {
    let of_method = records
        .iter()
        .filter(|record| record.method == result.method && record.status == Status::Ok);
    let decisions: Vec<&Decision> = of_method
        .filter_map(|record| record.gate.as_ref())
        .collect();
    if decisions.is_empty() {
        return String::new();
    }
    let n = decisions.len() as f64;
    let mean = |of: fn(&Decision) -> f64| {
        100.0 * decisions.iter().map(|decision| of(decision)).sum::<f64>() / n
    };
    let open = decisions.iter().filter(|decision| decision.is_open());
    let measured = decisions.iter().any(|decision| decision.evidence.is_some());
    let expected = if measured {
        let (gain, deviation) = (
            mean(|decision| decision.belief.gain),
            mean(|decision| decision.belief.deviation),
        );
        format!("; expected gain {gain:+.1} ± {deviation:.1} points")
    } else {
        let obstacle = decisions
            .iter()
            .find_map(|decision| decision.obstacle.as_deref());
        format!("; {}", clean(obstacle.unwrap_or("nothing was measured")))
    };
    let open = open.count();
    format!("open with {open} of {} seeds{expected}", decisions.len())
}
