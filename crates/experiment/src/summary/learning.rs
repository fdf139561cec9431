//! Learning curves: methods over tasks that differ in the number of labelled target rows, beside `target-only`.

use std::collections::BTreeMap;

use translearn_core::metrics::Metric;
use translearn_diagnostics::curves::{CurveComparison, CurvePoint, LearningCurve};

use super::baseline;
use super::types::LearningSummary;
use crate::plan::PlanFile;
use crate::spec::{MethodSpec, TaskSpec};
use crate::{Status, TrialRecord};

/// What needs no labelled target row has no learning curve.
const WITHOUT_CURVE: [&str; 2] = ["source-only", "target-only"];

/// The comparisons, in the order of the plan; none where places are no numbers of labelled rows, or there are fewer seeds than
/// an interval needs.
pub(super) fn summarise(
    plan: &PlanFile,
    records: &[TrialRecord],
    metric: &str,
) -> Vec<LearningSummary> {
    let Ok(metric) = metric.parse::<Metric>() else {
        return Vec::new();
    };
    let mut tasks: Vec<(f64, &TaskSpec)> = (plan.spec.tasks.iter())
        .filter_map(|task| Some((task.at?, task)))
        .collect();
    tasks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tasks: Vec<&TaskSpec> = tasks.into_iter().map(|(_, task)| task).collect();
    let compare = |method: &MethodSpec| {
        if WITHOUT_CURVE.contains(&method.use_.as_str()) {
            return None;
        }
        let baseline = baseline_of(plan, &tasks, method)?;
        let points = |name: &str| points(records, &tasks, name, metric);
        let (transfer, baseline_points) = (points(&method.name)?, points(&baseline.name)?);
        let (transfer, baseline_curve) = paired(&transfer, &baseline_points, metric)?;
        let compared = CurveComparison::default().compare(&transfer, &baseline_curve, 0);
        Some(LearningSummary {
            method: method.name.clone(),
            baseline: baseline.name.clone(),
            compared: compared.ok()?,
        })
    };
    plan.spec.methods.iter().filter_map(compare).collect()
}

/// `target-only` around the same learner, the same one for all tasks.
fn baseline_of<'a>(
    plan: &'a PlanFile,
    tasks: &[&TaskSpec],
    method: &MethodSpec,
) -> Option<&'a MethodSpec> {
    let of = |task: &TaskSpec| baseline::for_method(plan, task, method, "target-only");
    let first = of(tasks.first()?)?;
    let same = |task: &&TaskSpec| of(task).is_some_and(|other| other.name == first.name);
    tasks.iter().all(same).then_some(first)
}

/// A number of labelled rows, and by seed the score and the seconds of a fit.
type Point = (usize, BTreeMap<u64, (f64, f64)>);

/// What was measured of a method on each task; `None` where the number of labelled rows differs between seeds.
fn points(
    records: &[TrialRecord],
    tasks: &[&TaskSpec],
    method: &str,
    metric: Metric,
) -> Option<Vec<Point>> {
    let point = |task: &&TaskSpec| {
        let of_task = records.iter().filter(|record| {
            record.task == task.name && record.method == method && record.status == Status::Ok
        });
        let mut n_labelled = None;
        let mut scores = BTreeMap::new();
        for record in of_task {
            if *n_labelled.get_or_insert(record.n_labelled) != record.n_labelled {
                return None;
            }
            let score = *record.metrics.get(metric.name())?;
            let seconds = record.fit_seconds.unwrap_or(0.0);
            scores.insert(record.seed, (score, seconds));
        }
        Some((n_labelled?, scores))
    };
    tasks.iter().map(point).collect()
}

/// Both curves over the seeds that have every point of both.
fn paired(
    transfer: &[Point],
    baseline: &[Point],
    metric: Metric,
) -> Option<(LearningCurve, LearningCurve)> {
    let (_, first) = transfer.first()?;
    let everywhere = |seed: &&u64| {
        let mut all = transfer.iter().chain(baseline);
        all.all(|(_, of)| of.contains_key(seed))
    };
    let seeds: Vec<u64> = first.keys().filter(everywhere).copied().collect();
    let curve = |points: &[Point]| {
        let point = |(n_labelled, of): &Point| CurvePoint {
            n_labelled: *n_labelled,
            scores: seeds.iter().map(|seed| of[seed].0).collect(),
            seconds: seeds.iter().map(|seed| of[seed].1).collect(),
        };
        LearningCurve::new(metric, points.iter().map(point).collect()).ok()
    };
    Some((curve(transfer)?, curve(baseline)?))
}

#[cfg(test)]
mod tests {
    use crate::TrialRecord;
    use crate::summary::summarise;
    use crate::summary::tests::{SOURCE, TARGET, plan, scored};

    /// Six seeds of three tasks with 4, 8 and 16 labelled rows: the comparison is that of the curves themselves.
    #[test]
    fn tasks_that_differ_in_labelled_rows_are_learning_curves() {
        let mut plan = plan(3, 6, true);
        plan.spec.curve.x = Some("labelled rows".into());
        let mut records = Vec::new();
        for (task, (name, n_labelled)) in [("a", 4), ("b", 8), ("c", 16)].into_iter().enumerate() {
            plan.spec.tasks[task].at = Some(n_labelled as f64);
            for seed in 0..6 {
                let mut add = |method: &str, right: usize| {
                    records.push(TrialRecord {
                        n_labelled,
                        fit_seconds: Some(0.5),
                        ..scored(name, method, seed, right, 100)
                    });
                };
                add(SOURCE, 40);
                add(TARGET, 50 + 10 * task + seed as usize);
                add("coral", 70 + 5 * task + 2 * seed as usize);
            }
        }
        let summary = summarise(&plan, &records);
        let [of_coral] = &summary.curves[0].learning[..] else {
            panic!("{:?}", summary.curves[0].learning)
        };
        assert_eq!(
            (of_coral.method.as_str(), of_coral.baseline.as_str()),
            ("coral", TARGET)
        );
        let found = &of_coral.compared;
        assert_eq!(found.sizes, [4, 8, 16]);
        // (0.70 + 2 s / 100) − (0.50 + s / 100), the mean of s = 0 … 5.
        assert!(
            (found.jumpstart.value - 0.225).abs() < 1e-12 && found.jumpstart.interval.low > 0.0
        );
        // 5 points a doubling against 10.
        assert!((found.slope_gain.unwrap().value + 0.05).abs() < 1e-12);

        // With another number of labelled rows for one seed, in one order for all, or with five seeds they are none.
        let none =
            |records: &[TrialRecord]| summarise(&plan, records).curves[0].learning.is_empty();
        let mut uneven = records.clone();
        uneven[2].n_labelled = 5;
        let falling: Vec<TrialRecord> = (records.iter().cloned())
            .map(|record| TrialRecord {
                n_labelled: 20 - record.n_labelled,
                ..record
            })
            .collect();
        let few: Vec<TrialRecord> =
            (records.iter().filter(|record| record.seed > 0).cloned()).collect();
        assert!(none(&uneven) && none(&falling) && none(&few));
    }
}
