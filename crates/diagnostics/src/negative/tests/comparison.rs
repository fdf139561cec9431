use ndarray::Array1;
use proptest::prelude::*;
use translearn_core::{Labels, TransferError, seed};

use crate::negative::losses::PairedLosses;
use crate::negative::{Belief, PairedComparison, TransferGap, Verdict};

fn quick() -> PairedComparison {
    PairedComparison::default().n_resamples(50)
}

/// The share of all choices of signs that lie as far from 0.
fn all_signs(saved: &[f64]) -> f64 {
    let n = saved.len();
    let observed = saved.iter().sum::<f64>().abs();
    let as_far = (0..1_u32 << n)
        .filter(|signs| {
            let signed = |(row, saved): (usize, &f64)| {
                if signs >> row & 1 == 1 {
                    *saved
                } else {
                    -saved
                }
            };
            saved.iter().enumerate().map(signed).sum::<f64>().abs() >= observed - 1e-9
        })
        .count();
    as_far as f64 / f64::from(1_u32 << n)
}

fn classes(codes: &[usize]) -> Labels {
    Labels::Classes(Array1::from(codes.to_vec()))
}

fn values(values: &[f64]) -> Labels {
    Labels::Values(Array1::from(values.to_vec()))
}

proptest! {
    #[test]
    fn of_classes_all_signs_are_counted(
        rows in prop::collection::vec((0_usize..3, 0_usize..3, 0_usize..3), 1..13),
    ) {
        let column = |of: fn(&(usize, usize, usize)) -> usize| -> Vec<usize> { rows.iter().map(of).collect() };
        let (truth, baseline, method) = (column(|r| r.0), column(|r| r.1), column(|r| r.2));
        let gap = quick().compare(&classes(&truth), &classes(&baseline), &classes(&method), 0).unwrap();
        let right = |said: &[usize]| said.iter().zip(&truth).filter(|(a, b)| a == b).count() as f64 / rows.len() as f64;
        prop_assert!((gap.baseline - right(&baseline)).abs() < 1e-12);
        prop_assert!((gap.gain - (right(&method) - right(&baseline))).abs() < 1e-12);
        let wrong = |a: usize, b: usize| f64::from(u8::from(a != b));
        let saved: Vec<f64> = rows.iter().map(|r| wrong(r.0, r.1) - wrong(r.0, r.2)).collect();
        prop_assert!((gap.p_value - all_signs(&saved)).abs() < 1e-9, "{} {}", gap.p_value, all_signs(&saved));
        prop_assert_eq!(gap.n_better + gap.n_worse, saved.iter().filter(|saved| **saved != 0.0).count());
        // The standard error as it is documented.
        let losses = PairedLosses::new(&classes(&truth), &classes(&baseline), &classes(&method)).unwrap();
        let n = rows.len() as f64 + 2.0;
        let mean = saved.iter().sum::<f64>() / n;
        let square = (2.0 + saved.iter().map(|d| d * d).sum::<f64>()) / n;
        prop_assert!((losses.standard_error().unwrap() - ((square - mean * mean) / n).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn of_values_signs_are_drawn(
        rows in prop::collection::vec((-2.0_f64..2.0, -2.0_f64..2.0, -2.0_f64..2.0), 2..11),
    ) {
        let column = |of: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { rows.iter().map(of).collect() };
        let (truth, baseline, method) = (values(&column(|r| r.0)), values(&column(|r| r.1)), values(&column(|r| r.2)));
        let gap = quick().compare(&truth, &baseline, &method, 0).unwrap();
        let n = rows.len() as f64;
        let r0 = (rows.iter().map(|r| (r.0 - r.1).powi(2)).sum::<f64>() / n).sqrt();
        let r1 = (rows.iter().map(|r| (r.0 - r.2).powi(2)).sum::<f64>() / n).sqrt();
        prop_assert!((gap.gain - (r0 - r1) / r0.max(r1)).abs() < 1e-12);
        let saved: Vec<f64> = rows.iter().map(|r| (r.0 - r.1).powi(2) - (r.0 - r.2).powi(2)).collect();
        let exact = all_signs(&saved);
        // Five standard deviations of 9999 draws.
        prop_assert!((gap.p_value - exact).abs() < 5.0 * (exact * (1.0 - exact) / 9999.0).sqrt() + 2e-4);
        let losses = PairedLosses::new(&truth, &baseline, &method).unwrap();
        let q = r0.min(r1) / (2.0 * r0.max(r1));
        let pull = |r: &(f64, f64, f64)| {
            ((r.0 - r.1).powi(2) / r0.powi(2) - (r.0 - r.2).powi(2) / r1.powi(2)).powi(2)
        };
        let expected = q * ((2.0 + rows.iter().map(pull).sum::<f64>()) / (n * (n - 1.0))).sqrt();
        prop_assert!((losses.standard_error().unwrap() - expected).abs() < 1e-9 * (1.0 + expected));
    }

    #[test]
    fn a_change_of_places_changes_the_sign(
        rows in prop::collection::vec((-2.0_f64..2.0, -2.0_f64..2.0, -2.0_f64..2.0), 1..30), seed: u64,
    ) {
        let column = |of: fn(&(f64, f64, f64)) -> f64| values(&rows.iter().map(of).collect::<Vec<f64>>());
        let (truth, a, b) = (column(|r| r.0), column(|r| r.1), column(|r| r.2));
        let one = quick().compare(&truth, &a, &b, seed).unwrap();
        let other = quick().compare(&truth, &b, &a, seed).unwrap();
        prop_assert!((one.gain + other.gain).abs() < 1e-12);
        prop_assert!((one.interval.low + other.interval.high).abs() < 1e-9);
        prop_assert!((one.p_value - other.p_value).abs() < 1e-12);
        let alike = quick().compare(&truth, &a, &a, seed).unwrap();
        prop_assert_eq!((alike.gain, alike.p_value, alike.verdict), (0.0, 1.0, Verdict::Undecided));
    }

    #[test]
    fn a_belief_is_bayes_rule(
        prior in (-0.3_f64..0.3, 0.02_f64..0.3), measured in (-0.3_f64..0.3, 0.02_f64..0.3), at in -0.2_f64..0.2,
    ) {
        let belief = Belief { gain: prior.0, deviation: prior.1 }.after(measured.0, measured.1);
        let density = |x: f64| {
            let of = |mean: f64, deviation: f64| (-0.5 * ((x - mean) / deviation).powi(2)).exp();
            of(prior.0, prior.1) * of(measured.0, measured.1)
        };
        let grid: Vec<f64> = (0..40_001).map(|step| -2.0 + f64::from(step) * 1e-4).collect();
        let total: f64 = grid.iter().map(|&x| density(x)).sum();
        let mean = grid.iter().map(|&x| x * density(x)).sum::<f64>() / total;
        let below = grid.iter().filter(|&&x| x < at).map(|&x| density(x)).sum::<f64>() / total;
        prop_assert!((belief.gain - mean).abs() < 1e-6);
        prop_assert!((belief.chance_of_less(at) - below).abs() < 2e-3);
        let inside = belief.interval();
        prop_assert!((belief.chance_of_less(inside.low) - 0.025).abs() < 1e-9);
        prop_assert!((belief.chance_of_less(inside.high) - 0.975).abs() < 1e-9);
    }
}

/// 400 comparisons of two predictions that are right with the chances given on each row, and how far the two hang together.
fn drawn(baseline: f64, method: f64, rows: usize) -> Vec<TransferGap> {
    let draw = |run: u64| {
        let mut rng = seed::rng(seed::derive(run, &["drawn"]));
        let truth = vec![0; rows];
        let said = |chance: f64, rng: &mut seed::Rng| usize::from(rng.uniform() >= chance);
        let mut both = (Vec::new(), Vec::new());
        for _ in 0..rows {
            both.0.push(said(baseline, &mut rng));
            both.1.push(said(method, &mut rng));
        }
        PairedComparison::default()
            .n_resamples(400)
            .compare(&classes(&truth), &classes(&both.0), &classes(&both.1), run)
            .unwrap()
    };
    (0..400).map(draw).collect()
}

#[test]
fn the_level_and_the_interval_hold() {
    let none = drawn(0.7, 0.7, 150);
    let called = none
        .iter()
        .filter(|gap| gap.verdict != Verdict::Undecided)
        .count();
    // The exact test may call fewer than 5 %; more than 29 of 400 have a chance of 2.5 %.
    assert!((4..=29).contains(&called), "{called} of 400");
    let some = drawn(0.7, 0.8, 150);
    let held = some.iter().filter(|gap| gap.interval.contains(0.1)).count();
    // 95 % of 400, within three standard deviations.
    assert!((367..=393).contains(&held), "{held} of 400");
    let right = some
        .iter()
        .filter(|gap| gap.verdict == Verdict::Transfer)
        .count();
    let wrong = some
        .iter()
        .filter(|gap| gap.verdict == Verdict::DoNotTransfer)
        .count();
    assert!(right > 150 && wrong <= 2, "{right} and {wrong} of 400");
}

#[test]
fn several_methods_are_corrected() {
    let truth = classes(&[0; 12]);
    let right = |n: usize| classes(&(0..12).map(|row| usize::from(row >= n)).collect::<Vec<_>>());
    let alone = quick().compare(&truth, &right(4), &right(11), 0).unwrap();
    assert!((alone.p_value - 2.0_f64.powi(-6)).abs() < 1e-15);
    let together = quick()
        .compare_all(&truth, &right(4), &[right(11), right(4), right(5)], 0)
        .unwrap();
    assert!((together[0].p_value - 3.0 * alone.p_value).abs() < 1e-12);
    assert_eq!(together[1].p_value, 1.0);
    assert_eq!(together[0].verdict, Verdict::Transfer);
}

#[test]
fn classes_add_up() {
    let truth = classes(&[0, 0, 0, 2, 2, 2, 2]);
    let baseline = classes(&[0, 1, 2, 2, 2, 2, 0]);
    let method = classes(&[0, 0, 0, 0, 2, 0, 0]);
    let whole = quick().compare(&truth, &baseline, &method, 0).unwrap();
    let parts = quick().by_class(&truth, &baseline, &method, 0).unwrap();
    assert_eq!((parts[0].0, parts[1].0, parts.len()), (0, 2, 2));
    assert!((parts[0].1.gain - 2.0 / 3.0).abs() < 1e-12);
    assert!((parts[1].1.gain + 0.5).abs() < 1e-12);
    let sum: f64 = parts
        .iter()
        .map(|(_, gap)| gap.gain * gap.n_rows as f64)
        .sum();
    assert!((whole.gain - sum / 7.0).abs() < 1e-12);
    assert!(
        quick()
            .by_class(&values(&[1.0]), &values(&[1.0]), &values(&[2.0]), 0)
            .is_err()
    );
}

#[test]
fn nothing_is_said_of_a_prediction_that_is_always_exact() {
    let (truth, off) = (values(&[1.0, 2.0]), values(&[0.0, 3.0]));
    let error = |a: &Labels, b: &Labels| PairedLosses::new(&truth, a, b).unwrap().standard_error();
    assert_eq!((error(&truth, &off), error(&off, &truth)), (None, None));
    // Two rows of one mind are no certainty.
    assert!(error(&off, &values(&[0.5, 2.5])).unwrap() > 0.2);
}

#[test]
fn bad_input_is_refused() {
    let (a, b) = (classes(&[0, 1]), classes(&[0]));
    assert!(matches!(
        quick().compare(&a, &a, &b, 0),
        Err(TransferError::LengthMismatch { .. })
    ));
    assert!(matches!(
        quick().compare(&classes(&[]), &classes(&[]), &classes(&[]), 0),
        Err(TransferError::Empty { .. })
    ));
    assert!(quick().compare(&a, &values(&[0.0, 1.0]), &a, 0).is_err());
    let nan = values(&[0.0, f64::NAN]);
    let finite = values(&[0.0, 1.0]);
    assert!(matches!(
        quick().compare(&finite, &finite, &nan, 0),
        Err(TransferError::NotFinite { row: 1, .. })
    ));
    for comparison in [
        quick().confidence(1.0),
        quick().n_resamples(0),
        quick().n_permutations(0),
    ] {
        assert!(matches!(
            comparison.compare(&a, &a, &a, 0),
            Err(TransferError::InvalidParameter { .. })
        ));
    }
}
