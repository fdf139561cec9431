//! Each method over all tasks that share a main metric.

use super::bootstrap::interval_over_pairs;
use super::task::{Pair, TaskResults};
use super::types::{MethodSummary, OverallSummary, Verdict};
use super::{baseline, mean};
use crate::plan::PlanFile;

/// One summary per main metric that at least two tasks have, and method.
pub(super) fn summarise(plan: &PlanFile, tasks: &[TaskResults<'_>]) -> Vec<OverallSummary> {
    let mut methods: Vec<_> = plan.spec.methods.iter().collect();
    methods.sort_by_key(|method| baseline::place(method));
    // Methods that run on different tasks may share a name.
    let mut names: Vec<&str> = Vec::new();
    for method in methods {
        if !names.contains(&method.name.as_str()) {
            names.push(&method.name);
        }
    }
    let mut summaries = Vec::new();
    for metric in kinds(tasks) {
        let tasks: Vec<&TaskResults<'_>> = tasks
            .iter()
            .filter(|task| kind(task) == Some(metric))
            .collect();
        if tasks.len() > 1 {
            summaries.extend(
                names
                    .iter()
                    .filter_map(|method| over_tasks(&tasks, metric, method)),
            );
        }
    }
    summaries
}

/// The kinds of the tasks, each once.
pub(super) fn kinds<'a>(tasks: &'a [TaskResults<'_>]) -> Vec<(&'a str, &'a str)> {
    let mut kinds = Vec::new();
    for kind in tasks.iter().filter_map(kind) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Main metric, and what gains are measured in.
pub(super) fn kind<'a>(task: &'a TaskResults<'_>) -> Option<(&'a str, &'a str)> {
    let scored = |method: &'a MethodSummary| {
        Some((method.metric.as_deref()?, method.gain_metric.as_deref()?))
    };
    task.methods.iter().find_map(scored)
}

fn over_tasks(
    tasks: &[&TaskResults<'_>],
    (metric, gain_metric): (&str, &str),
    method: &str,
) -> Option<OverallSummary> {
    let results: Vec<&MethodSummary> = tasks
        .iter()
        .filter_map(|task| task.methods.iter().find(|result| result.method == method))
        .collect();
    let first = results.first()?;
    let values: Vec<f64> = results
        .iter()
        .filter_map(|result| Some(result.metrics.get(metric)?.mean))
        .collect();
    let pairs: Vec<&[Pair<'_>]> = tasks
        .iter()
        .filter_map(|task| task.pairs.get(method))
        .map(Vec::as_slice)
        .collect();
    let gains = gains(&pairs);
    let interval = interval_over_pairs(&gains);
    let (gain_low, gain_high) = (interval.map(|i| i.low), interval.map(|i| i.high));
    let gain = mean(&gains);
    let count = |verdict| {
        results
            .iter()
            .filter(|result| result.verdict == Some(verdict))
            .count()
    };
    Some(OverallSummary {
        metric: metric.to_owned(),
        gain_metric: gain_metric.to_owned(),
        method: method.to_owned(),
        use_: first.use_.clone(),
        oracle: first.oracle,
        gated: first.gated,
        tasks: values.len(),
        mean: mean(&values).filter(|_| values.len() == tasks.len()),
        pairs: gains.len(),
        gain,
        gain_low,
        gain_high,
        verdict: gain.map(|_| Verdict::of_interval(gain_low, gain_high)),
        positive: count(Verdict::Positive),
        negative: count(Verdict::Negative),
        undecided: count(Verdict::Undecided),
    })
}

/// The gain of each (task, seed) pair. Seeds that change nothing anywhere are no further evidence: one of them counts.
fn gains(tasks: &[&[Pair<'_>]]) -> Vec<f64> {
    let constant = tasks.iter().all(|pairs| {
        pairs
            .windows(2)
            .all(|two| two[0].outcomes == two[1].outcomes)
    });
    let take = if constant { 1 } else { usize::MAX };
    tasks
        .iter()
        .flat_map(|pairs| pairs.iter().take(take))
        .map(|pair| pair.gain)
        .collect()
}
