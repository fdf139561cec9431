//! What the templates show, as text: `report.md` and `report.html` say the same.

use std::collections::BTreeMap;

use serde::Serialize;

use super::curve::{self, CurveView};
use super::details::{self, Detail};
use super::figure::{Estimate, Figure, Row as FigureRow};
use super::format::{Format, clean, count, needs_tag, tagged, title};
use super::gates::{self, GateView};
use super::overview::{self, Overview};
use crate::plan::PlanFile;
use crate::summary::{BASELINES, MethodSummary, Summary, Verdict};
use crate::{Status, TrialRecord};

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct View {
    experiment: String,
    versions: String,
    devices: String,
    /// `12 of 12 trials finished: 12 ok`
    trials: String,
    is_complete: bool,
    seeds: String,
    pub(super) overviews: Vec<Overview>,
    pub(super) curves: Vec<CurveView>,
    gates: Vec<GateView>,
    pub(super) tasks: Vec<TaskView>,
    failures: Vec<FailureView>,
    data: Vec<(String, String)>,
    has_oracle: bool,
    has_regression: bool,
}

/// One task.
#[derive(Debug, Serialize)]
pub(super) struct TaskView {
    pub(super) id: String,
    name: String,
    facts: String,
    metric: String,
    other_metrics: Vec<String>,
    gain_unit: String,
    verdict_against: String,
    has_std: bool,
    has_gains: bool,
    rows: Vec<RowView>,
    /// Registry names of the baselines, where there are several.
    baselines: Vec<String>,
    details: Vec<Detail>,
    has_ess: bool,
    has_selected: bool,
    has_gate: bool,
    pub(super) figure: FigureView,
}

/// A drawing and where its file is.
#[derive(Debug, Serialize)]
pub(super) struct FigureView {
    pub(super) svg: String,
    pub(super) file: String,
    pub(super) alt: String,
}

impl FigureView {
    pub(super) fn new(id: &str, figure: &Figure) -> Self {
        Self::of_svg(id, figure.svg(), &figure.alt)
    }

    pub(super) fn of_svg(id: &str, svg: String, alt: &str) -> Self {
        Self {
            svg,
            file: format!("plots/{id}.svg"),
            alt: clean(alt),
        }
    }
}

/// One method on one task.
#[derive(Debug, Serialize)]
struct RowView {
    name: String,
    is_baseline: bool,
    oracle: bool,
    /// Said in place of numbers: `failed`.
    note: String,
    mean: String,
    std: String,
    interval: String,
    is_best: bool,
    others: Vec<String>,
    gain: String,
    gain_interval: String,
    verdict: &'static str,
    /// Over each of the task's baselines.
    gains: Vec<GainView>,
}

#[derive(Debug, Default, Serialize)]
struct GainView {
    gain: String,
    interval: String,
    verdict: &'static str,
}

/// Trials without scores that have all but the seed in common.
#[derive(Debug, Serialize)]
struct FailureView {
    task: String,
    method: String,
    status: Status,
    seeds: String,
    error: String,
}

impl View {
    pub(super) fn new(plan: &PlanFile, summary: &Summary, records: &[TrialRecord]) -> Self {
        let tasks = summary.results.chunk_by(|a, b| a.task == b.task);
        let overviews = summary.overall.chunk_by(|a, b| a.metric == b.metric);
        let trials = &summary.trials;
        let mut devices: Vec<&str> = records
            .iter()
            .map(|record| record.device.as_str())
            .collect();
        devices.sort_unstable();
        devices.dedup();
        let versions = plan
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        let counts = [
            (trials.ok, "ok"),
            (trials.unsupported, "unsupported"),
            (trials.failed, "failed"),
            (trials.timeout, "out of time"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} {what}"))
            .collect();
        let gain_metric = |metric: &str| {
            summary
                .results
                .iter()
                .any(|result| result.gain_metric.as_deref() == Some(metric))
        };
        Self {
            experiment: clean(&summary.experiment),
            versions: versions.collect::<Vec<_>>().join(", "),
            devices: clean(&devices.join(", ")),
            trials: format!(
                "{} of {} trials finished: {}",
                trials.finished(),
                trials.planned,
                counts.join(", ")
            ),
            is_complete: trials.finished() == trials.planned,
            seeds: plan
                .spec
                .seeds
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            overviews: overviews
                .map(|group| overview::view(group, summary, records))
                .collect(),
            curves: summary
                .curves
                .iter()
                .enumerate()
                .map(|(index, curve)| curve::view(index, curve, records))
                .collect(),
            gates: summary.gates.iter().map(gates::view).collect(),
            tasks: tasks
                .enumerate()
                .map(|(index, results)| task_view(index, results, plan, records))
                .collect(),
            failures: failures(summary),
            data: plan
                .data
                .iter()
                .map(|(name, sum)| (clean(name), clean(sum)))
                .collect(),
            has_oracle: summary.results.iter().any(|result| result.oracle),
            has_regression: gain_metric("rmse"),
        }
    }
}

fn task_view(
    index: usize,
    results: &[MethodSummary],
    plan: &PlanFile,
    records: &[TrialRecord],
) -> TaskView {
    let task = &results[0].task;
    let records: Vec<&TrialRecord> = records
        .iter()
        .filter(|record| &record.task == task)
        .collect();
    let formats = Formats::of(results);
    let metric = formats.metric.clone();
    let others: Vec<&str> = plan
        .spec
        .metrics
        .iter()
        .map(|metric| metric.name())
        .filter(|name| {
            *name != metric
                && results
                    .iter()
                    .any(|result| result.metrics.contains_key(*name))
        })
        .collect();
    let baselines: Vec<&str> = BASELINES
        .into_iter()
        .filter(|use_| {
            results
                .iter()
                .any(|result| result.gains.iter().any(|gain| gain.use_ == *use_))
        })
        .collect();
    let best = best(
        results
            .iter()
            .filter(|result| !result.oracle)
            .filter_map(|result| Some((result.method.as_str(), result.metrics.get(&metric)?.mean))),
        &metric,
        formats.level,
    );
    let rows = results
        .iter()
        .map(|result| RowView {
            is_best: best.contains(&result.method.as_str()),
            ..row_view(result, &formats, &others, &baselines, &records)
        })
        .collect();
    let verdict_against = results
        .iter()
        .find_map(|result| {
            result
                .gains
                .iter()
                .find(|gain| Some(&gain.baseline) == result.baseline.as_ref())
        })
        .map(|gain| gain.use_.clone())
        .unwrap_or_default();
    let details = details::of(results, &records);
    let id = format!("task-{}", index + 1);
    TaskView {
        name: clean(task),
        facts: facts(&records),
        metric: formats.level.label(&metric),
        other_metrics: others
            .iter()
            .map(|name| formats.others[*name].label(name))
            .collect(),
        gain_unit: formats.gain.gain_unit(&formats.gain_metric),
        has_std: results.iter().any(|result| result.n > 1),
        has_gains: results.iter().any(|result| result.gain.is_some()),
        rows,
        has_ess: details.iter().any(|detail| !detail.ess.is_empty()),
        has_selected: details.iter().any(|detail| !detail.selected.is_empty()),
        has_gate: details.iter().any(|detail| !detail.gate.is_empty()),
        details,
        figure: FigureView::new(&id, &figure(results, &formats, &verdict_against, &records)),
        baselines: if baselines.len() > 1 {
            baselines.into_iter().map(str::to_owned).collect()
        } else {
            Vec::new()
        },
        verdict_against,
        id,
    }
}

/// How the numbers of a task are printed.
struct Formats {
    metric: String,
    gain_metric: String,
    level: Format,
    gain: Format,
    others: BTreeMap<String, Format>,
}

impl Formats {
    fn of(results: &[MethodSummary]) -> Self {
        let first = |of: fn(&MethodSummary) -> Option<&String>| {
            results.iter().find_map(of).cloned().unwrap_or_default()
        };
        let metric = first(|result| result.metric.as_ref());
        let gain_metric = first(|result| result.gain_metric.as_ref());
        let format = |metric: &str| {
            Format::of(
                metric,
                results
                    .iter()
                    .filter_map(|result| Some(result.metrics.get(metric)?.mean)),
            )
        };
        let others = results
            .iter()
            .flat_map(|result| result.metrics.keys())
            .map(|name| (name.clone(), format(name)));
        // Where the score of the gains is not among the metrics, the gains themselves say how large they are.
        let gain = if results
            .iter()
            .any(|result| result.metrics.contains_key(&gain_metric))
        {
            format(&gain_metric)
        } else {
            Format::of(
                &gain_metric,
                results.iter().filter_map(|result| result.gain),
            )
        };
        Self {
            level: format(&metric),
            gain,
            others: others.collect(),
            metric,
            gain_metric,
        }
    }
}

fn row_view(
    result: &MethodSummary,
    formats: &Formats,
    others: &[&str],
    baselines: &[&str],
    records: &[&TrialRecord],
) -> RowView {
    let metric = result.metrics.get(&formats.metric);
    let other = |name: &&str| {
        let value = result
            .metrics
            .get(*name)
            .map(|metric| formats.others[*name].value(metric.mean));
        value.unwrap_or_default()
    };
    let gain = |use_: &&str| match result.gains.iter().find(|gain| gain.use_ == *use_) {
        Some(gain) => GainView {
            gain: formats.gain.signed(gain.gain),
            interval: formats
                .gain
                .interval(gain.gain_low, gain.gain_high, true)
                .unwrap_or_default(),
            verdict: gain.verdict.name(),
        },
        None => GainView::default(),
    };
    RowView {
        name: clean(&result.method),
        is_baseline: result.is_baseline(),
        oracle: needs_tag(&result.method, result.oracle),
        note: note(result, records).unwrap_or_default().to_owned(),
        mean: metric
            .map(|metric| formats.level.value(metric.mean))
            .unwrap_or_default(),
        std: metric
            .and_then(|metric| metric.std)
            .map(|std| formats.level.value(std))
            .unwrap_or_default(),
        interval: metric
            .and_then(|metric| formats.level.interval(metric.ci_low, metric.ci_high, false))
            .unwrap_or_default(),
        is_best: false,
        others: others.iter().map(other).collect(),
        gain: result
            .gain
            .map(|gain| formats.gain.signed(gain))
            .unwrap_or_default(),
        gain_interval: formats
            .gain
            .interval(result.gain_low, result.gain_high, true)
            .unwrap_or_default(),
        verdict: result.verdict.map_or("", Verdict::name),
        gains: baselines.iter().map(gain).collect(),
    }
}

/// Why a method has no numbers on a task.
pub(super) fn note(result: &MethodSummary, records: &[&TrialRecord]) -> Option<&'static str> {
    if result.n > 0 {
        return None;
    }
    let of_method = records
        .iter()
        .filter(|record| record.method == result.method);
    Some(match of_method.map(|record| record.status).min() {
        Some(Status::Failed) => "failed",
        Some(Status::Timeout) => "out of time",
        _ => "unsupported",
    })
}

/// The methods whose printed value is the best one.
pub(super) fn best<'a>(
    values: impl Iterator<Item = (&'a str, f64)>,
    metric: &str,
    format: Format,
) -> Vec<&'a str> {
    let higher: bool = metric
        .parse()
        .is_ok_and(translearn_core::metrics::Metric::higher_is_better);
    let values: Vec<(&str, f64)> = values
        .map(|(name, value)| (name, if higher { value } else { -value }))
        .collect();
    let best = values
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::NEG_INFINITY, f64::max);
    values
        .into_iter()
        .filter(|(_, value)| format.value(*value) == format.value(best))
        .map(|(name, _)| name)
        .collect()
}

fn figure(
    results: &[MethodSummary],
    formats: &Formats,
    against: &str,
    records: &[&TrialRecord],
) -> Figure {
    let rows = results
        .iter()
        .map(|result| FigureRow {
            name: tagged(&result.method, result.oracle),
            is_baseline: result.is_baseline(),
            level: result.metrics.get(&formats.metric).map(|metric| Estimate {
                value: metric.mean,
                interval: metric.ci_low.zip(metric.ci_high),
            }),
            gain: result.gain.zip(result.verdict).map(|(value, verdict)| {
                (
                    Estimate {
                        value,
                        interval: result.gain_low.zip(result.gain_high),
                    },
                    verdict,
                )
            }),
            note: note(result, records).map(str::to_owned),
        })
        .collect();
    // With many learners the lines would say less than the points.
    let of_verdict = |result: &&MethodSummary| {
        results
            .iter()
            .any(|other| other.baseline.as_ref() == Some(&result.method))
    };
    let lines = results.iter().filter(of_verdict);
    let lines: Vec<f64> = lines
        .filter_map(|result| Some(result.metrics.get(&formats.metric)?.mean))
        .collect();
    let lines = if lines.len() <= 2 { lines } else { Vec::new() };
    let level_axis = formats.level.label(&formats.metric);
    let gain_axis = match formats.gain_metric.as_str() {
        "accuracy" => format!("gain over {against} (points)"),
        metric => format!("gain over {against} ({} saved)", title(metric)),
    };
    let alt = format!(
        "{}: {} of each method and its gain over {against}, with 95 % intervals; the numbers are in the table.",
        results[0].task,
        title(&formats.metric)
    );
    Figure {
        rows,
        lines,
        level_axis,
        gain_axis,
        level_format: formats.level,
        gain_format: formats.gain,
        alt,
    }
}

/// `40 source rows, 30 target rows, 6 of them labelled; 24 scored; 5 features`
fn facts(records: &[&TrialRecord]) -> String {
    let prepared = records.iter().find(|record| record.n_test > 0);
    let Some(record) = prepared else {
        return String::new();
    };
    let mut text = format!(
        "{} source rows, {} target rows",
        count(record.n_source),
        count(record.n_target)
    );
    if record.n_labelled > 0 {
        text.push_str(&format!(", {} of them labelled", count(record.n_labelled)));
    }
    text.push_str(&format!("; {} rows scored", count(record.n_test)));
    if let Some(n) = record.n_features {
        text.push_str(&format!("; {} features", count(n)));
    }
    text
}

fn failures(summary: &Summary) -> Vec<FailureView> {
    let mut views: Vec<FailureView> = Vec::new();
    for failure in &summary.failures {
        let (task, method, error) = (
            clean(&failure.task),
            clean(&failure.method),
            clean(&failure.error),
        );
        let same = |view: &&mut FailureView| {
            (&view.task, &view.method, &view.error, view.status)
                == (&task, &method, &error, failure.status)
        };
        match views.iter_mut().find(same) {
            Some(view) => view.seeds.push_str(&format!(", {}", failure.seed)),
            None => {
                let seeds = failure.seed.to_string();
                views.push(FailureView {
                    task,
                    method,
                    status: failure.status,
                    seeds,
                    error,
                });
            }
        }
    }
    views
}
