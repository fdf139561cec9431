//! Transport between Gaussian distributions: distances and maps in closed form, and the barycentre.

mod barycentre;

pub use barycentre::{Barycentre, GaussianBarycentre};

use ndarray::{Array1, Array2};
use translearn_core::{
    TransferError,
    linalg::{gram, inv_sqrtm_spd, matmul, sqrtm_spd, svd_thin},
};

use crate::check::{check_finite, check_lengths, check_masses};

/// A Gaussian distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// Its mean, length `d`.
    pub mean: Array1<f64>,
    /// Its covariance, `d x d`.
    pub covariance: Array2<f64>,
}

/// An affine map `x ↦ x A + b` with symmetric `A`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearMap {
    /// `A`, `d x d`.
    pub matrix: Array2<f64>,
    /// `b`, length `d`.
    pub offset: Array1<f64>,
}

impl Gaussian {
    /// The Gaussian with the mean and the covariance (divisor: the sum of the masses) of weighted rows, plus `ridge` on
    /// the diagonal of the covariance.
    ///
    /// # Errors
    /// [`TransferError::LengthMismatch`], [`TransferError::InvalidWeight`] for masses, [`TransferError::NotFinite`] for
    /// rows, [`TransferError::InvalidParameter`] for a ridge below 0.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_transport::Gaussian;
    ///
    /// let of = Gaussian::of(&array![[0.0], [4.0]], &array![3.0, 1.0], 0.0)?;
    /// assert_eq!((of.mean, of.covariance), (array![1.0], array![[3.0]]));
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn of(x: &Array2<f64>, masses: &Array1<f64>, ridge: f64) -> Result<Self, TransferError> {
        check_lengths("the rows", x.nrows(), "their masses", masses.len())?;
        check_masses("the masses of the rows", masses)?;
        check_finite("the rows", x)?;
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(TransferError::InvalidParameter {
                name: "ridge".to_owned(),
                value: ridge.to_string(),
                range: "[0, ∞)".to_owned(),
            });
        }
        let shares = masses / masses.sum();
        let mean = shares.dot(x);
        let mut scaled = x - &mean;
        for (mut row, share) in scaled.rows_mut().into_iter().zip(&shares) {
            row *= share.sqrt();
        }
        let mut covariance = gram(&scaled);
        covariance
            .diag_mut()
            .mapv_inplace(|variance| variance + ridge);
        Ok(Self { mean, covariance })
    }

    /// The 2-Wasserstein distance, which on Gaussians is that of Bures:
    ///
    /// $$W_2^2 = \lVert m - m' \rVert^2 + \operatorname{tr}\bigl(\Sigma + \Sigma' -
    ///   2 (\Sigma^{1/2} \Sigma' \Sigma^{1/2})^{1/2}\bigr)$$
    ///
    /// computed as `‖m − m'‖² + ‖Σ^½ − Σ'^½ U‖²` with the rotation `U` that brings the roots closest together, which
    /// loses nothing to cancellation where the two are nearly alike. Covariances may be singular. O(d³).
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`]; [`TransferError::Linalg`] for covariances that are not symmetric, not finite
    /// or have an eigenvalue below 0.
    ///
    /// # Source
    /// Dowson, Landau, *The Fréchet distance between multivariate normal distributions*, Journal of Multivariate
    /// Analysis 12, 1982, doi:10.1016/0047-259X(82)90077-X; Bhatia, Jain, Lim, *On the Bures–Wasserstein distance
    /// between positive definite matrices*, Expositiones Mathematicae 37, 2019, doi:10.1016/j.exmath.2018.01.002.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_transport::Gaussian;
    ///
    /// let of = |mean, variance| Gaussian { mean: array![mean], covariance: array![[variance]] };
    /// assert_eq!(of(0.0, 1.0).distance(&of(4.0, 16.0))?, 5.0); // √(4² + (1 - 4)²)
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn distance(&self, other: &Self) -> Result<f64, TransferError> {
        self.check_width(other)?;
        let (left, right) = (sqrtm_spd(&self.covariance)?, sqrtm_spd(&other.covariance)?);
        let between_roots = &left - &turned(&right, &left)?;
        let between_means = &self.mean - &other.mean;
        Ok((squares(between_means.iter()) + squares(between_roots.iter())).sqrt())
    }

    /// The cheapest map onto another Gaussian, for squared Euclidean costs: `x ↦ m' + (x − m) A` with
    ///
    /// $$A = \Sigma^{-1/2} (\Sigma^{1/2} \Sigma' \Sigma^{1/2})^{1/2} \Sigma^{-1/2}$$
    ///
    /// the one symmetric positive semi-definite matrix with `A Σ A = Σ'`. O(d³).
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`]; [`TransferError::Linalg`] for covariances as in [`Gaussian::distance`], and
    /// where that of `self` is singular: give [`Gaussian::of`] a ridge.
    ///
    /// # Source
    /// Knott, Smith, *On the optimal mapping of distributions*, Journal of Optimization Theory and Applications 43,
    /// 1984, doi:10.1007/BF00934745.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_transport::Gaussian;
    ///
    /// let of = |mean, variance| Gaussian { mean: array![mean], covariance: array![[variance]] };
    /// let map = of(1.0, 1.0).map_to(&of(5.0, 9.0))?;
    /// assert_eq!(map.apply(&array![[2.0]])?, array![[8.0]]); // 5 + 3 (2 - 1)
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn map_to(&self, other: &Self) -> Result<LinearMap, TransferError> {
        self.check_width(other)?;
        // Products of two covariances could overflow or vanish; their units come back as the root of their ratio.
        let (unit, other_unit) = (deviation(&self.covariance), deviation(&other.covariance));
        let covariance = &self.covariance / unit / unit;
        let root = sqrtm_spd(&covariance)?;
        let inverse = inv_sqrtm_spd(&covariance)?;
        let onto = &other.covariance / other_unit / other_unit;
        let inner = sqrtm_spd(&symmetric(&sandwich(&root, &onto)?))?;
        let matrix = symmetric(&sandwich(&inverse, &inner)?) * (other_unit / unit);
        let offset = &other.mean - &self.mean.dot(&matrix);
        Ok(LinearMap { matrix, offset })
    }

    fn check_width(&self, other: &Self) -> Result<(), TransferError> {
        if self.mean.len() == other.mean.len() {
            return Ok(());
        }
        Err(TransferError::FeatureMismatch {
            left: "the Gaussian on the left".to_owned(),
            left_features: self.mean.len(),
            right: "the Gaussian on the right".to_owned(),
            right_features: other.mean.len(),
        })
    }
}

impl LinearMap {
    /// The images of rows (`n x d`).
    ///
    /// # Errors
    /// [`TransferError::Linalg`] for rows of another width.
    pub fn apply(&self, x: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
        Ok(matmul(x, &self.matrix)? + &self.offset)
    }
}

/// The power of two next to the largest standard deviation, so that division by it is exact; 1 where there is none.
fn deviation(covariance: &Array2<f64>) -> f64 {
    let largest = covariance.fold(0.0_f64, |largest, v| largest.max(v.abs()));
    if largest > 0.0 && largest.is_finite() {
        largest.sqrt().log2().round().exp2()
    } else {
        1.0
    }
}

fn squares<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.map(|value| value * value).sum()
}

/// A symmetric root, turned so that it comes closest to another (of any form): `S U` for the orthogonal `U` that makes
/// `‖S U − R‖` least. The two are the same rows of the best coupling of their Gaussians.
fn turned(root: &Array2<f64>, to: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
    let svd = svd_thin(&matmul(root, to)?)?;
    let rotation = matmul(&svd.u, &svd.v.t())?;
    Ok(matmul(root, &rotation)?)
}

/// `S M S`.
fn sandwich(outer: &Array2<f64>, inner: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
    Ok(matmul(&matmul(outer, inner)?, outer)?)
}

/// `(M + Mᵀ) / 2`: what rounding leaves unsymmetric.
fn symmetric(m: &Array2<f64>) -> Array2<f64> {
    (m + &m.t()) * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array};
    use proptest::prelude::*;
    use translearn_core::seed;

    pub(super) fn random(d: usize, rows: usize, seed: u64) -> Gaussian {
        let mut rng = seed::rng(seed);
        let x = Array2::from_shape_simple_fn((rows, d), || rng.normal());
        Gaussian::of(&x, &Array1::ones(rows), 0.0).unwrap()
    }

    pub(super) fn largest(m: &Array2<f64>) -> f64 {
        m.fold(0.0_f64, |largest, v| largest.max(v.abs()))
    }

    proptest! {
        #[test]
        fn the_map_carries_one_gaussian_onto_the_other_at_the_cost_of_the_distance(d in 1_usize..6, seed in 0_u64..1000) {
            let (p, q) = (random(d, 3 * d + 2, seed), random(d, 3 * d + 2, seed + 1));
            let LinearMap { matrix, offset } = p.map_to(&q).unwrap();
            // Onto: mean and covariance of the image. Optimal: symmetric and positive, a gradient of a convex function.
            prop_assert!(largest(&(sandwich(&matrix, &p.covariance).unwrap() - &q.covariance)) < 1e-8);
            prop_assert!((&p.mean.dot(&matrix) + &offset - &q.mean).iter().all(|v| v.abs() < 1e-10));
            prop_assert_eq!(&matrix, &matrix.t().to_owned());
            prop_assert!(sqrtm_spd(&matrix).is_ok());
            // The cost of the map: ‖m − m'‖² + tr((A − I) Σ (A − I)).
            let shift = &matrix - &Array2::<f64>::eye(d);
            let moved = &p.mean - &q.mean;
            let cost = moved.dot(&moved) + sandwich(&shift, &p.covariance).unwrap().diag().sum();
            prop_assert!((p.distance(&q).unwrap().powi(2) - cost).abs() < 1e-8 * (1.0 + cost));
            // The distance as its formula has it.
            let root = sqrtm_spd(&p.covariance).unwrap();
            let cross = sqrtm_spd(&symmetric(&sandwich(&root, &q.covariance).unwrap())).unwrap();
            let bures = p.covariance.diag().sum() + q.covariance.diag().sum() - 2.0 * cross.diag().sum();
            prop_assert!((p.distance(&q).unwrap().powi(2) - moved.dot(&moved) - bures).abs() < 1e-8 * (1.0 + cost));
        }

        #[test]
        fn weight_two_is_the_row_twice(seed in 0_u64..1000) {
            let mut rng = seed::rng(seed);
            let x = Array2::from_shape_simple_fn((4, 3), || rng.normal());
            let twice = x.select(Axis(0), &[0, 1, 1, 2, 3]);
            let weighted = Gaussian::of(&x, &array![1.0, 2.0, 1.0, 1.0], 0.1).unwrap();
            let repeated = Gaussian::of(&twice, &Array1::ones(5), 0.1).unwrap();
            prop_assert!(largest(&(weighted.covariance - repeated.covariance)) < 1e-13);
            prop_assert!((weighted.mean - repeated.mean).iter().all(|v| v.abs() < 1e-14));
        }
    }

    #[test]
    fn maps_between_extreme_scales_are_found() {
        for (from, to) in [(1e300, 1e300), (1e-300, 1e300), (1e300, 1e-300)] {
            let of = |variance: f64| Gaussian {
                mean: array![0.0, 0.0],
                covariance: array![[variance, 0.0], [0.0, 4.0 * variance]],
            };
            let map = of(from).map_to(&of(to)).unwrap();
            let expected = Array2::<f64>::eye(2) * (to.sqrt() / from.sqrt());
            assert!(largest(&(map.matrix - &expected)) < 1e-12 * expected[[0, 0]]);
        }
    }

    #[test]
    fn nearly_equal_gaussians_lose_nothing_to_cancellation() {
        let of = |variance: f64| Gaussian {
            mean: array![0.0, 0.0],
            covariance: array![[variance, 0.0], [0.0, 1.0]],
        };
        // (1 + 1e-7)² against 1: the distance is 1e-7.
        let distance = of((1.0 + 1e-7_f64).powi(2)).distance(&of(1.0)).unwrap();
        assert!((distance - 1e-7).abs() < 1e-14, "{distance}");
        assert!(of(2.0).distance(&of(2.0)).unwrap() < 1e-15);
    }

    #[test]
    fn a_singular_covariance_has_a_distance_but_no_map() {
        let point = random(3, 2, 1);
        let other = random(3, 9, 2);
        assert!(point.distance(&other).unwrap() > 0.0);
        assert!(matches!(
            point.map_to(&other),
            Err(TransferError::Linalg(_))
        ));
        assert!(matches!(
            random(2, 5, 1).distance(&other),
            Err(TransferError::FeatureMismatch { .. })
        ));
    }
}
