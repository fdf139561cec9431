//! What a method was and what it cost.

use serde::Serialize;

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
