use translearn_core::{Features, TransferError, seed};

use super::super::{ProxyADistance, ProxyADistanceResult};
use super::normal;

fn between(source: &Features, target: &Features, seed: u64) -> ProxyADistanceResult {
    ProxyADistance::default()
        .between(source, target, seed)
        .unwrap()
}

/// The interval at 0.95 leaves out the 0 of equal domains in at most 1 of 20 runs: 29 of 400 or fewer in 39 of 40 series.
#[test]
fn equal_domains_are_rarely_told_apart() {
    let mut rng = seed::rng(21);
    let n = 60;
    let (mut hits, mut sum) = (0, 0.0);
    for run in 0..400 {
        let found = between(
            &normal(n, 2, 0.0, &mut rng),
            &normal(n, 2, 0.0, &mut rng),
            run,
        );
        hits += usize::from(found.distance_interval.low > 0.0);
        sum += found.distance / 400.0;
        assert!(found.distance_interval.contains(found.distance));
        assert!(found.error_interval.contains(found.error));
    }
    println!("{hits} of 400 told apart, mean distance {sum:.3}");
    assert!(hits <= 29, "{hits}");
    // The noise that the documentation names.
    let noise = 1.6 / (n as f64).sqrt();
    assert!(
        sum < 1.1 * noise && sum > 0.5 * noise,
        "{sum} against {noise}"
    );
}

/// The best cut between N(0, 1) and N(2, 1) is at 1, where 2 (Φ(1) − Φ(−1)) of the domains differ. Above it lies the lower end
/// in at most 1 of 40 runs: 16 of 400 or fewer in 39 of 40 series.
#[test]
fn the_lower_end_is_one_for_the_best_classifier() {
    let best = 1.365_378_984_274;
    let mut rng = seed::rng(22);
    let (mut above, mut sum) = (0, 0.0);
    for run in 0..400 {
        let found = between(
            &normal(80, 1, 0.0, &mut rng),
            &normal(120, 1, 2.0, &mut rng),
            run,
        );
        above += usize::from(found.distance_interval.low > best);
        sum += found.distance / 400.0;
    }
    println!("{above} of 400 above, mean distance {sum:.3}");
    assert!(above <= 16, "{above}");
    assert!(sum > best - 0.1 && sum < best + 0.02, "{sum}");
}

/// Seven rows of one domain for each of the other: rows are not counted without regard to their domain.
#[test]
fn the_sizes_of_the_domains_do_not_matter() {
    let mut rng = seed::rng(23);
    let found = between(
        &normal(700, 1, 0.0, &mut rng),
        &normal(100, 1, 0.0, &mut rng),
        1,
    );
    assert!((found.error - 0.5).abs() < 0.12, "{found:?}");
    assert_eq!(found.distance_interval.low, 0.0);
    assert_eq!((found.n_source, found.n_target), (350, 50));
}

#[test]
fn neither_order_nor_unit_changes_a_bit() {
    let mut rng = seed::rng(24);
    let (source, target) = (normal(41, 3, 0.0, &mut rng), normal(37, 3, 0.7, &mut rng));
    let found = between(&source, &target, 5);
    let moved = |x: &Features, rng: &mut seed::Rng| {
        let x = x.select_rows(&rng.permutation(x.n_rows()));
        Features::from(x.dense().unwrap().mapv(|v| 8.0 * v))
    };
    assert_eq!(
        between(&moved(&source, &mut rng), &moved(&target, &mut rng), 5),
        found
    );
    assert!(found.distance > 0.0 && found.distance < 2.0);
    assert_ne!(between(&source, &target, 6), found);
}

#[test]
fn what_has_no_distance_says_why() {
    let mut rng = seed::rng(25);
    let mut rows = |n: usize, d: usize| normal(n, d, 0.0, &mut rng);
    let (few, enough, wide) = (rows(3, 2), rows(8, 2), rows(8, 3));
    let error = |of: ProxyADistance, s: &Features, t: &Features| of.between(s, t, 0).unwrap_err();
    let default = ProxyADistance::default;
    assert!(matches!(
        error(default(), &few, &enough),
        TransferError::TooFewRows { needed: 4, .. }
    ));
    assert!(matches!(
        error(default(), &wide, &enough),
        TransferError::FeatureMismatch { .. }
    ));
    for (of, name) in [
        (default().costs(Vec::new()), "costs"),
        (default().costs(vec![-1.0]), "`c`"),
        (default().confidence(1.0), "confidence"),
    ] {
        let message = error(of, &enough, &enough).to_string();
        assert!(message.contains(name), "{message}");
    }
}
