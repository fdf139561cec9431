use ndarray::{Array1, Array2};
use proptest::prelude::*;
use translearn_core::{
    Domain, Features, FitSample, LabelSpace, Labels, Predictor, Sample, SourceWeighter, Task,
    TransferMethod, TransferProblem, seed,
};
use translearn_learners::Logistic;

use super::{AuxParams, LogisticRatioParams, NearestNeighbourParams, TrAdaBoostParams};

pub(super) fn problem(
    n_source: usize,
    n_target: usize,
    n_labelled: usize,
    seed: u64,
) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let space = LabelSpace::numbered(2);
    let mut sample = |n: usize, border: f64, shift: f64| {
        let x = Array2::from_shape_simple_fn((n, 2), || shift + rng.normal());
        let y: Array1<usize> = x.column(0).mapv(|v| usize::from(v > border));
        (x, y)
    };
    let (xs, mut ys) = sample(n_source, 0.0, 0.0);
    let (xt, mut yt) = sample(n_target, 0.6, 0.4);
    // Both classes on both sides, whatever the draw.
    (ys[0], ys[1], yt[0], yt[1]) = (0, 1, 0, 1);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let rows: Vec<usize> = (0..n_labelled).collect();
    let known = Labels::Classes(yt.slice(ndarray::s![..n_labelled]).to_owned());
    TransferProblem::from_parts(
        vec![(
            domain("source", xs),
            Task::labelled(space.clone(), Labels::Classes(ys)),
        )],
        (
            domain("target", xt),
            Task::partly_labelled(space, rows, known),
        ),
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn votes_of_target_rows_are_counted(seed in 0u64..1000, k in 1usize..4) {
        let problem = problem(15, 20, 0, seed);
        let method = NearestNeighbourParams::default().n_neighbours(k).smoothing(0.5);
        let weights = method.source_weights(&problem, 0).unwrap().weights;
        let source = problem.source().unwrap().features.dense().unwrap().into_owned();
        let mut naive = Array1::from_elem(15, 0.5);
        for row in problem.target_features().dense().unwrap().rows() {
            let distance = |i: usize| (&source.row(i) - &row).mapv(|v| v * v).sum();
            let mut order: Vec<usize> = (0..15).collect();
            order.sort_by(|&i, &j| distance(i).total_cmp(&distance(j)));
            order[..k].iter().for_each(|&i| naive[i] += 1.0);
        }
        prop_assert_eq!(weights, naive);
    }

    #[test]
    fn a_target_weight_of_two_is_the_target_twice(seed in 0u64..1000) {
        let once = problem(30, 20, 6, seed);
        let fitted = AuxParams::default().target_weight(2.0).fit(&once, 0).unwrap();
        let source = once.source().unwrap();
        let target = once.target_labelled().unwrap();
        let x = source.features.stack(&target.features).unwrap().stack(&target.features).unwrap();
        let y = source.labels.join(&target.labels).unwrap().join(&target.labels).unwrap();
        // Weights of mean 1 over 36 rows whose weights sum to 42.
        let scale = Array1::from_elem(42, 36.0 / 42.0);
        let sample = Sample::new(&x, &y, 2).unwrap().with_weights(&scale).unwrap();
        let oracle = Logistic::params().fit_sample(&sample, 0).unwrap();
        let ours = fitted.model.predict(once.target_features()).unwrap().scores.unwrap();
        let theirs = oracle.predict(once.target_features()).unwrap().scores.unwrap();
        let worst = (ours.matrix() - theirs.matrix()).fold(0.0_f64, |a, b| a.max(b.abs()));
        prop_assert!(worst < 1e-5, "{worst}");
    }
}

#[test]
fn balanced_weighting_is_a_target_weight() {
    // Mean losses of 30 source rows and 6 labelled target rows, weighed 0.3 and 0.7.
    let problem = problem(30, 20, 6, 4);
    let weight = 0.7 * 30.0 / (0.3 * 6.0);
    let fitted = AuxParams::default()
        .target_weight(weight)
        .fit(&problem, 0)
        .unwrap();
    let (source, target) = (
        problem.source().unwrap(),
        problem.target_labelled().unwrap(),
    );
    let x = source.features.stack(&target.features).unwrap();
    let y = source.labels.join(&target.labels).unwrap();
    let balanced = Array1::from_shape_fn(
        36,
        |row| if row < 30 { 0.3 / 30.0 } else { 0.7 / 6.0 } * 36.0,
    );
    let sample = Sample::new(&x, &y, 2)
        .unwrap()
        .with_weights(&balanced)
        .unwrap();
    let oracle = Logistic::params().fit_sample(&sample, 0).unwrap();
    let scores =
        |prediction: translearn_core::Prediction| prediction.scores.unwrap().matrix().clone();
    let ours = scores(fitted.model.predict(problem.target_features()).unwrap());
    let theirs = scores(oracle.predict(problem.target_features()).unwrap());
    assert!((ours - theirs).iter().all(|v| v.abs() < 1e-6));
}

#[test]
fn the_logistic_ratio_satisfies_its_moment_conditions() {
    // At the optimum of an unpenalised logistic regression the weighted source has the target's size and mean.
    let problem = problem(400, 300, 0, 3);
    let weights = LogisticRatioParams::default()
        .c(1e8)
        .source_weights(&problem, 0)
        .unwrap()
        .weights;
    let source = problem
        .source()
        .unwrap()
        .features
        .dense()
        .unwrap()
        .into_owned();
    let target = problem.target_features().dense().unwrap().into_owned();
    // Σ_S p(x) = Σ_T (1 - p(x)) for 1 and every feature, with p from the odds w n_t / n_s.
    let p = weights.mapv(|w| {
        let odds = w * 300.0 / 400.0;
        odds / (1.0 + odds)
    });
    let rows = Features::from(source.clone())
        .stack(&target.clone().into())
        .unwrap();
    let labels = Labels::Classes((0..700).map(|i| usize::from(i >= 400)).collect());
    let model = Logistic::params()
        .c(1e8)
        .fit_sample(&Sample::new(&rows, &labels, 2).unwrap(), 0)
        .unwrap();
    let on_target = model
        .predict(&target.clone().into())
        .unwrap()
        .scores
        .unwrap()
        .matrix()
        .column(0)
        .to_owned();
    assert!((p.sum() - on_target.sum()).abs() < 1e-3);
    for column in 0..2 {
        let left = p.dot(&source.column(column));
        let right = on_target.dot(&target.column(column));
        assert!((left - right).abs() < 1e-3, "{left} against {right}");
    }
    assert!(weights.iter().all(|&w| w > 0.0));
}

#[test]
fn without_target_labels_the_mismatch_names_both_sides() {
    let error = TrAdaBoostParams::default()
        .fit(&problem(10, 10, 0, 1), 0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`tradaboost` needs labelled target rows but the problem has none"
    );
}

#[test]
fn more_neighbours_than_source_rows_are_refused() {
    let error = NearestNeighbourParams::default()
        .n_neighbours(11)
        .fit(&problem(10, 10, 0, 1), 0)
        .unwrap_err();
    assert!(
        error.to_string().contains("the source has 10 rows"),
        "{error}"
    );
}
