use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use translearn_core::{Features, LabelSpace, Labels, SourceWeighter, kernel::Kernel, seed};

use super::{Bounds, KmmParams, MeanSolver, QuadraticProgram, frank_wolfe};
use crate::fixture::Fixture;
use crate::instance::ratio_tests::problem;

fn program(n: usize, upper: f64, slack: f64, seed: u64) -> QuadraticProgram {
    let mut rng = seed::rng(seed);
    let source = Array2::from_shape_simple_fn((n, 3), || rng.normal());
    let target = Array2::from_shape_simple_fn((n / 2 + 1, 3), || 0.5 + 0.7 * rng.normal());
    let (source, target) = (Features::from(source), Features::from(target));
    let kernel = Kernel::Rbf { gamma: Some(0.3) }.resolve(&[]).unwrap();
    let ratio = n as f64 / target.n_rows() as f64;
    QuadraticProgram {
        quadratic: kernel.gram(&source).unwrap(),
        linear: kernel
            .matrix(&source, &target)
            .unwrap()
            .sum_axis(ndarray::Axis(1))
            * ratio,
        bounds: Bounds {
            upper,
            sum: (n as f64 * (1.0 - slack), n as f64 * (1.0 + slack)),
        },
    }
}

/// The optimality conditions written out: a multiplier for the sum, and the sign of what is left at every bound.
fn worst_condition(qp: &QuadraticProgram, weights: &Array1<f64>) -> f64 {
    let gradient = qp.quadratic.dot(weights) - &qp.linear;
    let sum = weights.sum();
    let violation = |multiplier: f64| {
        let mut worst = 0.0_f64;
        for (&w, &g) in weights.iter().zip(&gradient) {
            let rest = g - multiplier;
            let wrong = match (w <= 1e-9, w >= qp.bounds.upper - 1e-9) {
                (true, _) => (-rest).max(0.0),
                (_, true) => rest.max(0.0),
                _ => rest.abs(),
            };
            worst = worst.max(wrong);
        }
        worst
    };
    // The multiplier may push up at the lower bound of the sum and down at the upper one.
    let candidates: Vec<f64> = gradient
        .iter()
        .copied()
        .filter(|&g| {
            sum <= qp.bounds.sum.0 + 1e-6 && g > 0.0 || sum >= qp.bounds.sum.1 - 1e-6 && g < 0.0
        })
        .chain([0.0])
        .collect();
    candidates
        .into_iter()
        .map(violation)
        .fold(f64::INFINITY, f64::min)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn solutions_are_feasible_and_optimal(n in 3usize..60, seed in 0u64..1000, upper in 1.2f64..50.0, slack in 0.01f64..0.9) {
        let qp = program(n, upper, slack, seed);
        let solution = qp.solve(1e-9).unwrap();
        let w = &solution.weights;
        prop_assert!(w.iter().all(|&v| (0.0..=upper).contains(&v)));
        prop_assert!(w.sum() >= qp.bounds.sum.0 - 1e-7 && w.sum() <= qp.bounds.sum.1 + 1e-7);
        let scale = qp.linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
        prop_assert!(worst_condition(&qp, w) <= 1e-6 * scale, "{}", worst_condition(&qp, w));
        // No feasible point near by is better.
        let mut rng = seed::rng(seed + 1);
        for _ in 0..20 {
            let other = qp.bounds.project(&(w + &Array1::from_shape_simple_fn(n, || 0.3 * rng.normal())));
            prop_assert!(qp.objective(&other) >= solution.objective - 1e-8 * scale * n as f64);
        }
    }

    #[test]
    fn the_gap_bounds_what_frank_wolfe_leaves(n in 3usize..60, seed in 0u64..1000, upper in 1.2f64..50.0, slack in 0.01f64..0.9, digits in 2i32..6) {
        let qp = program(n, upper, slack, seed);
        let tolerance = 10.0_f64.powi(-digits);
        let found = frank_wolfe(|v| Ok(qp.quadratic.dot(v)), &qp.linear, qp.bounds, tolerance).unwrap();
        let w = &found.weights;
        prop_assert!(w.iter().all(|&v| (0.0..=upper).contains(&v)));
        prop_assert!(w.sum() >= qp.bounds.sum.0 - 1e-7 && w.sum() <= qp.bounds.sum.1 + 1e-7);
        prop_assert!((found.objective - qp.objective(w)).abs() < 1e-9 * (1.0 + found.objective.abs()));
        let scale = n as f64 * qp.linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
        // The linear program of the gap by hand: the vertices fill the smallest slopes, one of them in part.
        let gradient = qp.quadratic.dot(w) - &qp.linear;
        let mut slopes = gradient.to_vec();
        slopes.sort_by(f64::total_cmp);
        let filled = |mut sum: f64| {
            let of_row = |&slope: &f64| { let v = sum.min(upper); sum -= v; slope * v };
            slopes.iter().map(of_row).sum::<f64>()
        };
        let sums = (0..=1000).map(|k| qp.bounds.sum.0 + (qp.bounds.sum.1.min(n as f64 * upper) - qp.bounds.sum.0) * f64::from(k) / 1000.0);
        let least = sums.map(filled).fold(f64::INFINITY, f64::min);
        let gap = (gradient.dot(w) - least) / scale;
        // Between two of the sums that were tried the vertex may be a little lower.
        let step = 1e-3 * n as f64 * gradient.fold(0.0_f64, |a, &b| a.max(b.abs())) / scale;
        prop_assert!((found.gap - gap.max(0.0)).abs() < 2.0 * step + 1e-9, "{} against {gap}", found.gap);
        let best = qp.solve(1e-9).unwrap().objective;
        prop_assert!(found.gap <= tolerance);
        prop_assert!(found.objective <= best + found.gap * scale + 1e-7 * scale, "{} above {best}", found.objective);
        prop_assert!(found.objective >= best - 1e-7 * scale);
    }

    #[test]
    fn every_block_is_matched_by_itself(n in 5usize..40, block_size in 2usize..20, seed in 0u64..1000, linear in any::<bool>()) {
        let problem = problem(n, 15, 2, seed);
        let solver = if linear { MeanSolver::FrankWolfe } else { MeanSolver::ActiveSet };
        let method = KmmParams::default().gamma(0.5).block_size(block_size).solver(solver).tolerance(1e-6);
        let weights = method.source_weights(&problem, 0).unwrap().weights;
        let source = problem.source().unwrap().features;
        let x = source.dense().unwrap();
        // Blocks take the rows in turns, in the order of their values.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| x.row(i).iter().partial_cmp(x.row(j).iter()).unwrap());
        let n_blocks = n.div_ceil(block_size);
        for block in 0..n_blocks {
            let rows: Vec<usize> = order.iter().copied().skip(block).step_by(n_blocks).collect();
            prop_assert!(rows.len() <= block_size && rows.len() >= n / n_blocks);
            let alone = problem.with_source_rows(&rows).unwrap();
            let qp = KmmParams::default().gamma(0.5).program(&alone).unwrap();
            let of_block = weights.select(ndarray::Axis(0), &rows);
            let mean = of_block.mean().unwrap();
            let slack = 1.0 - 1.0 / (rows.len() as f64).sqrt();
            prop_assert!((mean - 1.0).abs() <= slack + 1e-7, "{mean} is not 1 up to {slack}");
            let best = qp.solve(1e-9).unwrap().objective;
            let scale = rows.len() as f64 * qp.linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
            prop_assert!((qp.objective(&of_block) - best).abs() < 2e-6 * scale);
        }
    }
}

#[test]
fn two_weights_are_found_by_hand() {
    // ½(β₁² + β₂²) − 3β₁ − ½β₂ with β ≤ 2: β = (2, ½).
    let qp = QuadraticProgram {
        quadratic: array![[1.0, 0.0], [0.0, 1.0]],
        linear: array![3.0, 0.5],
        bounds: Bounds {
            upper: 2.0,
            sum: (0.0, 10.0),
        },
    };
    let solution = qp.solve(1e-12).unwrap();
    assert!(
        (&solution.weights - &array![2.0, 0.5])
            .iter()
            .all(|v| v.abs() < 1e-10)
    );
    // With the sum held at 2, the first weight takes 2 and nothing is left: β = (2, 0).
    let held = QuadraticProgram {
        bounds: Bounds {
            upper: 2.0,
            sum: (2.0, 2.0),
        },
        ..qp
    };
    let solution = held.solve(1e-12).unwrap();
    assert!(
        (&solution.weights - &array![2.0, 0.0])
            .iter()
            .all(|v| v.abs() < 1e-8),
        "{:?}",
        solution.weights
    );
}

#[test]
fn equal_samples_keep_weights_of_one() {
    let mut qp = program(40, 1000.0, 0.8, 3);
    qp.linear = qp.quadratic.sum_axis(ndarray::Axis(1));
    let solution = qp.solve(1e-10).unwrap();
    assert!(solution.weights.iter().all(|w| (w - 1.0).abs() < 1e-6));
}

#[test]
fn a_bound_that_cannot_be_met_is_an_error() {
    let qp = QuadraticProgram {
        quadratic: array![[1.0]],
        linear: array![1.0],
        bounds: Bounds {
            upper: 0.5,
            sum: (1.0, 1.0),
        },
    };
    assert!(
        qp.solve(1e-6)
            .unwrap_err()
            .to_string()
            .contains("`bound` = 0.5")
    );
    let error = frank_wolfe(|v| Ok(v.clone()), &qp.linear, qp.bounds, 1e-6).unwrap_err();
    assert!(error.to_string().contains("`bound` = 0.5"), "{error}");
}

#[test]
fn frank_wolfe_leaves_equal_samples_as_they_are() {
    let mut qp = program(40, 1000.0, 0.8, 3);
    qp.linear = qp.quadratic.sum_axis(ndarray::Axis(1));
    let found = frank_wolfe(|v| Ok(qp.quadratic.dot(v)), &qp.linear, qp.bounds, 1e-12);
    assert_eq!(found.unwrap().weights, Array1::<f64>::ones(40));
}

#[test]
fn a_gap_out_of_reach_is_an_error() {
    let qp = program(40, 1000.0, 0.8, 3);
    let error =
        frank_wolfe(|v| Ok(qp.quadratic.dot(v)), &qp.linear, qp.bounds, 1e-300).unwrap_err();
    assert!(error.to_string().contains("Frank-Wolfe"), "{error}");
}

/// The peer goes through the interior, which leaves up to 2e-6 of weights that are 0.
#[test]
fn weights_are_those_of_adapt() {
    let fixture = Fixture::new(include_str!("../../../tests/fixtures/kmm_reference.json"));
    let labels = Labels::Classes(Array1::from_shape_fn(25, |row| row % 2));
    let problem = fixture.problem(&LabelSpace::numbered(2), labels, None);
    for case in fixture.parts("cases") {
        let params = KmmParams::default()
            .gamma(case.number("gamma"))
            .bound(case.number("bound"))
            .epsilon(case.number("epsilon"))
            .tolerance(1e-12);
        let ours = params.source_weights(&problem, 0).unwrap().weights;
        let off = &ours - &case.vector("weights");
        assert!(off.iter().all(|v| v.abs() < 1e-5), "{off}");
    }
}
