use ndarray::{Array1, Array2, Axis, array, s};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, FitSample, LabelSpace, Labels, Predictor, Sample, Task, TransferMethod,
    TransferModel, TransferProblem, seed,
};
use translearn_learners::{Ridge, RidgeParams, Tree};

use super::super::regression::WeightedMedian;
use super::super::vote::Round;
use super::super::{RegressionLoss, TrAdaBoostR2Params, TwoStageTrAdaBoostR2Params};
use super::{largest_difference, pooled, values};

const LOSSES: [RegressionLoss; 3] = [
    RegressionLoss::Linear,
    RegressionLoss::Square,
    RegressionLoss::Exponential,
];

/// Real labels that bend; the source has another slope, and another level in every third row.
fn problem(n_source: usize, n_target: usize, n_labelled: usize, seed: u64) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let mut sample = |n: usize, slope: f64, off: f64| {
        let x = Array2::from_shape_simple_fn((n, 2), || rng.normal());
        let y = Array1::from_shape_fn(n, |i| {
            let level = if i % 3 == 0 { off } else { 0.0 };
            slope * x[[i, 0]] + (2.0 * x[[i, 1]]).sin() + level
        });
        (x, y)
    };
    let (xs, ys) = sample(n_source, 1.5, 2.0);
    let (xt, yt) = sample(n_target, 2.0, 0.0);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let known = Labels::Values(yt.slice(s![..n_labelled]).to_owned());
    let rows = (0..n_labelled).collect();
    TransferProblem::from_parts(
        vec![(
            domain("source", xs),
            Task::labelled(LabelSpace::Real, Labels::Values(ys)),
        )],
        (
            domain("target", xt),
            Task::partly_labelled(LabelSpace::Real, rows, known),
        ),
    )
    .unwrap()
}

/// A learner fitted on weights of mean 1.
fn fitted<F: FitSample>(learner: &F, x: &Features, y: &Array1<f64>, w: &[f64]) -> F::Model {
    let sum: f64 = w.iter().sum();
    let n = w.len() as f64;
    let p: Array1<f64> = w.iter().map(|w| w * n / sum).collect();
    let labels = Labels::Values(y.clone());
    let sample = Sample::new(x, &labels, 0)
        .unwrap()
        .with_weights(&p)
        .unwrap();
    learner.fit_sample(&sample, 0).unwrap()
}

fn tree(x: &Features, y: &Array1<f64>, w: &[f64]) -> impl Predictor + use<> {
    fitted(&Tree::params().max_depth(3), x, y, w)
}

/// What the steps are tried with: it hangs on its weights smoothly, where a tree turns over for a rounding error.
fn ridge() -> RidgeParams {
    Ridge::params().lambda(0.5)
}

fn answers(h: &impl Predictor, x: &Features) -> Array1<f64> {
    values(&h.predict(x).unwrap().labels)
}

/// The losses of Drucker, `D` being the largest error of a row with weight.
fn losses(kind: RegressionLoss, h: &Array1<f64>, y: &Array1<f64>, w: &[f64]) -> Vec<f64> {
    let off: Vec<f64> = h.iter().zip(y).map(|(h, y)| (h - y).abs()).collect();
    let d = (0..w.len())
        .filter(|&i| w[i] > 0.0)
        .map(|i| off[i])
        .fold(0.0, f64::max);
    let share = |e: f64| if d == 0.0 { 0.0 } else { (e / d).min(1.0) };
    off.into_iter()
        .map(|e| match kind {
            RegressionLoss::Linear => share(e),
            RegressionLoss::Square => share(e).powi(2),
            RegressionLoss::Exponential => 1.0 - (-share(e)).exp(),
        })
        .collect()
}

/// The least answer such that it and those below have half of all votes, by trying each.
fn naive_median(answers: &[Array1<f64>], votes: &[f64], row: usize) -> f64 {
    let total: f64 = votes.iter().sum();
    let below = |value: f64| -> f64 {
        let pairs = answers.iter().zip(votes);
        pairs.filter(|(a, _)| a[row] <= value).map(|(_, v)| v).sum()
    };
    let enough = answers
        .iter()
        .map(|a| a[row])
        .filter(|&v| below(v) >= (0.5 - 1e-9) * total);
    enough.fold(f64::INFINITY, f64::min)
}

/// The rounds of TrAdaBoost.R2; answers for the queries and the errors of the rounds.
fn naive_tradaboost_r2(
    problem: &TransferProblem,
    n_rounds: usize,
    kind: RegressionLoss,
    queries: &Features,
) -> (Array1<f64>, Vec<f64>) {
    let (x, y, n_source) = pooled(problem);
    let y = values(&y);
    let beta = 1.0 / (1.0 + (2.0 * (n_source as f64).ln() / n_rounds as f64).sqrt());
    let mut w = vec![1.0; y.len()];
    let (mut said, mut votes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let h = tree(&x, &y, &w);
        let e = losses(kind, &answers(&h, &x), &y, &vec![1.0; y.len()]);
        let total: f64 = w[n_source..].iter().sum();
        let error = (n_source..y.len()).map(|i| w[i] * e[i]).sum::<f64>() / total;
        errors.push(error);
        if error >= 0.5 {
            if said.is_empty() {
                said.push(answers(&h, queries));
                votes.push(1.0);
            }
            break;
        }
        let beta_t = error.max(1e-10) / (1.0 - error.max(1e-10));
        for i in 0..y.len() {
            w[i] *= if i < n_source {
                beta.powf(e[i])
            } else {
                beta_t.powf(-e[i])
            };
        }
        said.push(answers(&h, queries));
        votes.push((1.0 / beta_t).ln());
    }
    let first = said.len().div_ceil(2) - 1;
    let median = |row| naive_median(&said[first..], &votes[first..], row);
    ((0..queries.n_rows()).map(median).collect(), errors)
}

/// AdaBoost.R2 with the first weights frozen.
fn naive_adaboost_r2<F: FitSample>(
    learner: &F,
    x: &Features,
    y: &Array1<f64>,
    source: &[f64],
    n_rounds: usize,
    kind: RegressionLoss,
    queries: &Features,
) -> Array1<f64> {
    let share = 1.0 - source.iter().sum::<f64>();
    let n_target = y.len() - source.len();
    let mut w = [source, &vec![share / n_target as f64; n_target]].concat();
    let (mut said, mut votes) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let h = fitted(learner, x, y, &w);
        let e = losses(kind, &answers(&h, x), y, &w);
        let error = w.iter().zip(&e).map(|(w, e)| w * e).sum::<f64>() / w.iter().sum::<f64>();
        if error >= 0.5 {
            if said.is_empty() {
                said.push(answers(&h, queries));
                votes.push(1.0);
            }
            break;
        }
        let beta = error.max(1e-10) / (1.0 - error.max(1e-10));
        said.push(answers(&h, queries));
        votes.push((1.0 / beta).ln());
        (source.len()..y.len()).for_each(|i| w[i] *= beta.powf(1.0 - e[i]));
        let total: f64 = w[source.len()..].iter().sum();
        (source.len()..y.len()).for_each(|i| w[i] *= share / total);
    }
    let median = |row| naive_median(&said, &votes, row);
    (0..queries.n_rows()).map(median).collect()
}

/// What two-stage TrAdaBoost.R2 comes to: source weights and errors of each step, and the answers of the best.
struct Naive {
    weights: Vec<Vec<f64>>,
    losses: Vec<Vec<f64>>,
    errors: Vec<f64>,
    answers: Array1<f64>,
    log_betas: Vec<f64>,
}

fn naive_two_stage(
    problem: &TransferProblem,
    (n_steps, n_rounds, n_folds): (usize, usize, usize),
    kind: RegressionLoss,
    queries: &Features,
) -> Naive {
    let (x, y, n_source) = pooled(problem);
    let y = values(&y);
    let (n, n_target) = (y.len(), y.len() - n_source);
    let mut order: Vec<usize> = (n_source..n).collect();
    order.sort_by(|&a, &b| y[a].total_cmp(&y[b]));
    let mut w = vec![1.0 / n as f64; n_source];
    let mut naive = Naive {
        weights: Vec::new(),
        losses: Vec::new(),
        errors: Vec::new(),
        answers: Array1::zeros(0),
        log_betas: Vec::new(),
    };
    for t in 1..=n_steps {
        let mut squares = 0.0;
        for fold in 0..n_folds {
            let held: Vec<usize> = order.iter().copied().skip(fold).step_by(n_folds).collect();
            let kept: Vec<usize> = (0..n).filter(|row| !held.contains(row)).collect();
            let (x_kept, y_kept) = (x.select_rows(&kept), y.select(Axis(0), &kept));
            let x_held = x.select_rows(&held);
            let said = naive_adaboost_r2(&ridge(), &x_kept, &y_kept, &w, n_rounds, kind, &x_held);
            squares += (said - y.select(Axis(0), &held)).mapv(|v| v * v).sum();
        }
        let error = squares / n_target as f64;
        let least = naive.errors.iter().copied().fold(f64::INFINITY, f64::min);
        if error < least * (1.0 - 1e-10) {
            naive.answers = naive_adaboost_r2(&ridge(), &x, &y, &w, n_rounds, kind, queries);
        }
        naive.errors.push(error);
        naive.weights.push(w.clone());
        if t == n_steps {
            break;
        }
        let even = n_target as f64 / n as f64;
        let share = (1.0 - even) * (1.0 - t as f64 / (n_steps as f64 - 1.0));
        let of_target = 1.0 - w.iter().sum::<f64>();
        let goal = of_target * share / (1.0 - share);
        let target = vec![of_target / n_target as f64; n_target];
        let all = [&w[..], &target[..]].concat();
        let e = losses(
            kind,
            &answers(&fitted(&ridge(), &x, &y, &all), &x),
            &y,
            &all,
        )[..n_source]
            .to_vec();
        let without_loss = |i: usize| e[i] <= 1e-10;
        let with = |log_beta: f64, i: usize| match (without_loss(i), log_beta.is_finite()) {
            (true, _) => w[i],
            (false, true) => w[i] * (log_beta * e[i]).exp(),
            (false, false) => 0.0,
        };
        let at = |log_beta: f64| (0..n_source).map(|i| with(log_beta, i)).sum::<f64>();
        let (mut low, mut high) = (-1e13, 0.0);
        // Rows without loss may have more than the goal by themselves: then they alone are left.
        if at(f64::NEG_INFINITY) >= goal {
            high = f64::NEG_INFINITY;
        } else {
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if at(middle) > goal {
                    high = middle;
                } else {
                    low = middle;
                }
            }
        }
        // One factor for all: a weight that is next to nothing stays so, and the largest error of a row with weight its own.
        let scale = share / at(high);
        w = if share <= 1e-15 {
            vec![0.0; n_source]
        } else {
            (0..n_source).map(|i| with(high, i) * scale).collect()
        };
        naive.losses.push(e);
        naive.log_betas.push(high);
    }
    naive
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tradaboost_r2_is_the_rule_of_the_paper(
        seed in 0u64..1000,
        n_rounds in 1usize..15,
        kind in 0usize..3,
    ) {
        let problem = problem(45, 30, 10, seed);
        let method = TrAdaBoostR2Params::default().n_rounds(n_rounds).loss(LOSSES[kind]);
        let fitted = method.fit(&problem, 0).unwrap();
        let queries = problem.target_unlabelled().into_owned();
        let (naive, errors) = naive_tradaboost_r2(&problem, n_rounds, LOSSES[kind], &queries);
        let ours = values(&fitted.model.predict(&queries).unwrap().labels);
        let worst = largest_difference(&ours, &naive);
        prop_assert!(worst < 1e-8, "{}", worst);
        let series = Array1::from(fitted.trace.series["target-error"].clone());
        prop_assert!(largest_difference(&series, &Array1::from(errors)) < 1e-8);
    }

    #[test]
    fn the_median_is_that_of_the_votes(
        rounds in proptest::collection::vec((-3i8..3, 1u8..4), 1..7),
    ) {
        let answers: Vec<Array1<f64>> =
            rounds.iter().map(|&(value, _)| array![f64::from(value)]).collect();
        let votes: Vec<f64> = rounds.iter().map(|&(_, vote)| f64::from(vote)).collect();
        let x = Features::from(array![[0.0]]);
        let round = |(answer, &vote): (&Array1<f64>, &f64)| {
            let labels = Labels::Values(answer.clone());
            let sample = Sample::new(&x, &labels, 0).unwrap();
            let predictor = Box::new(Tree::params().fit_sample(&sample, 0).unwrap());
            Round { predictor, vote }
        };
        let model = WeightedMedian { rounds: answers.iter().zip(&votes).map(round).collect() };
        let ours = values(&model.predict(&x).unwrap().labels);
        prop_assert_eq!(ours[0], naive_median(&answers, &votes, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn two_stage_tradaboost_r2_is_the_rule_of_the_paper(
        seed in 0u64..1000,
        n_steps in 2usize..7,
        n_rounds in 1usize..6,
        n_folds in 2usize..5,
        kind in 0usize..3,
    ) {
        let problem = problem(45, 30, 12, seed);
        let method = TwoStageTrAdaBoostR2Params::default()
            .n_steps(n_steps)
            .n_rounds(n_rounds)
            .n_folds(n_folds)
            .loss(LOSSES[kind])
            .learner(ridge());
        let fitted = method.fit(&problem, 0).unwrap();
        let queries = problem.target_unlabelled().into_owned();
        let naive = naive_two_stage(&problem, (n_steps, n_rounds, n_folds), LOSSES[kind], &queries);
        // Where a row has next to no loss, β hangs on the rounding of it.
        prop_assume!(naive.log_betas.iter().all(|&log_beta| log_beta > -1e7 || log_beta.is_infinite()));
        let series = |name: &str| Array1::from(fitted.trace.series[name].clone());
        let errors = Array1::from(naive.errors.clone());
        prop_assert!(largest_difference(&series("cv-error"), &errors) < 1e-6 * errors.sum());
        // The target's share after each step is the formula's.
        let even = 12.0 / 57.0;
        let formula = Array1::linspace(even, 1.0, n_steps);
        prop_assert!(largest_difference(&series("target-share"), &formula) < 1e-12);
        // β takes the target to its share of all, Σ w β^ℓ over the weights and losses of the step being the rest.
        for (step, beta) in series("beta").iter().enumerate() {
            let pairs = naive.weights[step].iter().zip(&naive.losses[step]);
            let left: f64 = pairs.map(|(w, loss)| w * beta.powf(*loss)).sum();
            // A β of nothing leaves the rows without loss alone.
            if step + 2 < n_steps && *beta > 1e-300 {
                let share = formula[step] / (formula[step] + left);
                prop_assert!((share - formula[step + 1]).abs() < 1e-8, "{}", share);
            }
        }
        let ours = values(&fitted.model.predict(&queries).unwrap().labels);
        let worst = largest_difference(&ours, &naive.answers);
        prop_assert!(worst < 1e-6, "{}", worst);
    }
}

/// A source that falls where the target rises.
fn opposed() -> TransferProblem {
    let x = Array1::linspace(-1.0, 1.0, 15).insert_axis(Axis(1));
    let domain = |name: &str| Domain {
        name: name.into(),
        features: x.clone().into(),
    };
    let y = |slope: f64| {
        let bend = |v: &f64| slope * v + 0.1 * (9.0 * v).sin();
        Task::labelled(
            LabelSpace::Real,
            Labels::Values(x.iter().map(bend).collect()),
        )
    };
    TransferProblem::from_parts(
        vec![(domain("source"), y(-2.0))],
        (domain("target"), y(2.0)),
    )
    .unwrap()
}

#[test]
fn the_last_step_is_adaboost_r2_on_the_target_alone() {
    let problem = opposed();
    let fitted = TwoStageTrAdaBoostR2Params::default()
        .fit(&problem, 0)
        .unwrap();
    assert_eq!(fitted.trace.source_weights, Some(Array1::zeros(15)));
    let target = problem.target_labelled().unwrap();
    let y = values(&target.labels);
    let alone = naive_adaboost_r2(
        &Tree::params().max_depth(3),
        &target.features,
        &y,
        &[],
        10,
        RegressionLoss::Linear,
        &target.features,
    );
    let ours = values(&fitted.model.predict(&target.features).unwrap().labels);
    assert!(largest_difference(&ours, &alone) < 1e-9);
}

#[test]
fn a_source_without_error_gives_way_as_a_block() {
    // A tree without limit fits every row, so that no β can take weight from the source.
    let x = Array1::linspace(0.0, 1.0, 8).insert_axis(Axis(1));
    let line = Labels::Values(x.column(0).mapv(|v| 3.0 * v));
    let rows = || {
        let domain = Domain {
            name: "line".into(),
            features: x.clone().into(),
        };
        (domain, Task::labelled(LabelSpace::Real, line.clone()))
    };
    let problem = TransferProblem::from_parts(vec![rows()], rows()).unwrap();
    let method = TwoStageTrAdaBoostR2Params::default()
        .n_steps(3)
        .n_rounds(1)
        .learner(Tree::params());
    let fitted = method.fit(&problem, 0).unwrap();
    let shares = Array1::from(fitted.trace.series["target-share"].clone());
    assert!(largest_difference(&shares, &array![0.5, 0.75, 1.0]) < 1e-12);
}

#[test]
fn one_target_label_cannot_be_cross_validated() {
    let error = TwoStageTrAdaBoostR2Params::default()
        .fit(&problem(20, 10, 1, 1), 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the labelled target has 1 rows but 2 are needed"
    );
}

#[test]
fn a_first_round_that_guesses_answers_alone() {
    // A learner shrunk to nothing answers 0; almost every row of the target is as far off as the farthest.
    let domain = |name: &str, n: usize| Domain {
        name: name.into(),
        features: Array2::from_shape_fn((n, 1), |(row, _)| row as f64).into(),
    };
    let task = |y: Array1<f64>| Task::labelled(LabelSpace::Real, Labels::Values(y));
    let problem = TransferProblem::from_parts(
        vec![(domain("source", 4), task(array![1.0, -1.0, 1.0, -1.0]))],
        (domain("target", 4), task(array![1.0, -1.0, 1.0, -1.0])),
    )
    .unwrap();
    let method = TrAdaBoostR2Params::default().learner(Ridge::params().lambda(1e12));
    let fitted = method.fit(&problem, 0).unwrap();
    assert_eq!(fitted.trace.series["target-error"].len(), 1);
    let predicted = values(
        &fitted
            .model
            .predict(problem.target_features())
            .unwrap()
            .labels,
    );
    assert!(largest_difference(&predicted, &Array1::zeros(4)) < 1e-6);
}
