//! The summary as a table of text.

use std::fmt::Write;
use std::path::Path;

use super::format::{Format, clean, tagged};
use crate::Status;
use crate::summary::{MethodSummary, OverallSummary, Summary, Verdict};

/// Tasks that are shown one by one; beyond, only the averages over them.
const MOST_TASKS: usize = 3;

/// What a run says at its end: a table per task while they are few, the averages over tasks, how many trials failed and
/// why, and where the report is.
///
/// ```text
/// low→high                      Accuracy (%)    gain    95 % interval  verdict
/// source-only (logistic)               45.00
/// coral                                65.00  +20.00  [+5.00, +35.00]  positive
/// ```
pub fn terminal_table(summary: &Summary, folder: &Path) -> String {
    let mut text = String::new();
    let mut tasks: Vec<&[MethodSummary]> =
        summary.results.chunk_by(|a, b| a.task == b.task).collect();
    if tasks.len() > MOST_TASKS {
        tasks.clear();
    }
    for task in tasks {
        text.push_str(&align(&task_table(task)));
        text.push('\n');
    }
    for group in summary.overall.chunk_by(|a, b| a.metric == b.metric) {
        text.push_str(&align(&overall_table(group)));
        text.push('\n');
    }
    failures(&mut text, summary);
    let trials = &summary.trials;
    let mut counts = vec![format!("{} ok", trials.ok)];
    for (n, what) in [
        (trials.unsupported, "unsupported"),
        (trials.failed, "failed"),
        (trials.timeout, "timeout"),
    ] {
        if n > 0 {
            counts.push(format!("{n} {what}"));
        }
    }
    let _ = writeln!(
        text,
        "{}: {} of {} trials finished: {}",
        clean(&summary.experiment),
        trials.finished(),
        trials.planned,
        counts.join(", ")
    );
    let _ = writeln!(text, "{}", folder.join("report.html").display());
    text
}

fn task_table(results: &[MethodSummary]) -> Vec<Vec<String>> {
    let metric = results
        .iter()
        .find_map(|result| result.metric.as_deref())
        .unwrap_or("score");
    let values = || {
        results
            .iter()
            .filter_map(|result| Some(result.metrics.get(metric)?.mean))
    };
    let format = Format::of(metric, values());
    let gain_format = Format::of(gain_metric(results), values());
    let seeds = results.iter().any(|result| result.n > 1);
    let mut head = vec![clean(&results[0].task), format.label(metric)];
    head.extend(seeds.then(|| "std".to_owned()));
    head.extend(["gain", "95 % interval", "verdict"].map(str::to_owned));
    let mut rows = vec![head];
    for result in results {
        let metric = result.metrics.get(metric);
        let mut row = vec![clean(&tagged(&result.method, result.oracle))];
        row.push(metric.map_or("–".to_owned(), |metric| format.value(metric.mean)));
        if seeds {
            row.push(
                metric
                    .and_then(|metric| metric.std)
                    .map_or(String::new(), |std| format.value(std)),
            );
        }
        row.extend(gain(
            gain_format,
            result.gain,
            result.gain_low,
            result.gain_high,
            result.verdict,
        ));
        rows.push(row);
    }
    rows
}

fn overall_table(results: &[OverallSummary]) -> Vec<Vec<String>> {
    let metric = results[0].metric.as_str();
    let format = Format::of(metric, results.iter().filter_map(|result| result.mean));
    let gain_format = Format::of(
        &results[0].gain_metric,
        results.iter().filter_map(|result| result.mean),
    );
    let tasks = results.iter().map(|result| result.tasks).max().unwrap_or(0);
    let head = [format!("average of {tasks} tasks"), format.label(metric)];
    let mut rows = vec![
        head.into_iter()
            .chain(["gain", "95 % interval", "verdict", "+/−/?"].map(str::to_owned))
            .collect(),
    ];
    for result in results {
        let mut row: Vec<String> = vec![clean(&tagged(&result.method, result.oracle))];
        row.push(
            result
                .mean
                .map_or("–".to_owned(), |mean| format.value(mean)),
        );
        row.extend(gain(
            gain_format,
            result.gain,
            result.gain_low,
            result.gain_high,
            result.verdict,
        ));
        row.push(if result.verdict.is_some() {
            format!(
                "{}/{}/{}",
                result.positive, result.negative, result.undecided
            )
        } else {
            String::new()
        });
        rows.push(row);
    }
    rows
}

fn gain_metric(results: &[MethodSummary]) -> &str {
    results
        .iter()
        .find_map(|result| result.gain_metric.as_deref())
        .unwrap_or_default()
}

fn gain(
    format: Format,
    gain: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    verdict: Option<Verdict>,
) -> [String; 3] {
    [
        gain.map_or(String::new(), |gain| format.signed(gain)),
        format.interval(low, high, true).unwrap_or_default(),
        verdict.map_or(String::new(), |verdict| verdict.name().to_owned()),
    ]
}

/// The reasons, each with how often it stands, most frequent first.
fn failures(text: &mut String, summary: &Summary) {
    const MOST: usize = 5;
    let mut reasons: Vec<((Status, &str, &str), usize)> = Vec::new();
    for failure in summary
        .failures
        .iter()
        .filter(|failure| failure.status != Status::Unsupported)
    {
        let reason = (
            failure.status,
            failure.method.as_str(),
            failure.error.as_str(),
        );
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for ((status, method, error), count) in reasons.iter().take(MOST) {
        let status = if *status == Status::Timeout {
            "timeout"
        } else {
            "failed"
        };
        let _ = writeln!(
            text,
            "{status} {count}×: {}: {}",
            clean(method),
            clean(error)
        );
    }
    if reasons.len() > MOST {
        let _ = writeln!(
            text,
            "and {} further reasons, in the report",
            reasons.len() - MOST
        );
    }
    if !reasons.is_empty() {
        text.push('\n');
    }
}

/// The first column and words to the left, numbers to the right.
pub(super) fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let is_word =
        |column: usize| column == 0 || rows[0].get(column).is_some_and(|head| head == "verdict");
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                if is_word(column) {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_they_hold() {
        let rows = [
            ["task→", "Acc", "verdict"],
            ["a long name", "45.00", "positive"],
            ["b", "5.00", ""],
        ];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.map(str::to_owned).to_vec())
            .collect();
        assert_eq!(
            align(&rows),
            "task→          Acc  verdict\na long name  45.00  positive\nb             5.00\n"
        );
    }
}
