use ndarray::{Array1, Array2};
use proptest::prelude::*;
use translearn_core::{
    Features, FitSample, Fitted, Labels, Predictor, Sample, Scores, TransferMethod, TransferProblem,
};
use translearn_learners::{Stump, Tree};

use super::super::{
    Correction, MultiSourceTrAdaBoostParams, TaskTrAdaBoostParams, TrAdaBoostParams,
};
use super::{classes, pooled, split, wrong};
use crate::instance::tests::problem;

fn stump(x: &Features, y: &Labels, w: &[f64]) -> impl Predictor + use<> {
    let sum: f64 = w.iter().sum();
    let n = w.len() as f64;
    let p: Array1<f64> = w.iter().map(|w| w * n / sum).collect();
    let sample = Sample::new(x, y, 2).unwrap().with_weights(&p).unwrap();
    Stump::params().fit_sample(&sample, 0).unwrap()
}

/// Whether a leaf has as much weight of one class as of the other: then rounding decides what it answers.
fn tied(h: &impl Predictor, x: &Features) -> bool {
    let scores = h.predict(x).unwrap().scores.unwrap();
    let ones = scores.matrix().column(1).to_owned();
    ones.iter().any(|p| (p - 0.5).abs() < 1e-9)
}

fn answers(h: &impl Predictor, x: &Features) -> Array1<usize> {
    classes(&h.predict(x).unwrap().labels)
}

/// The vote for class 1 over that for class 0 of each row, and the label given.
fn decided(fitted: &Fitted, queries: &Features) -> (Vec<f64>, Array1<usize>) {
    let prediction = fitted.model.predict(queries).unwrap();
    let Some(Scores::Decision(votes)) = &prediction.scores else {
        panic!("votes")
    };
    let lead = votes.rows().into_iter().map(|row| row[1] - row[0]);
    (lead.collect(), classes(&prediction.labels))
}

/// What a naive version says of the queries: whether class 1 wins, the error of each round, and whether rounding
/// decided.
struct Naive {
    first: Vec<bool>,
    errors: Vec<f64>,
    tied: bool,
}

/// The rounds of TrAdaBoost's paper for two classes; with the correction, source weights are multiplied by 2 (1 - ε),
/// or where ε was brought into its range by what the target's weight grows by.
fn naive_tradaboost(
    problem: &TransferProblem,
    n_rounds: usize,
    dynamic: bool,
    queries: &Features,
) -> Naive {
    let (x, y, n_source) = pooled(problem);
    let codes = classes(&y);
    let beta = 1.0 / (1.0 + (2.0 * (n_source as f64).ln() / n_rounds as f64).sqrt());
    let mut w = vec![1.0; codes.len()];
    let mut products = vec![(1.0, 1.0); queries.n_rows()];
    let (mut errors, mut undecided) = (Vec::new(), false);
    for t in 1..=n_rounds {
        let h = stump(&x, &y, &w);
        undecided |= tied(&h, &x);
        let miss = wrong(&answers(&h, &x), &codes);
        let on_target = n_source..codes.len();
        let total: f64 = w[on_target.clone()].iter().sum();
        let raw = on_target.map(|i| w[i] * miss[i]).sum::<f64>() / total;
        let error = raw.clamp(1e-10, 0.499);
        errors.push(error);
        let beta_t = error / (1.0 - error);
        let growth = match (dynamic, raw == error) {
            (false, _) => 1.0,
            (true, true) => 2.0 * (1.0 - error),
            (true, false) => 1.0 - raw + raw / beta_t,
        };
        for i in 0..codes.len() {
            w[i] *= if i < n_source {
                growth * beta.powf(miss[i])
            } else {
                beta_t.powf(-miss[i])
            };
        }
        if t >= n_rounds.div_ceil(2) {
            for (product, &answer) in products.iter_mut().zip(&answers(&h, queries)) {
                product.0 *= beta_t.powf(-(answer as f64));
                product.1 *= beta_t.powf(-0.5);
            }
        }
    }
    let first = products.into_iter().map(|(left, right)| left > right);
    Naive {
        first: first.collect(),
        errors,
        tied: undecided,
    }
}

/// MultiSourceTrAdaBoost in the form of its paper: labels of ±1, weights e^{±α |h - y|}; and the source of each round.
fn naive_multi_source(
    problem: &TransferProblem,
    n_rounds: usize,
    queries: &Features,
) -> (Naive, Vec<f64>) {
    let target = problem.target_labelled().unwrap();
    let truth = classes(&target.labels);
    let sources: Vec<_> = problem.labelled_sources().collect();
    let n_source: usize = sources.iter().map(|source| source.labels.len()).sum();
    let alpha_s = 0.5 * (1.0 + (2.0 * (n_source as f64).ln() / n_rounds as f64).sqrt()).ln();
    let mut of_source: Vec<Vec<f64>> = sources
        .iter()
        .map(|source| vec![1.0; source.labels.len()])
        .collect();
    let mut of_target = vec![1.0; truth.len()];
    let mut sums = vec![0.0; queries.n_rows()];
    let (mut errors, mut taken, mut undecided) = (Vec::new(), Vec::new(), false);
    for _ in 0..n_rounds {
        let mut best: Option<(f64, usize, _, Vec<f64>)> = None;
        for (k, source) in sources.iter().enumerate() {
            let x = source.features.stack(&target.features).unwrap();
            let y = source.labels.join(&target.labels).unwrap();
            let h = stump(&x, &y, &[&of_source[k][..], &of_target[..]].concat());
            undecided |= tied(&h, &x);
            let miss = wrong(&answers(&h, &target.features), &truth);
            let total: f64 = of_target.iter().sum();
            let error = of_target.iter().zip(&miss).map(|(w, m)| w * m).sum::<f64>() / total;
            if best
                .as_ref()
                .is_none_or(|&(least, ..)| error < least - 1e-10)
            {
                best = Some((error, k, h, miss));
            }
        }
        let (error, k, h, miss) = best.unwrap();
        let error: f64 = error.clamp(1e-10, 0.499);
        let alpha = 0.5 * ((1.0 - error) / error).ln();
        for (weights, source) in of_source.iter_mut().zip(&sources) {
            let miss = wrong(&answers(&h, &source.features), &classes(&source.labels));
            for (w, m) in weights.iter_mut().zip(&miss) {
                *w *= (-alpha_s * 2.0 * m).exp();
            }
        }
        for (w, m) in of_target.iter_mut().zip(&miss) {
            *w *= (alpha * 2.0 * m).exp();
        }
        for (sum, &answer) in sums.iter_mut().zip(&answers(&h, queries)) {
            *sum += alpha * (2.0 * answer as f64 - 1.0);
        }
        errors.push(error);
        taken.push(k as f64);
    }
    let first = sums.into_iter().map(|sum| sum > 0.0).collect();
    let naive = Naive {
        first,
        errors,
        tied: undecided,
    };
    (naive, taken)
}

/// TaskTrAdaBoost in the form of its paper: labels of ±1, weights e^{-α y h}.
fn naive_task(problem: &TransferProblem, n_rounds: usize, gamma: f64, queries: &Features) -> Naive {
    let sign = |codes: &Array1<usize>| codes.mapv(|code| 2.0 * code as f64 - 1.0);
    let alpha = |error: f64| 0.5 * ((1.0 - error) / error).ln();
    let (mut candidates, mut undecided) = (Vec::new(), false);
    for source in problem.labelled_sources() {
        let y = sign(&classes(&source.labels));
        let mut w = vec![1.0; y.len()];
        for _ in 0..n_rounds {
            let h = stump(&source.features, &source.labels, &w);
            undecided |= tied(&h, &source.features);
            let f = sign(&answers(&h, &source.features));
            let total: f64 = w.iter().sum();
            let error = (0..y.len())
                .filter(|&i| f[i] != y[i])
                .map(|i| w[i])
                .sum::<f64>()
                / total;
            let a = alpha(error.max(1e-10));
            if a <= 0.5e-10 {
                break;
            }
            (0..y.len()).for_each(|i| w[i] *= (-a * y[i] * f[i]).exp());
            if a > gamma {
                candidates.push(h);
            }
            if error == 0.0 {
                break;
            }
        }
    }
    let target = problem.target_labelled().unwrap();
    let y = sign(&classes(&target.labels));
    let mut w = vec![1.0; y.len()];
    let mut sums = vec![0.0; queries.n_rows()];
    let mut errors = Vec::new();
    while errors.len() < n_rounds && !candidates.is_empty() {
        let total: f64 = w.iter().sum();
        let mut best = (0, f64::INFINITY, 1.0);
        for (place, h) in candidates.iter().enumerate() {
            let f = sign(&answers(h, &target.features));
            let error = (0..y.len())
                .filter(|&i| f[i] != y[i])
                .map(|i| w[i])
                .sum::<f64>()
                / total;
            let (error, turn) = if error > 0.5 {
                (1.0 - error, -1.0)
            } else {
                (error, 1.0)
            };
            if error < best.1 - 1e-10 {
                best = (place, error, turn);
            }
        }
        let (place, error, turn) = best;
        let a = alpha(error.max(1e-10));
        let guesses = a <= 0.5e-10;
        if guesses && !errors.is_empty() {
            break;
        }
        let h = candidates.remove(place);
        let f = sign(&answers(&h, &target.features)) * turn;
        (0..y.len()).for_each(|i| w[i] *= (-a * y[i] * f[i]).exp());
        let says = sign(&answers(&h, queries)) * turn;
        sums.iter_mut()
            .zip(&says)
            .for_each(|(sum, s)| *sum += if guesses { *s } else { a * s });
        errors.push(error);
        if guesses {
            break;
        }
    }
    let first = sums.into_iter().map(|sum| sum > 0.0).collect();
    Naive {
        first,
        errors,
        tied: undecided,
    }
}

fn agree(
    fitted: &Fitted,
    naive: &Naive,
    queries: &Features,
) -> Result<(), proptest::test_runner::TestCaseError> {
    prop_assume!(!naive.tied);
    let (lead, labels) = decided(fitted, queries);
    for (row, &answer) in labels.indexed_iter() {
        // The papers give a tie to class 1; a tie within rounding says nothing.
        if lead[row].abs() > 1e-9 {
            prop_assert_eq!(answer == 1, naive.first[row], "row {}", row);
        }
    }
    let errors = &fitted.trace.series["target-error"];
    prop_assert_eq!(errors.len(), naive.errors.len());
    for (ours, theirs) in errors.iter().zip(&naive.errors) {
        prop_assert!((ours - theirs).abs() < 1e-9, "{} against {}", ours, theirs);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tradaboost_is_the_rule_of_the_paper(
        seed in 0u64..1000,
        n_rounds in 1usize..12,
        dynamic in any::<bool>(),
    ) {
        let problem = problem(40, 30, 8, seed);
        let correction = if dynamic { Correction::Dynamic } else { Correction::None };
        let method = TrAdaBoostParams::default().n_rounds(n_rounds).correction(correction);
        let queries = problem.target_unlabelled().into_owned();
        let naive = naive_tradaboost(&problem, n_rounds, dynamic, &queries);
        agree(&method.fit(&problem, 0).unwrap(), &naive, &queries)?;
    }

    #[test]
    fn multi_source_tradaboost_is_the_rule_of_the_paper(
        seed in 0u64..1000,
        n_rounds in 1usize..12,
        n_sources in 1usize..4,
    ) {
        let problem = split(&problem(48, 30, 8, seed), n_sources);
        let method = MultiSourceTrAdaBoostParams::default().n_rounds(n_rounds);
        let fitted = method.fit(&problem, 0).unwrap();
        let queries = problem.target_unlabelled().into_owned();
        let (naive, taken) = naive_multi_source(&problem, n_rounds, &queries);
        agree(&fitted, &naive, &queries)?;
        if n_sources > 1 {
            prop_assert_eq!(&fitted.trace.series["source"], &taken);
        }
    }

    #[test]
    fn task_tradaboost_is_the_rule_of_the_paper(
        seed in 0u64..1000,
        n_rounds in 1usize..12,
        n_sources in 1usize..4,
    ) {
        let problem = split(&problem(48, 30, 8, seed), n_sources);
        // The votes are twice the paper's α.
        let method = TaskTrAdaBoostParams::default().n_rounds(n_rounds).min_vote(0.2);
        let queries = problem.target_unlabelled().into_owned();
        let naive = naive_task(&problem, n_rounds, 0.1, &queries);
        agree(&method.fit(&problem, 0).unwrap(), &naive, &queries)?;
    }

    #[test]
    fn one_source_alone_is_tradaboost(seed in 0u64..1000, n_rounds in 1usize..12) {
        let problem = problem(40, 30, 8, seed);
        let multi = MultiSourceTrAdaBoostParams::default().n_rounds(n_rounds);
        let multi = multi.fit(&problem, 3).unwrap();
        let single = TrAdaBoostParams::default().n_rounds(n_rounds).fit(&problem, 3).unwrap();
        prop_assert_eq!(&multi.trace, &single.trace);
        if n_rounds == 1 {
            let queries = problem.target_features();
            prop_assert_eq!(
                multi.model.predict(queries).unwrap(),
                single.model.predict(queries).unwrap()
            );
        }
    }
}

#[test]
fn a_threshold_that_no_candidate_passes_is_refused_with_the_largest_vote() {
    let method = TaskTrAdaBoostParams::default().min_vote(50.0);
    let error = method
        .fit(&problem(40, 30, 8, 1), 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("`min_vote` = 50 is outside votes below "),
        "{error}"
    );
}

#[test]
fn a_source_that_misleads_is_not_taken() {
    // Three parts of one sample: a source with the labels turned round, a source, and the target.
    let mut parts = split(&problem(90, 40, 10, 4), 3).sources().to_vec();
    let target = parts.remove(2);
    parts[0].1.labels = Labels::Classes(classes(&parts[0].1.labels).mapv(|code| 1 - code));
    let problem = TransferProblem::from_parts(parts, target).unwrap();
    let fitted = MultiSourceTrAdaBoostParams::default()
        .fit(&problem, 0)
        .unwrap();
    assert_eq!(fitted.trace.series["source"][0], 1.0);
}

/// Three classes, one column in which they lie apart, and one that says nothing.
#[test]
fn more_than_two_classes_are_decided_by_votes() {
    use translearn_core::{Domain, LabelSpace, Task};
    let rows = |n: usize, shift: f64| {
        let y = Array1::from_shape_fn(n, |row| row % 3);
        let x = Array2::from_shape_fn((n, 2), |(row, column)| match column {
            0 => 3.0 * (row % 3) as f64 + shift + 0.01 * row as f64,
            _ => (row * 7 % 5) as f64,
        });
        (Features::from(x), Labels::Classes(y))
    };
    let (source, target) = (rows(60, 0.0), rows(12, 0.3));
    let domain = |name: &str, features: &Features| Domain {
        name: name.into(),
        features: features.clone(),
    };
    let space = LabelSpace::numbered(3);
    let problem = TransferProblem::from_parts(
        vec![(
            domain("source", &source.0),
            Task::labelled(space.clone(), source.1),
        )],
        (
            domain("target", &target.0),
            Task::labelled(space, target.1.clone()),
        ),
    )
    .unwrap();
    // A stump tells two classes apart; votes of SAMME make three of it, TrAdaBoost's need a learner that knows them.
    for fitted in [
        TaskTrAdaBoostParams::default().fit(&problem, 0).unwrap(),
        MultiSourceTrAdaBoostParams::default()
            .learner(Tree::params().max_depth(2))
            .fit(&problem, 0)
            .unwrap(),
    ] {
        let predicted = classes(&fitted.model.predict(&target.0).unwrap().labels);
        let miss: f64 = wrong(&predicted, &classes(&target.1)).iter().sum();
        assert_eq!(miss, 0.0, "{predicted} {:?}", fitted.trace);
    }
}
