use linfa::DatasetBase;
use ndarray::{Array1, Array2, Axis};
use translearn_classical::{Pooled, SourceOnly, TargetOnly};
use translearn_core::{
    BaseLearner, Domain, Features, FitTransfer, LabelSpace, Labels, Task, TransferError,
    TransferMethod, TransferProblem, metrics::accuracy, seed,
};
use translearn_learners::{Knn, Ncm, Ridge};

use super::{problem, rows};
use crate::negative::{
    Belief, Cause, Causes, GateRule, NeighbourVote, TargetCrossValidation, TransferGate, Verdict,
    by_source,
};

fn learner() -> BaseLearner {
    Ncm::params().into()
}

fn predicted(method: &dyn TransferMethod, problem: &TransferProblem) -> Labels {
    let model = method.fit(problem, 3).unwrap().model;
    model.predict(problem.target_features()).unwrap().labels
}

#[test]
fn the_gate_opens_for_a_good_source_and_stays_shut_for_a_bad_one() {
    let (pooled, alone) = (
        Pooled::params().learner(learner()),
        TargetOnly::params().learner(learner()),
    );
    let gate = TransferGate::new(pooled.clone());
    let (mut expected, mut opened, mut shut) = (0.0, 0, 0);
    for run in 0..20 {
        let (good, _) = problem(0.0, 8, run);
        let decision = gate.decide(&good, 3).unwrap();
        expected += decision.belief.gain / 20.0;
        opened += usize::from(decision.is_open());
        let chosen: &dyn TransferMethod = if decision.is_open() { &pooled } else { &alone };
        assert_eq!(predicted(&gate, &good), predicted(chosen, &good));
        let (bad, _) = problem(1.0, 8, run);
        let decision = gate.decide(&bad, 3).unwrap();
        assert!(!decision.is_open(), "{decision:?}");
        assert_eq!(predicted(&gate, &bad), predicted(&alone, &bad));
        shut += usize::from(decision.verdict == Verdict::DoNotTransfer);
    }
    assert!(shut > 10, "{shut} of 20 bad sources are called bad");
    // Eight labels are enough for classes that stand apart: few gains are left.
    assert!(expected > -0.02, "{expected} expected of good sources");
    assert!(opened > 0);
}

/// What the gate is for: held-out accuracy, over sources from good to opposed.
#[test]
fn the_gated_method_loses_less_and_keeps_part_of_the_gain() {
    let (mut gain, mut gated_gain, mut worst, mut gated_worst) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for run in 0..30_u32 {
        let flip = f64::from(run % 3) * 0.5;
        let (problem, truth) = problem(flip, 4, u64::from(100 + run));
        let score = |method: &dyn TransferMethod| {
            let rest: Vec<usize> = (4..80).collect();
            let said = predicted(method, &problem).select(&rest);
            let truth = truth.select(&rest);
            let (said, truth) = (
                said.classes("test").unwrap().clone(),
                truth.classes("test").unwrap().clone(),
            );
            accuracy(truth.view(), said.view(), None).unwrap()
        };
        let pooled = Pooled::params().learner(learner());
        let baseline = score(&TargetOnly::params().learner(learner()));
        let (free, gated) = (
            score(&pooled) - baseline,
            score(&TransferGate::new(pooled.clone())) - baseline,
        );
        gain += free.max(0.0);
        gated_gain += gated.max(0.0);
        worst = worst.min(free);
        gated_worst = gated_worst.min(gated);
    }
    assert!(worst < -0.2, "a bad source does no harm: {worst}");
    assert!(
        gated_worst > 0.5 * worst,
        "{gated_worst} behind the gate, {worst} without"
    );
    assert!(gated_gain <= gain && gain > 0.0, "{gated_gain} of {gain}");
}

/// What is at stake, what is believed and what follows, by hand.
#[test]
fn the_rule_is_what_it_says() {
    let method = Pooled::params().learner(learner());
    let prior = Belief {
        gain: -0.2,
        deviation: 0.4,
    };
    for (run, flip) in [(1, 0.0), (2, 0.3), (3, 0.6), (4, 1.0)] {
        let (problem, _) = problem(flip, 12, run);
        let rule = GateRule::default()
            .prior(prior)
            .margin(0.02)
            .caution(0.6)
            .confidence(0.7);
        let gate = TransferGate::new(method.clone()).rule(rule.clone());
        let found = gate.decide(&problem, 3).unwrap();
        let rows = problem.target_unlabelled();
        let said = |method: &dyn TransferMethod| {
            let model = method.fit(&problem, 3).unwrap().model;
            model.predict(&rows).unwrap().labels
        };
        let (one, other) = (
            said(&method),
            said(&TargetOnly::params().learner(learner())),
        );
        let pairs = one
            .classes("test")
            .unwrap()
            .iter()
            .zip(other.classes("test").unwrap());
        let apart = pairs.filter(|(a, b)| a != b).count() as f64;
        let at_stake = (apart + 1.0) / (rows.n_rows() as f64 + 2.0);
        assert!((found.at_stake.unwrap() - at_stake).abs() < 1e-12);
        let evidence = found.evidence.unwrap();
        let vote = NeighbourVote::default().measure(&problem, &other, &one, 0);
        let vote = vote.unwrap().unwrap();
        assert_eq!(found.vote, Some(vote));
        let before = Belief {
            gain: vote - 0.2 * at_stake,
            deviation: 0.4 * at_stake,
        };
        let after = before.after(evidence.gain, evidence.standard_error.unwrap());
        assert!((found.belief.gain - after.gain).abs() < 1e-12);
        assert!((found.belief.deviation - after.deviation).abs() < 1e-12);
        let verdict = if after.chance_of_less(-0.02) >= 0.6 {
            Verdict::DoNotTransfer
        } else if after.chance_of_less(0.0) <= 0.3 {
            Verdict::Transfer
        } else {
            Verdict::Undecided
        };
        assert_eq!(found.verdict, verdict);
        // A gain on rows on which nothing differs is none.
        assert!(evidence.gain.abs() <= evidence.disagreement + 1e-12);
    }
}

/// What is the baseline itself gains nothing.
#[test]
fn nothing_at_stake_is_no_transfer() {
    let rule = GateRule::default();
    let nothing = Belief {
        gain: 0.0,
        deviation: 0.0,
    };
    assert_eq!(rule.verdict(nothing), Verdict::Undecided);
    let sure = |gain: f64| rule.verdict(Belief { gain, ..nothing });
    assert_eq!(sure(0.02), Verdict::Transfer);
    assert_eq!(sure(-0.02), Verdict::DoNotTransfer);
    assert_eq!(sure(-0.005), Verdict::Undecided);
}

#[test]
fn without_labels_the_gate_is_undecided() {
    let (with, _) = problem(0.0, 8, 1);
    let without = with.with_target_labels(&[]).unwrap();
    let gate = TransferGate::new(SourceOnly::params().learner(learner()));
    let decision = gate.decide(&without, 0).unwrap();
    assert_eq!(
        (decision.verdict, decision.baseline.as_str()),
        (Verdict::Undecided, "source-only")
    );
    assert!(decision.evidence.is_none() && decision.obstacle.is_some());
    // One label of each class: a fold leaves one class alone.
    let few = with.with_target_labels(&[0, 1]).unwrap();
    let decision = TransferGate::new(SourceOnly::params())
        .decide(&few, 0)
        .unwrap();
    assert_eq!(decision.verdict, Verdict::Undecided);
    assert!(decision.obstacle.unwrap().contains("class"));
    // What the method cannot serve, the gate cannot either.
    let needs = TransferGate::new(Pooled::params());
    assert!(matches!(
        needs.fit(&without, 0),
        Err(TransferError::Unsupported { .. })
    ));
}

#[test]
fn the_gate_tells_what_it_decided_and_refuses_nonsense() {
    let (problem, _) = problem(1.0, 20, 5);
    let gate = || TransferGate::new(Pooled::params().learner(learner()));
    let rule = GateRule::default;
    let fitted = gate().fit(&problem, 7).unwrap();
    let decision = gate().decide(&problem, 7).unwrap();
    assert_eq!(fitted.trace.series["gate-gain"], [decision.belief.gain]);
    assert_eq!(fitted.trace.series["gate-open"], [0.0]);
    for wrong in [
        rule().confidence(0.4),
        rule().confidence(f64::NAN),
        rule().caution(0.0),
        rule().caution(1.0),
        rule().margin(-0.1),
        rule().margin(1.0),
        rule().prior(Belief {
            gain: 0.0,
            deviation: 0.0,
        }),
        rule().prior(Belief {
            gain: f64::NAN,
            deviation: 1.0,
        }),
        rule().validation(TargetCrossValidation::default().n_folds(1)),
        rule().validation(TargetCrossValidation::default().n_repeats(0)),
        rule().vote(NeighbourVote::default().n_components(0)),
        rule().vote(NeighbourVote::default().n_neighbors(0)),
        rule().vote(NeighbourVote::default().n_rows(1)),
    ] {
        let wrong = gate().rule(wrong);
        assert!(
            matches!(
                wrong.decide(&problem, 0),
                Err(TransferError::InvalidParameter { .. })
            ),
            "{wrong:?}"
        );
    }
}

/// The nearest row tells its own label, were it there: labels that are drawn cannot be told.
#[test]
fn no_fold_sees_its_own_labels() {
    let mut rng = seed::rng(11);
    let (x, _) = rows(200, 0.0, 2);
    let y = Array1::from_shape_simple_fn(200, || rng.below(2));
    let source = DatasetBase::new(x.clone(), y.mapv(|class| 1 - class));
    let problem = TransferProblem::new(&source, &DatasetBase::new(x, y)).unwrap();
    let nearest = TargetOnly::params().learner(Knn::params().k(1));
    let found = TargetCrossValidation::default()
        .evidence(&problem, &nearest, &nearest, 0)
        .unwrap();
    assert_eq!((found.gain, found.n_rows), (0.0, 200));
    assert!(
        (found.baseline_score - 0.5).abs() < 0.12,
        "{}",
        found.baseline_score
    );
}

/// With as many folds as rows nothing is drawn: each row is predicted by the others.
#[test]
fn folds_of_one_row_are_leave_one_out() {
    let (problem, _) = problem(0.3, 9, 4);
    let (pooled, alone) = (
        Pooled::params().learner(learner()),
        TargetOnly::params().learner(learner()),
    );
    let validation = TargetCrossValidation::default().n_folds(50).n_repeats(2);
    let found = validation.evidence(&problem, &alone, &pooled, 1).unwrap();
    let known = problem.target_labelled().unwrap();
    let right = |method: &dyn TransferMethod| {
        let one = |row: usize| {
            let others: Vec<usize> = (0..9).filter(|other| *other != row).collect();
            let model = method
                .fit(&problem.with_target_labels(&others).unwrap(), 0)
                .unwrap()
                .model;
            let said = model
                .predict(&known.features.select_rows(&[row]))
                .unwrap()
                .labels;
            usize::from(said == known.labels.select(&[row]))
        };
        (0..9).map(one).sum::<usize>() as f64 / 9.0
    };
    assert!((found.baseline_score - right(&alone)).abs() < 1e-12);
    // Nine folds, two rows more, and what the folds have in common.
    let losses = |method: &dyn TransferMethod| -> Vec<f64> {
        let one = |row: usize| {
            let others: Vec<usize> = (0..9).filter(|other| *other != row).collect();
            let problem = problem.with_target_labels(&others).unwrap();
            let model = method.fit(&problem, 0).unwrap().model;
            let said = model
                .predict(&known.features.select_rows(&[row]))
                .unwrap()
                .labels;
            f64::from(u8::from(said != known.labels.select(&[row])))
        };
        (0..9).map(one).collect()
    };
    let saved = losses(&alone)
        .into_iter()
        .zip(losses(&pooled))
        .map(|(a, b)| a - b);
    let saved: Vec<f64> = saved.chain([1.0, -1.0]).collect();
    let mean = saved.iter().sum::<f64>() / 11.0;
    let squares = saved.iter().map(|d| d * d).sum::<f64>() / 11.0;
    let error = ((squares - mean * mean) / 11.0 * (1.0 + 9.0 / 8.0)).sqrt();
    assert!((found.standard_error.unwrap() - error).abs() < 1e-12);
    assert!((found.method_score - right(&pooled)).abs() < 1e-12);
    assert!((found.gain - (found.method_score - found.baseline_score)).abs() < 1e-12);
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let (problem, _) = problem(0.5, 20, 6);
    let gate = TransferGate::new(Pooled::params().learner(learner()));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| gate.decide(&problem, 5).unwrap())
    };
    assert_eq!(on(1), on(3));
    assert_ne!(on(1), gate.decide(&problem, 6).unwrap());
}

#[test]
fn sources_are_told_apart() {
    let (good, _) = problem(0.0, 30, 8);
    let (bad, _) = problem(1.0, 30, 8);
    let both = TransferProblem::from_parts(
        vec![bad.sources()[0].clone(), good.sources()[0].clone()],
        (good.target_domain().clone(), good.target_task().clone()),
    )
    .unwrap();
    let method = SourceOnly::params().learner(learner());
    let found = by_source(&TargetCrossValidation::default(), &both, &method, 0).unwrap();
    let gains: Vec<f64> = found.into_iter().map(|found| found.unwrap().gain).collect();
    assert!(gains[0] < -0.5 && gains[1].abs() < 0.15, "{gains:?}");
}

/// Columns without a part in each other: the source's classes are those of the first, the target's those of the second.
fn unrelated(seed: u64) -> TransferProblem {
    let part = |name: &str, n: usize, column: usize| {
        let mut rng = seed::rng(seed::derive(seed, &[name]));
        let x = Array2::from_shape_simple_fn((n, 2), || rng.normal());
        // More of one class than of the other.
        let y = x.column(column).mapv(|v| usize::from(v > 0.7));
        let domain = Domain {
            name: name.into(),
            features: x.into(),
        };
        (
            domain,
            Task::labelled(LabelSpace::numbered(2), Labels::Classes(y)),
        )
    };
    TransferProblem::from_parts(vec![part("source", 80, 0)], part("target", 24, 1)).unwrap()
}

#[test]
fn the_two_causes_are_told_apart() {
    let causes = Causes::default();
    let pooled = Pooled::params().learner(learner());
    // Turned round: a relation that pooling does not use.
    let (turned, _) = problem(1.0, 30, 9);
    let found = causes.find(&turned, &pooled, 0).unwrap();
    assert_eq!(found.cause, Some(Cause::Method), "{found:?}");
    assert!(found.corrupted_gain > found.evidence.gain);
    // Another task.
    let mut of_task = 0;
    for run in 0..8 {
        let found = causes.find(&unrelated(run), &pooled, 0).unwrap();
        assert!(found.cause.is_none() == (found.evidence.gain >= 0.0));
        of_task += usize::from(found.cause == Some(Cause::Task));
    }
    assert!(of_task >= 6, "{of_task} of 8");
    let (good, _) = problem(0.0, 30, 9);
    let found = causes
        .find(&good, &SourceOnly::params().learner(learner()), 0)
        .unwrap();
    assert!(found.relation_p_value < 0.01, "{found:?}");
    for wrong in [
        causes.clone().level(0.0),
        causes.clone().n_corruptions(0),
        causes.n_permutations(0),
    ] {
        assert!(wrong.find(&good, &pooled, 0).is_err());
    }
}

#[test]
fn the_level_of_the_relation_holds() {
    let causes = Causes::default().n_corruptions(1).n_permutations(199);
    let method = SourceOnly::params().learner(learner());
    let called = (0..400)
        .filter(|&run| {
            let found = causes.find(&unrelated(1000 + run), &method, run).unwrap();
            found.relation_p_value <= 0.05
        })
        .count();
    // Few rows have few tables, so ties: fewer than 5 %, and more than 29 of 400 with a chance of 2.5 %.
    assert!((2..=29).contains(&called), "{called} of 400");
}

#[test]
fn values_have_a_gate_too() {
    let mut rng = seed::rng(3);
    let x = Array2::from_shape_simple_fn((90, 4), || rng.normal());
    let slope = Array1::from(vec![1.0, -2.0, 0.5, 3.0]);
    let y = x.dot(&slope) + Array1::from_shape_simple_fn(90, || 0.3 * rng.normal());
    let part = |range: std::ops::Range<usize>, sign: f64| {
        let rows: Vec<usize> = range.collect();
        let features = Features::from(x.select(Axis(0), &rows));
        let labels = Labels::Values(sign * y.select(Axis(0), &rows));
        (features, labels)
    };
    let problem = |sign: f64| {
        let (source, labels) = part(0..60, sign);
        let (target, known) = part(60..90, 1.0);
        let domain = |name: &str, features| Domain {
            name: name.into(),
            features,
        };
        let known = Task::partly_labelled(
            LabelSpace::Real,
            (0..8).collect(),
            known.select(&(0..8).collect::<Vec<_>>()),
        );
        let source = (
            domain("source", source),
            Task::labelled(LabelSpace::Real, labels),
        );
        TransferProblem::from_parts(vec![source], (domain("target", target), known)).unwrap()
    };
    let gate = TransferGate::new(Pooled::params().learner(Ridge::params()));
    let good = gate.decide(&problem(1.0), 0).unwrap();
    assert_eq!(good.verdict, Verdict::Transfer, "{good:?}");
    let bad = gate.decide(&problem(-1.0), 0).unwrap();
    assert_eq!(bad.verdict, Verdict::DoNotTransfer, "{bad:?}");
    let found = Causes::default()
        .find(
            &problem(-1.0),
            &Pooled::params().learner(Ridge::params()),
            0,
        )
        .unwrap();
    assert_eq!(found.cause, Some(Cause::Method));
    assert!(found.relation > 0.9);
}

#[test]
fn linfa_datasets_go_through() {
    let (x, y) = rows(40, 0.0, 12);
    let source = DatasetBase::new(x.clone(), y.clone());
    let target = DatasetBase::new(x.clone(), y.mapv(Some));
    let model = TransferGate::new(Pooled::params())
        .fit_transfer(&source, &target)
        .unwrap();
    assert_eq!(model.predict(&x).unwrap().len(), 40);
}
