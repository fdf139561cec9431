use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use translearn_core::{TransferError, seed};

use super::{ExactPlan, emd};

/// What makes a plan and potentials optimal, without looking at how they were found.
fn assert_optimal(cost: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>, exact: &ExactPlan) {
    let scale = cost.fold(1e-300_f64, |largest, c| largest.max(c.abs()));
    let mass = a.sum();
    let (u, v) = (&exact.row_potentials, &exact.column_potentials);
    // Feasible.
    for (plan, masses) in [
        (exact.plan.row_masses(), a),
        (exact.plan.column_masses(), b),
    ] {
        for (plan, asked) in plan.iter().zip(masses) {
            assert!((plan - asked).abs() <= 1e-12 * mass, "{plan} {asked}");
        }
    }
    assert!(exact.plan.entries().iter().all(|&(_, _, mass)| mass > 0.0));
    assert!(exact.plan.entries().len() < a.len() + b.len());
    // Potentials are below the costs, and at them where something flows.
    for ((i, j), c) in cost.indexed_iter() {
        assert!(
            c - u[i] - v[j] >= -2e-13 * scale,
            "{i} {j}: {}",
            c - u[i] - v[j]
        );
    }
    for &(i, j, _) in exact.plan.entries() {
        assert!((cost[[i, j]] - u[i] - v[j]).abs() <= 2e-13 * scale);
    }
    // So both objectives are the same.
    let dual = a.dot(u) + b.dot(v);
    assert!(
        (exact.cost - dual).abs() <= 1e-11 * scale * mass,
        "{} {dual}",
        exact.cost
    );
    assert!((exact.cost - exact.plan.cost(cost)).abs() <= 1e-12 * scale * mass);
}

/// The cheapest of all permutations.
fn best_assignment(cost: &Array2<f64>) -> f64 {
    fn extend(cost: &Array2<f64>, row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == cost.nrows() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for j in 0..cost.ncols() {
            if !taken[j] {
                taken[j] = true;
                best = best.min(cost[[row, j]] + extend(cost, row + 1, taken));
                taken[j] = false;
            }
        }
        best
    }
    extend(cost, 0, &mut vec![false; cost.ncols()])
}

fn random(n: usize, m: usize, seed: u64, levels: Option<f64>) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((n, m), || match levels {
        // Few different costs: ties everywhere.
        Some(levels) => (rng.uniform() * levels).floor(),
        None => rng.normal(),
    })
}

proptest! {
    #[test]
    fn random_masses_get_optimal_plans(n in 1_usize..30, m in 1_usize..30, seed in 0_u64..10_000, levels in prop::option::of(1.0_f64..5.0)) {
        let cost = random(n, m, seed, levels);
        let mut rng = seed::rng(seed + 1);
        // A third of the masses are 0.
        let mut masses = |n| {
            let mut masses = Array1::from_shape_simple_fn(n, || (rng.uniform() - 0.3).max(0.0));
            masses[0] += 0.1;
            masses
        };
        let (a, b) = (masses(n), masses(m));
        let b = &b * (a.sum() / b.sum());
        assert_optimal(&cost, &a, &b, &emd(&cost, &a, &b).unwrap());
    }

    #[test]
    fn equal_masses_get_the_best_assignment(n in 1_usize..7, seed in 0_u64..10_000, levels in prop::option::of(1.0_f64..5.0)) {
        let cost = random(n, n, seed, levels);
        let masses = Array1::from_elem(n, 1.0 / n as f64);
        let exact = emd(&cost, &masses, &masses).unwrap();
        assert_optimal(&cost, &masses, &masses, &exact);
        prop_assert!((exact.cost * n as f64 - best_assignment(&cost)).abs() < 1e-12);
        // Ties are exact: the plan is a permutation, no shares of 1e-17.
        prop_assert_eq!(exact.plan.entries().len(), n);
    }

    #[test]
    fn the_order_of_rows_and_the_unit_of_mass_change_nothing(n in 2_usize..12, m in 2_usize..12, seed in 0_u64..1000) {
        let cost = random(n, m, seed, None);
        let mut rng = seed::rng(seed + 1);
        let a = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.01);
        let b = Array1::from_shape_simple_fn(m, || rng.uniform() + 0.01);
        let b = &b * (a.sum() / b.sum());
        let exact = emd(&cost, &a, &b).unwrap();
        let order = rng.permutation(n);
        let moved = emd(&cost.select(ndarray::Axis(0), &order), &(a.select(ndarray::Axis(0), &order) * 7.0), &(&b * 7.0)).unwrap();
        let expected = exact.plan.dense().select(ndarray::Axis(0), &order) * 7.0;
        let worst = (moved.plan.dense() - expected).fold(0.0_f64, |worst, v| worst.max(v.abs()));
        prop_assert!(worst < 1e-12, "{worst}");
    }
}

#[test]
fn larger_problems_are_optimal_too() {
    let mut rng = seed::rng(5);
    for (n, m, levels) in [
        (150, 150, None),
        (150, 150, Some(3.0)),
        (300, 40, None),
        (20, 400, Some(10.0)),
    ] {
        let cost = random(n, m, 9, levels);
        let uniform = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        assert_optimal(
            &cost,
            &uniform(n),
            &uniform(m),
            &emd(&cost, &uniform(n), &uniform(m)).unwrap(),
        );
        let a = Array1::from_shape_simple_fn(n, || rng.uniform());
        let b = Array1::from_shape_simple_fn(m, || rng.uniform());
        let b = &b * (a.sum() / b.sum());
        assert_optimal(&cost, &a, &b, &emd(&cost, &a, &b).unwrap());
    }
}

#[test]
fn any_memory_layout_will_do() {
    let cost = random(7, 5, 1, None);
    let transposed = cost.t().as_standard_layout().into_owned();
    let column_major = transposed.reversed_axes();
    assert!(!column_major.is_standard_layout());
    let (a, b) = (Array1::from_elem(7, 5.0), Array1::from_elem(5, 7.0));
    assert_eq!(emd(&cost, &a, &b), emd(&column_major, &a, &b));
}

#[test]
fn costs_and_masses_that_do_not_fit_are_refused() {
    let cost = array![[0.0, 1.0], [1.0, 0.0]];
    let half = array![0.5, 0.5];
    let refused =
        |cost: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>| emd(cost, a, b).unwrap_err();
    let error = refused(&cost, &half, &array![0.5, 0.25]);
    assert_eq!(
        error,
        TransferError::UnequalMass {
            left: "the rows".into(),
            left_mass: 1.0,
            right: "the columns".into(),
            right_mass: 0.75
        }
    );
    assert!(
        error
            .to_string()
            .contains("weigh 1 but the columns weigh 0.75")
    );
    assert!(matches!(
        refused(&cost, &array![1.0], &half),
        TransferError::LengthMismatch {
            left_len: 2,
            right_len: 1,
            ..
        }
    ));
    for wrong in [array![1.5, -0.5], array![f64::NAN, 1.0], array![0.0, 0.0]] {
        assert!(matches!(
            refused(&cost, &wrong, &half),
            TransferError::InvalidWeight { .. }
        ));
    }
    assert!(matches!(
        refused(&array![[0.0, f64::INFINITY], [1.0, 0.0]], &half, &half),
        TransferError::NotFinite {
            row: 0,
            column: 1,
            ..
        }
    ));
    let none = Array1::zeros(0);
    assert!(matches!(
        refused(&Array2::zeros((0, 0)), &none, &none),
        TransferError::Empty { .. }
    ));
}
