//! Exact transport of a part of the mass.

use ndarray::{Array1, Array2, s};
use translearn_core::TransferError;

use crate::check::check_problem;
use crate::emd::emd;
use crate::plan::SparsePlan;

/// The cheapest plan that moves a part of the mass.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialPlan {
    /// The plan.
    pub plan: SparsePlan,
    /// `Σ_ij C_ij P_ij`.
    pub cost: f64,
}

/// The cheapest way to move `mass` of the masses `a` of the rows into the masses `b` of the columns; which part stays
/// behind is decided, too.
///
/// *When.* Some rows have no counterpart: outliers, or classes that are on one side only. The sums of `a` and `b` may
/// differ.
///
/// # Formula
///
/// $$\min_{P \ge 0} \sum_{ij} C_{ij} P_{ij} \quad\text{s.t.}\quad P \mathbf 1 \le a,\; P^\top \mathbf 1 \le b,\;
///   \mathbf 1^\top P \mathbf 1 = \text{mass}$$
///
/// # Steps
///
/// A column that takes `Σ a − mass` and a row that gives `Σ b − mass`, both for nothing, stand for what stays behind;
/// between the two of them it costs more than two detours. [`emd`] solves the larger problem.
///
/// # Shapes and cost
///
/// As [`emd`] for `(n + 1) x (m + 1)`; the costs are copied.
///
/// # Errors
///
/// As [`emd`], but for unequal sums; [`TransferError::InvalidParameter`] for a mass that is not above 0 or above either
/// sum.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::partial_emd;
///
/// // The last row is far from everything.
/// let cost = array![[0.0, 1.0], [1.0, 0.5], [9.0, 9.0]];
/// let third = array![1.0, 1.0, 1.0];
/// let part = partial_emd(&cost, &third, &array![1.5, 1.5], 2.0)?;
/// assert_eq!(part.plan.dense(), array![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
/// assert_eq!(part.cost, 0.5);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Caffarelli, McCann, *Free boundaries in optimal transport and Monge–Ampère obstacle problems*, Annals of Mathematics
/// 171, 2010, doi:10.4007/annals.2010.171.673; Chapel, Alaya, Gasso, *Partial Optimal Transport with Applications on
/// Positive-Unlabeled Learning*, NeurIPS 2020.
pub fn partial_emd(
    cost: &Array2<f64>,
    a: &Array1<f64>,
    b: &Array1<f64>,
    mass: f64,
) -> Result<PartialPlan, TransferError> {
    check_problem(cost, a, b)?;
    let (left, right) = (a.sum(), b.sum());
    if !(mass > 0.0 && mass <= left.min(right)) {
        return Err(TransferError::InvalidParameter {
            name: "mass".to_owned(),
            value: mass.to_string(),
            range: format!("(0, {}], the smaller of both sums", left.min(right)),
        });
    }
    let (n, m) = cost.dim();
    let largest = cost.fold(0.0_f64, |largest, cost| largest.max(cost.abs()));
    let mut extended = Array2::zeros((n + 1, m + 1));
    extended.slice_mut(s![..n, ..m]).assign(cost);
    extended[[n, m]] = if largest > 0.0 { 2.0 * largest } else { 1.0 };
    let exact = emd(&extended, &with(a, right - mass), &with(b, left - mass))?;
    let inside = |&&(i, j, _): &&(usize, usize, f64)| i < n && j < m;
    let entries = exact.plan.entries().iter().filter(inside).copied();
    let plan = SparsePlan::new((n, m), entries.collect());
    Ok(PartialPlan {
        cost: plan.cost(cost),
        plan,
    })
}

fn with(masses: &Array1<f64>, last: f64) -> Array1<f64> {
    masses.iter().copied().chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #[test]
        fn no_other_part_is_cheaper(n in 1_usize..6, seed in 0_u64..1000, share in 0.05_f64..1.0) {
            let mut rng = seed::rng(seed);
            let cost = Array2::from_shape_simple_fn((n, n + 1), || rng.normal());
            let a = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.1);
            let b = Array1::from_shape_simple_fn(n + 1, || rng.uniform() + 0.1);
            let mass = share * a.sum().min(b.sum());
            let part = partial_emd(&cost, &a, &b, mass).unwrap();
            let (rows, columns) = (part.plan.row_masses(), part.plan.column_masses());
            prop_assert!(rows.iter().zip(&a).chain(columns.iter().zip(&b)).all(|(part, all)| *part <= all + 1e-12));
            prop_assert!((rows.sum() - mass).abs() < 1e-12);
            // Whatever part of the rows and of the columns is chosen at random, to move it costs at least as much.
            for _ in 0..20 {
                let mut part_of = |masses: &Array1<f64>| {
                    let part = masses.mapv(|mass| mass * rng.uniform());
                    let missing = mass - part.sum();
                    if missing < 0.0 { &part * (mass / part.sum()) } else { &part + &((masses - &part) * (missing / (masses - &part).sum())) }
                };
                let other = emd(&cost, &part_of(&a), &part_of(&b)).unwrap();
                prop_assert!(other.cost >= part.cost - 1e-10, "{} {}", other.cost, part.cost);
            }
        }

        #[test]
        fn all_of_the_mass_is_the_whole_problem(n in 1_usize..8, seed in 0_u64..1000) {
            let mut rng = seed::rng(seed);
            let cost = Array2::from_shape_simple_fn((n, 4), || rng.normal());
            let (a, b) = (Array1::from_elem(n, 1.0), Array1::from_elem(4, n as f64 / 4.0));
            let part = partial_emd(&cost, &a, &b, n as f64).unwrap();
            prop_assert!((part.cost - emd(&cost, &a, &b).unwrap().cost).abs() < 1e-12);
        }
    }

    #[test]
    fn more_than_there_is_cannot_be_moved() {
        let (cost, one) = (array![[1.0]], array![1.0]);
        for mass in [0.0, 1.5, f64::NAN] {
            let error = partial_emd(&cost, &one, &array![2.0], mass).unwrap_err();
            assert!(error.to_string().contains("(0, 1]"), "{error}");
        }
    }
}
