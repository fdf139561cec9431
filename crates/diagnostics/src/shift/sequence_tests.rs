use ndarray::{Array2, Axis};
use proptest::prelude::*;
use translearn_core::{Features, TransferError, distance::nearest, effective_sample_size, seed};

use super::*;

fn normal(n: usize, d: usize, at: f64, rng: &mut seed::Rng) -> Features {
    Array2::from_shape_simple_fn((n, d), || at + rng.normal()).into()
}

fn energy(n: usize) -> impl Fn(&Features, &Features, u64) -> Result<TestResult, TransferError> {
    move |s, t, seed| Energy::default().n_permutations(n).test(s, t, seed)
}

/// A chance of at most 1/20 in 400 runs: at most 29 hits in 39 of 40 series. Half of the source are 39 rows, so that a row
/// has `p ≤ 0.05` with a chance of exactly 2/40.
#[test]
fn a_source_covers_itself() {
    let mut rng = seed::rng(31);
    let (mut first, mut any, mut farther) = (0, 0, 0);
    for run in 0..400 {
        let (source, target) = (normal(78, 2, 0.0, &mut rng), normal(30, 2, 0.0, &mut rng));
        let found = Overlap::default()
            .n_permutations(99)
            .test(&source, &target, run)
            .unwrap();
        first += usize::from(found.p_values[0] <= 0.05);
        any += usize::from(!found.outside.is_empty());
        farther += usize::from(found.test.p_value <= 0.05);
    }
    println!("overlap: a row {first}, any row {any}, farther {farther} of 400 at 0.05");
    assert!((12..=29).contains(&first) && any <= 29 && (12..=29).contains(&farther));
}

#[test]
fn rows_outside_are_found() {
    let mut rng = seed::rng(32);
    let (mut right, mut wrong, mut farther) = (0, 0, 0);
    for run in 0..40 {
        let source = normal(400, 2, 0.0, &mut rng);
        let target = Array2::from_shape_fn((30, 2), |(row, _)| {
            rng.normal() + if row % 3 == 0 { 5.0 } else { 0.0 }
        });
        let found = Overlap::default()
            .n_permutations(99)
            .test(&source, &target.into(), run)
            .unwrap();
        right += found.outside.iter().filter(|&row| row % 3 == 0).count();
        wrong += found.outside.iter().filter(|&row| row % 3 != 0).count();
        farther += usize::from(found.test.p_value <= 0.05);
    }
    println!(
        "overlap: {right} of 400 rows outside found, {wrong} inside called, power {farther}/40"
    );
    assert!(right >= 380 && wrong as f64 <= 0.1 * right as f64 && farther >= 36);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn overlap_is_its_formulas(m in 12_usize..40, n in 4_usize..12, k in 1_usize..4, seed: u64) {
        let mut rng = seed::rng(seed);
        let (source, target) = (normal(m, 2, 0.0, &mut rng), normal(n, 2, 0.7, &mut rng));
        let found = Overlap::default().k(k).n_permutations(9).test(&source, &target, seed).unwrap();
        let pair = relabel::Pair::new(&source, &target).unwrap();
        let halves = held_out::Halves::new(&pair.source, "the source", seed).unwrap();
        let far = |rows: &Features, row: usize| {
            let mut all: Vec<f64> = halves.train.dense().unwrap().outer_iter()
                .map(|other| (&rows.dense().unwrap().row(row) - &other).mapv(|v| v * v).sum()).collect();
            all.sort_by(f64::total_cmp);
            all[k - 1]
        };
        let own: Vec<f64> = (0..halves.held_out.n_rows()).map(|row| far(&halves.held_out, row)).collect();
        let mut wins = 0.0;
        for row in 0..n {
            let at = far(&target, row);
            let as_far = own.iter().filter(|&&other| other >= at).count();
            prop_assert!((found.p_values[row] - (1 + as_far) as f64 / (1 + own.len()) as f64).abs() < 1e-12);
            wins += own.iter().filter(|&&other| other < at).count() as f64;
        }
        prop_assert!((found.test.statistic - wins / (own.len() * n) as f64).abs() < 1e-12);
        let ratios = held_out::HeldOut::new(&translearn_learners::Logistic::params().into(), &pair, seed).unwrap();
        let r = ratios.ratios(&translearn_learners::Logistic::params().into()).unwrap();
        let r = &r[..ratios.sizes.source];
        let share = r.iter().sum::<f64>().powi(2) / (r.len() as f64 * r.iter().map(|v| v * v).sum::<f64>());
        prop_assert!((found.effective_share - share).abs() < 1e-12);
        prop_assert!((share - effective_sample_size(&r.to_vec().into()) / r.len() as f64).abs() < 1e-12);
        // Rows of the target keep their places.
        let order = rng.permutation(n);
        let moved = Overlap::default().k(k).n_permutations(9).test(&source, &target.select_rows(&order), seed).unwrap();
        prop_assert_eq!(&moved.test, &found.test);
        for (place, &row) in order.iter().enumerate() {
            prop_assert_eq!(moved.p_values[place], found.p_values[row]);
        }
        prop_assert!(nearest(&target, &halves.train, k).is_ok());
    }

    /// Where the change is, split by split.
    #[test]
    fn the_change_is_where_the_energy_is_largest(sizes in prop::collection::vec(2_usize..6, 1..6), seed: u64) {
        let mut rng = seed::rng(seed);
        let reference = normal(5, 2, 0.0, &mut rng);
        let batches: Vec<Features> = sizes.iter().map(|&n| { let at = rng.normal(); normal(n, 2, at, &mut rng) }).collect();
        let found = drift(&reference, &batches, seed, energy(9)).unwrap();
        let joined = |parts: &[Features]| {
            let parts: Vec<Array2<f64>> = parts.iter().map(|x| x.dense().unwrap().into_owned()).collect();
            let views: Vec<_> = parts.iter().map(ndarray::ArrayBase::view).collect();
            ndarray::concatenate(Axis(0), &views).unwrap()
        };
        let mean = |x: &Array2<f64>, y: &Array2<f64>| {
            let mut sum = 0.0;
            for a in x.outer_iter() {
                for b in y.outer_iter() {
                    sum += (&a - &b).mapv(|v| v * v).sum().sqrt();
                }
            }
            sum / (x.nrows() * y.nrows()) as f64
        };
        let apart = |k: usize| {
            let mut first = vec![reference.clone()];
            first.extend_from_slice(&batches[..k]);
            let before = joined(&first);
            let after = joined(&batches[k..]);
            let (m, n) = (before.nrows() as f64, after.nrows() as f64);
            m * n / (m + n) * (2.0 * mean(&before, &after) - mean(&before, &before) - mean(&after, &after))
        };
        let largest = (0..batches.len()).map(apart).fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(apart(found.change) > largest - 1e-9, "{} {largest}", apart(found.change));
        // Holm of the single tests.
        let single: Vec<f64> = found.batches.iter().map(|batch| batch.test.p_value).collect();
        let adjusted = crate::multiplicity::holm(&single);
        prop_assert_eq!(found.batches.iter().map(|batch| batch.p_holm).collect::<Vec<_>>(), adjusted.clone());
        prop_assert_eq!(found.p_value, adjusted.into_iter().fold(1.0, f64::min));
    }
}

/// A chance of at most 1/20 in 400 sequences: at most 29 hits in 39 of 40 series.
#[test]
fn without_drift_few_sequences_are_called() {
    let mut rng = seed::rng(33);
    let hits = (0..400)
        .filter(|&run| {
            let reference = normal(40, 2, 0.0, &mut rng);
            let batches: Vec<Features> = (0..5).map(|_| normal(15, 2, 0.0, &mut rng)).collect();
            drift(&reference, &batches, run, energy(199))
                .unwrap()
                .p_value
                <= 0.05
        })
        .count();
    println!("drift: {hits} of 400 at 0.05");
    assert!((4..=29).contains(&hits), "{hits} of 400");
}

#[test]
fn the_change_is_found() {
    let mut rng = seed::rng(34);
    let (mut found, mut placed) = (0, 0);
    for run in 0..40 {
        let reference = normal(60, 2, 0.0, &mut rng);
        let batches: Vec<Features> = (0..6)
            .map(|batch| normal(20, 2, if batch < 4 { 0.0 } else { 1.0 }, &mut rng))
            .collect();
        let drift = drift(&reference, &batches, run, energy(199)).unwrap();
        found += usize::from(drift.p_value <= 0.05);
        placed += usize::from(drift.change == 4);
    }
    println!("drift: power {found}/40, place right in {placed}");
    assert!(found >= 38 && placed >= 36, "{found} {placed}");
}

#[test]
fn what_cannot_be_followed_says_why() {
    let mut rng = seed::rng(35);
    let (rows, wide) = (normal(20, 2, 0.0, &mut rng), normal(20, 3, 0.0, &mut rng));
    let error = drift(&rows, &[], 0, energy(9)).unwrap_err();
    assert!(matches!(error, TransferError::Empty { .. }), "{error}");
    let error = drift(&rows, &[rows.clone(), wide.clone()], 0, energy(9)).unwrap_err();
    assert!(
        matches!(error, TransferError::FeatureMismatch { .. }),
        "{error}"
    );
    let error = Overlap::default().test(&rows, &wide, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::FeatureMismatch { .. }),
        "{error}"
    );
    let error = Overlap::default().k(11).test(&rows, &rows, 0).unwrap_err();
    assert!(matches!(error, TransferError::TooFewRows { .. }), "{error}");
    for (test, name) in [
        (Overlap::default().k(0), "k"),
        (Overlap::default().level(1.0), "level"),
    ] {
        let error = test.test(&rows, &rows, 0).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let without = Overlap::default().learner(translearn_learners::Ridge::params());
    let error = without.test(&rows, &rows, 0).unwrap_err();
    assert!(
        matches!(error, TransferError::Unsupported { .. }),
        "{error}"
    );
}
