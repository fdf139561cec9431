use ndarray::{Array1, Array2};
use proptest::prelude::*;
use translearn_core::{BaseLearner, Features, Labels, TransferError, seed};
use translearn_learners::Logistic;

use super::*;

type Labelled = (Features, Labels);

/// Two classes at −1 and 1 that overlap; a share of the rows is of class 1.
fn classes(n: usize, share: f64, rng: &mut seed::Rng) -> Labelled {
    let labels = Array1::from_shape_simple_fn(n, || usize::from(rng.uniform() < share));
    let rows = Array2::from_shape_fn((n, 2), |(row, column)| {
        let centre = if column == 0 {
            2.0 * labels[row] as f64 - 1.0
        } else {
            0.0
        };
        centre + rng.normal()
    });
    (rows.into(), Labels::Classes(labels))
}

/// Rows around `at`, whose class is 1 with the chance that logistic regression gives it, or in a share of the rows the
/// other one.
fn labelled(n: usize, at: f64, swapped: f64, rng: &mut seed::Rng) -> Labelled {
    let rows = Array2::from_shape_fn((n, 2), |(_, column)| {
        rng.normal() + if column == 0 { at } else { 0.0 }
    });
    let labels = rows.outer_iter().map(|row| {
        let chance = 1.0 / (1.0 + (-2.0 * row[0] - row[1]).exp());
        let class = usize::from(rng.uniform() < chance);
        if rng.uniform() < swapped {
            1 - class
        } else {
            class
        }
    });
    let labels = labels.collect::<Array1<usize>>();
    (rows.into(), Labels::Classes(labels))
}

fn label_shift(n_permutations: usize) -> LabelShift {
    LabelShift::default().n_permutations(n_permutations)
}

/// A chance of 1/20 in 400 runs: at most 29 hits in 39 of 40 series. Answers are few numbers, so that ties leave fewer.
#[test]
fn equal_shares_of_classes_are_seldom_called_different() {
    let mut rng = seed::rng(21);
    let hits = (0..400)
        .filter(|&run| {
            let (source, labels) = classes(80, 0.3, &mut rng);
            let (target, _) = classes(50, 0.3, &mut rng);
            let found = label_shift(199).test(&source, &labels, &target, run);
            found.unwrap().test.p_value <= 0.05
        })
        .count();
    println!("label shift: {hits} of 400 at 0.05");
    assert!((4..=29).contains(&hits), "{hits} of 400");
}

#[test]
fn other_shares_of_classes_are_found_and_estimated() {
    let mut rng = seed::rng(22);
    let runs: Vec<(f64, f64, f64)> = (0..40)
        .map(|run| {
            let (source, labels) = classes(200, 0.3, &mut rng);
            let (target, _) = classes(150, 0.7, &mut rng);
            let found = label_shift(199)
                .test(&source, &labels, &target, run)
                .unwrap();
            (
                found.test.p_value,
                found.target_shares[1],
                found.test.effect,
            )
        })
        .collect();
    let power = runs.iter().filter(|(p, ..)| *p <= 0.05).count();
    let mean = |of: fn(&(f64, f64, f64)) -> f64| runs.iter().map(of).sum::<f64>() / 40.0;
    let (share, effect) = (mean(|r| r.1), mean(|r| r.2));
    println!("label shift: power {power}/40, share {share:.3}, effect {effect:.3}");
    assert!(power >= 36, "{power}");
    assert!((share - 0.7).abs() < 0.05, "{share}");
    assert!((effect - 0.4).abs() < 0.06, "{effect}");
}

/// P(X) moves by a whole deviation, P(Y | X) does not.
#[test]
fn covariate_shift_is_no_conditional_shift() {
    let mut rng = seed::rng(23);
    let test = ConditionalShift::default().n_draws(39);
    let hits = (0..400)
        .filter(|&run| {
            let source = labelled(150, 0.0, 0.0, &mut rng);
            let target = labelled(20, 1.0, 0.0, &mut rng);
            let found = test.test((&source.0, &source.1), (&target.0, &target.1), run);
            found.unwrap().p_value <= 0.05
        })
        .count();
    println!("conditional shift: {hits} of 400 at 0.05");
    assert!((12..=29).contains(&hits), "{hits} of 400");
}

/// Thirty columns for a hundred rows: the fit is far too sure of itself, and labels drawn from it as it is are too easy, which
/// makes a finding of every third run. At most 4 of 30 are by chance in 98 of 100 series.
#[test]
fn a_source_that_is_small_for_its_columns_makes_no_findings() {
    let mut rng = seed::rng(27);
    let test = ConditionalShift::default().n_draws(19);
    let hits = (0..30)
        .filter(|&run| {
            let slopes = Array1::from_shape_simple_fn(30, || 2.0 * rng.normal() / 30.0_f64.sqrt());
            let mut sample = || {
                let rows = Array2::from_shape_simple_fn((100, 30), || rng.normal());
                let chances = rows.dot(&slopes).mapv(|z| 1.0 / (1.0 + (-z).exp()));
                let labels = chances.mapv(|chance| usize::from(rng.uniform() < chance));
                (Features::from(rows), Labels::Classes(labels))
            };
            let (source, target) = (sample(), sample());
            let found = test.test((&source.0, &source.1), (&target.0, &target.1), run);
            found.unwrap().p_value <= 0.05
        })
        .count();
    println!("conditional shift, 100 x 30: {hits} of 30 at 0.05");
    assert!(hits <= 4, "{hits} of 30");
}

#[test]
fn large_class_codes_take_no_memory() {
    let mut rng = seed::rng(28);
    let recoded = |labels: &Labels, last: usize| {
        Labels::Classes(labels.classes("").unwrap().mapv(|class| class * last))
    };
    let (source, target) = (classes(60, 0.5, &mut rng), classes(30, 0.5, &mut rng));
    let test = ConditionalShift::default().n_draws(19);
    let conditional = |last: usize| {
        let (ours, theirs) = (recoded(&source.1, last), recoded(&target.1, last));
        test.test((&source.0, &ours), (&target.0, &theirs), 3)
            .unwrap()
    };
    assert_eq!(conditional(1), conditional(1_000_000_000));
    assert_eq!(conditional(1), conditional(usize::MAX));
    let shift =
        |last: usize| label_shift(19).test(&source.0, &recoded(&source.1, last), &target.0, 3);
    let (near, far) = (shift(1).unwrap(), shift(1000).unwrap());
    assert_eq!(near.test, far.test);
    assert_eq!(far.target_shares.len(), 1001);
    assert_eq!(near.target_shares[1], far.target_shares[1000]);
    for last in [1_000_000_000, usize::MAX] {
        let error = shift(last).unwrap_err();
        assert!(error.to_string().contains("below 1000000"), "{error}");
    }
}

/// One row of class 1, far from those of class 0, and a target that lies where it does: where that row teaches, no held-out
/// row is answered as the target's are; where it does not, a single class teaches.
#[test]
fn shares_of_which_nothing_is_known_are_refused() {
    let source = Array2::from_shape_fn(
        (41, 1),
        |(row, _)| {
            if row < 40 { 0.01 * row as f64 } else { 10.0 }
        },
    );
    let labels = Labels::Classes((0..41).map(|row| usize::from(row == 40)).collect());
    let target = Array2::from_shape_fn((20, 1), |(row, _)| 10.0 + 0.01 * row as f64);
    let (source, target) = (Features::from(source), Features::from(target));
    let refused = (0..16).filter(|&seed| {
        let error = label_shift(9)
            .test(&source, &labels, &target, seed)
            .unwrap_err();
        matches!(error, TransferError::Unsupported { .. })
    });
    assert!((1..16).contains(&refused.count()));
}

#[test]
fn swapped_classes_are_found() {
    let mut rng = seed::rng(24);
    let test = ConditionalShift::default().n_draws(99);
    let runs: Vec<(f64, f64)> = (0..40)
        .map(|run| {
            let source = labelled(150, 0.0, 0.0, &mut rng);
            let target = labelled(20, 1.0, 0.5, &mut rng);
            let found = test.test((&source.0, &source.1), (&target.0, &target.1), run);
            let found = found.unwrap();
            (found.p_value, found.effect)
        })
        .collect();
    let power = runs.iter().filter(|(p, _)| *p <= 0.05).count();
    let effect = runs.iter().map(|(_, effect)| effect).sum::<f64>() / 40.0;
    println!("conditional shift: power {power}/40, effect {effect:.3}");
    assert!(power >= 36, "{power}");
    assert!(effect > 0.1 && effect < 1.0, "{effect}");
}

#[test]
fn the_order_of_labelled_rows_changes_no_bit() {
    let mut rng = seed::rng(25);
    // Whole numbers: rows that are alike have labels that differ.
    let mut rounded = |n: usize| {
        let (rows, labels) = classes(n, 0.5, &mut rng);
        (
            Features::from(rows.dense().unwrap().mapv(f64::round)),
            labels,
        )
    };
    let (source, target) = (rounded(40), rounded(30));
    let mut moved = |(rows, labels): &Labelled| {
        let order = rng.permutation(rows.n_rows());
        (rows.select_rows(&order), labels.select(&order))
    };
    let (source_moved, target_moved) = (moved(&source), moved(&target));
    let shift = |s: &Labelled, t: &Labelled| label_shift(99).test(&s.0, &s.1, &t.0, 3).unwrap();
    assert_eq!(shift(&source, &target), shift(&source_moved, &target_moved));
    let conditional = |s: &Labelled, t: &Labelled| {
        let test = ConditionalShift::default().n_draws(9);
        test.test((&s.0, &s.1), (&t.0, &t.1), 3).unwrap()
    };
    assert_eq!(
        conditional(&source, &target),
        conditional(&source_moved, &target_moved)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The loss, and the shares of two classes by hand: `q = (μ₁ − C₁₀) / (C₁₁ − C₁₀)`, cut to [0, 1]; where the learner answers
    /// rows of both classes alike, of all shares that fit the shortest ones, which are equal.
    #[test]
    fn statistics_are_their_formulas(seed: u64) {
        let mut rng = seed::rng(seed);
        let (source, labels) = classes(60, 0.4, &mut rng);
        let (target, of_target) = classes(30, 0.6, &mut rng);
        let learner: BaseLearner = Logistic::params().into();
        let sample = |x: &Features, y: &Labels| {
            let (x, y) = in_order("rows", x, y).unwrap();
            (learner.fit_boxed(&translearn_core::Sample::new(&x, &y, 2).unwrap(), 7).unwrap(), x, y)
        };
        let (model, ..) = sample(&source, &labels);
        let probabilities = model.predict(&target).unwrap();
        let losses = probabilities.scores.unwrap().matrix().outer_iter().zip(of_target.classes("").unwrap())
            .map(|(p, &class)| -p[class].ln()).sum::<f64>() / 30.0;
        let test = ConditionalShift::default().n_draws(1);
        let found = test.test((&source, &labels), (&target, &of_target), 7).unwrap();
        prop_assert!((found.statistic - losses).abs() < 1e-9, "{} {losses}", found.statistic);

        let (x, y) = in_order("rows", &source, &labels).unwrap();
        let halves = held_out::Halves::new(&x, "the source", 7).unwrap();
        let taught = y.select(&halves.train_rows);
        let model = learner.fit_boxed(&translearn_core::Sample::new(&halves.train, &taught, 2).unwrap(), 7).unwrap();
        let ones = |rows: &Features, keep: &dyn Fn(usize) -> bool| {
            let answers = model.predict(rows).unwrap().labels;
            let kept: Vec<usize> = answers.classes("").unwrap().iter().enumerate().filter(|(row, _)| keep(*row)).map(|(_, &c)| c).collect();
            kept.iter().sum::<usize>() as f64 / kept.len() as f64
        };
        let truth = y.select(&halves.held_out_rows);
        let truth = truth.classes("").unwrap();
        let (c10, c11) = (ones(&halves.held_out, &|row| truth[row] == 0), ones(&halves.held_out, &|row| truth[row] == 1));
        let mu = ones(&target, &|_| true);
        let found = label_shift(9).test(&source, &labels, &target, 7);
        if c11 == c10 && (c10 - mu).abs() == 1.0 {
            prop_assert!(found.is_err(), "no answer of the source is one of the target");
            return Ok(());
        }
        let expected = if c11 == c10 { 0.5 } else { ((mu - c10) / (c11 - c10)).clamp(0.0, 1.0) };
        let shares = found.unwrap().target_shares;
        prop_assert!((shares[1] - expected).abs() < 1e-9, "{shares:?} {expected}");
    }
}

#[test]
fn what_cannot_be_tested_with_labels_says_why() {
    let mut rng = seed::rng(26);
    let (source, labels) = classes(30, 0.5, &mut rng);
    let few = labels.select(&[0, 1]);
    let error = label_shift(9).test(&source, &few, &source, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::LengthMismatch { .. }),
        "{error}"
    );
    let values = Labels::Values(Array1::zeros(30));
    let error = label_shift(9)
        .test(&source, &values, &source, 0)
        .unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
    let test = ConditionalShift::default();
    let unknown = Labels::Classes(Array1::from_elem(30, 2));
    let error = test
        .test((&source, &labels), (&source, &unknown), 0)
        .unwrap_err();
    assert!(error.to_string().contains("class number 2"), "{error}");
    let each = Labels::Classes((0..30).collect());
    let error = test
        .test((&source, &each), (&source, &each), 0)
        .unwrap_err();
    assert!(error.to_string().contains("100 redraws"), "{error}");
    let none = source.select_rows(&[]);
    let error = test
        .test((&source, &labels), (&none, &labels.select(&[])), 0)
        .unwrap_err();
    assert!(matches!(error, TransferError::TooFewRows { .. }), "{error}");
    let error = test
        .clone()
        .n_draws(0)
        .test((&source, &labels), (&source, &labels), 0);
    assert!(error.unwrap_err().to_string().contains("n_draws"));
    // A class of a single row among thirty, which two draws in five leave out, is drawn again.
    let mut rare = vec![0; 30];
    rare[4] = 1;
    let rare = Labels::Classes(rare.into());
    let found = test
        .n_draws(19)
        .test((&source, &rare), (&source, &rare), 0)
        .unwrap();
    assert!(found.p_value > 0.05, "{}", found.p_value);
}
