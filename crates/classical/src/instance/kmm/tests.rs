use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use translearn_core::{Features, kernel::Kernel, seed};

use super::QuadraticProgram;

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
        upper,
        sum: (n as f64 * (1.0 - slack), n as f64 * (1.0 + slack)),
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
            let wrong = match (w <= 1e-9, w >= qp.upper - 1e-9) {
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
        .filter(|&g| sum <= qp.sum.0 + 1e-6 && g > 0.0 || sum >= qp.sum.1 - 1e-6 && g < 0.0)
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
        prop_assert!(w.sum() >= qp.sum.0 - 1e-7 && w.sum() <= qp.sum.1 + 1e-7);
        let scale = qp.linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
        prop_assert!(worst_condition(&qp, w) <= 1e-6 * scale, "{}", worst_condition(&qp, w));
        // No feasible point near by is better.
        let mut rng = seed::rng(seed + 1);
        for _ in 0..20 {
            let other = qp.project(&(w + &Array1::from_shape_simple_fn(n, || 0.3 * rng.normal())));
            prop_assert!(qp.objective(&other) >= solution.objective - 1e-8 * scale * n as f64);
        }
    }
}

#[test]
fn two_weights_are_found_by_hand() {
    // ½(β₁² + β₂²) − 3β₁ − ½β₂ with β ≤ 2: β = (2, ½).
    let qp = QuadraticProgram {
        quadratic: array![[1.0, 0.0], [0.0, 1.0]],
        linear: array![3.0, 0.5],
        upper: 2.0,
        sum: (0.0, 10.0),
    };
    let solution = qp.solve(1e-12).unwrap();
    assert!(
        (&solution.weights - &array![2.0, 0.5])
            .iter()
            .all(|v| v.abs() < 1e-10)
    );
    // With the sum held at 2, the first weight takes 2 and nothing is left: β = (2, 0).
    let held = QuadraticProgram {
        sum: (2.0, 2.0),
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
        upper: 0.5,
        sum: (1.0, 1.0),
    };
    assert!(
        qp.solve(1e-6)
            .unwrap_err()
            .to_string()
            .contains("`bound` = 0.5")
    );
}
