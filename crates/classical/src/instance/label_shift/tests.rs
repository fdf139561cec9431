use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use translearn_core::{
    BaseLearner, Domain, LabelSpace, Labels, Sample, SourceWeighter, Task, TransferProblem,
    kernel::Kernel,
    linalg::solve,
    seed::{self, derive},
};
use translearn_learners::{GaussianNb, Knn, Logistic};

use super::calibration::Calibration;
use super::cross_fit::CrossFitted;
use super::prior_shift::MixtureFit;
use super::rlls::regularised_weights;
use super::{BbseParams, Classes, MllsParams, MmdTargetShiftParams, RllsParams};
use crate::instance::folds::folds;

/// Three normal classes in the plane, `apart` from each other, in other shares in the target than in the source.
fn problem(n_source: usize, n_target: usize, apart: f64, seed: u64) -> TransferProblem {
    let mut rng = seed::rng(seed);
    let mut sample = |n: usize, prior: [f64; 3]| {
        let codes: Array1<usize> = (0..n)
            .map(|row| {
                if row < 6 {
                    row % 3
                } else {
                    rng.weighted_index(&prior).unwrap()
                }
            })
            .collect();
        let x = Array2::from_shape_fn((n, 2), |(row, column)| {
            let turn = std::f64::consts::TAU * codes[row] as f64 / 3.0;
            let center = if column == 0 { turn.cos() } else { turn.sin() };
            apart * center + rng.normal()
        });
        (x, codes)
    };
    let (source, target) = (sample(n_source, SOURCE), sample(n_target, TARGET));
    let space = LabelSpace::numbered(3);
    let domain = |name: &str, x: Array2<f64>| Domain {
        name: name.into(),
        features: x.into(),
    };
    let task = Task::labelled(space.clone(), Labels::Classes(source.1));
    TransferProblem::from_parts(
        vec![(domain("source", source.0), task)],
        (domain("target", target.0), Task::unlabelled(space)),
    )
    .unwrap()
}

const SOURCE: [f64; 3] = [0.6, 0.3, 0.1];
const TARGET: [f64; 3] = [0.1, 0.3, 0.6];

fn cross_fitted(problem: &TransferProblem, n_folds: usize) -> (Classes, CrossFitted) {
    let classes = Classes::of(problem, "test").unwrap();
    let learner: BaseLearner = Logistic::params().into();
    let fitted = CrossFitted::new(problem, &classes, &learner, n_folds, 5).unwrap();
    (classes, fitted)
}

fn norm(v: &Array1<f64>) -> f64 {
    v.dot(v).sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn confusions_are_of_rows_that_were_not_seen(n in 30usize..60, n_folds in 2usize..5, seed in 0u64..1000) {
        let problem = problem(n, 40, 1.5, seed);
        let (classes, fitted) = cross_fitted(&problem, n_folds);
        let (confusion, target) = fitted.confusion(&classes, "test").unwrap();
        let source = problem.source().unwrap();
        let codes = source.labels.classes("test").unwrap();
        let fold_of = folds(&source.features, |row| codes[row], n_folds);
        let (mut naive, mut of_target) = (Array2::<f64>::zeros((3, 3)), Array1::<f64>::zeros(3));
        // A fit for each row, without all rows of its part.
        for row in 0..n {
            let train: Vec<usize> = (0..n).filter(|&other| fold_of[other] != fold_of[row]).collect();
            let (x, y) = (source.features.select_rows(&train), source.labels.select(&train));
            let sample = Sample::new(&x, &y, 3).unwrap();
            let learner: BaseLearner = Logistic::params().into();
            let seed = derive(5, &["fold", &fold_of[row].to_string()]);
            let model = learner.fit_boxed(&sample, seed).unwrap();
            let own = model.predict(&source.features.select_rows(&[row])).unwrap();
            naive[[own.labels.classes("test").unwrap()[0], codes[row]]] += 1.0 / n as f64;
            let size = (0..n).filter(|&other| fold_of[other] == fold_of[row]).count();
            for &class in model.predict(problem.target_features()).unwrap().labels.classes("test").unwrap() {
                of_target[class] += 1.0 / (40 * n_folds * size) as f64;
            }
        }
        prop_assert!((&confusion - &naive).iter().all(|v| v.abs() < 1e-12), "{confusion} against {naive}");
        prop_assert!((&target - &of_target).iter().all(|v| v.abs() < 1e-12), "{target} against {of_target}");
    }

    #[test]
    fn the_weights_of_rlls_are_the_least_of_a_sum_of_norms(k in 1usize..6, rank in 1usize..6, lambda in 0.001f64..1.0, seed in 0u64..1000) {
        // Also where the confusion matrix has no inverse.
        let mut rng = seed::rng(seed);
        let mut draw = |n: usize, m: usize| Array2::from_shape_simple_fn((n, m), || rng.uniform());
        let confusion = draw(k, rank).dot(&draw(rank, k));
        let confusion = &confusion / confusion.sum();
        let target = draw(k, 1).column(0).to_owned();
        let target = &target / target.sum();
        let weights = regularised_weights(&confusion, &target, lambda).unwrap();
        let objective = |w: &Array1<f64>| norm(&(confusion.dot(w) - &target)) + lambda * norm(&(w - 1.0));
        prop_assert!(weights.iter().all(|&w| w >= 0.0));
        let ours = objective(&weights);
        for _ in 0..200 {
            let reach = 10.0_f64.powf(-6.0 * rng.uniform());
            let other = weights.mapv(|w| (w + reach * rng.normal()).max(0.0));
            prop_assert!(objective(&other) >= ours - 1e-9, "{} below {ours}", objective(&other));
        }
    }

    #[test]
    fn calibration_is_the_most_likely(n in 20usize..60, k in 2usize..4, seed in 0u64..1000) {
        let mut rng = seed::rng(seed);
        let classes: Vec<usize> = (0..n).map(|row| if row < k { row } else { rng.below(k) }).collect();
        let scores = Array2::from_shape_fn((n, k), |(row, c)| 2.0 * rng.normal() + if c == classes[row] { 1.0 } else { 0.0 });
        let fitted = Calibration::fit(&scores, &classes).unwrap();
        let loss = |scale: f64, bias: &Array1<f64>| {
            let rows = (0..n).map(|row| {
                let odds: Vec<f64> = (0..k).map(|c| (scale * scores[[row, c]] + bias[c]).exp()).collect();
                -(odds[classes[row]] / odds.iter().sum::<f64>()).ln()
            });
            rows.sum::<f64>() / n as f64 + (scale - 1.0) * (scale - 1.0) / (2 * n) as f64
        };
        let ours = loss(fitted.scale, &fitted.bias);
        for _ in 0..100 {
            let reach = 10.0_f64.powf(-4.0 * rng.uniform());
            let bias = fitted.bias.mapv(|b| b + reach * rng.normal());
            prop_assert!(loss(fitted.scale + reach * rng.normal(), &bias) >= ours - 1e-12);
        }
        let mean = fitted.probabilities(&scores).mean_axis(Axis(0)).unwrap();
        for c in 0..k {
            let share = classes.iter().filter(|&&class| class == c).count() as f64 / n as f64;
            prop_assert!((mean[c] - share).abs() < 1e-8);
        }
    }

    #[test]
    fn the_likeliest_shares_are_where_expectation_and_maximisation_end(seed in 0u64..1000) {
        let problem = problem(60, 50, 1.5, seed);
        let (classes, fitted) = cross_fitted(&problem, 5);
        let (source, target) = fitted.scores(&classes, "test").unwrap();
        let posterior = Calibration::fit(&source, &classes.of_row).unwrap().probabilities(&target);
        let mut q = classes.prior.clone();
        for _ in 0..5000 {
            // Saerens and others: the posterior under the shares so far, then its mean.
            let mut next = Array1::<f64>::zeros(3);
            for p in posterior.outer_iter() {
                let joint: Vec<f64> = (0..3).map(|c| p[c] * q[c] / classes.prior[c]).collect();
                let sum: f64 = joint.iter().sum();
                (0..3).for_each(|c| next[c] += joint[c] / sum / posterior.nrows() as f64);
            }
            q = next;
        }
        let ours = MllsParams::default().source_weights(&problem, 5).unwrap();
        for (c, share) in q.iter().enumerate() {
            prop_assert!((ours.trace.series["target-prior"][c] - share).abs() < 1e-4, "{ours:?} against {q}");
        }
    }

    #[test]
    fn no_shares_bring_the_means_nearer(seed in 0u64..1000, gamma in 0.1f64..2.0) {
        let problem = problem(40, 30, 1.5, seed);
        let ours = MmdTargetShiftParams::default().gamma(gamma).source_weights(&problem, 0).unwrap();
        let source = problem.source().unwrap();
        let codes = source.labels.classes("test").unwrap();
        let kernel = Kernel::Rbf { gamma: Some(gamma) }.resolve(&[]).unwrap();
        let within = kernel.gram(&source.features).unwrap();
        let across = kernel.matrix(&source.features, problem.target_features()).unwrap();
        // Squared distance of the means but for the target's own part, by weights of the source's rows.
        let distance = |shares: &[f64]| {
            let size = |class: usize| codes.iter().filter(|&&code| code == class).count() as f64;
            let weight = |row: usize| shares[codes[row]] / size(codes[row]);
            let mut total = 0.0;
            for i in 0..40 {
                total += (0..40).map(|j| weight(i) * weight(j) * within[[i, j]]).sum::<f64>();
                total -= 2.0 * (0..30).map(|j| weight(i) * across[[i, j]] / 30.0).sum::<f64>();
            }
            total
        };
        let shares = &ours.trace.series["target-prior"];
        prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let least = distance(shares);
        let mut rng = seed::rng(seed + 1);
        for _ in 0..50 {
            let reach = 10.0_f64.powf(-3.0 * rng.uniform());
            let moved: Vec<f64> = shares.iter().map(|q| (q + reach * rng.normal()).max(0.0)).collect();
            let sum: f64 = moved.iter().sum();
            // Nothing of every class are no shares.
            if sum < 1e-9 {
                continue;
            }
            let other: Vec<f64> = moved.iter().map(|q| q / sum).collect();
            prop_assert!(distance(&other) >= least - 1e-8);
        }
    }
}

#[test]
fn bbse_solves_its_equations() {
    let problem = problem(300, 200, 2.5, 1);
    let (classes, fitted) = cross_fitted(&problem, 5);
    let (confusion, target) = fitted.confusion(&classes, "test").unwrap();
    let ours = BbseParams::default().source_weights(&problem, 5).unwrap();
    let weights = Array1::from(ours.trace.series["class-weight"].clone());
    assert!(weights.iter().all(|&w| w > 0.0));
    assert!(
        (confusion.dot(&weights) - target)
            .iter()
            .all(|v| v.abs() < 1e-12)
    );
    // Each row has the weight of its class.
    let codes = problem
        .source()
        .unwrap()
        .labels
        .classes("test")
        .unwrap()
        .clone();
    assert_eq!(ours.weights, codes.mapv(|class| weights[class]));
    // A penalty too small to matter leaves the equations as they are.
    let rlls = RllsParams::default()
        .lambda(1e-6)
        .source_weights(&problem, 5)
        .unwrap();
    let naive = solve(
        &confusion,
        &fitted
            .confusion(&classes, "test")
            .unwrap()
            .1
            .insert_axis(Axis(1)),
    )
    .unwrap();
    let near = Array1::from(rlls.trace.series["class-weight"].clone());
    assert!(
        (&near - &naive.column(0)).iter().all(|v| v.abs() < 1e-5),
        "{near} against {naive}"
    );
}

#[test]
fn shares_of_the_target_are_found() {
    let problem = problem(600, 500, 2.0, 7);
    let weighters: [(&str, &dyn SourceWeighter); 4] = [
        ("bbse", &BbseParams::default()),
        ("rlls", &RllsParams::default()),
        ("mlls", &MllsParams::default()),
        ("mmd-target-shift", &MmdTargetShiftParams::default()),
    ];
    for (name, weighter) in weighters {
        let shares = &weighter.source_weights(&problem, 0).unwrap().trace.series["target-prior"];
        let error = shares
            .iter()
            .zip(TARGET)
            .map(|(found, true_share)| (found - true_share).abs());
        let worst = error.fold(0.0, f64::max);
        assert!(worst < 0.08, "{name}: {shares:?}");
    }
}

#[test]
fn classes_that_nothing_tells_apart_are_refused_or_left_alone() {
    let equal = Array2::zeros((20, 1));
    let space = LabelSpace::numbered(2);
    let domain = |name: &str| Domain {
        name: name.into(),
        features: equal.clone().into(),
    };
    let labels = Labels::Classes((0..20).map(|row| usize::from(row % 3 == 0)).collect());
    let problem = TransferProblem::from_parts(
        vec![(domain("source"), Task::labelled(space.clone(), labels))],
        (domain("target"), Task::unlabelled(space)),
    )
    .unwrap();
    let error = BbseParams::default()
        .learner(GaussianNb::params())
        .source_weights(&problem, 0);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("`bbse` needs a learner that tells the classes apart"),
        "{error}"
    );
    let rlls = RllsParams::default().source_weights(&problem, 0).unwrap();
    assert!(
        rlls.weights.iter().all(|w| (w - 1.0).abs() < 1e-6),
        "{}",
        rlls.weights
    );
}

fn p_value(weighter: &dyn SourceWeighter, problem: &TransferProblem) -> f64 {
    weighter.source_weights(problem, 5).unwrap().trace.series["prior-shift-p-value"][0]
}

#[test]
fn what_explains_the_target_is_judged_by_shares_and_their_squares() {
    let problem = problem(60, 40, 1.5, 3);
    let (classes, fitted) = cross_fitted(&problem, 5);
    // The scores of the logistic regression are logarithms of its probabilities.
    let (source, target) = fitted.scores(&classes, "test").unwrap();
    let statistics = |p: [f64; 3]| [p[0], p[1], p[0] * p[0], p[1] * p[1], p[2] * p[2]];
    let row = |x: &Array2<f64>, i: usize| statistics([0, 1, 2].map(|c| x[[i, c]].exp()));
    let of_source = Array2::from_shape_fn((60, 5), |(i, c)| row(&source, i)[c]);
    let of_target = Array2::from_shape_fn((40, 5), |(i, c)| {
        (0..5)
            .map(|fold| row(&target, 40 * fold + i)[c])
            .sum::<f64>()
            / 5.0
    });
    let fit = MixtureFit::new(&of_source, &classes.of_row, &of_target, &classes.prior);
    let expected = fit.unwrap().unwrap().p_value();
    let weighters: [&dyn SourceWeighter; 3] = [
        &BbseParams::default(),
        &RllsParams::default(),
        &MllsParams::default(),
    ];
    for weighter in weighters {
        let ours = p_value(weighter, &problem);
        assert!((ours - expected).abs() < 1e-6, "{ours} against {expected}");
    }
}

#[test]
fn label_shift_is_told_from_a_shift_of_the_rows() {
    let (mut explained, mut sum, mut moved) = (0, 0.0, 0);
    for seed in 0..60 {
        let problem = problem(200, 150, 1.5, seed);
        let p = p_value(&RllsParams::default(), &problem);
        explained += usize::from(p > 0.05);
        sum += p;
        let rows = problem.target_features().dense().unwrap().into_owned();
        let target = Domain {
            name: "target".into(),
            features: (rows + &ndarray::array![1.0, 0.0]).into(),
        };
        let sources = problem.sources().to_vec();
        let task = problem.target_task().clone();
        let problem = TransferProblem::from_parts(sources, (target, task)).unwrap();
        moved += usize::from(p_value(&RllsParams::default(), &problem) <= 0.05);
    }
    // Of 60 true hypotheses three are refused in the mean, and the mean of the p-values is a half.
    assert!(explained >= 52, "{explained}");
    assert!((sum / 60.0 - 0.5).abs() < 0.12, "{}", sum / 60.0);
    assert!(moved >= 40, "{moved}");
}

#[test]
fn a_learner_that_is_always_sure_leaves_nothing_to_compare() {
    let problem = problem(60, 40, 1.5, 3);
    let weighter = BbseParams::default().learner(Knn::params().k(1));
    let trace = weighter.source_weights(&problem, 5).unwrap().trace;
    assert!(!trace.series.contains_key("prior-shift-p-value"));
}
