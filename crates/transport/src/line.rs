//! Transport on the line, where sorting is all there is to do.

use ndarray::Array1;
use translearn_core::TransferError;

use crate::check::{check_balanced, check_lengths, check_masses};
use crate::plan::SparsePlan;

/// The plan that moves masses on the line in order, and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePlan {
    /// The plan, at most `n + m - 1` entries.
    pub plan: SparsePlan,
    /// `Σ_ij |x_i - y_j|^p P_ij`.
    pub cost: f64,
}

/// The cheapest way to move masses `a` at the points `x` of the line to masses `b` at `y`, for the cost `|x − y|^p`.
///
/// # Formula
///
/// $$W_p^p = \int_0^1 \lvert F_x^{-1}(q) - F_y^{-1}(q) \rvert^p \,\mathrm d q$$
///
/// with the quantile functions of both sides, times the mass: since `|·|^p` is convex, moving in order is optimal.
///
/// # Shapes and cost
///
/// `x` and `a` have `n` entries, `y` and `b` have `m`; O(n ln n + m ln m).
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::InvalidWeight`], [`TransferError::UnequalMass`],
/// [`TransferError::NotFinite`] for points, [`TransferError::InvalidParameter`] for `p` below 1.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::transport_on_line;
///
/// let half = array![0.5, 0.5];
/// let moved = transport_on_line(&array![0.0, 3.0], &half, &array![4.0, 1.0], &half, 2.0)?;
/// assert_eq!(moved.cost, 1.0); // each half moves by 1
/// assert_eq!(moved.plan.dense(), array![[0.0, 0.5], [0.5, 0.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Peyré, Cuturi, *Computational Optimal Transport*, Foundations and Trends in Machine Learning 11, 2019, section 2.6,
/// doi:10.1561/2200000073.
pub fn transport_on_line(
    x: &Array1<f64>,
    a: &Array1<f64>,
    y: &Array1<f64>,
    b: &Array1<f64>,
    p: f64,
) -> Result<LinePlan, TransferError> {
    for (points, masses, of_points, of_masses) in [
        (x, a, "the points on the left", "the masses on the left"),
        (y, b, "the points on the right", "the masses on the right"),
    ] {
        check_lengths(of_points, points.len(), of_masses, masses.len())?;
        check_masses(of_masses, masses)?;
        if let Some(row) = points.iter().position(|point| !point.is_finite()) {
            return Err(TransferError::NotFinite {
                what: of_points.to_owned(),
                row,
                column: 0,
                value: points[row].to_string(),
            });
        }
    }
    check_balanced(a, b)?;
    check_power(p)?;
    let (left, right) = (order(x), order(y));
    let mut entries = Vec::with_capacity(x.len() + y.len());
    let mut cost = 0.0;
    merge(&left, a, &right, b, |i, j, mass| {
        cost += mass * power((x[i] - y[j]).abs(), p);
        entries.push((i, j, mass));
    });
    Ok(LinePlan {
        plan: SparsePlan::new((x.len(), y.len()), entries),
        cost,
    })
}

pub(crate) fn check_power(p: f64) -> Result<(), TransferError> {
    if p >= 1.0 && p.is_finite() {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: "p".to_owned(),
        value: p.to_string(),
        range: "[1, ∞)".to_owned(),
    })
}

/// `distance^p`, exact for 1 and 2.
pub(crate) fn power(distance: f64, p: f64) -> f64 {
    if p == 1.0 {
        distance
    } else if p == 2.0 {
        distance * distance
    } else {
        distance.powf(p)
    }
}

/// Positions in ascending order, the first of equal ones first.
pub(crate) fn order(points: &Array1<f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&i, &j| points[i].total_cmp(&points[j]));
    order
}

/// Hands out what moves from where to where when both sides are gone through in order.
pub(crate) fn merge(
    left: &[usize],
    a: &Array1<f64>,
    right: &[usize],
    b: &Array1<f64>,
    mut moves: impl FnMut(usize, usize, f64),
) {
    // Sums from the start, not what is left of the single masses: then rounding does not add up.
    let ends = |order: &[usize], masses: &Array1<f64>| -> Vec<f64> {
        let total = masses.sum();
        let sums = order.iter().scan(0.0, |sum, &i| {
            *sum += masses[i];
            Some(*sum)
        });
        let mut ends: Vec<f64> = sums.map(|sum| sum / total).collect();
        // To the end, whatever rounding says; what follows has no mass.
        let last = order.iter().rposition(|&i| masses[i] > 0.0).unwrap_or(0);
        ends[last..].fill(1.0);
        ends
    };
    let (left_ends, right_ends) = (ends(left, a), ends(right, b));
    let total = a.sum();
    let (mut i, mut j, mut start) = (0, 0, 0.0);
    while i < left.len() && j < right.len() {
        let end = left_ends[i].min(right_ends[j]);
        if end > start {
            moves(left[i], right[j], (end - start) * total);
            start = end;
        }
        // Both at once when they end together.
        let (left_done, right_done) = (left_ends[i] <= end, right_ends[j] <= end);
        i += usize::from(left_done);
        j += usize::from(right_done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emd;
    use ndarray::{Array2, array};
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #[test]
        fn costs_what_the_network_simplex_finds(n in 1_usize..12, m in 1_usize..12, seed in 0_u64..1000, p in 1.0_f64..3.0) {
            let mut rng = seed::rng(seed);
            let x = Array1::from_shape_simple_fn(n, || rng.normal());
            let y = Array1::from_shape_simple_fn(m, || rng.normal());
            let a = Array1::from_shape_simple_fn(n, || rng.uniform() + 0.01);
            let b = Array1::from_shape_simple_fn(m, || rng.uniform() + 0.01);
            let b = &b * (a.sum() / b.sum());
            let moved = transport_on_line(&x, &a, &y, &b, p).unwrap();
            let cost = Array2::from_shape_fn((n, m), |(i, j)| (x[i] - y[j]).abs().powf(p));
            let exact = emd(&cost, &a, &b).unwrap();
            prop_assert!((moved.cost - exact.cost).abs() < 1e-10, "{} {}", moved.cost, exact.cost);
            prop_assert!((moved.plan.cost(&cost) - moved.cost).abs() < 1e-12);
            for (plan, masses) in [(moved.plan.row_masses(), &a), (moved.plan.column_masses(), &b)] {
                prop_assert!(plan.iter().zip(masses).all(|(p, m)| (p - m).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn points_and_powers_that_are_none_are_refused() {
        let one = array![1.0];
        let on_line = |x: f64, p| transport_on_line(&array![x], &one, &one, &one, p);
        assert!(matches!(
            on_line(f64::NAN, 1.0),
            Err(TransferError::NotFinite { .. })
        ));
        assert!(matches!(
            on_line(0.0, 0.5),
            Err(TransferError::InvalidParameter { .. })
        ));
        assert_eq!(on_line(0.0, 3.0).unwrap().cost, 1.0);
    }
}
