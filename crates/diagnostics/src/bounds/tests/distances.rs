use ndarray::{Array1, Array2};
use proptest::prelude::*;
use translearn_core::{Features, TransferError, kernel::ResolvedKernel, seed};

use super::super::{MmdBound, PacBayes, WassersteinBound};
use super::{fixture, normal, problem};

fn matrix(value: &serde_json::Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

/// scikit-learn's kernel, POT's transport and scipy's integrals, to rounding.
#[test]
fn the_terms_are_those_of_other_programs() {
    let fixture = fixture();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let (source, target) = (matrix(&fixture["source"]), matrix(&fixture["target"]));
    let losses = [0.5; 9];
    let rows = |x: &Array2<f64>| Features::from(x.clone());
    let gamma = number(&fixture["gamma"]);
    let mmd = MmdBound::new(ResolvedKernel::Rbf { gamma }).norm(3.0);
    let mmd = mmd
        .bound(&rows(&source), &losses, &rows(&target), None)
        .unwrap();
    assert!((mmd.divergence - 3.0 * number(&fixture["mmd"])).abs() < 1e-12);
    let wasserstein = WassersteinBound::new(0.5, 20.0);
    let wasserstein = wasserstein
        .bound(&rows(&source), &losses, &rows(&target), None)
        .unwrap();
    assert!((wasserstein.divergence - number(&fixture["wasserstein"])).abs() < 1e-12);

    let labels: Array1<usize> = serde_json::from_value::<Vec<usize>>(fixture["labels"].clone())
        .unwrap()
        .into();
    let weights: Vec<f64> = serde_json::from_value(fixture["weights"].clone()).unwrap();
    let problem = problem((source, labels), (target, Array1::zeros(7)));
    let found = PacBayes::new(1.7).bound(&weights, &problem).unwrap();
    let (on_source, on_target) = (&fixture["on_source"], &fixture["on_target"]);
    for (found, reference) in [
        (found.source_gibbs_risk, &on_source["gibbs"]),
        (found.source_joint_error, &on_source["joint"]),
        (found.source_disagreement, &on_source["disagreement"]),
        (found.target_disagreement, &on_target["disagreement"]),
    ] {
        assert!(
            (found - number(reference)).abs() < 1e-9,
            "{found} against {reference}"
        );
    }
}

/// Confidence 1/2 leaves each of two limits a quarter: 118 of 400 or fewer in 39 of 40 series.
#[test]
fn the_distances_of_the_domains_stay_below_their_limits() {
    let mut rng = seed::rng(41);
    let gamma = 0.5;
    // E exp(−γ z²) with z ~ N(μ, 2).
    let mean = |shift: f64| {
        (-gamma * shift * shift / (1.0 + 4.0 * gamma)).exp() / (1.0 + 4.0 * gamma).sqrt()
    };
    let mmd = (2.0 * mean(0.0) - 2.0 * mean(0.8)).sqrt();
    let (mut above, losses) = ([0; 3], [0.25; 20]);
    for _ in 0..400 {
        let (source, target) = (normal(20, 1, 0.0, &mut rng), normal(30, 1, 0.8, &mut rng));
        let bound = MmdBound::new(ResolvedKernel::Rbf { gamma }).confidence(0.5);
        let bound = bound.bound(&source, &losses, &target, None).unwrap();
        above[0] += usize::from(mmd > bound.divergence + bound.divergence_deviation);
        let mut uniform = |n: usize, from: f64| {
            Features::from(Array2::from_shape_simple_fn((n, 1), || {
                from + rng.uniform()
            }))
        };
        let (source, target) = (uniform(20, 0.0), uniform(30, 0.2));
        let bound = WassersteinBound::new(0.5, 1.2).confidence(0.5);
        let drawn: Vec<f64> = (0..20).map(|_| f64::from(rng.below(2) as u32)).collect();
        let bound = bound.bound(&source, &drawn, &target, None).unwrap();
        above[1] += usize::from(0.2 > bound.divergence + bound.divergence_deviation);
        above[2] += usize::from(0.5 > bound.source_error_limit);
    }
    println!("above their limits: {above:?}");
    assert!(above.iter().all(|&count| count <= 118), "{above:?}");
    assert!(above[2] >= 20, "{above:?}");
}

proptest! {
    #[test]
    fn distances_and_deviations_are_their_formulas(m in 2_usize..8, n in 2_usize..8, seed: u64) {
        let mut rng = seed::rng(seed);
        let (source, target) = (normal(m, 2, 0.0, &mut rng), normal(n, 2, 0.5, &mut rng));
        let losses: Vec<f64> = (0..m).map(|_| rng.uniform()).collect();
        let (s, t) = (source.dense().unwrap(), target.dense().unwrap());
        let k = |x: ndarray::ArrayView1<'_, f64>, y: ndarray::ArrayView1<'_, f64>| (-0.7 * (&x - &y).mapv(f64::abs).sum()).exp();
        let mean = |x: &Array2<f64>, y: &Array2<f64>| {
            let pairs = x.rows().into_iter().flat_map(|a| y.rows().into_iter().map(move |b| k(a, b)));
            pairs.sum::<f64>() / (x.nrows() * y.nrows()) as f64
        };
        let squared = mean(&s, &s) + mean(&t, &t) - 2.0 * mean(&s, &t);
        let bound = MmdBound::new(ResolvedKernel::Laplacian { gamma: 0.7 }).norm(2.0).confidence(0.8);
        let found = bound.bound(&source, &losses, &target, Some(0.1)).unwrap();
        prop_assert!((found.divergence - 2.0 * squared.max(0.0).sqrt()).abs() < 1e-7);
        let (m, n) = (m as f64, n as f64);
        let deviation = 2.0 * ((1.0 / m + 1.0 / n) * 10.0_f64.ln()).sqrt();
        prop_assert!((found.divergence_deviation - deviation).abs() < 1e-12);
        prop_assert!((found.source_error - losses.iter().sum::<f64>() / m).abs() < 1e-12);
        prop_assert!((found.total().unwrap() - found.known_sum()).abs() < 1e-12);
        // The same rows twice are no distance apart.
        let same = bound.bound(&source, &losses, &source, None).unwrap();
        prop_assert!(same.divergence < 1e-7);
        let widest = WassersteinBound::new(0.3, 40.0).confidence(0.8);
        prop_assert!(widest.bound(&source, &losses, &source, None).unwrap().divergence < 1e-12);
        let found = widest.bound(&source, &losses, &target, None).unwrap();
        let deviation = 2.0 * 0.3 * 40.0 * (0.5 * (1.0 / m + 1.0 / n) * 10.0_f64.ln()).sqrt();
        prop_assert!((found.divergence_deviation - deviation).abs() < 1e-12);
        // Far away rows move by as much as they are moved.
        let moved = Features::from(s.mapv(|v| v + 3.0));
        let found = widest.bound(&source, &losses, &moved, None).unwrap();
        prop_assert!((found.divergence - 0.6 * 18.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn half_of_the_disagreement_and_the_joint_error_are_the_risk(seed: u64, scale in 0.0_f64..4.0, ratio in 0.5_f64..3.0) {
        let mut rng = seed::rng(seed);
        let mut side = |n: usize| (Array2::from_shape_simple_fn((n, 3), || rng.normal()), Array1::from_shape_fn(n, |row| row % 2));
        let problem = problem(side(8), side(6));
        let weights = [scale, -0.5 * scale, 0.1];
        let found = PacBayes::new(ratio).source_focus(2.0).target_focus(0.5).unseen_error(0.1).confidence(0.9).bound(&weights, &problem).unwrap();
        prop_assert!((found.source_gibbs_risk - 0.5 * found.source_disagreement - found.source_joint_error).abs() < 1e-12);
        let kl = 0.5 * weights.iter().map(|w| w * w).sum::<f64>();
        let inner = 2.0 * kl + 20.0_f64.ln();
        let of_source = ratio * 2.0 / (1.0 - (-2.0_f64).exp()) * (found.source_joint_error + inner / (8.0 * 2.0));
        let of_target = 0.5 / (1.0 - (-0.5_f64).exp()) * (0.5 * found.target_disagreement + inner / (2.0 * 6.0 * 0.5));
        prop_assert!((found.total() - of_source - of_target - 0.1).abs() < 1e-10 * (1.0 + of_source));
        let apart = (found.target_disagreement - found.source_disagreement).abs();
        prop_assert_eq!(found.domain_disagreement_estimate, apart);
    }
}

/// Weights fitted to the very rows, and a risk known from 4000 others: above the bound in at most 1 of 20 runs, and with 500
/// rows it says something.
#[test]
fn the_risk_stays_below_the_pac_bayesian_bound() {
    let side = |n: usize, rng: &mut seed::Rng| {
        let classes = Array1::from_shape_fn(n, |row| row % 2);
        let rows = Array2::from_shape_fn((n, 2), |(row, column)| {
            let centre = if column == 0 {
                4.0 * classes[row] as f64 - 2.0
            } else {
                0.0
            };
            centre + rng.normal()
        });
        (rows, classes)
    };
    let mut rng = seed::rng(42);
    let fresh = side(4000, &mut rng);
    let (mut above, mut total) = (0, 0.0);
    for _ in 0..400 {
        let (source, target) = (side(500, &mut rng), side(500, &mut rng));
        let signs = source.1.mapv(|class| 2.0 * class as f64 - 1.0);
        let weights = (source.0.t().dot(&signs) / 500.0).to_vec();
        let bound = PacBayes::new(1.0)
            .bound(&weights, &problem(source, target))
            .unwrap();
        let risk = PacBayes::new(1.0)
            .bound(&weights, &problem(fresh.clone(), fresh.clone()))
            .unwrap()
            .source_gibbs_risk;
        above += usize::from(risk > bound.total());
        total += bound.total() / 400.0;
    }
    println!("{above} of 400 above, mean bound {total:.3}");
    assert!(above <= 29, "{above}");
    assert!(total < 0.5, "{total}");
}

#[test]
fn what_has_no_bound_says_why() {
    let mut rng = seed::rng(43);
    let (source, target) = (normal(4, 2, 0.0, &mut rng), normal(5, 2, 0.0, &mut rng));
    let rbf = MmdBound::new(ResolvedKernel::Rbf { gamma: 1.0 });
    let losses = [0.1; 4];
    let message = |found: Result<_, TransferError>| {
        Result::<super::super::AdaptationBound, _>::unwrap_err(found).to_string()
    };
    for (message, why) in [
        (
            message(
                MmdBound::new(ResolvedKernel::Rbf { gamma: -1.0 })
                    .bound(&source, &losses, &target, None),
            ),
            "gamma",
        ),
        (
            message(MmdBound::new(ResolvedKernel::Linear).bound(&source, &losses, &target, None)),
            "rbf",
        ),
        (
            message(rbf.norm(0.0).bound(&source, &losses, &target, None)),
            "norm",
        ),
        (
            message(rbf.bound(&source, &losses[1..], &target, None)),
            "losses",
        ),
        (
            message(rbf.bound(&source, &[0.1, 0.2, 1.5, 0.0], &target, None)),
            "1.5",
        ),
        (
            message(WassersteinBound::new(-1.0, 1.0).bound(&source, &losses, &target, None)),
            "lipschitz",
        ),
        (
            message(WassersteinBound::new(1.0, 1e-3).bound(&source, &losses, &target, None)),
            "farthest apart",
        ),
    ] {
        assert!(message.contains(why), "{message}");
    }
    // Joint errors that no sum of two losses is, by either distance.
    let wasserstein = WassersteinBound::new(1.0, 20.0);
    for joint_error in [f64::NAN, f64::INFINITY, -0.1, 2.1] {
        for found in [
            rbf.bound(&source, &losses, &target, Some(joint_error)),
            wasserstein.bound(&source, &losses, &target, Some(joint_error)),
        ] {
            let message = message(found);
            assert!(message.contains("joint_error"), "{message}");
        }
    }
    let largest = rbf.bound(&source, &losses, &target, Some(2.0)).unwrap();
    assert!(largest.is_bound() && largest.is_vacuous());
    let unknown = rbf.bound(&source, &losses, &target, None).unwrap();
    assert!(!unknown.is_bound());
    let rows = |n: usize| {
        (
            Array2::<f64>::ones((n, 2)),
            Array1::from_shape_fn(n, |row| row % 2),
        )
    };
    let problem = problem(rows(4), rows(4));
    for (of, weights, why) in [
        (PacBayes::new(0.0), &[1.0, 1.0][..], "density_ratio"),
        (
            PacBayes::new(1.0).unseen_error(2.0),
            &[1.0, 1.0],
            "unseen_error",
        ),
        (PacBayes::new(1.0), &[1.0], "the weights"),
        (PacBayes::new(1.0), &[1.0, f64::NAN], "NaN"),
    ] {
        let message = of.bound(weights, &problem).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}
