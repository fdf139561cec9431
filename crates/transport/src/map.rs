//! From plans to maps of rows.

use ndarray::{Array2, Axis};
use translearn_core::{Features, TransferError, distance::nearest, linalg::matmul};

use crate::check::check_lengths;

/// The barycentric map of a plan: each source row goes to the mean of the target rows, weighted by what it sends there.
///
/// $$\hat x_i = \frac{\sum_j P_{ij}\, y_j}{\sum_j P_{ij}}$$
///
/// A row that sends nothing stays where it is. `plan` is `n x m`, `source` is `n x d`, `target` is `m x d`; O(n m d).
///
/// # Errors
/// [`TransferError::LengthMismatch`] when plan and rows do not fit, [`TransferError::FeatureMismatch`] for source and
/// target rows of different widths.
///
/// # Source
/// Courty, Flamary, Tuia, Rakotomamonjy, *Optimal Transport for Domain Adaptation*, IEEE Transactions on Pattern
/// Analysis and Machine Intelligence 39(9), 2017, doi:10.1109/TPAMI.2016.2615921.
///
/// ```
/// use ndarray::array;
/// use translearn_transport::barycentric_map;
///
/// let plan = array![[0.25, 0.25], [0.0, 0.5], [0.0, 0.0]];
/// let mapped = barycentric_map(&plan, &array![[0.0], [1.0], [7.0]], &array![[2.0], [4.0]])?;
/// assert_eq!(mapped, array![[3.0], [4.0], [7.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn barycentric_map(
    plan: &Array2<f64>,
    source: &Array2<f64>,
    target: &Array2<f64>,
) -> Result<Array2<f64>, TransferError> {
    check_lengths("the plan", plan.nrows(), "the source", source.nrows())?;
    check_lengths(
        "the transposed plan",
        plan.ncols(),
        "the target",
        target.nrows(),
    )?;
    check_width("the source", source, "the target", target)?;
    let mut mapped = matmul(plan, target)?;
    for ((mut image, sent), row) in mapped
        .rows_mut()
        .into_iter()
        .zip(plan.rows())
        .zip(source.rows())
    {
        let mass = sent.sum();
        if mass > 0.0 {
            image /= mass;
        } else {
            image.assign(&row);
        }
    }
    Ok(mapped)
}

/// Maps rows that were not part of the plan: each moves as the nearest source row does.
///
/// $$x \mapsto x + \hat x_i - x_i \quad\text{with}\quad i = \arg\min_i \lVert x - x_i \rVert$$
///
/// the first of several nearest rows. `fresh` is `k x d`, `source` and `mapped` (from [`barycentric_map`]) are `n x d`;
/// O(k n d).
///
/// # Errors
/// [`TransferError::FeatureMismatch`], [`TransferError::LengthMismatch`], [`TransferError::NotFinite`],
/// [`TransferError::TooFewRows`] for a source without rows.
///
/// # Source
/// Ferradans, Papadakis, Peyré, Aujol, *Regularized Discrete Optimal Transport*, SIAM Journal on Imaging Sciences 7(3),
/// 2014, doi:10.1137/130929886.
///
/// ```
/// use ndarray::array;
/// use translearn_transport::map_out_of_sample;
///
/// let (source, mapped) = (array![[0.0], [10.0]], array![[5.0], [10.0]]);
/// let moved = map_out_of_sample(&array![[1.0], [9.0], [0.0]], &source, &mapped)?;
/// assert_eq!(moved, array![[6.0], [9.0], [5.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn map_out_of_sample(
    fresh: &Array2<f64>,
    source: &Array2<f64>,
    mapped: &Array2<f64>,
) -> Result<Array2<f64>, TransferError> {
    check_lengths(
        "the source",
        source.nrows(),
        "the mapped source",
        mapped.nrows(),
    )?;
    check_width("the source", source, "the mapped source", mapped)?;
    let queries = Features::from(fresh.to_owned());
    let found = nearest(&queries, &Features::from(source.to_owned()), 1)?;
    let mut moved = fresh.to_owned();
    for (mut row, &i) in moved.axis_iter_mut(Axis(0)).zip(found.indices.column(0)) {
        row += &(&mapped.row(i) - &source.row(i));
    }
    Ok(moved)
}

fn check_width(
    left: &str,
    left_rows: &Array2<f64>,
    right: &str,
    right_rows: &Array2<f64>,
) -> Result<(), TransferError> {
    if left_rows.ncols() == right_rows.ncols() {
        return Ok(());
    }
    Err(TransferError::FeatureMismatch {
        left: left.to_owned(),
        left_features: left_rows.ncols(),
        right: right.to_owned(),
        right_features: right_rows.ncols(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emd;
    use ndarray::Array1;
    use proptest::prelude::*;
    use translearn_core::seed;

    fn random(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut rng = seed::rng(seed);
        Array2::from_shape_simple_fn((n, d), || rng.normal())
    }

    proptest! {
        #[test]
        fn images_are_the_weighted_means(n in 1_usize..6, m in 1_usize..6, seed in 0_u64..1000) {
            let (x, y) = (random(n, 2, seed), random(m, 2, seed + 1));
            let plan = random(n, m, seed + 2).mapv(|v| v.max(0.0));
            let mapped = barycentric_map(&plan, &x, &y).unwrap();
            for i in 0..n {
                for c in 0..2 {
                    let mass: f64 = (0..m).map(|j| plan[[i, j]]).sum();
                    let sent: f64 = (0..m).map(|j| plan[[i, j]] * y[[j, c]]).sum();
                    let expected = if mass > 0.0 { sent / mass } else { x[[i, c]] };
                    prop_assert!((mapped[[i, c]] - expected).abs() < 1e-12);
                }
            }
            // Rows of the plan go where the plan sends them, and identical rows stay.
            let again = map_out_of_sample(&x, &x, &mapped).unwrap();
            prop_assert!((again - mapped).iter().all(|v| v.abs() < 1e-12));
        }

        #[test]
        fn equal_samples_stay_where_they_are(n in 1_usize..9, seed in 0_u64..1000) {
            let x = random(n, 3, seed);
            let cost = crate::cost_matrix(&x.clone().into(), &x.clone().into(), crate::GroundCost::SquaredEuclidean, crate::CostScale::Max).unwrap();
            let masses = Array1::from_elem(n, 1.0);
            let plan = emd(&cost, &masses, &masses).unwrap().plan.dense();
            prop_assert!((barycentric_map(&plan, &x, &x).unwrap() - x).iter().all(|v| v.abs() < 1e-14));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (x, y) = (random(3, 2, 1), random(4, 2, 2));
        assert!(matches!(
            barycentric_map(&Array2::zeros((3, 3)), &x, &y),
            Err(TransferError::LengthMismatch { right_len: 4, .. })
        ));
        assert!(matches!(
            barycentric_map(&Array2::zeros((3, 4)), &x, &random(4, 3, 2)),
            Err(TransferError::FeatureMismatch { .. })
        ));
        assert!(matches!(
            map_out_of_sample(&random(1, 3, 1), &x, &x),
            Err(TransferError::FeatureMismatch { .. })
        ));
    }
}
