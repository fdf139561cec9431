use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, LabelSpace, Labels, Task, TransferMethod, TransferProblem, seed,
};
use translearn_learners::{Logistic, Ridge};
use translearn_transport::emd;

use super::{JdotParams, LabelPropagationParams};
use crate::fixture::Fixture;

fn normal(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((n, d), || rng.normal())
}

/// A problem of these rows, with the labels `known` of the first target rows.
fn problem(
    source: &Array2<f64>,
    labels: impl Into<Labels>,
    target: &Array2<f64>,
    known: impl Into<Labels>,
) -> TransferProblem {
    let (labels, known) = (labels.into(), known.into());
    let space = match labels {
        Labels::Classes(_) => LabelSpace::numbered(2),
        Labels::Values(_) => LabelSpace::Real,
    };
    let domain = |name: &str, x: &Array2<f64>| Domain {
        name: name.into(),
        features: x.clone().into(),
    };
    let rows = (0..known.len()).collect();
    TransferProblem::from_parts(
        vec![(
            domain("source", source),
            Task::labelled(space.clone(), labels),
        )],
        (
            domain("target", target),
            Task::partly_labelled(space, rows, known),
        ),
    )
    .unwrap()
}

fn no_classes() -> Array1<usize> {
    Array1::default(0)
}

fn no_values() -> Array1<f64> {
    Array1::default(0)
}

/// Squared distances over their median, in two loops.
fn naive_cost(source: &Array2<f64>, target: &Array2<f64>) -> Array2<f64> {
    let cost = Array2::from_shape_fn((source.nrows(), target.nrows()), |(i, j)| {
        let apart = &source.row(i) - &target.row(j);
        apart.dot(&apart)
    });
    let mut sorted: Vec<f64> = cost.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = 0.5 * (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]);
    cost / middle
}

fn cheapest(cost: &Array2<f64>) -> Array2<f64> {
    let masses = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
    emd(cost, &masses(cost.nrows()), &masses(cost.ncols()))
        .unwrap()
        .plan
        .dense()
}

fn values(
    method: &impl TransferMethod,
    problem: &TransferProblem,
    rows: &Array2<f64>,
) -> Array1<f64> {
    let fitted = method.fit(problem, 0).unwrap();
    let prediction = fitted.model.predict(&rows.clone().into()).unwrap();
    prediction.labels.values("test").unwrap().clone()
}

fn probabilities(
    method: &impl TransferMethod,
    problem: &TransferProblem,
    rows: &Array2<f64>,
) -> Array2<f64> {
    let fitted = method.fit(problem, 0).unwrap();
    let prediction = fitted.model.predict(&rows.clone().into()).unwrap();
    prediction.scores.unwrap().matrix().clone()
}

fn worst(differences: Array2<f64>) -> f64 {
    differences.fold(0.0, |worst, difference| worst.max(difference.abs()))
}

/// Least squares with an intercept and a penalty on the rest: prediction for `queries` and `‖β‖²`.
fn naive_ridge(
    x: &Array2<f64>,
    y: &Array1<f64>,
    lambda: f64,
    queries: &Array2<f64>,
) -> (Array1<f64>, f64) {
    let (mean_x, mean_y) = (x.mean_axis(Axis(0)).unwrap(), y.mean().unwrap());
    let (x, y) = (x - &mean_x, y - mean_y);
    let d = x.ncols();
    let normal = x.t().dot(&x) + Array2::<f64>::eye(d) * lambda;
    let beta = translearn_core::linalg::inv_sqrtm_spd(&normal).unwrap();
    let beta = beta.dot(&beta).dot(&x.t().dot(&y));
    ((queries - &mean_x).dot(&beta) + mean_y, beta.dot(&beta))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Shares and values are means under the plan, entry by entry; known labels stay.
    #[test]
    fn what_arrives_is_the_mean_under_the_plan(n in 3usize..9, m in 3usize..9, seed in 0u64..1000, entropy in 0usize..2) {
        let (source, target) = (normal(n, 2, seed), normal(m, 2, seed + 1));
        let codes = Array1::from_shape_fn(n, |row| row % 2);
        let reals = source.column(0).to_owned();
        let mut method = LabelPropagationParams::default();
        let cost = naive_cost(&source, &target);
        let mut plan = cheapest(&cost);
        if entropy == 1 {
            method = method.regularization(0.4);
            let masses = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
            let solver = translearn_transport::Sinkhorn::new(0.4).tolerance(1e-6);
            plan = solver.max_iterations(100_000).epsilon_scaling(true).solve(&cost, &masses(n), &masses(m)).unwrap().plan;
        }
        let shares = method.propagate(&problem(&source, codes.clone(), &target, ndarray::array![1_usize])).unwrap();
        let means = method.propagate(&problem(&source, reals.clone(), &target, no_values())).unwrap();
        for j in 0..m {
            let mass: f64 = (0..n).map(|i| plan[[i, j]]).sum();
            let of_class_1: f64 = (0..n).filter(|&i| codes[i] == 1).map(|i| plan[[i, j]]).sum();
            let expected = if j == 0 { 1.0 } else { of_class_1 / mass };
            prop_assert!((shares[[j, 1]] - expected).abs() < 1e-9);
            prop_assert!((shares.row(j).sum() - 1.0).abs() < 1e-12);
            let mean = (0..n).map(|i| plan[[i, j]] * reals[i]).sum::<f64>() / mass;
            prop_assert!((means[[j, 0]] - mean).abs() < 1e-9);
        }
    }

    /// The rounds, written out with dense formulas.
    #[test]
    fn the_rounds_of_jdot_are_those_of_the_paper(seed in 0u64..1000, alpha in 0.1f64..3.0, rounds in 1usize..5) {
        let (source, target) = (normal(9, 2, seed), normal(7, 2, seed + 1) * 1.5 + 0.5);
        let y: Array1<f64> = source.column(0).mapv(|v| 2.0 * v) + normal(9, 1, seed + 2).column(0);
        let features = naive_cost(&source, &target) * alpha;
        let mut cost = features.clone();
        let (mut answers, mut objective) = (Array1::zeros(7), 0.0);
        for _ in 0..rounds {
            let plan = cheapest(&cost);
            let arrived = plan.t().dot(&y) * 7.0;
            answers = naive_ridge(&target, &arrived, 0.3, &target).0;
            let variance = y.mapv(|v| (v - y.mean().unwrap()).powi(2)).mean().unwrap();
            cost = Array2::from_shape_fn((9, 7), |(i, j)| features[[i, j]] + (y[i] - answers[j]).powi(2) / variance);
            objective = (&plan * &cost).sum();
        }
        let method = JdotParams::default().alpha(alpha).n_iterations(rounds).learner(Ridge::params().lambda(0.3));
        let problem = problem(&source, y, &target, no_values());
        prop_assert!((values(&method, &problem, &target) - &answers).iter().all(|v| v.abs() < 1e-8));
        let joint = method.solve(&problem, 0).unwrap();
        prop_assert!((joint.objectives.last().unwrap() - objective).abs() < 1e-9 * objective.max(1.0));
    }

    /// With a learner that minimises the loss, its penalty included, the objective never rises; the last plan is the
    /// cheapest for the last predictions, which potentials prove.
    #[test]
    fn the_objective_of_jdot_never_rises(seed in 0u64..1000, alpha in 0.05f64..2.0, classes in 0usize..2) {
        let (source, target) = (normal(14, 2, seed), normal(11, 2, seed + 1) * 1.5 + 0.5);
        let y: Array1<f64> = source.column(0).mapv(|v| 2.0 * v) + normal(14, 1, seed + 2).column(0);
        let (of_classes, (lambda, c)) = (classes == 1, (0.3, 2.0));
        let (problem, method) = if of_classes {
            let mut codes = y.mapv(|v| usize::from(v > 0.0));
            (codes[0], codes[1]) = (0, 1);
            let learner = Logistic::params().c(c).tolerance(1e-11);
            (problem(&source, codes, &target, no_classes()), JdotParams::default().learner(learner))
        } else {
            let learner = Ridge::params().lambda(lambda);
            (problem(&source, y.clone(), &target, no_values()), JdotParams::default().learner(learner))
        };
        let method = method.alpha(alpha);
        // β of the model from its answers at 0 and at the unit vectors.
        let queries: Features = ndarray::array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]].into();
        let mut before = f64::INFINITY;
        for rounds in 1..=6 {
            let joint = method.clone().n_iterations(rounds).solve(&problem, 0).unwrap();
            let prediction = joint.predictor.predict(&queries).unwrap();
            let (z, weight) = match &prediction.scores {
                Some(scores) => (scores.matrix().column(1).mapv(|p| (p / (1.0 - p)).ln()), 0.5 / (c * 11.0)),
                None => {
                    let variance = y.var(0.0);
                    (prediction.labels.values("test").unwrap().clone(), lambda / (11.0 * variance))
                }
            };
            let penalty = weight * ((z[1] - z[0]).powi(2) + (z[2] - z[0]).powi(2));
            let objective = joint.objectives.last().unwrap() + penalty;
            prop_assert!(objective <= before + 1e-9, "{objective} after {before}");
            before = objective;
        }
        let joint = method.n_iterations(100).solve(&problem, 0).unwrap();
        prop_assert!(joint.objectives.len() < 100);
        let masses = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        let exact = emd(&joint.cost, &masses(14), &masses(11)).unwrap();
        for ((i, j), cost) in joint.cost.indexed_iter() {
            prop_assert!(exact.row_potentials[i] + exact.column_potentials[j] <= cost + 1e-9);
        }
        let dual = exact.row_potentials.sum() / 14.0 + exact.column_potentials.sum() / 11.0;
        prop_assert!(((&joint.plan * &joint.cost).sum() - dual).abs() < 1e-9);
    }
}

/// Known labels stand in place of predictions and of what the plan brings.
#[test]
fn known_target_labels_are_kept() {
    let (source, target) = (normal(12, 2, 1), normal(10, 2, 2));
    let y = source.column(0).to_owned();
    let known = Array1::from_vec(vec![40.0, -30.0]);
    let labelled = problem(&source, y.clone(), &target, known.clone());
    let method = JdotParams::default()
        .learner(Ridge::params())
        .n_iterations(3);
    let joint = method.solve(&labelled, 0).unwrap();
    let features = naive_cost(&source, &target);
    for i in 0..12 {
        for (j, known) in known.iter().enumerate() {
            let expected = features[[i, j]] + (y[i] - known).powi(2) / y.var(0.0);
            assert!((joint.cost[[i, j]] - expected).abs() < 1e-9 * expected);
        }
    }
    let plain = problem(&source, y, &target, no_values());
    let (with, without) = (
        values(&method, &labelled, &target),
        values(&method, &plain, &target),
    );
    assert!((with[0] - without[0]).abs() > 1.0);
}

/// POT and skada; the latter's rounds end where nothing changes.
#[test]
fn labels_and_models_are_those_of_pot_and_skada() {
    let reference = Fixture::transport();
    let (x, target, fresh) = (
        reference.matrix("x"),
        reference.matrix("target"),
        reference.matrix("fresh"),
    );
    let codes = problem(&x, reference.classes("classes"), &target, no_classes());
    let reals = problem(&x, reference.vector("values"), &target, no_values());
    let exact = LabelPropagationParams::default();
    let of_classes = exact.propagate(&codes).unwrap();
    assert!(worst(of_classes - &reference.matrix("propagated_exact")) < 1e-12);
    let of_values = exact.propagate(&reals).unwrap().remove_axis(Axis(1));
    assert!(
        (of_values - &reference.vector("propagated_values"))
            .iter()
            .all(|v| v.abs() < 1e-12)
    );
    // Sinkhorn's algorithm stops here at 1e-6 of the mass.
    let entropic = exact.regularization(0.2).propagate(&codes).unwrap();
    assert!(worst(entropic - &reference.matrix("propagated_entropic")) < 1e-5);
    let part = reference.part("jdot_values");
    let jdot = JdotParams::default().n_iterations(40);
    let of_values = jdot
        .clone()
        .alpha(part.number("alpha"))
        .learner(Ridge::params().lambda(0.5));
    let predicted = values(&of_values, &reals, &fresh);
    assert!(
        (predicted - &part.vector("predicted"))
            .iter()
            .all(|v| v.abs() < 1e-9)
    );
    let part = reference.part("jdot_classes");
    let learner = Logistic::params().c(2.0).tolerance(1e-10);
    let of_classes = jdot.alpha(part.number("alpha")).learner(learner);
    let predicted = probabilities(&of_classes, &codes, &fresh);
    // scikit-learn's solver stops at a gradient of about 1e-6.
    let difference = worst(predicted - &part.matrix("predicted"));
    assert!(difference < 1e-5, "{difference}");
}
