//! Costs of moving one row onto another.

use ndarray::{Array2, Zip};
use translearn_core::{
    Features, TransferError,
    distance::{cosine_similarities, squared_distances},
    kernel::median,
};

/// What it costs to move a unit of mass from `x` to `y`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroundCost {
    /// `‖x − y‖²`.
    #[default]
    SquaredEuclidean,
    /// `‖x − y‖`.
    Euclidean,
    /// `1 − xᵀy / (‖x‖ ‖y‖)`; 1 where either row is all zeros.
    Cosine,
}

/// What costs are divided by, so that a regularisation means the same for any unit of the features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CostScale {
    /// Costs stay as they are.
    #[default]
    One,
    /// By the largest.
    Max,
    /// By the median.
    Median,
}

impl CostScale {
    /// What such costs are divided by: 1 where the largest, or the median, is 0.
    pub fn unit(self, cost: &Array2<f64>) -> f64 {
        let unit = match self {
            Self::One => None,
            Self::Max => cost.iter().copied().reduce(f64::max),
            Self::Median => {
                let mut sorted: Vec<f64> = cost.iter().copied().collect();
                median(&mut sorted)
            }
        };
        unit.filter(|&unit| unit > 0.0).unwrap_or(1.0)
    }
}

/// The cost of moving each row of `x` (`n x d`) onto each row of `y` (`m x d`): `n x m`.
///
/// Where the largest cost, or the median, is 0, costs stay as they are: rows that are all alike have no unit.
///
/// Costs `n·m·d` multiplications for dense tables; sparse ones are never made dense.
///
/// # Errors
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_transport::{CostScale, GroundCost, cost_matrix};
///
/// let x = Features::from(array![[0.0, 0.0]]);
/// let y = Features::from(array![[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]);
/// let cost = |ground, scale| cost_matrix(&x, &y, ground, scale);
/// assert_eq!(cost(GroundCost::Euclidean, CostScale::One)?, array![[5.0, 1.0, 0.0]]);
/// assert_eq!(cost(GroundCost::Euclidean, CostScale::Max)?, array![[1.0, 0.2, 0.0]]);
/// assert_eq!(cost(GroundCost::SquaredEuclidean, CostScale::Median)?, array![[25.0, 1.0, 0.0]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn cost_matrix(
    x: &Features,
    y: &Features,
    ground: GroundCost,
    scale: CostScale,
) -> Result<Array2<f64>, TransferError> {
    let mut cost = match ground {
        GroundCost::SquaredEuclidean => squared_distances(x, y)?,
        GroundCost::Euclidean => {
            let mut cost = squared_distances(x, y)?;
            Zip::from(&mut cost).par_for_each(|cost| *cost = cost.sqrt());
            cost
        }
        GroundCost::Cosine => {
            let mut cost = cosine_similarities(x, y)?;
            Zip::from(&mut cost).par_for_each(|cost| *cost = 1.0 - *cost);
            cost
        }
    };
    let unit = scale.unit(&cost);
    Zip::from(&mut cost).par_for_each(|cost| *cost /= unit);
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    proptest! {
        #[test]
        fn costs_are_those_of_the_formulas(n in 1_usize..6, m in 1_usize..6, d in 2_usize..5, seed in 0_u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((n, d), || rng.normal());
            let y = Array2::from_shape_simple_fn((m, d), || rng.normal());
            let naive = |ground, i, j| {
                let (x, y) = (x.row(i), y.row(j));
                let squared: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
                match ground {
                    GroundCost::SquaredEuclidean => squared,
                    GroundCost::Euclidean => squared.sqrt(),
                    GroundCost::Cosine => 1.0 - x.dot(&y) / (x.dot(&x) * y.dot(&y)).sqrt(),
                }
            };
            for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Cosine] {
                let expected = Array2::from_shape_fn((n, m), |(i, j)| naive(ground, i, j));
                let mut sorted: Vec<f64> = expected.iter().copied().collect();
                sorted.sort_by(f64::total_cmp);
                let middle = 0.5 * (sorted[(n * m - 1) / 2] + sorted[n * m / 2]);
                let units = [(CostScale::One, 1.0), (CostScale::Max, sorted[n * m - 1]), (CostScale::Median, middle)];
                for (scale, unit) in units {
                    let cost = cost_matrix(&x.clone().into(), &y.clone().into(), ground, scale).unwrap();
                    let worst = (&cost - &(&expected / unit)).fold(0.0_f64, |worst, v| worst.max(v.abs()));
                    prop_assert!(worst < 1e-9 / unit.min(1.0), "{ground:?} {scale:?}: {worst}");
                }
            }
        }
    }

    #[test]
    fn rows_that_are_all_alike_keep_their_costs_of_zero() {
        let x = Features::from(array![[1.0], [1.0]]);
        for scale in [CostScale::Max, CostScale::Median] {
            let cost = cost_matrix(&x, &x, GroundCost::Euclidean, scale).unwrap();
            assert_eq!(cost, Array2::<f64>::zeros((2, 2)));
        }
    }
}
