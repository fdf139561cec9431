//! What transfer changes of a learning curve, as a table: a measure a row, a method a column.

use serde::Serialize;
use translearn_diagnostics::curves::{Censored, CensoredEstimate, ComparedCurves, Estimate};
use translearn_diagnostics::interval::Interval;

use super::figure::Marks;
use super::format::{Format, clean, seconds};
use crate::summary::{CurveSummary, LearningSummary};

/// The table.
#[derive(Debug, Serialize)]
pub(super) struct LearningView {
    /// Methods, with what each is compared with.
    names: Vec<String>,
    rows: Vec<LearningRow>,
    /// What is marked in the figure.
    marked: String,
}

/// A measure: a value and its interval for each method.
#[derive(Debug, Serialize)]
struct LearningRow {
    measure: String,
    cells: Vec<[String; 2]>,
}

/// The comparison that is marked in the figure: that of the largest mean gain, the first of equals.
pub(super) fn marked(learning: &[LearningSummary]) -> Option<&LearningSummary> {
    let gain = |of: &LearningSummary| of.compared.area_gain.value;
    learning.iter().reduce(|best, other| {
        if gain(other) > gain(best) {
            other
        } else {
            best
        }
    })
}

/// What of it is marked: gains whose interval is above 0.
pub(super) fn marks(curve: &CurveSummary) -> Option<Marks> {
    let marked = marked(&curve.learning)?;
    let place = |name: &str| curve.series.iter().position(|series| series.name == name);
    let is_higher = |gain: &Estimate| gain.interval.low > 0.0;
    let found = &marked.compared;
    let (with, without) = &found.asymptote;
    let ends = with.value.zip(without.value);
    Some(Marks {
        transfer: place(&marked.method)?,
        baseline: place(&marked.baseline)?,
        start: is_higher(&found.jumpstart),
        slope: found.slope_gain.as_ref().is_some_and(is_higher),
        asymptotes: ends.filter(|_| found.asymptote_gain.as_ref().is_some_and(is_higher)),
    })
}

/// `None` without a comparison.
pub(super) fn view(
    learning: &[LearningSummary],
    metric: &str,
    format: Format,
) -> Option<LearningView> {
    let marked = marked(learning)?;
    let unit = format.gain_unit(metric);
    let threshold = learning.iter().map(|of| of.compared.threshold).next()?;
    let one_threshold = learning.iter().all(|of| of.compared.threshold == threshold);
    let label = format.label(metric);
    let reach = if one_threshold {
        format!("until {label} is {}", format.value(threshold))
    } else {
        format!("until {label} is the last without transfer")
    };
    type Cell<'a> = Box<dyn Fn(&ComparedCurves) -> [String; 2] + 'a>;
    let gain = |of: fn(&ComparedCurves) -> Option<Estimate>| -> Cell<'_> {
        Box::new(move |found| estimate(of(found), |value| format.signed(value)))
    };
    let labels = |of: fn(&ComparedCurves) -> CensoredEstimate| -> Cell<'_> {
        Box::new(move |found| censored(of(found)))
    };
    let percent = Format::of("accuracy", std::iter::empty()).with_decimals(1);
    let rows: Vec<(String, Cell<'_>)> = vec![
        (
            format!("Higher start ({unit})"),
            gain(|found| Some(found.jumpstart)),
        ),
        (
            format!("Higher slope ({unit} a doubling)"),
            gain(|found| found.slope_gain),
        ),
        (
            format!("Higher asymptote ({unit})"),
            gain(|found| found.asymptote_gain),
        ),
        (
            format!("Mean gain over the curve ({unit})"),
            gain(|found| Some(found.area_gain)),
        ),
        (
            "Area ratio (%)".to_owned(),
            Box::new(move |found| {
                let ratio = found.area_ratio;
                estimate(ratio, |value| percent.signed(value))
            }),
        ),
        (
            format!("Labels {reach}"),
            labels(|found| found.labels_to_threshold.0),
        ),
        (
            format!("Labels {reach}, without"),
            labels(|found| found.labels_to_threshold.1),
        ),
        (
            "Time of a fit there, below it that without".to_owned(),
            Box::new(|found| {
                let print = |time: Option<f64>| time.map_or("–".to_owned(), seconds);
                let (with, without) = found.seconds_to_threshold;
                [print(with), print(without)]
            }),
        ),
        (
            "Labels the source is worth".to_owned(),
            labels(|found| found.worth),
        ),
        (
            "Labels from which the other is ahead".to_owned(),
            labels(|found| found.crossing),
        ),
    ];
    let rows = rows.into_iter().map(|(measure, cell)| LearningRow {
        measure,
        cells: learning.iter().map(|of| cell(&of.compared)).collect(),
    });
    let name =
        |of: &LearningSummary| format!("{} against {}", clean(&of.method), clean(&of.baseline));
    Some(LearningView {
        names: learning.iter().map(name).collect(),
        rows: rows.collect(),
        marked: name(marked),
    })
}

/// A number and its interval; dashes where it is not told.
fn estimate(of: Option<Estimate>, print: impl Fn(f64) -> String) -> [String; 2] {
    of.map_or(["–".to_owned(), String::new()], |of| {
        let Interval { low, high } = of.interval;
        [
            print(of.value),
            format!("[{}, {}]", print(low), print(high)),
        ]
    })
}

/// Numbers of labels; beyond what was measured as `> 500`.
fn censored(of: CensoredEstimate) -> [String; 2] {
    let print = |end: Censored| match end {
        Censored::At(labels) => count(labels),
        Censored::Above(labels) => format!("> {}", count(labels)),
        Censored::Below(labels) => format!("< {}", count(labels)),
    };
    let interval = format!("[{}, {}]", print(of.low), print(of.high));
    [print(of.value), interval]
}

fn count(labels: f64) -> String {
    let decimals = usize::from(labels.abs() < 9.95);
    format!("{labels:.decimals$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use translearn_core::metrics::Metric;
    use translearn_diagnostics::curves::{CurveComparison, CurvePoint, LearningCurve};

    use super::*;
    use crate::summary::SeriesSummary;

    fn compared(transfer: [f64; 3]) -> ComparedCurves {
        let curve = |means: [f64; 3]| {
            let point = |(n_labelled, mean): (usize, f64)| CurvePoint {
                n_labelled,
                scores: [mean - 0.01, mean + 0.01].repeat(3),
                seconds: vec![0.25; 6],
            };
            let points = [10, 20, 40].into_iter().zip(means).map(point);
            LearningCurve::new(Metric::Accuracy, points.collect()).unwrap()
        };
        CurveComparison::default()
            .compare(&curve(transfer), &curve([0.4, 0.6, 0.7]), 0)
            .unwrap()
    }

    #[test]
    fn measures_are_those_of_the_comparison() {
        let summary = |method: &str, transfer| LearningSummary {
            method: method.to_owned(),
            baseline: "target-only".to_owned(),
            compared: compared(transfer),
        };
        let both = [
            summary("a|b", [0.5, 0.6, 0.7]),
            summary("pooled", [0.6, 0.65, 0.68]),
        ];
        let format = Format::of("accuracy", std::iter::empty());
        let view = view(&both, "accuracy", format).unwrap();
        assert_eq!(
            view.names,
            ["a|b against target-only", "pooled against target-only"]
        );
        let cell = |measure: &str, method: usize| {
            let row = view
                .rows
                .iter()
                .find(|row| row.measure.starts_with(measure));
            row.unwrap().cells[method].clone()
        };
        assert_eq!(cell("Higher start (percentage points)", 0)[0], "+10.00");
        assert_eq!(cell("Higher start", 1)[0], "+20.00");
        // (0.08 − 0.3) / 2 doublings, by least squares through three points.
        assert_eq!(cell("Higher slope", 1)[0], "−11.00");
        // Three points tell no end.
        assert_eq!(cell("Higher asymptote", 0), ["–", ""]);
        assert_eq!(cell("Labels until Accuracy (%) is 70.00", 1)[0], "> 40");
        assert_eq!(
            cell("Labels until Accuracy (%) is 70.00, without", 1)[0],
            "40"
        );
        assert_eq!(cell("Time of a fit", 0), ["250 ms", "250 ms"]);
        // The baseline is at 0.6 with 20 labels, ten more than at the start.
        assert_eq!(cell("Labels the source is worth", 1)[0], "10");
        assert_eq!(view.marked, "pooled against target-only");
        assert!(super::view(&[], "accuracy", format).is_none());
    }

    /// Six of six draws start ten points higher and end no higher.
    #[test]
    fn only_what_is_beyond_doubt_is_marked() {
        let series = |name: &str| SeriesSummary {
            name: name.to_owned(),
            points: Vec::new(),
        };
        let summary = |transfer| CurveSummary {
            x: "rows".to_owned(),
            task: None,
            metric: "accuracy".to_owned(),
            pairs: None,
            series: vec![series("target-only"), series("pooled")],
            contrasts: Vec::new(),
            learning: vec![LearningSummary {
                method: "pooled".to_owned(),
                baseline: "target-only".to_owned(),
                compared: compared(transfer),
            }],
        };
        let found = |transfer| {
            let marks = marks(&summary(transfer)).unwrap();
            assert_eq!((marks.transfer, marks.baseline), (1, 0));
            (marks.start, marks.slope, marks.asymptotes)
        };
        assert_eq!(found([0.5, 0.6, 0.7]), (true, false, None));
        assert_eq!(found([0.4, 0.65, 0.8]), (false, true, None));
    }
}
