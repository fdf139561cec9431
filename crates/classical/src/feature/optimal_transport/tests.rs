use ndarray::array;
use proptest::prelude::*;
use translearn_core::{FitTransfer, distance::squared_distances, seed};

use super::*;

fn normal(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = seed::rng(seed);
    Array2::from_shape_simple_fn((n, d), || rng.normal())
}

fn fitted(
    params: &OptimalTransportParams,
    source: &Array2<f64>,
    labels: &Array1<usize>,
    target: &Array2<f64>,
) -> Result<Alignment, TransferError> {
    let source = linfa::DatasetBase::new(source.clone(), labels.clone());
    let target = linfa::DatasetBase::from(target.clone());
    params.fit_align(&TransferProblem::new(&source, &target)?, 0)
}

proptest! {
    /// As many rows on both sides: every source row lands on a target row, each of them taken once, at the least cost.
    #[test]
    fn the_exact_plan_is_the_best_assignment(n in 1_usize..6, seed in 0_u64..10_000) {
        let (source, target) = (normal(n, 2, seed), normal(n, 2, seed + 1));
        let labels = Array1::zeros(n);
        let map = fitted(&OptimalTransportParams::default(), &source, &labels, &target).unwrap().map;
        let mapped = map.map_source(&source.clone().into()).unwrap();
        let cost = squared_distances(&source.clone().into(), &target.clone().into()).unwrap();
        let mut best = (f64::INFINITY, Vec::new());
        permutations(n, &mut Vec::new(), &mut |order| {
            let sum: f64 = order.iter().enumerate().map(|(i, &j)| cost[[i, j]]).sum();
            if sum < best.0 {
                best = (sum, order.to_vec());
            }
        });
        let expected = target.select(Axis(0), &best.1);
        let worst = (&*mapped.dense().unwrap() - &expected).fold(0.0_f64, |worst, v| worst.max(v.abs()));
        prop_assert!(worst < 1e-9, "{worst}");
    }

    /// The image is the mean of the target under the plan, entry by entry, whichever plan meets the masses.
    #[test]
    fn images_are_means_of_the_target_under_the_plan(seed in 0_u64..1000, which in 0_usize..5) {
        let plan = [
            TransportPlan::Exact,
            TransportPlan::Sinkhorn,
            TransportPlan::GroupLasso,
            TransportPlan::LpL1,
            TransportPlan::Laplace,
        ][which];
        let params = OptimalTransportParams::default().plan(plan).regularization(0.5);
        let (source, target) = (normal(7, 3, seed), normal(5, 3, seed + 1));
        let labels = Array1::from_shape_fn(7, |row| row % 2);
        let plan = params
            .transport(&source.clone().into(), &labels.clone().into(), &target.clone().into())
            .unwrap();
        for (row, sent) in plan.rows().into_iter().enumerate() {
            prop_assert!((sent.sum() - 1.0 / 7.0).abs() < 1e-6, "row {}: {}", row, sent.sum());
        }
        let map = fitted(&params, &source, &labels, &target).unwrap().map;
        let mapped = map.map_source(&source.into()).unwrap();
        for ((i, k), image) in mapped.dense().unwrap().indexed_iter() {
            let (mut above, mut below) = (0.0, 0.0);
            for j in 0..5 {
                above += plan[[i, j]] * target[[j, k]];
                below += plan[[i, j]];
            }
            prop_assert!((image - above / below).abs() < 1e-9);
        }
    }
}

fn permutations(n: usize, taken: &mut Vec<usize>, see: &mut impl FnMut(&[usize])) {
    if taken.len() == n {
        see(taken);
        return;
    }
    for next in 0..n {
        if !taken.contains(&next) {
            taken.push(next);
            permutations(n, taken, see);
            taken.pop();
        }
    }
}

/// Each plan that keeps classes apart has less of what it is to make small than the plan without.
#[test]
fn classes_are_kept_apart_where_that_is_asked_for() {
    let (source, target) = (normal(40, 2, 3), normal(30, 2, 4));
    let labels = Array1::from_shape_fn(40, |row| row % 2);
    let terms = |plan, exponent: i32| {
        let params = OptimalTransportParams::default().plan(plan).eta(10.0);
        let plan = params
            .transport(
                &source.clone().into(),
                &labels.clone().into(),
                &target.clone().into(),
            )
            .unwrap();
        let of_class = |column: ndarray::ArrayView1<'_, f64>, class: usize| -> f64 {
            column
                .iter()
                .skip(class)
                .step_by(2)
                .map(|p| p.powi(exponent))
                .sum()
        };
        let columns = plan.columns().into_iter();
        columns
            .map(|column| of_class(column, 0).sqrt() + of_class(column, 1).sqrt())
            .sum::<f64>()
    };
    // The group lasso: the root of a sum of squares; the other: the root of a sum.
    for (plan, exponent) in [(TransportPlan::GroupLasso, 2), (TransportPlan::LpL1, 1)] {
        let (with, without) = (
            terms(plan, exponent),
            terms(TransportPlan::Sinkhorn, exponent),
        );
        assert!(with < 0.98 * without, "{plan:?}: {with} and {without}");
    }
}

/// The plan of a sample of which a tenth lies far from everything in the target.
fn with_outliers(params: &OptimalTransportParams) -> (Array2<f64>, Array2<f64>, Array2<f64>) {
    let (mut source, target) = (normal(20, 2, 5), normal(15, 2, 6));
    source.row_mut(3).fill(50.0);
    source.row_mut(8).fill(-70.0);
    let labels = Array1::from_elem(20, 0_usize).into();
    let plan = params.transport(&source.clone().into(), &labels, &target.clone().into());
    (source, target, plan.unwrap())
}

#[test]
fn a_partial_plan_leaves_outliers_where_they_are() {
    let params = OptimalTransportParams::default().plan(TransportPlan::Partial);
    let (source, target, plan) = with_outliers(&params);
    assert!((plan.sum() - 0.9).abs() < 1e-12);
    for (row, sent) in plan.rows().into_iter().enumerate() {
        let expected = if row == 3 || row == 8 { 0.0 } else { 0.05 };
        assert!((sent.sum() - expected).abs() < 1e-12, "row {row}");
    }
    let labels = Array1::zeros(20);
    let map = fitted(&params, &source, &labels, &target).unwrap().map;
    let mapped = map.map_source(&source.clone().into()).unwrap();
    assert_eq!(mapped.dense().unwrap().row(3), source.row(3));
    // All of the mass is the exact plan.
    let all = with_outliers(&params.mass(1.0)).2;
    let exact = with_outliers(&OptimalTransportParams::default()).2;
    assert!(
        (all - exact)
            .iter()
            .all(|difference| difference.abs() < 1e-12)
    );
}

/// `P_ij = a_i b_j (a_i / r_i)^(ρ/ε) (b_j / c_j)^(ρ/ε) exp(-C_ij / ε)` with the masses `r`, `c` that the plan has: the
/// derivative of the objective is 0.
#[test]
fn an_unbalanced_plan_is_where_the_derivative_vanishes() {
    let (epsilon, rho) = (0.3, 0.7);
    let params = OptimalTransportParams::default()
        .plan(TransportPlan::Unbalanced)
        .regularization(epsilon)
        .relaxation(rho);
    let (source, target, plan) = with_outliers(&params);
    let cost = cost_matrix(
        &source.into(),
        &target.into(),
        GroundCost::SquaredEuclidean,
        CostScale::Median,
    )
    .unwrap();
    let (rows, columns) = (plan.sum_axis(Axis(1)), plan.sum_axis(Axis(0)));
    let (a, b) = (1.0 / 20.0, 1.0 / 15.0);
    for ((i, j), &sent) in plan.indexed_iter() {
        // The outliers are so far that what they send is less than any number.
        if i == 3 || i == 8 {
            assert!(sent < 1e-12 * a * b, "{sent}");
            continue;
        }
        let relaxed = (a / rows[i]).powf(rho / epsilon) * (b / columns[j]).powf(rho / epsilon);
        let expected = a * b * relaxed * (-cost[[i, j]] / epsilon).exp();
        assert!((sent - expected).abs() < 1e-5 * a * b, "{sent} {expected}");
    }
}

/// The mean squared distance between images of neighbours falls as `eta` rises.
#[test]
fn neighbours_are_kept_together_where_that_is_asked_for() {
    let spread = |eta: f64| {
        let params = OptimalTransportParams::default();
        let params = params.plan(TransportPlan::Laplace).eta(eta).n_neighbors(2);
        let (source, target) = (normal(20, 2, 7), normal(20, 2, 8) * 3.0);
        let map = fitted(&params, &source, &Array1::zeros(20), &target)
            .unwrap()
            .map;
        let mapped = map.map_source(&source.clone().into()).unwrap();
        let mapped = mapped.dense().unwrap();
        let near = translearn_core::distance::nearest_others(&source.into(), 2).unwrap();
        let pairs = near.indices.indexed_iter();
        pairs
            .map(|((row, _), &other)| {
                let apart = &mapped.row(row) - &mapped.row(other);
                apart.dot(&apart)
            })
            .sum::<f64>()
    };
    let (loose, tight) = (spread(1e-6), spread(10.0));
    assert!(tight < 0.7 * loose, "{tight} against {loose}");
}

#[test]
fn rows_that_are_alike_go_to_one_place() {
    let source = array![[0.0], [0.0], [5.0]];
    let target = array![[0.0], [1.0], [6.0]];
    let map = fitted(
        &OptimalTransportParams::default(),
        &source,
        &array![0, 1, 1],
        &target,
    )
    .unwrap()
    .map;
    // A row of the fit, one beside it, and rows of the target.
    let mapped = map
        .map_source(&array![[0.0], [0.25], [5.0]].into())
        .unwrap();
    assert_eq!(*mapped.dense().unwrap(), array![[0.5], [0.75], [6.0]]);
    assert_eq!(
        *map.map_target(&target.clone().into())
            .unwrap()
            .dense()
            .unwrap(),
        target
    );
}

#[test]
fn classes_of_real_labels_cannot_be_kept_apart() {
    let source = linfa::DatasetBase::new(normal(6, 2, 1), Array1::linspace(0.0, 1.0, 6));
    let target = linfa::DatasetBase::from(normal(6, 2, 2));
    let fit = |plan| {
        OptimalTransportParams::default()
            .plan(plan)
            .fit_transfer(&source, &target)
    };
    assert!(fit(TransportPlan::Exact).is_ok());
    let error = fit(TransportPlan::GroupLasso).unwrap_err().to_string();
    assert!(
        error.contains("optimal-transport") && error.contains("class"),
        "{error}"
    );
}

/// What a solver left undone is told, and how much that is: no plan is better by more.
#[test]
fn the_gap_that_is_left_is_in_the_trace() {
    let (source, target) = (normal(20, 2, 9), normal(20, 2, 10) * 3.0);
    let labels = Array1::from_shape_fn(20, |row| row % 2);
    let series = |plan, eta| {
        let params = OptimalTransportParams::default()
            .plan(plan)
            .eta(eta)
            .regularization(0.5);
        let fitted = fitted(&params, &source, &labels, &target);
        fitted.unwrap().trace.series
    };
    let rows = |x: &Array2<f64>| Features::from(x.clone());
    let ground = GroundCost::SquaredEuclidean;
    let mut cost = cost_matrix(&rows(&source), &rows(&target), ground, CostScale::One).unwrap();
    let unit = CostScale::Median.unit(&cost);
    cost /= unit;
    let masses = Array1::from_elem(20, 1.0 / 20.0);
    let root = unit.sqrt();
    let solve = |steps: usize| {
        let solver = Laplace::new(10.0).max_iterations(steps);
        let solved = solver.solve(
            &cost,
            &(&source / root),
            &(&target / root),
            &masses,
            &masses,
        );
        solved.unwrap()
    };
    let (ours, further) = (solve(100), solve(1000));
    assert_eq!(series(TransportPlan::Laplace, 10.0)["gap"], [ours.gap]);
    assert!(ours.objective - further.objective <= ours.gap);
    let of_classes = &series(TransportPlan::GroupLasso, 0.1)["gap"];
    assert!(of_classes.len() == 1 && (0.0..0.1).contains(&of_classes[0]));
    assert_eq!(series(TransportPlan::LpL1, 0.1)["objective"].len(), 10);
    assert!(series(TransportPlan::Exact, 0.1).is_empty());
}
