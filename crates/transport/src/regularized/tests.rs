use ndarray::{Array1, Array2};
use proptest::prelude::*;
use translearn_core::{TransferError, seed};

use crate::{CostScale, GroundCost, GroupLasso, Laplace, LpL1, Sinkhorn, Status, cost_matrix};

struct Case {
    source: Array2<f64>,
    target: Array2<f64>,
    cost: Array2<f64>,
    classes: Vec<usize>,
    a: Array1<f64>,
    b: Array1<f64>,
}

fn case(n: usize, m: usize, seed: u64) -> Case {
    let mut rng = seed::rng(seed);
    let source = Array2::from_shape_simple_fn((n, 2), || rng.normal());
    let target = Array2::from_shape_simple_fn((m, 2), || rng.normal() + 0.5);
    // Codes with gaps.
    let classes = (0..n).map(|_| 2 * rng.below(3) + 1).collect();
    let mut masses = |n: usize| {
        let masses = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.1);
        &masses / masses.sum()
    };
    let (a, b) = (masses(n), masses(m));
    let cost = cost_matrix(
        &source.clone().into(),
        &target.clone().into(),
        GroundCost::SquaredEuclidean,
        CostScale::Max,
    )
    .unwrap();
    Case {
        source,
        target,
        cost,
        classes,
        a,
        b,
    }
}

/// Some plan that meets the masses.
fn feasible(case: &Case, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    let cost = Array2::from_shape_simple_fn(case.cost.dim(), || rng.normal());
    let solved = Sinkhorn::new(0.5).tolerance(1e-12).max_iterations(10_000);
    solved.solve(&cost, &case.a, &case.b).unwrap().plan
}

fn entropy(case: &Case, plan: &Array2<f64>) -> f64 {
    let term = |((i, j), p): ((usize, usize), &f64)| {
        let product = case.a[i] * case.b[j];
        if *p > 0.0 {
            p * (p / product).ln() - p + product
        } else {
            product
        }
    };
    plan.indexed_iter().map(term).sum()
}

/// `Σ_j Σ_c` of a function of the entries of class `c` in column `j`.
fn over_groups(case: &Case, plan: &Array2<f64>, of: impl Fn(&[f64]) -> f64) -> f64 {
    let mut sum = 0.0;
    for j in 0..case.b.len() {
        for class in [1, 3, 5] {
            let group: Vec<f64> = (0..case.a.len())
                .filter(|&i| case.classes[i] == class)
                .map(|i| plan[[i, j]])
                .collect();
            if !group.is_empty() {
                sum += of(&group);
            }
        }
    }
    sum
}

fn sinkhorn(epsilon: f64) -> Sinkhorn {
    Sinkhorn::new(epsilon)
        .tolerance(1e-11)
        .max_iterations(200_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn group_lasso_is_optimal(n in 3_usize..14, m in 2_usize..10, seed in 0_u64..1000, epsilon in 0.05_f64..0.5, eta in 0.01_f64..0.5) {
        let case = case(n, m, seed);
        let objective = |plan: &Array2<f64>| {
            let groups = over_groups(&case, plan, |group| group.iter().map(|p| p * p).sum::<f64>().sqrt());
            (&case.cost * plan).sum() + epsilon * entropy(&case, plan) + eta * groups
        };
        let solved = GroupLasso::new(sinkhorn(epsilon), eta).tolerance(1e-8).max_iterations(3000)
            .solve(&case.cost, &case.classes, &case.a, &case.b).unwrap();
        prop_assert_eq!(solved.status, Status::Converged, "{}", solved.gap);
        prop_assert!((solved.objective - objective(&solved.plan)).abs() < 1e-10);
        prop_assert!((solved.plan.sum_axis(ndarray::Axis(1)) - &case.a).iter().all(|v| v.abs() < 1e-9));
        prop_assert!((solved.plan.sum_axis(ndarray::Axis(0)) - &case.b).iter().all(|v| v.abs() < 1e-9));
        // No other plan is better by more than the gap, near by or far.
        for k in 0..10 {
            let other = feasible(&case, seed + k);
            for share in [1.0, 0.1, 1e-3] {
                let mixed = &solved.plan * (1.0 - share) + &other * share;
                prop_assert!(objective(&mixed) >= solved.objective - solved.gap - 1e-9);
            }
        }
    }

    #[test]
    fn lp_l1_follows_its_formula_and_never_rises(n in 3_usize..14, m in 2_usize..10, seed in 0_u64..1000, epsilon in 0.1_f64..0.5, eta in 0.01_f64..0.1) {
        let case = case(n, m, seed);
        let run = |iterations| LpL1::new(sinkhorn(epsilon), eta).iterations(iterations)
            .solve(&case.cost, &case.classes, &case.a, &case.b).unwrap();
        let solved = run(6);
        prop_assert!(solved.objectives.windows(2).all(|pair| pair[1] <= pair[0] + 1e-8), "{:?}", solved.objectives);
        let groups = over_groups(&case, &solved.plan, |group| (group.iter().sum::<f64>() + 1e-3).sqrt());
        let objective = (&case.cost * &solved.plan).sum() + epsilon * entropy(&case, &solved.plan) + eta * groups;
        prop_assert!((solved.objectives[5] - objective).abs() < 1e-9);
        // The next plan from this one, written out.
        let cost = Array2::from_shape_fn((n, m), |(i, j)| {
            let of_class: f64 = (0..n).filter(|&k| case.classes[k] == case.classes[i]).map(|k| solved.plan[[k, j]]).sum();
            case.cost[[i, j]] + eta * 0.5 * (of_class + 1e-3).powf(-0.5)
        });
        let next = sinkhorn(epsilon).solve(&cost, &case.a, &case.b).unwrap().plan;
        prop_assert!((run(7).plan - next).iter().all(|v| v.abs() < 1e-8));
    }

    #[test]
    fn laplace_is_optimal(n in 5_usize..14, m in 5_usize..14, seed in 0_u64..1000, eta in 0.01_f64..5.0, alpha in 0.0_f64..1.0) {
        let case = case(n, m, seed);
        let graph = |rows: &Array2<f64>| {
            let count = rows.nrows();
            let distance = |k: usize, l: usize| {
                let difference = &rows.row(k) - &rows.row(l);
                difference.dot(&difference)
            };
            let mut graph = Array2::<f64>::zeros((count, count));
            for k in 0..count {
                let mut others: Vec<usize> = (0..count).filter(|&l| l != k).collect();
                others.sort_by(|&l, &o| distance(k, l).total_cmp(&distance(k, o)));
                for &l in &others[..2] {
                    graph[[k, l]] += 0.5;
                    graph[[l, k]] += 0.5;
                }
            }
            graph
        };
        let laplacian = |graph: &Array2<f64>| Array2::from_diag(&graph.sum_axis(ndarray::Axis(1))) - graph;
        let (source, target) = (laplacian(&graph(&case.source)), laplacian(&graph(&case.target)));
        let objective = |plan: &Array2<f64>| {
            let (z, w) = (plan.dot(&case.target), plan.t().dot(&case.source));
            let of_source = z.t().dot(&source).dot(&z).diag().sum();
            let of_target = w.t().dot(&target).dot(&w).diag().sum();
            (&case.cost * plan).sum() + eta * (alpha * of_source + (1.0 - alpha) * of_target)
        };
        let solved = Laplace::new(eta).alpha(alpha).n_neighbors(2).tolerance(1e-3).max_iterations(50_000)
            .solve(&case.cost, &case.source, &case.target, &case.a, &case.b).unwrap();
        prop_assert_eq!(solved.status, Status::Converged, "{}", solved.gap);
        prop_assert!((solved.objective - objective(&solved.plan)).abs() < 1e-10);
        for k in 0..10 {
            let other = feasible(&case, seed + k);
            for share in [1.0, 0.1, 1e-3] {
                let mixed = &solved.plan * (1.0 - share) + &other * share;
                prop_assert!(objective(&mixed) >= solved.objective - solved.gap - 1e-9);
            }
        }
    }
}

#[test]
fn what_is_no_problem_for_the_solver_is_refused() {
    let case = case(5, 4, 1);
    let text = |error: TransferError| error.to_string();
    let grouped = |sinkhorn: Sinkhorn, eta, classes: &[usize]| {
        text(
            GroupLasso::new(sinkhorn, eta)
                .solve(&case.cost, classes, &case.a, &case.b)
                .unwrap_err(),
        )
    };
    assert!(grouped(sinkhorn(0.1), 1.0, &[0, 1]).contains("has 5 rows but the classes"));
    assert!(grouped(sinkhorn(0.1), 0.0, &case.classes).contains("`eta` = 0"));
    assert!(
        grouped(sinkhorn(0.1).relaxation(1.0), 1.0, &case.classes).contains("`group lasso` needs")
    );
    assert!(
        grouped(sinkhorn(0.1).max_iterations(1), 1.0, &case.classes).contains("did not converge")
    );
    let mixed = LpL1::new(sinkhorn(0.1), 1.0).iterations(0).solve(
        &case.cost,
        &case.classes,
        &case.a,
        &case.b,
    );
    assert!(text(mixed.unwrap_err()).contains("`iterations` = 0"));
    let smooth = |laplace: Laplace| {
        text(
            laplace
                .solve(&case.cost, &case.source, &case.target, &case.a, &case.b)
                .unwrap_err(),
        )
    };
    assert!(smooth(Laplace::new(1.0).alpha(1.5)).contains("`alpha` = 1.5"));
    assert!(smooth(Laplace::new(1.0).n_neighbors(4)).contains("4 rows but 5 are needed"));
}
