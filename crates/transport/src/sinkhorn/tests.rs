use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use translearn_core::{TransferError, seed};

use super::{EntropicPlan, Sinkhorn, Status};
use crate::emd;

struct Case {
    cost: Array2<f64>,
    a: Array1<f64>,
    b: Array1<f64>,
}

/// Squared distances of random points, random masses.
fn case(n: usize, m: usize, seed: u64) -> Case {
    let mut rng = seed::rng(seed);
    let x = Array2::from_shape_simple_fn((n, 2), || rng.normal());
    let y = Array2::from_shape_simple_fn((m, 2), || rng.normal() + 0.5);
    let cost = Array2::from_shape_fn((n, m), |(i, j)| {
        let difference = &x.row(i) - &y.row(j);
        difference.dot(&difference)
    });
    let a = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.1);
    let b = Array1::from_shape_simple_fn(m, || rng.uniform() + 0.1);
    Case {
        a: &a / a.sum(),
        b: &b / b.sum(),
        cost,
    }
}

fn worst(difference: &Array2<f64>) -> f64 {
    difference.fold(0.0_f64, |worst, v| worst.max(v.abs()))
}

/// Sinkhorn's iterations as they stand in the textbook, on plain numbers.
fn textbook(case: &Case, epsilon: f64, rho: Option<f64>, iterations: usize) -> Array2<f64> {
    let Case { cost, a, b } = case;
    let power = rho.map_or(1.0, |rho| rho / (rho + epsilon));
    let kernel = Array2::from_shape_fn(cost.dim(), |(i, j)| {
        a[i] * b[j] * (-cost[[i, j]] / epsilon).exp()
    });
    let mut v = Array1::<f64>::ones(b.len());
    let mut u = Array1::<f64>::ones(a.len());
    for _ in 0..iterations {
        u = (a / kernel.dot(&v)).mapv(|ratio| ratio.powf(power));
        v = (b / kernel.t().dot(&u)).mapv(|ratio| ratio.powf(power));
    }
    &u.insert_axis(Axis(1)) * &kernel * &v
}

/// The masses are met, and the plan is the exponential of its potentials: what makes it optimal.
fn assert_optimal(case: &Case, epsilon: f64, solved: &EntropicPlan, tolerance: f64) {
    let Case { cost, a, b } = case;
    let rows = &solved.plan.sum_axis(Axis(1)) - a;
    let columns = &solved.plan.sum_axis(Axis(0)) - b;
    let off = rows.mapv(f64::abs).sum() + columns.mapv(f64::abs).sum();
    assert!(off <= tolerance + 1e-11, "{off}");
    for ((i, j), p) in solved.plan.indexed_iter() {
        let exponent = solved.row_potentials[i] + solved.column_potentials[j] - cost[[i, j]];
        let expected = a[i] * b[j] * (exponent / epsilon).exp();
        // The potentials are rounded, which ε makes larger; what is next to nothing counts as 0.
        assert!(
            (p - expected).abs() <= 1e-12 / epsilon * expected + 1e-200,
            "{p} {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_textbook(n in 1_usize..80, m in 1_usize..40, seed in 0_u64..1000, epsilon in 0.5_f64..3.0, rho in prop::option::of(0.1_f64..5.0)) {
        let case = case(n, m, seed);
        let sinkhorn = Sinkhorn::new(epsilon).tolerance(1e-13).max_iterations(200_000);
        let sinkhorn = match rho {
            Some(rho) => sinkhorn.relaxation(rho),
            None => sinkhorn,
        };
        let solved = sinkhorn.solve(&case.cost, &case.a, &case.b).unwrap().converged().unwrap();
        let expected = textbook(&case, epsilon, rho, 20_000);
        prop_assert!(worst(&(&solved.plan - &expected)) < 1e-10);
        let slow = sinkhorn.solve_in_log_domain(&case.cost, &case.a, &case.b).unwrap().converged().unwrap();
        prop_assert!(worst(&(&slow.plan - &expected)) < 1e-10);
    }

    #[test]
    fn plans_are_optimal_for_small_regularisation(n in 2_usize..70, m in 2_usize..30, seed in 0_u64..1000, level in 0_usize..3, scaling in any::<bool>()) {
        let case = case(n, m, seed);
        let epsilon = [3e-1, 3e-2, 3e-3][level];
        let sinkhorn = Sinkhorn::new(epsilon).tolerance(1e-6).max_iterations(20_000).epsilon_scaling(scaling);
        let solved = sinkhorn.solve(&case.cost, &case.a, &case.b).unwrap();
        prop_assert!(level > 0 || solved.status == Status::Converged);
        // As good as it says, converged or not.
        assert_optimal(&case, epsilon, &solved, solved.error);
        if solved.status == Status::Converged {
            // The entropic cost is above the exact one, by no more than ε times the entropy there can be.
            let exact = emd(&case.cost, &case.a, &case.b).unwrap().cost;
            let cost = (&solved.plan * &case.cost).sum();
            prop_assert!(cost > exact - 1e-4 && cost < exact + epsilon * ((n * m) as f64).ln() + 1e-4);
        }
    }

    #[test]
    fn iterations_are_those_of_the_log_domain(n in 2_usize..70, m in 2_usize..30, seed in 0_u64..1000, level in 0_usize..3) {
        // Far from converged, and through many absorptions: both do the same steps.
        let case = case(n, m, seed);
        let scale = case.cost.fold(0.0_f64, |largest, &c| largest.max(c));
        let epsilon = [1e-2, 1e-3, 1e-4][level] * scale;
        let sinkhorn = Sinkhorn::new(epsilon).tolerance(1e-12).max_iterations(300);
        let fast = sinkhorn.solve(&case.cost, &case.a, &case.b).unwrap();
        let slow = sinkhorn.solve_in_log_domain(&case.cost, &case.a, &case.b).unwrap();
        prop_assert!(worst(&(&fast.plan - &slow.plan)) < 1e-9, "{}", worst(&(&fast.plan - &slow.plan)));
        prop_assert!((&fast.row_potentials - &slow.row_potentials).iter().all(|v| v.abs() < 1e-9 * scale));
    }
}

#[test]
fn rows_and_columns_without_mass_get_finite_potentials_and_no_plan() {
    let mut case = case(9, 7, 3);
    (case.a[2], case.b[0]) = (0.0, 0.0);
    case.a /= case.a.sum();
    case.b /= case.b.sum();
    for epsilon in [1.0, 0.01] {
        let solved = Sinkhorn::new(epsilon)
            .max_iterations(10_000)
            .solve(&case.cost, &case.a, &case.b)
            .unwrap();
        assert_optimal(&case, epsilon, &solved, solved.error);
        assert!(solved.error < 1e-2, "{}", solved.error);
        assert!(
            solved
                .plan
                .row(2)
                .iter()
                .chain(solved.plan.column(0))
                .all(|&p| p == 0.0)
        );
        assert!(
            solved
                .row_potentials
                .iter()
                .chain(&solved.column_potentials)
                .all(|v| v.is_finite())
        );
    }
}

#[test]
fn what_did_not_converge_says_so() {
    let case = case(30, 30, 1);
    let solved = Sinkhorn::new(1e-3)
        .max_iterations(3)
        .solve(&case.cost, &case.a, &case.b)
        .unwrap();
    assert_eq!(
        (solved.status, solved.iterations),
        (Status::IterationLimit, 3)
    );
    let off = (&solved.plan.sum_axis(Axis(1)) - &case.a)
        .mapv(f64::abs)
        .sum();
    assert!((solved.error - off).abs() < 1e-12 && off > 1e-3);
    assert!(matches!(
        solved.converged(),
        Err(TransferError::NotConverged { iterations: 3, .. })
    ));
    // Even when the budget ends before the last step of ε-scaling, the plan is one of this ε, and meets the columns.
    let hasty = Sinkhorn::new(1e-4)
        .epsilon_scaling(true)
        .max_iterations(2)
        .solve(&case.cost, &case.a, &case.b)
        .unwrap();
    assert_eq!(
        (hasty.status, hasty.iterations),
        (Status::IterationLimit, 2)
    );
    let off = (&hasty.plan.sum_axis(Axis(0)) - &case.b)
        .mapv(f64::abs)
        .sum();
    assert!(off < 1e-9, "{off}");
}

#[test]
fn scaling_comes_nearer_in_as_many_iterations() {
    let case = case(60, 50, 4);
    let solve = |scaling| {
        Sinkhorn::new(2e-3)
            .max_iterations(300)
            .epsilon_scaling(scaling)
            .solve(&case.cost, &case.a, &case.b)
            .unwrap()
    };
    let (plain, scaled) = (solve(false), solve(true));
    assert!(
        scaled.error < 0.2 * plain.error,
        "{} {}",
        scaled.error,
        plain.error
    );
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let case = case(300, 90, 2);
    let solve = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            Sinkhorn::new(0.003)
                .max_iterations(50)
                .solve(&case.cost, &case.a, &case.b)
                .unwrap()
        })
    };
    assert_eq!(solve(1), solve(3));
}

#[test]
fn relaxed_masses_follow_the_optimality_conditions() {
    // P 1 = a exp(-f / ρ): where the derivative of the whole objective is 0.
    let case = case(12, 9, 6);
    let (epsilon, rho) = (0.05, 0.7);
    let b = &case.b * 1.8;
    let solved = Sinkhorn::new(epsilon)
        .relaxation(rho)
        .tolerance(1e-13)
        .max_iterations(100_000)
        .solve(&case.cost, &case.a, &b)
        .unwrap()
        .converged()
        .unwrap();
    let sides = [
        (
            solved.plan.sum_axis(Axis(1)),
            &case.a,
            &solved.row_potentials,
        ),
        (solved.plan.sum_axis(Axis(0)), &b, &solved.column_potentials),
    ];
    for (met, masses, potentials) in sides {
        for ((met, mass), potential) in met.iter().zip(masses).zip(potentials) {
            assert!((met - mass * (-potential / rho).exp()).abs() < 1e-10);
        }
    }
    // One side alone: the other is met.
    let one = Sinkhorn::new(epsilon)
        .column_relaxation(rho)
        .max_iterations(100_000)
        .tolerance(1e-12)
        .solve(&case.cost, &case.a, &b)
        .unwrap()
        .converged()
        .unwrap();
    assert!(
        (&one.plan.sum_axis(Axis(1)) - &case.a)
            .iter()
            .all(|v| v.abs() < 1e-10)
    );
}

#[test]
fn parameters_out_of_range_are_refused() {
    let case = case(3, 3, 1);
    let solve = |sinkhorn: Sinkhorn| {
        sinkhorn
            .solve(&case.cost, &case.a, &case.b)
            .unwrap_err()
            .to_string()
    };
    assert!(solve(Sinkhorn::new(0.0)).contains("`regularization` = 0"));
    assert!(solve(Sinkhorn::new(f64::NAN)).contains("`regularization` = NaN"));
    assert!(solve(Sinkhorn::new(1.0).tolerance(-1.0)).contains("`tolerance` = -1"));
    assert!(solve(Sinkhorn::new(1.0).max_iterations(0)).contains("`max_iterations` = 0"));
    assert!(solve(Sinkhorn::new(1.0).row_relaxation(0.0)).contains("`row_relaxation` = 0"));
    let unequal = Sinkhorn::new(1.0).solve(&case.cost, &case.a, &array![1.0, 1.0, 1.0]);
    assert!(matches!(unequal, Err(TransferError::UnequalMass { .. })));
}
