use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array1;
use translearn_core::Labels;
use translearn_core::metrics::{accuracy, rmse};

use super::*;
use crate::plan::expand;
use crate::spec::Spec;

/// A plan over tasks `a`, `b`, … of which the first has labelled target rows where `labelled`.
pub(super) fn plan(tasks: usize, seeds: usize, labelled: bool) -> PlanFile {
    let mut text = format!(
        "schema = 1\nname = \"demo\"\nseeds = {seeds}\nmetrics = [\"accuracy\", \"macro_f1\"]\n"
    );
    for task in 0..tasks {
        let name = char::from(b'a' + task as u8);
        text += &format!(
            "[[task]]\nname = \"{name}\"\nsource = {{ set = \"wine-quality-embedded\", domain = \"low-alcohol\" }}\n\
             target = {{ set = \"wine-quality-embedded\", domain = \"high-alcohol\" }}\n"
        );
        text += if labelled {
            "labelled = { count = 4 }\n"
        } else {
            ""
        };
    }
    text += "[[method]]\nuse = \"coral\"\nlearner = { use = \"logistic\" }\n";
    text += "[[method]]\nuse = \"sa\"\nlearner = { use = \"knn\" }\n";
    let registry = translearn_classical::registry();
    let spec = Spec::parse(&text, Path::new("demo.toml"), &registry).unwrap();
    expand(&spec, &registry, &BTreeMap::new(), &BTreeMap::new()).file
}

fn record(task: &str, method: &str, seed: u64) -> TrialRecord {
    TrialRecord {
        schema: SCHEMA,
        trial: format!("{task}-{method}-{seed}"),
        experiment: "demo".into(),
        task: task.into(),
        method: method.into(),
        use_: method.split(' ').next().unwrap().into(),
        family: "feature".into(),
        learner: Some("logistic".into()),
        params: serde_json::Map::new(),
        seed,
        status: Status::Ok,
        error: None,
        metrics: BTreeMap::new(),
        fit_seconds: None,
        predict_seconds: None,
        peak_rss_bytes: None,
        n_source: 0,
        n_target: 0,
        n_labelled: 0,
        n_test: 0,
        n_features: None,
        ess: None,
        selected: None,
        gate: None,
        outcomes: None,
        device: "cpu".into(),
        versions: BTreeMap::new(),
    }
}

/// A record whose first `right` of `n` rows are called rightly.
pub(super) fn scored(task: &str, method: &str, seed: u64, right: usize, n: usize) -> TrialRecord {
    let truth = Array1::<usize>::ones(n);
    let predicted: Array1<usize> = (0..n).map(|row| usize::from(row < right)).collect();
    let rows: Vec<usize> = (0..n).collect();
    let metric = accuracy(truth.view(), predicted.view(), None).unwrap();
    TrialRecord {
        metrics: BTreeMap::from([("accuracy".into(), metric)]),
        outcomes: Outcomes::of(&rows, &Labels::Classes(truth), &Labels::Classes(predicted)),
        ..record(task, method, seed)
    }
}

fn of<'a>(summary: &'a Summary, method: &str) -> &'a MethodSummary {
    summary
        .results
        .iter()
        .find(|result| result.method == method)
        .unwrap()
}

pub(super) const SOURCE: &str = "source-only (logistic)";
pub(super) const TARGET: &str = "target-only (logistic)";

#[test]
fn equal_predictions_have_gain_zero_and_no_verdict() {
    let records = [
        scored("a", "coral", 0, 13, 20),
        scored("a", SOURCE, 0, 13, 20),
    ];
    let summary = summarise(&plan(1, 1, false), &records);
    let coral = of(&summary, "coral");
    assert_eq!(
        (coral.gain, coral.gain_low, coral.gain_high),
        (Some(0.0), Some(0.0), Some(0.0))
    );
    assert_eq!(coral.verdict, Some(Verdict::Undecided));
    assert_eq!(coral.baseline.as_deref(), Some(SOURCE));
    // The baseline is not compared with itself, and baselines come first.
    assert_eq!(
        (of(&summary, SOURCE).gain, of(&summary, SOURCE).verdict),
        (None, None)
    );
    assert_eq!(summary.results[0].method, SOURCE);
}

#[test]
fn the_verdict_is_that_of_the_interval() {
    for (right, verdict) in [
        (90, Verdict::Positive),
        (30, Verdict::Negative),
        (62, Verdict::Undecided),
    ] {
        let records = [
            scored("a", "coral", 0, right, 100),
            scored("a", SOURCE, 0, 60, 100),
        ];
        let summary = summarise(&plan(1, 1, false), &records);
        let coral = of(&summary, "coral");
        assert_eq!(coral.verdict, Some(verdict), "{right}");
        let gain = (right as f64 - 60.0) / 100.0;
        assert!((coral.gain.unwrap() - gain).abs() < 1e-12);
        // The rows that differ decide: their number is binomial in a resample.
        let share = gain.abs();
        let half = 1.96 * (share * (1.0 - share) / 100.0).sqrt();
        let width = coral.gain_high.unwrap() - coral.gain_low.unwrap();
        assert!(
            (width - 2.0 * half).abs() < 0.4 * half,
            "{width} against {}",
            2.0 * half
        );
    }
    assert_eq!(
        Verdict::of_interval(Some(0.0), Some(1.0)),
        Verdict::Undecided
    );
    assert_eq!(
        Verdict::of_interval(Some(1e-17), Some(1.0)),
        Verdict::Undecided
    );
    assert_eq!(Verdict::of_interval(None, None), Verdict::Undecided);
}

#[test]
fn the_comparison_is_paired() {
    // Ten rows each right where the other is wrong, against the same ten on top: the same gain, the width differs.
    let rows: Vec<usize> = (0..100).collect();
    let with = |right: std::ops::Range<usize>, method: &str| {
        let predicted: Array1<usize> = rows
            .iter()
            .map(|row| usize::from(right.contains(row)))
            .collect();
        let truth = Labels::Classes(Array1::ones(100));
        TrialRecord {
            outcomes: Outcomes::of(&rows, &truth, &Labels::Classes(predicted)),
            ..scored("a", method, 0, right.len(), 100)
        }
    };
    let width = |coral: std::ops::Range<usize>| {
        let summary = summarise(
            &plan(1, 1, false),
            &[with(coral, "coral"), with(0..50, SOURCE)],
        );
        let coral = of(&summary, "coral");
        assert!((coral.gain.unwrap() - 0.1).abs() < 1e-12);
        coral.gain_high.unwrap() - coral.gain_low.unwrap()
    };
    let (nested, apart) = (width(0..60), width(40..100));
    assert!(apart > 1.5 * nested, "{apart} against {nested}");
}

#[test]
fn labelled_target_rows_choose_the_baseline() {
    let mut records = vec![
        scored("a", "coral", 0, 80, 100),
        scored("a", SOURCE, 0, 60, 100),
    ];
    // Without its baseline there is no verdict, but the gain over the other stands.
    let summary = summarise(&plan(1, 1, true), &records);
    let coral = of(&summary, "coral");
    assert_eq!((coral.verdict, coral.gains.len()), (None, 1));
    records.push(scored("a", TARGET, 0, 90, 100));
    let summary = summarise(&plan(1, 1, true), &records);
    let coral = of(&summary, "coral");
    assert_eq!(
        (coral.baseline.as_deref(), coral.verdict),
        (Some(TARGET), Some(Verdict::Negative))
    );
    let over: Vec<(&str, Verdict)> = coral
        .gains
        .iter()
        .map(|gain| (gain.use_.as_str(), gain.verdict))
        .collect();
    assert_eq!(
        over,
        [
            ("source-only", Verdict::Positive),
            ("target-only", Verdict::Negative)
        ]
    );
    assert_eq!(of(&summary, SOURCE).baseline.as_deref(), Some(TARGET));
}

#[test]
fn only_the_same_learner_is_a_baseline() {
    let records = [
        scored("a", "sa", 0, 80, 100),
        scored("a", SOURCE, 0, 60, 100),
    ];
    let summary = summarise(&plan(1, 1, false), &records);
    assert_eq!(
        (of(&summary, "sa").gain, of(&summary, "sa").gains.len()),
        (None, 0)
    );
}

#[test]
fn seeds_that_change_nothing_are_no_more_data() {
    let trials = |seeds: u64| -> Vec<TrialRecord> {
        (0..seeds)
            .flat_map(|seed| {
                [
                    scored("a", "coral", seed, 70, 100),
                    scored("a", SOURCE, seed, 60, 100),
                ]
            })
            .collect()
    };
    let one = summarise(&plan(1, 1, false), &trials(1));
    let five = summarise(&plan(1, 5, false), &trials(5));
    let (one, five) = (of(&one, "coral"), of(&five, "coral"));
    assert_eq!((one.n, five.n), (1, 5));
    assert!((one.gain_low.unwrap() - five.gain_low.unwrap()).abs() < 1e-12);
    let metric = |summary: &MethodSummary| {
        (
            summary.metrics["accuracy"].ci_low,
            summary.metrics["accuracy"].ci_high,
        )
    };
    assert!((metric(one).0.unwrap() - metric(five).0.unwrap()).abs() < 1e-12);
    assert_eq!(
        (one.metrics["accuracy"].std, five.metrics["accuracy"].std),
        (None, Some(0.0))
    );
}

#[test]
fn the_gain_of_values_is_the_decrease_of_the_rmse() {
    let truth = Array1::linspace(0.0, 9.0, 40);
    let rows: Vec<usize> = (0..40).collect();
    let off = |method: &str, error: f64| {
        let predicted: Array1<f64> = truth
            .iter()
            .enumerate()
            .map(|(i, y)| y + error * (i as f64).sin())
            .collect();
        TrialRecord {
            metrics: BTreeMap::from([(
                "rmse".into(),
                rmse(truth.view(), predicted.view(), None).unwrap(),
            )]),
            outcomes: Outcomes::of(
                &rows,
                &Labels::Values(truth.clone()),
                &Labels::Values(predicted),
            ),
            ..record("a", method, 0)
        }
    };
    let records = [off("coral", 1.0), off(SOURCE, 3.0)];
    let summary = summarise(&plan(1, 1, false), &records);
    let coral = of(&summary, "coral");
    let gain = records[1].metrics["rmse"] - records[0].metrics["rmse"];
    assert!((coral.gain.unwrap() - gain).abs() < 1e-6 * gain);
    assert_eq!(
        (coral.gain_metric.as_deref(), coral.verdict),
        (Some("rmse"), Some(Verdict::Positive))
    );
    let metric = &coral.metrics["rmse"];
    assert!(metric.ci_low.unwrap() < metric.mean && metric.mean < metric.ci_high.unwrap());
}

#[test]
fn metrics_without_outcomes_vary_over_seeds() {
    let records: Vec<TrialRecord> = [0.5, 0.7]
        .into_iter()
        .enumerate()
        .map(|(seed, f1)| {
            let mut record = scored("a", "coral", seed as u64, 6, 10);
            record.metrics.insert("macro_f1".into(), f1);
            record
        })
        .collect();
    let summary = summarise(&plan(1, 2, false), &records);
    let f1 = &of(&summary, "coral").metrics["macro_f1"];
    // Student's t with one degree of freedom: 12.706 times 0.1.
    assert!((f1.mean - 0.6).abs() < 1e-12 && (f1.ci_high.unwrap() - 1.870_620_5).abs() < 1e-6);
    assert_eq!(f1.ci_over.as_deref(), Some("seeds"));
    assert_eq!(
        of(&summary, "coral").metrics["accuracy"].ci_over.as_deref(),
        Some("rows")
    );
    assert_eq!(of(&summary, "coral").metric.as_deref(), Some("accuracy"));
}

#[test]
fn an_interval_over_tasks_needs_six_pairs() {
    let trials = |tasks: usize| -> Vec<TrialRecord> {
        let names: Vec<String> = (0..tasks)
            .map(|task| char::from(b'a' + task as u8).to_string())
            .collect();
        let pair = |(i, task): (usize, &String)| {
            [
                scored(task, "coral", 0, 70 + i, 100),
                scored(task, SOURCE, 0, 60, 100),
            ]
        };
        names.iter().enumerate().flat_map(pair).collect()
    };
    assert!(summarise(&plan(1, 1, false), &trials(1)).overall.is_empty());
    for (tasks, verdict) in [
        (2, Verdict::Undecided),
        (5, Verdict::Undecided),
        (6, Verdict::Positive),
    ] {
        let summary = summarise(&plan(tasks, 1, false), &trials(tasks));
        let coral = summary
            .overall
            .iter()
            .find(|row| row.method == "coral")
            .unwrap();
        assert_eq!(
            (coral.pairs, coral.tasks, coral.verdict),
            (tasks, tasks, Some(verdict))
        );
        assert_eq!(coral.gain_low.is_some(), tasks >= 6);
        let gain = (0..tasks).map(|i| 0.1 + i as f64 / 100.0).sum::<f64>() / tasks as f64;
        assert!((coral.gain.unwrap() - gain).abs() < 1e-12);
        let source = summary
            .overall
            .iter()
            .find(|row| row.method == SOURCE)
            .unwrap();
        assert_eq!(
            (source.mean.map(|m| (m * 100.0).round()), source.verdict),
            (Some(60.0), None)
        );
    }
    // An average without one of its tasks would compare different things.
    let mut missing = trials(3);
    missing.retain(|record| (record.task.as_str(), record.method.as_str()) != ("b", "coral"));
    let summary = summarise(&plan(3, 1, false), &missing);
    let coral = summary
        .overall
        .iter()
        .find(|row| row.method == "coral")
        .unwrap();
    assert_eq!((coral.tasks, coral.mean), (2, None));
}

#[test]
fn failures_are_listed_and_counted() {
    let failed = TrialRecord {
        status: Status::Timeout,
        error: Some("too slow".into()),
        ..record("a", "coral", 0)
    };
    let summary = summarise(&plan(1, 1, false), &[failed, scored("a", SOURCE, 0, 6, 10)]);
    assert_eq!(
        (
            summary.trials.ok,
            summary.trials.timeout,
            summary.trials.finished()
        ),
        (1, 1, 2)
    );
    assert_eq!(
        (of(&summary, "coral").n, of(&summary, "coral").verdict),
        (0, None)
    );
    assert_eq!(summary.failures[0].error, "too slow");
}

/// A plan with curves of `tca` and `sa` over the number of components, and `coral` beside them.
fn swept(tasks: usize, seeds: usize) -> PlanFile {
    let mut plan = plan(tasks, seeds, false);
    let base = plan.spec.methods[0].clone();
    let at = |series: &str, at: f64| crate::spec::MethodSpec {
        name: format!("{series} {at}"),
        curve: Some(crate::spec::CurvePoint {
            series: series.to_owned(),
            parameter: "n_components".to_owned(),
            at,
        }),
        ..base.clone()
    };
    // Not in the order of the axis.
    plan.spec.methods = vec![
        at("tca", 4.0),
        at("tca", 1.0),
        at("tca", 2.0),
        at("sa", 1.0),
        at("sa", 2.0),
        at("sa", 4.0),
        base,
    ];
    let pair = |of: &str, against: &str| (of.to_owned(), against.to_owned());
    plan.spec.curve.contrasts = vec![pair("tca", "sa"), pair("tca", "coral")];
    plan
}

fn right(series: usize, at: usize, task: usize, seed: u64) -> usize {
    50 + 7 * series + 3 * at * (1 + series) + 2 * task + (seed as usize * (at + series)) % 5
}

fn on_curves(tasks: usize, seeds: u64) -> Vec<TrialRecord> {
    let mut records = Vec::new();
    for task in 0..tasks {
        let name = ["a", "b"][task];
        for seed in 0..seeds {
            for (series, method) in ["tca", "sa"].into_iter().enumerate() {
                for at in [1, 2, 4] {
                    records.push(scored(
                        name,
                        &format!("{method} {at}"),
                        seed,
                        right(series, at, task, seed),
                        100,
                    ));
                }
            }
            records.push(scored(name, "coral", seed, 60 + seed as usize, 100));
        }
    }
    records
}

#[test]
fn curves_are_means_over_pairs_and_contrasts_are_paired() {
    let summary = summarise(&swept(2, 3), &on_curves(2, 3));
    let [all, a, b] = &summary.curves[..] else {
        panic!("{:?}", summary.curves)
    };
    assert_eq!((all.task.as_deref(), all.pairs), (None, Some(6)));
    assert_eq!(
        (a.task.as_deref(), b.task.as_deref()),
        (Some("a"), Some("b"))
    );
    assert!(a.contrasts.is_empty() && b.pairs.is_none());
    let names: Vec<&str> = all
        .series
        .iter()
        .map(|series| series.name.as_str())
        .collect();
    assert_eq!(names, ["tca", "sa", "coral"]);
    let places: Vec<Option<f64>> = all.series[0].points.iter().map(|point| point.at).collect();
    assert_eq!(places, [Some(1.0), Some(2.0), Some(4.0)]);
    assert_eq!(all.series[2].points[0].at, None);

    let pairs: Vec<(usize, u64)> = (0..2)
        .flat_map(|task| (0..3).map(move |seed| (task, seed)))
        .collect();
    let mean = |of: &dyn Fn(usize, u64) -> f64| {
        pairs
            .iter()
            .map(|&(task, seed)| of(task, seed))
            .sum::<f64>()
            / 6.0
    };
    for (place, at) in [1, 2, 4].into_iter().enumerate() {
        let expected = mean(&|task, seed| right(0, at, task, seed) as f64 / 100.0);
        assert!((all.series[0].points[place].mean - expected).abs() < 1e-12);
        let difference = |task, seed| {
            (right(0, at, task, seed) as f64 - right(1, at, task, seed) as f64) / 100.0
        };
        let found = &all.contrasts[0].points[place];
        assert!((found.difference - mean(&difference)).abs() < 1e-12);
        assert!(found.low.unwrap() <= found.difference && found.difference <= found.high.unwrap());
    }
    // The slope of the mean differences is the mean of the slopes.
    let y: Vec<f64> = all.contrasts[0]
        .points
        .iter()
        .map(|point| point.difference)
        .collect();
    let x = [1.0, 2.0, 4.0];
    let middle = 7.0 / 3.0;
    let naive = x.iter().zip(&y).map(|(x, y)| (x - middle) * y).sum::<f64>()
        / x.iter().map(|x: &f64| (x - middle).powi(2)).sum::<f64>();
    let contrast = &all.contrasts[0];
    assert!((contrast.slope.unwrap() - naive).abs() < 1e-12);
    // `sa` rises twice as fast as `tca` with each of the pairs.
    assert!(contrast.slope_high.unwrap() < 0.0 && contrast.slope_low < contrast.slope_high);
    assert_eq!(
        (
            contrast.of.as_str(),
            contrast.against.as_str(),
            contrast.pairs
        ),
        ("tca", "sa", 6)
    );
    let level = &all.contrasts[1].points[0];
    let expected =
        mean(&|task, seed| (right(0, 1, task, seed) as f64 - 60.0 - seed as f64) / 100.0);
    assert!((level.difference - expected).abs() < 1e-12);
}

#[test]
fn a_pair_that_lacks_a_point_is_left_out_and_few_have_no_interval() {
    let mut records = on_curves(2, 3);
    records.retain(|record| !(record.task == "b" && record.seed == 1 && record.method == "sa 2"));
    let summary = summarise(&swept(2, 3), &records);
    let all = &summary.curves[0];
    assert_eq!((all.contrasts[0].pairs, all.contrasts[1].pairs), (5, 6));
    assert_eq!(
        (all.contrasts[0].slope_low, all.contrasts[0].points[0].low),
        (None, None)
    );
    assert!(all.contrasts[0].slope.is_some() && all.contrasts[1].slope_low.is_some());
    // An average of what is there would be one of other pairs at this point than at the next.
    assert_eq!(all.series[1].points.len(), 2);

    // One task: its own curves have the contrasts.
    let one = summarise(&swept(1, 2), &on_curves(1, 2));
    assert_eq!(one.curves.len(), 1);
    assert_eq!(one.curves[0].contrasts[0].pairs, 2);

    // Seeds that change nothing count once.
    let mut same = on_curves(2, 1);
    for seed in [1, 2] {
        let again: Vec<TrialRecord> = on_curves(2, 1)
            .into_iter()
            .map(|record| TrialRecord { seed, ..record })
            .collect();
        same.extend(again);
    }
    assert_eq!(summarise(&swept(2, 3), &same).curves[0].pairs, Some(2));
}

#[test]
fn a_curve_over_tasks_has_the_numbers_of_the_tasks() {
    let mut plan = plan(2, 2, false);
    plan.spec.curve.x = Some("rows".into());
    plan.spec.tasks[0].at = Some(30.0);
    plan.spec.tasks[1].at = Some(10.0);
    let records = [
        scored("a", "coral", 0, 80, 100),
        scored("b", "coral", 0, 60, 100),
    ];
    let summary = summarise(&plan, &records);
    let [curve] = &summary.curves[..] else {
        panic!("{:?}", summary.curves)
    };
    assert_eq!(
        (curve.x.as_str(), curve.task.as_deref(), curve.pairs),
        ("rows", None, None)
    );
    let points: Vec<_> = curve.series[0]
        .points
        .iter()
        .map(|point| (point.at.unwrap(), point.mean))
        .collect();
    assert_eq!(points, [(10.0, 0.6), (30.0, 0.8)]);
    let of_b = summary
        .results
        .iter()
        .find(|result| result.task == "b" && result.method == "coral");
    let metric = &of_b.unwrap().metrics["accuracy"];
    let first = &curve.series[0].points[0];
    assert!(metric.ci_low.is_some());
    assert_eq!(
        (first.ci_low, first.ci_high),
        (metric.ci_low, metric.ci_high)
    );
    plan.spec.tasks[1].at = None;
    assert_eq!(
        summarise(&plan, &records).curves[0].series[0].points.len(),
        1
    );
}
