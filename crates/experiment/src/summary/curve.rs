//! Curves: methods of a sweep side by side, and methods over tasks that differ in a number.

use std::collections::BTreeMap;

use super::bootstrap::interval_over_pairs;
use super::outcomes::Outcomes;
use super::overall::{self, kinds};
use super::task::TaskResults;
use super::types::{
    ContrastSummary, CurveSummary, DifferenceSummary, MethodSummary, PointSummary, SeriesSummary,
};
use super::{learning, mean};
use crate::TrialRecord;
use crate::plan::PlanFile;
use crate::spec::MethodSpec;
use translearn_core::metrics::Metric;

/// The curves of a plan; none without a sweep and without tasks that have a place.
pub(super) fn summarise(
    plan: &PlanFile,
    records: &[TrialRecord],
    tasks: &[TaskResults<'_>],
) -> Vec<CurveSummary> {
    let mut parameters: Vec<&str> = Vec::new();
    for point in plan
        .spec
        .methods
        .iter()
        .filter_map(|method| method.curve.as_ref())
    {
        if !parameters.contains(&point.parameter.as_str()) {
            parameters.push(&point.parameter);
        }
    }
    let mut curves = Vec::new();
    for kind in kinds(tasks) {
        let metric = kind.0;
        let tasks: Vec<&TaskResults<'_>> = tasks
            .iter()
            .filter(|task| overall::kind(task) == Some(kind))
            .collect();
        curves.extend(
            plan.spec
                .curve
                .x
                .as_ref()
                .map(|x| over_tasks(plan, records, x, metric, &tasks)),
        );
        let pairs = Pairs::new(&tasks, records, metric);
        for &parameter in &parameters {
            let contrasts = contrasts(plan, parameter, metric, &pairs);
            if tasks.len() > 1 {
                curves.push(average(plan, parameter, metric, &pairs));
            }
            let of_tasks = tasks
                .iter()
                .map(|task| of_task(plan, parameter, metric, task));
            let first = curves.len() - usize::from(tasks.len() > 1);
            curves.extend(of_tasks);
            curves[first].contrasts = contrasts;
        }
    }
    curves.retain(|curve| !curve.series.is_empty());
    curves
}

/// The methods over the tasks that have a place.
fn over_tasks(
    plan: &PlanFile,
    records: &[TrialRecord],
    x: &str,
    metric: &str,
    tasks: &[&TaskResults<'_>],
) -> CurveSummary {
    let mut series: Vec<SeriesSummary> = Vec::new();
    let at = |task: &str| plan.spec.tasks.iter().find(|known| known.name == task)?.at;
    for result in tasks.iter().flat_map(|task| &task.methods) {
        let Some(point) = at(&result.task).and_then(|at| point(Some(at), metric, result)) else {
            continue;
        };
        match series
            .iter_mut()
            .find(|series| series.name == result.method)
        {
            Some(series) => series.points.push(point),
            None => series.push(SeriesSummary {
                name: result.method.clone(),
                points: vec![point],
            }),
        }
    }
    CurveSummary {
        x: x.to_owned(),
        task: None,
        metric: metric.to_owned(),
        pairs: None,
        series: sorted(series),
        contrasts: Vec::new(),
        learning: learning::summarise(plan, records, metric),
    }
}

/// The curves of one task over a parameter.
fn of_task(plan: &PlanFile, parameter: &str, metric: &str, task: &TaskResults<'_>) -> CurveSummary {
    let find = |method: &MethodSpec| {
        task.methods
            .iter()
            .find(|result| result.method == method.name)
    };
    CurveSummary {
        x: parameter.to_owned(),
        task: task.methods.first().map(|method| method.task.clone()),
        metric: metric.to_owned(),
        pairs: None,
        series: series(plan, parameter, |method, at| {
            point(at, metric, find(method)?)
        }),
        contrasts: Vec::new(),
        learning: Vec::new(),
    }
}

/// The curves averaged over (task, seed) pairs.
fn average(plan: &PlanFile, parameter: &str, metric: &str, pairs: &Pairs<'_>) -> CurveSummary {
    let point = |method: &MethodSpec, at| {
        let values: Vec<f64> = pairs
            .scores
            .iter()
            .filter_map(|of_pair| of_pair.get(method.name.as_str()).copied())
            .collect();
        // An average stands only where no pair is missing, as in the table over all tasks.
        let mean = mean(&values).filter(|_| values.len() == pairs.scores.len())?;
        let interval = interval_over_pairs(&values);
        Some(PointSummary {
            at,
            method: method.name.clone(),
            task: None,
            mean,
            ci_low: interval.map(|interval| interval.low),
            ci_high: interval.map(|interval| interval.high),
        })
    };
    CurveSummary {
        x: parameter.to_owned(),
        task: None,
        metric: metric.to_owned(),
        pairs: Some(pairs.scores.len()),
        series: series(plan, parameter, point),
        contrasts: Vec::new(),
        learning: Vec::new(),
    }
}

/// The curves over a parameter, and as levels the methods without a sweep.
fn series(
    plan: &PlanFile,
    parameter: &str,
    point: impl Fn(&MethodSpec, Option<f64>) -> Option<PointSummary>,
) -> Vec<SeriesSummary> {
    let mut series: Vec<SeriesSummary> = Vec::new();
    for method in &plan.spec.methods {
        let (name, at) = match &method.curve {
            Some(curve) if curve.parameter == parameter => (&curve.series, Some(curve.at)),
            Some(_) => continue,
            None => (&method.name, None),
        };
        let Some(point) = point(method, at) else {
            continue;
        };
        match series.iter_mut().find(|series| series.name == *name) {
            Some(series) => series.points.push(point),
            None => series.push(SeriesSummary {
                name: name.clone(),
                points: vec![point],
            }),
        }
    }
    sorted(series)
}

fn sorted(mut series: Vec<SeriesSummary>) -> Vec<SeriesSummary> {
    for series in &mut series {
        let place = |point: &PointSummary| point.at.unwrap_or_default();
        series.points.sort_by(|a, b| place(a).total_cmp(&place(b)));
    }
    series
}

fn point(at: Option<f64>, metric: &str, result: &MethodSummary) -> Option<PointSummary> {
    let summary = result.metrics.get(metric)?;
    Some(PointSummary {
        at,
        method: result.method.clone(),
        task: Some(result.task.clone()),
        mean: summary.mean,
        ci_low: summary.ci_low,
        ci_high: summary.ci_high,
    })
}

/// The scores of each (task, seed) pair, by method.
struct Pairs<'a> {
    scores: Vec<BTreeMap<&'a str, f64>>,
}

impl<'a> Pairs<'a> {
    fn new(tasks: &[&TaskResults<'_>], records: &'a [TrialRecord], metric: &str) -> Self {
        let mut of_tasks: Vec<BTreeMap<u64, Vec<&'a TrialRecord>>> = Vec::new();
        for task in tasks {
            let Some(first) = task.methods.first() else {
                continue;
            };
            let mut by_seed: BTreeMap<u64, Vec<&'a TrialRecord>> = BTreeMap::new();
            for record in records
                .iter()
                .filter(|record| record.task == first.task && record.metrics.contains_key(metric))
            {
                by_seed.entry(record.seed).or_default().push(record);
            }
            of_tasks.push(by_seed);
        }
        // Seeds that change nothing anywhere are no further evidence: one of them counts.
        let outcomes = |records: &[&'a TrialRecord]| -> BTreeMap<&'a str, Option<&'a Outcomes>> {
            let of = |record: &&'a TrialRecord| (record.method.as_str(), record.outcomes.as_ref());
            records.iter().map(of).collect()
        };
        let constant = of_tasks.iter().all(|by_seed| {
            let all: Vec<_> = by_seed.values().map(|records| outcomes(records)).collect();
            all.windows(2).all(|two| two[0] == two[1])
        });
        let take = if constant { 1 } else { usize::MAX };
        let scores = of_tasks
            .iter()
            .flat_map(|by_seed| by_seed.values().take(take));
        let by_method = |records: &Vec<&'a TrialRecord>| {
            let score = |record: &&'a TrialRecord| {
                Some((record.method.as_str(), *record.metrics.get(metric)?))
            };
            records.iter().filter_map(score).collect()
        };
        Self {
            scores: scores.map(by_method).collect(),
        }
    }
}

/// The contrasts of the specification whose first is a curve over this parameter.
fn contrasts(
    plan: &PlanFile,
    parameter: &str,
    metric: &str,
    pairs: &Pairs<'_>,
) -> Vec<ContrastSummary> {
    let higher_is_better = metric.parse().is_ok_and(Metric::higher_is_better);
    let sign = if higher_is_better { 1.0 } else { -1.0 };
    let contrast = |(of, against): &(String, String)| {
        let compared = compared(plan, parameter, of, against);
        if compared.is_empty() {
            return None;
        }
        let of_pair = |scores: &BTreeMap<&str, f64>| -> Option<Vec<f64>> {
            let difference = |(_, one, other): &(f64, &str, &str)| {
                Some(sign * (scores.get(one)? - scores.get(other)?))
            };
            compared.iter().map(difference).collect()
        };
        // By pair, then by place.
        let differences: Vec<Vec<f64>> = pairs.scores.iter().filter_map(of_pair).collect();
        let places: Vec<f64> = compared.iter().map(|(at, ..)| *at).collect();
        let points = places.iter().enumerate().filter_map(|(index, &at)| {
            let values: Vec<f64> = differences.iter().map(|of_pair| of_pair[index]).collect();
            let interval = interval_over_pairs(&values);
            Some(DifferenceSummary {
                at,
                difference: mean(&values)?,
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
            })
        });
        let slopes: Vec<f64> = differences
            .iter()
            .filter_map(|values| slope(&places, values))
            .collect();
        let interval = interval_over_pairs(&slopes);
        Some(ContrastSummary {
            of: of.clone(),
            against: against.clone(),
            pairs: differences.len(),
            points: points.collect(),
            slope: mean(&slopes),
            slope_low: interval.map(|interval| interval.low),
            slope_high: interval.map(|interval| interval.high),
        })
    };
    plan.spec
        .curve
        .contrasts
        .iter()
        .filter_map(contrast)
        .collect()
}

/// Where two curves can be compared, with the methods there: at the places that both have, or a level at all places of a
/// curve.
fn compared<'a>(
    plan: &'a PlanFile,
    parameter: &str,
    of: &str,
    against: &'a str,
) -> Vec<(f64, &'a str, &'a str)> {
    let curve = |series: &str| -> Vec<(f64, &'a str)> {
        let points = plan.spec.methods.iter().filter_map(|method| {
            let point = method.curve.as_ref()?;
            let is_on = point.series == series && point.parameter == parameter;
            is_on.then_some((point.at, method.name.as_str()))
        });
        let mut points: Vec<_> = points.collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let other = curve(against);
    let pair = |(at, method): (f64, &'a str)| {
        if other.is_empty() {
            return Some((at, method, against));
        }
        let (_, same_place) = other.iter().find(|(place, _)| *place == at)?;
        Some((at, method, *same_place))
    };
    curve(of).into_iter().filter_map(pair).collect()
}

/// The slope of the line through some points, by least squares; `None` for fewer than two places.
fn slope(x: &[f64], y: &[f64]) -> Option<f64> {
    let (middle, level) = (mean(x)?, mean(y)?);
    let spread: f64 = x.iter().map(|x| (x - middle).powi(2)).sum();
    let along: f64 = x
        .iter()
        .zip(y)
        .map(|(x, y)| (x - middle) * (y - level))
        .sum();
    (spread > 0.0).then(|| along / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_normal_equations() {
        // numpy.polyfit([1, 2, 4], [3, 1, 0], 1)[0]
        assert!(
            (slope(&[1.0, 2.0, 4.0], &[3.0, 1.0, 0.0]).unwrap() + 0.928_571_428_571_428_6).abs()
                < 1e-15
        );
        assert_eq!(slope(&[2.0], &[1.0]), None);
        assert_eq!(slope(&[], &[]), None);
    }
}
