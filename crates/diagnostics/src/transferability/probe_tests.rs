use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::{BaseLearner, Features, Labels, Sample, TransferError, seed};
use translearn_learners::{Logistic, Ridge};

use super::mixture::Mixture;
use super::*;

fn classes(
    n: usize,
    d: usize,
    n_classes: usize,
    apart: f64,
    rng: &mut seed::Rng,
) -> (Features, Labels) {
    let codes = Array1::from_shape_fn(n, |row| row % n_classes);
    let centres = Array2::from_shape_simple_fn((n_classes, d), || apart * rng.normal());
    let rows = Array2::from_shape_fn((n, d), |(row, k)| centres[[codes[row], k]] + rng.normal());
    (rows.into(), Labels::Classes(codes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The mixture at which it stops is likelier than any near it, and no step lowered the likelihood.
    #[test]
    fn mixtures_are_likeliest(n in 20_usize..60, d in 1_usize..4, v in 1_usize..4, seed: u64) {
        let mut rng = seed::rng(seed);
        let (rows, _) = classes(n, d, 3, 3.0, &mut rng);
        let rows = rows.dense().unwrap().into_owned();
        let mixture = Mixture::fit(&rows, v, seed).unwrap();
        let (chances, found) = mixture.expected(&rows);
        prop_assert!((mixture.shares.sum() - 1.0).abs() < 1e-9);
        prop_assert!(chances.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-9));
        // By the densities themselves.
        let density = |x: &ndarray::ArrayView1<'_, f64>, c: usize| -> f64 {
            let of = |k: usize| {
                let (m, s) = (mixture.means[[c, k]], mixture.variances[[c, k]]);
                (-0.5 * (x[k] - m).powi(2) / s).exp() / (std::f64::consts::TAU * s).sqrt()
            };
            mixture.shares[c] * (0..d).map(of).product::<f64>()
        };
        let naive: f64 = rows.outer_iter().map(|x| (0..v).map(|c| density(&x, c)).sum::<f64>().ln()).sum::<f64>() / n as f64;
        prop_assert!((naive - found).abs() < 1e-9, "{naive} {found}");
        for row in 0..n {
            let x = rows.row(row);
            let all: f64 = (0..v).map(|c| density(&x, c)).sum();
            for c in 0..v {
                prop_assert!((chances[[row, c]] - density(&x, c) / all).abs() < 1e-9);
            }
        }
        for _ in 0..10 {
            let mut near = mixture.clone();
            near.means.mapv_inplace(|m| m + 0.05 * rng.normal());
            prop_assert!(near.expected(&rows).1 < found + 1e-4, "{} {found}", near.expected(&rows).1);
        }
    }

    /// Components far apart are classes of a source: the score is what the calls leave unknown.
    #[test]
    fn components_far_apart_are_source_classes(n in 30_usize..60, seed: u64) {
        let mut rng = seed::rng(seed);
        let groups = Array1::from_shape_fn(n, |row| row % 3);
        let labels = Labels::Classes(Array1::from_shape_fn(n, |row| usize::from(row % 3 == 2 || (row % 3 == 1 && row % 2 == 0))));
        let rows = Array2::from_shape_fn((n, 2), |(row, k)| {
            let centre = [[0.0, 0.0], [500.0, 0.0], [0.0, 900.0]][groups[row]][k];
            centre + rng.normal()
        });
        let mixture = Mixture::fit(&rows, 3, seed).unwrap();
        let (chances, _) = mixture.expected(&rows);
        let calls = translearn_core::argmax_rows(&chances);
        let expected = nce(&SourceClasses::new(calls.clone()), &labels).unwrap();
        let ours = leep(&SourceProbabilities::new(chances).unwrap(), &labels).unwrap();
        prop_assert!((ours - expected).abs() < 1e-9, "{ours} {expected}");
        // And the groups are found: k-means++ draws one centre in each.
        for row in 3..n {
            prop_assert_eq!(calls[row], calls[row % 3]);
        }
    }

    #[test]
    fn probes_are_cross_validations(n in 12_usize..40, n_folds in 2_usize..5, seed: u64) {
        let mut rng = seed::rng(seed);
        let (features, labels) = classes(n, 3, 2, 0.5, &mut rng);
        let probe = LinearProbe::default().n_folds(n_folds);
        let found = probe.score(&features, &labels, seed).unwrap();
        // Rows of a class in a drawn order take turns.
        let codes = labels.classes("").unwrap();
        let mut order = features.rows_by_value();
        seed::rng(seed::derive(seed, &["folds"])).shuffle(&mut order);
        let first = codes[order[0]];
        order.sort_by_key(|&row| codes[row] != first);
        let learner: BaseLearner = Ridge::params().into();
        let x = features.dense().unwrap();
        let mut wrong = vec![0.0; n_folds];
        let mut sizes = vec![0.0; n_folds];
        for fold in 0..n_folds {
            let pick = |of_fold: bool| -> Vec<usize> {
                let mut rows: Vec<usize> = (0..n).filter(|turn| (turn % n_folds == fold) == of_fold).map(|turn| order[turn]).collect();
                rows.sort_unstable();
                rows
            };
            let (test, train) = (pick(true), pick(false));
            let rows = x.select(Axis(0), &train);
            let mean = rows.mean_axis(Axis(0)).unwrap();
            let deviation = rows.std_axis(Axis(0), 0.0);
            let scaled = |rows: &[usize]| Features::from((x.select(Axis(0), rows) - &mean) / &deviation);
            let (taught, of_train) = (scaled(&train), labels.select(&train));
            let model = learner.fit_boxed(&Sample::new(&taught, &of_train, 2).unwrap(), seed).unwrap();
            let answers = model.predict(&scaled(&test)).unwrap().labels;
            let missed = answers.classes("").unwrap().iter().zip(&test).filter(|(a, row)| **a != codes[**row]);
            wrong[fold] = missed.count() as f64;
            sizes[fold] = test.len() as f64;
        }
        prop_assert!((found.score - (1.0 - wrong.iter().sum::<f64>() / n as f64)).abs() < 1e-12);
        let without: Vec<f64> = (0..n_folds).map(|fold| {
            let (w, s) = (0..n_folds).filter(|&f| f != fold).fold((0.0, 0.0), |(w, s), f| (w + wrong[f], s + sizes[f]));
            1.0 - w / s
        }).collect();
        let k = n_folds as f64;
        let mean = without.iter().sum::<f64>() / k;
        let error = ((k - 1.0) / k * without.iter().map(|v| (v - mean).powi(2)).sum::<f64>()).sqrt();
        prop_assert!((found.standard_error - error).abs() < 1e-12);
        // Neither the order of the rows nor the names of the classes matter.
        let moved = rng.permutation(n);
        let renamed = Labels::Classes(codes.mapv(|class| 5 - 2 * class));
        let again = probe.score(&features.select_rows(&moved), &renamed.select(&moved), seed);
        prop_assert!((again.unwrap().score - found.score).abs() < 1e-9);
    }

    /// The information is minus the mean second derivative of the log-likelihood, by differences.
    #[test]
    fn information_is_a_second_derivative(seed: u64, n_classes in 2_usize..4) {
        let mut rng = seed::rng(seed);
        let (features, labels) = classes(24, 3, n_classes, 1.0, &mut rng);
        let embedding = TaskEmbedding::new(&features, &labels, Logistic::params(), 0).unwrap();
        let learner: BaseLearner = Logistic::params().into();
        let model = learner.fit_boxed(&Sample::new(&features, &labels, n_classes).unwrap(), 0).unwrap();
        let prediction = model.predict(&features).unwrap();
        let scores = prediction.scores.unwrap().matrix().mapv(f64::ln);
        let x = features.dense().unwrap();
        let step = 1e-3;
        for k in 0..3 {
            let mut information = 0.0;
            for c in 0..n_classes {
                // The mean of ln Σ exp of the scores, which is what the log-likelihood has of curvature.
                let mean = |change: f64| -> f64 {
                    (0..24).map(|row| {
                        let terms = (0..n_classes).map(|other| {
                            let moved = if other == c { change * x[[row, k]] } else { 0.0 };
                            (scores[[row, other]] + moved).exp()
                        });
                        terms.sum::<f64>().ln()
                    }).sum::<f64>() / 24.0
                };
                information += (mean(step) - 2.0 * mean(0.0) + mean(-step)) / (step * step);
            }
            let ours = embedding.fisher[k];
            prop_assert!((ours - information).abs() < 1e-4 * (1.0 + ours), "{ours} {information}");
        }
    }

    #[test]
    fn distances_of_tasks_keep_their_axioms(a in prop::collection::vec(0.0_f64..5.0, 4), b in prop::collection::vec(0.0_f64..5.0, 4), scale in 0.01_f64..100.0) {
        let of = |v: &[f64]| TaskEmbedding { fisher: Array1::from(v.to_vec()) };
        let (f, g) = (of(&a), of(&b));
        prop_assert_eq!(f.distance(&f).unwrap(), 0.0);
        let there = f.distance(&g).unwrap();
        prop_assert!((there - g.distance(&f).unwrap()).abs() < 1e-15 && (0.0..=1.0).contains(&there));
        let stretched = TaskEmbedding { fisher: &f.fisher * scale };
        prop_assert!(f.distance(&stretched).unwrap() < 1e-12);
        // The formula on whole vectors.
        let sum = &f.fisher + &g.fisher;
        let (u, v) = (&f.fisher / &sum, &g.fisher / &sum);
        if sum.iter().all(|&s| s > 0.0) && u.sum() > 0.0 && v.sum() > 0.0 {
            let cosine = u.dot(&v) / (u.dot(&u) * v.dot(&v)).sqrt();
            prop_assert!((there - (1.0 - cosine)).abs() < 1e-12);
        }
    }
}

/// The interval of two errors around the score has the accuracy of the best line, of which fits on 90 rows fall short by
/// less than 0.01: 95 times in a hundred, were the error known.
#[test]
fn probes_know_their_error() {
    let mut rng = seed::rng(41);
    let far = |n: usize, rng: &mut seed::Rng| {
        let codes = Array1::from_shape_fn(n, |row| row % 2);
        let rows = Array2::from_shape_fn((n, 2), |(row, k)| {
            rng.normal() + if k == 0 { 2.0 * codes[row] as f64 } else { 0.0 }
        });
        (Features::from(rows), Labels::Classes(codes))
    };
    // Means 2 apart: Φ(1) of the rows are called rightly at best.
    let best = 0.841_344_7;
    let covered = (0..100)
        .filter(|&run| {
            let (features, labels) = far(100, &mut rng);
            let found = LinearProbe::default()
                .n_folds(10)
                .score(&features, &labels, run)
                .unwrap();
            (found.score - best).abs() <= 2.0 * found.standard_error + 0.01
        })
        .count();
    println!("linear probe: {covered} of 100 intervals");
    assert!(covered >= 88, "{covered}");
}

#[test]
fn new_scores_know_features_that_tell() {
    let mut rng = seed::rng(42);
    let (telling, labels) = classes(90, 4, 3, 3.0, &mut rng);
    let idle = Features::from(Array2::from_shape_simple_fn((90, 4), || rng.normal()));
    let probe = |x: &Features| LinearProbe::default().score(x, &labels, 0).unwrap().score;
    let n_leep = |x: &Features| {
        NLeep::default()
            .clusters_per_class(2)
            .score(x, &labels, 0)
            .unwrap()
    };
    assert!(probe(&telling) > probe(&idle) + 0.3);
    assert!(n_leep(&telling) > n_leep(&idle) + 0.3);
    assert!(n_leep(&telling) <= 0.0);
    // The order of the rows changes no bit of the mixture; the sum over rows is in another order.
    let order = rng.permutation(90);
    let moved = NLeep::default()
        .clusters_per_class(2)
        .score(&telling.select_rows(&order), &labels.select(&order), 0)
        .unwrap();
    assert_eq!(moved, n_leep(&telling));
    let renamed = Labels::Classes(labels.classes("").unwrap().mapv(|class| 9 - class));
    let score = NLeep::default()
        .clusters_per_class(2)
        .score(&telling, &renamed, 0)
        .unwrap();
    assert!((score - moved).abs() < 1e-12);
    // Values: the R² of a line without noise.
    let line = telling.dense().unwrap().column(0).mapv(|v| 3.0 * v - 1.0);
    let found = LinearProbe::default()
        .learner(Ridge::params().lambda(1e-9))
        .score(&telling, &Labels::Values(line), 0);
    let found = found.unwrap();
    assert!(
        found.score > 1.0 - 1e-9 && found.standard_error < 1e-9,
        "{found:?}"
    );
}

/// Tasks that read the same columns are nearer than tasks that read others.
#[test]
fn tasks_on_the_same_features_are_near() {
    let mut rng = seed::rng(43);
    let mut task = |column: usize| {
        let rows = Array2::from_shape_fn((200, 6), |(_, k)| {
            rng.normal() * if k / 3 == column / 3 { 3.0 } else { 0.1 }
        });
        let labels = rows.column(column).mapv(|v| usize::from(v > 0.0));
        TaskEmbedding::new(
            &rows.into(),
            &Labels::Classes(labels),
            Logistic::params(),
            0,
        )
        .unwrap()
    };
    let (a, b, other) = (task(0), task(1), task(4));
    let (near, far) = (a.distance(&b).unwrap(), a.distance(&other).unwrap());
    assert!(near < 0.6 && far > 0.9, "{near} {far}");
}

#[test]
fn what_cannot_be_probed_says_why() {
    let x = Features::from(array![[0.0, 1.0], [1.0, 2.0], [2.0, 0.0], [3.0, 1.0]]);
    let labels = Labels::Classes(array![0, 1, 0, 1]);
    let error = LinearProbe::default().score(&x, &labels, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::TooFewRows { needed: 5, .. }),
        "{error}"
    );
    let error = LinearProbe::default()
        .n_folds(1)
        .score(&x, &labels, 0)
        .unwrap_err();
    assert!(error.to_string().contains("n_folds"), "{error}");
    let equal = Labels::Values(array![2.0, 2.0, 2.0, 2.0]);
    let error = LinearProbe::default()
        .n_folds(2)
        .score(&x, &equal, 0)
        .unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let error = NLeep::default()
        .n_components(0)
        .score(&x, &labels, 0)
        .unwrap_err();
    assert!(error.to_string().contains("n_components"), "{error}");
    let constant = Features::from(Array2::from_elem((4, 2), 1.0));
    let error = NLeep::default().score(&constant, &labels, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let single = Labels::Classes(array![3, 3, 3, 3]);
    let error = NLeep::default().score(&x, &single, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::TooFewClasses { .. }),
        "{error}"
    );
    let error = TaskEmbedding::new(&x, &labels, Ridge::params(), 0).unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let of = |d: usize| TaskEmbedding {
        fisher: Array1::ones(d),
    };
    let error = of(2).distance(&of(3)).unwrap_err();
    assert!(
        matches!(error, TransferError::FeatureMismatch { .. }),
        "{error}"
    );
}
