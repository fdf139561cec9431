//! Methods by tasks, as tables of papers have it.

use serde::Serialize;

use super::figure::{Estimate, Figure, Row as FigureRow};
use super::format::{Format, clean, needs_tag, tagged, title};
use super::view::{FigureView, best, note};
use crate::TrialRecord;
use crate::summary::{MethodSummary, OverallSummary, Summary, Verdict};

/// The main metric of all methods on all tasks that have it.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    pub(super) id: String,
    metric: String,
    gain_unit: String,
    tasks: Vec<String>,
    rows: Vec<OverviewRow>,
    has_std: bool,
    has_gains: bool,
    pub(super) figure: FigureView,
}

#[derive(Debug, Serialize)]
struct OverviewRow {
    name: String,
    is_baseline: bool,
    oracle: bool,
    cells: Vec<Cell>,
    average: Cell,
    gain: String,
    gain_interval: String,
    verdict: &'static str,
    /// Tasks with each verdict: `7 / 1 / 4`.
    verdicts: String,
}

#[derive(Debug, Default, Serialize)]
struct Cell {
    mean: String,
    std: String,
    is_best: bool,
    note: &'static str,
}

/// Tasks that have a column of their own; of more, only the averages are shown together.
const MOST_TASKS: usize = 24;

pub(super) fn view(
    group: &[OverallSummary],
    summary: &Summary,
    records: &[TrialRecord],
) -> Overview {
    let metric = group[0].metric.as_str();
    let tasks: Vec<&[MethodSummary]> = summary
        .results
        .chunk_by(|a, b| a.task == b.task)
        .filter(|task| {
            task.iter()
                .any(|result| result.metric.as_deref() == Some(metric))
        })
        .collect();
    let means = |results: &[MethodSummary]| -> Vec<f64> {
        results
            .iter()
            .filter_map(|result| Some(result.metrics.get(metric)?.mean))
            .collect()
    };
    let format = Format::of(metric, tasks.iter().flat_map(|task| means(task)));
    let gain_format = Format::of(
        &group[0].gain_metric,
        group.iter().filter_map(|row| row.gain),
    );
    let best_of_task: Vec<Vec<&str>> = tasks
        .iter()
        .map(|task| {
            let values = task.iter().filter(|result| !result.oracle);
            best(
                values.filter_map(|result| {
                    Some((result.method.as_str(), result.metrics.get(metric)?.mean))
                }),
                metric,
                format,
            )
        })
        .collect();
    let averages = group
        .iter()
        .filter(|row| !row.oracle)
        .filter_map(|row| Some((row.method.as_str(), row.mean?)));
    let best_average = best(averages, metric, format);
    let shown = if tasks.len() > MOST_TASKS {
        &[]
    } else {
        &tasks[..]
    };
    let rows = group
        .iter()
        .map(|row| OverviewRow {
            name: clean(&row.method),
            is_baseline: row.is_baseline(),
            oracle: needs_tag(&row.method, row.oracle),
            cells: shown
                .iter()
                .zip(&best_of_task)
                .map(|(task, best)| Cell {
                    is_best: best.contains(&row.method.as_str()),
                    ..cell(
                        task.iter().find(|result| result.method == row.method),
                        metric,
                        format,
                        records,
                    )
                })
                .collect(),
            average: Cell {
                mean: row.mean.map(|mean| format.value(mean)).unwrap_or_default(),
                is_best: best_average.contains(&row.method.as_str()),
                ..Cell::default()
            },
            gain: row
                .gain
                .map(|gain| gain_format.signed(gain))
                .unwrap_or_default(),
            gain_interval: gain_format
                .interval(row.gain_low, row.gain_high, true)
                .unwrap_or_default(),
            verdict: row.verdict.map_or("", Verdict::name),
            verdicts: match row.gain {
                Some(_) => format!("{} / {} / {}", row.positive, row.negative, row.undecided),
                None => String::new(),
            },
        })
        .collect();
    let id = format!("overview-{metric}").replace('_', "-");
    Overview {
        metric: format.label(metric),
        gain_unit: gain_format.gain_unit(&group[0].gain_metric),
        tasks: shown.iter().map(|task| clean(&task[0].task)).collect(),
        rows,
        has_std: tasks
            .iter()
            .any(|task| task.iter().any(|result| result.n > 1)),
        has_gains: group.iter().any(|row| row.gain.is_some()),
        figure: FigureView::new(&id, &figure(group, tasks.len(), format, gain_format)),
        id,
    }
}

fn cell(
    result: Option<&MethodSummary>,
    metric: &str,
    format: Format,
    records: &[TrialRecord],
) -> Cell {
    let Some(result) = result else {
        return Cell {
            note: "–",
            ..Cell::default()
        };
    };
    let of_task: Vec<&TrialRecord> = records
        .iter()
        .filter(|record| record.task == result.task)
        .collect();
    match result.metrics.get(metric) {
        Some(summary) => Cell {
            mean: format.value(summary.mean),
            std: summary.std.map(|std| format.value(std)).unwrap_or_default(),
            ..Cell::default()
        },
        None => Cell {
            note: note(result, &of_task).unwrap_or("–"),
            ..Cell::default()
        },
    }
}

fn figure(group: &[OverallSummary], tasks: usize, format: Format, gain_format: Format) -> Figure {
    let rows = group.iter().map(|row| FigureRow {
        name: tagged(&row.method, row.oracle),
        is_baseline: row.is_baseline(),
        level: row.mean.map(|value| Estimate {
            value,
            interval: None,
        }),
        gain: row.gain.zip(row.verdict).map(|(value, verdict)| {
            (
                Estimate {
                    value,
                    interval: row.gain_low.zip(row.gain_high),
                },
                verdict,
            )
        }),
        note: row
            .mean
            .is_none()
            .then(|| format!("{} of {tasks} tasks", row.tasks)),
    });
    let metric = &group[0].metric;
    let unit = match group[0].gain_metric.as_str() {
        "accuracy" => "points".to_owned(),
        metric => format!("{} saved", title(metric)),
    };
    Figure {
        rows: rows.collect(),
        lines: Vec::new(),
        level_axis: format!("{}, average", format.label(metric)),
        gain_axis: format!("average gain over the baseline ({unit})"),
        level_format: format,
        gain_format,
        alt: format!(
            "{} of each method averaged over {tasks} tasks, and its average gain with 95 % interval; the numbers are in \
             the table.",
            title(metric)
        ),
    }
}
