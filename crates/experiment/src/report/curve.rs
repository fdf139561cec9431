//! Curves of sweeps and over tasks, with what they cost and how they differ.

use serde::Serialize;

use super::figure::{Curve, CurveFigure, Estimate};
use super::format::{Format, clean, seconds, title};
use super::learning::{self, LearningView};
use super::view::FigureView;
use crate::TrialRecord;
use crate::summary::{ContrastSummary, CurveSummary, PointSummary};

/// A figure and its table.
#[derive(Debug, Serialize)]
pub(super) struct CurveView {
    pub(super) id: String,
    title: String,
    x: String,
    metric: String,
    gain_unit: String,
    /// What the intervals are over.
    caption: String,
    names: Vec<String>,
    rows: Vec<CurveRow>,
    /// What slopes are.
    slopes: String,
    /// Where the contrasts have points.
    places: Vec<String>,
    contrasts: Vec<ContrastView>,
    /// What transfer changes, where the curves are learning curves.
    learning: Option<LearningView>,
    pub(super) figure: FigureView,
}

#[derive(Debug, Serialize)]
struct CurveRow {
    /// Empty for levels.
    at: String,
    cells: Vec<CurveCell>,
}

#[derive(Debug, Default, Serialize)]
struct CurveCell {
    mean: String,
    interval: String,
    seconds: String,
}

#[derive(Debug, Serialize)]
struct ContrastView {
    name: String,
    /// Difference and interval at each place.
    points: Vec<(String, String)>,
    slope: String,
    slope_interval: String,
}

pub(super) fn view(index: usize, curve: &CurveSummary, records: &[TrialRecord]) -> CurveView {
    let points = || curve.series.iter().flat_map(|series| &series.points);
    let format = Format::of(&curve.metric, points().map(|point| point.mean));
    let mut places: Vec<Option<f64>> = points().map(|point| point.at).collect();
    places.sort_by(|a, b| {
        let place = |at: &Option<f64>| at.unwrap_or(f64::INFINITY);
        place(a).total_cmp(&place(b))
    });
    places.dedup();
    let rows = places.iter().map(|at| CurveRow {
        at: at.map(place).unwrap_or_default(),
        cells: curve
            .series
            .iter()
            .map(
                |series| match series.points.iter().find(|point| point.at == *at) {
                    Some(point) => cell(point, format, records),
                    None => CurveCell::default(),
                },
            )
            .collect(),
    });
    let differences = curve.contrasts.iter().flat_map(|contrast| &contrast.points);
    let mut compared: Vec<f64> = differences.map(|point| point.at).collect();
    compared.sort_by(f64::total_cmp);
    compared.dedup();
    let contrasts = curve
        .contrasts
        .iter()
        .map(|contrast| contrast_view(contrast, &compared, format))
        .collect();
    let id = format!("curve-{}", index + 1);
    let x = clean(&curve.x);
    let name = match (&curve.task, curve.pairs) {
        (Some(task), _) => clean(task),
        (None, Some(_)) => "all tasks".to_owned(),
        (None, None) => "the tasks".to_owned(),
    };
    let figure = CurveFigure {
        marks: learning::marks(curve),
        curves: curve
            .series
            .iter()
            .map(|series| Curve {
                name: series.name.clone(),
                points: series
                    .points
                    .iter()
                    .map(|point| (point.at, estimate(point)))
                    .collect(),
                seconds: series
                    .points
                    .iter()
                    .filter_map(|point| Some((point.at, fit_seconds(point, records)?)))
                    .collect(),
            })
            .collect(),
        x_axis: curve.x.clone(),
        y_axis: format.label(&curve.metric),
        format,
        alt: format!(
            "{} over {} ({name}): a line for each series with 95 % intervals, and the time of a fit beside it; the numbers \
             are in the table.",
            title(&curve.metric),
            curve.x
        ),
    };
    CurveView {
        title: format!("Curves: {name}"),
        metric: format.label(&curve.metric),
        gain_unit: format.gain_unit(&curve.metric),
        slopes: format!("Slopes by least squares, per unit of {x}."),
        caption: match curve.pairs {
            Some(pairs) => format!(
                "Means and 95 % intervals over {pairs} (task, seed) pairs; intervals from six on."
            ),
            None => "Means over seeds, 95 % intervals as in the tables below.".to_owned(),
        },
        names: curve
            .series
            .iter()
            .map(|series| clean(&series.name))
            .collect(),
        rows: rows.collect(),
        places: compared.into_iter().map(place).collect(),
        contrasts,
        learning: learning::view(&curve.learning, &curve.metric, format),
        figure: FigureView::of_svg(&id, figure.svg(), &figure.alt),
        x,
        id,
    }
}

fn place(at: f64) -> String {
    format!("{at}").replace('-', "−")
}

fn estimate(point: &PointSummary) -> Estimate {
    Estimate {
        value: point.mean,
        interval: point.ci_low.zip(point.ci_high),
    }
}

fn cell(point: &PointSummary, format: Format, records: &[TrialRecord]) -> CurveCell {
    CurveCell {
        mean: format.value(point.mean),
        interval: format
            .interval(point.ci_low, point.ci_high, false)
            .unwrap_or_default(),
        seconds: fit_seconds(point, records).map(seconds).unwrap_or_default(),
    }
}

/// The mean time of a fit over the trials of a point.
fn fit_seconds(point: &PointSummary, records: &[TrialRecord]) -> Option<f64> {
    let of_point = records.iter().filter(|record| {
        record.method == point.method && point.task.as_ref().is_none_or(|task| record.task == *task)
    });
    let times: Vec<f64> = of_point.filter_map(|record| record.fit_seconds).collect();
    (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
}

fn contrast_view(contrast: &ContrastSummary, places: &[f64], format: Format) -> ContrastView {
    let interval = |low, high| format.interval(low, high, true).unwrap_or_default();
    ContrastView {
        name: format!("{} − {}", clean(&contrast.of), clean(&contrast.against)),
        points: places
            .iter()
            .map(
                |at| match contrast.points.iter().find(|point| point.at == *at) {
                    Some(point) => (
                        format.signed(point.difference),
                        interval(point.low, point.high),
                    ),
                    None => <(String, String)>::default(),
                },
            )
            .collect(),
        slope: contrast
            .slope
            .map(|slope| format.signed(slope))
            .unwrap_or_default(),
        slope_interval: interval(contrast.slope_low, contrast.slope_high),
    }
}
