//! The barycentre of Gaussians.

use ndarray::{Array1, Array2};
use translearn_core::{
    TransferError,
    linalg::{gram, sqrtm_spd},
    setters,
};

use super::{Gaussian, squares, turned};
use crate::check::{check_lengths, check_masses, check_positive};

/// The Wasserstein barycentre of Gaussians: the Gaussian whose squared distances to all of them, weighted, sum to the
/// least.
///
/// *When.* Several samples are to be brought to a common place by maps that move them as little as can be.
///
/// # Formula
///
/// $$\min_{m, \Sigma} \sum_i w_i\, W_2^2\bigl(N(m, \Sigma), N(m_i, \Sigma_i)\bigr): \qquad
///   m = \sum_i w_i m_i, \quad \Sigma = \sum_i w_i (\Sigma^{1/2} \Sigma_i \Sigma^{1/2})^{1/2}$$
///
/// with weights that are made to sum to 1. Where a `Σ_i` of positive weight is regular, so is `Σ`, and there is one.
/// Where none is, the steps may become short long before the end: [`TransferError::NotConverged`] says so.
///
/// # Steps
///
/// `R ← Σ_i w_i Σ_i^(1/2) U_i` with `Σ = R Rᵀ` and the rotation `U_i` that brings the root of `Σ_i` closest to `R`; `R`
/// begins as `Σ_i w_i Σ_i^(1/2)`. That is the fixed-point iteration of Álvarez-Esteban and others,
/// `R ← (Σ_i w_i A_i) R` for the maps `A_i` from `Σ` to `Σ_i`, without the inverse of `Σ` that these maps need:
/// covariances may be singular, or nearly so. Covariances that commute are done after one step.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `max_iterations` | 1000 | 1, 2, … | steps |
/// | `tolerance` | 1e-10 | (0, ∞) | length of a step at which it stops, as a share of `R` |
///
/// The length of a step is that of the gradient: `‖ΔR‖²` is the cost of moving `N(0, Σ)` by `Σ_i w_i A_i`.
///
/// # Shapes and cost
///
/// `m` Gaussians of dimension `d`: O(m d³) a step.
///
/// # Errors
///
/// [`TransferError::Empty`] without Gaussians, [`TransferError::FeatureMismatch`] between two of them,
/// [`TransferError::LengthMismatch`] and [`TransferError::InvalidWeight`] for the weights,
/// [`TransferError::InvalidParameter`], [`TransferError::Linalg`] for covariances as in [`Gaussian::distance`], and
/// [`TransferError::NotConverged`] with the length of the last step.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{Gaussian, GaussianBarycentre};
///
/// let of = |mean, variance| Gaussian { mean: array![mean], covariance: array![[variance]] };
/// let between = GaussianBarycentre::new().solve(&[of(0.0, 1.0), of(4.0, 25.0)], &array![3.0, 1.0])?;
/// assert_eq!(between.gaussian, of(1.0, 4.0)); // deviations are averaged: (3 · 1 + 5) / 4
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Agueh, Carlier, *Barycenters in the Wasserstein space*, SIAM Journal on Mathematical Analysis 43(2), 2011,
/// doi:10.1137/100805741; Álvarez-Esteban, del Barrio, Cuesta-Albertos, Matrán, *A fixed-point approach to barycenters
/// in Wasserstein space*, Journal of Mathematical Analysis and Applications 441(2), 2016,
/// doi:10.1016/j.jmaa.2016.04.045.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianBarycentre {
    max_iterations: usize,
    tolerance: f64,
}

/// A barycentre, and how it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Barycentre {
    /// The Gaussian.
    pub gaussian: Gaussian,
    /// Steps done.
    pub iterations: usize,
    /// The length of the last step, as a share of `R`.
    pub residual: f64,
}

impl Default for GaussianBarycentre {
    fn default() -> Self {
        Self {
            max_iterations: 1000,
            tolerance: 1e-10,
        }
    }
}

setters!(GaussianBarycentre {
    /// Sets how many steps there may be.
    max_iterations: usize,
    /// Sets the length of a step at which it stops, as a share of `R`.
    tolerance: f64,
});

impl GaussianBarycentre {
    /// Default parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// The barycentre of Gaussians with their weights.
    ///
    /// # Errors
    /// See [`GaussianBarycentre`].
    pub fn solve(
        &self,
        gaussians: &[Gaussian],
        weights: &Array1<f64>,
    ) -> Result<Barycentre, TransferError> {
        check_positive("tolerance", self.tolerance)?;
        let Some(first) = gaussians.first() else {
            return Err(TransferError::Empty {
                what: "the list of Gaussians".to_owned(),
                needed: 1,
            });
        };
        gaussians
            .iter()
            .try_for_each(|other| first.check_width(other))?;
        check_lengths(
            "the Gaussians",
            gaussians.len(),
            "their weights",
            weights.len(),
        )?;
        check_masses("the weights", weights)?;
        let weights = weights / weights.sum();
        let roots = gaussians
            .iter()
            .map(|gaussian| sqrtm_spd(&gaussian.covariance))
            .collect::<Result<Vec<_>, _>>()?;
        let d = first.mean.len();
        let mut mean = Array1::zeros(d);
        let mut root = Array2::zeros((d, d));
        for ((gaussian, of_one), &weight) in gaussians.iter().zip(&roots).zip(&weights) {
            mean.scaled_add(weight, &gaussian.mean);
            root.scaled_add(weight, of_one);
        }
        let (mut iterations, mut residual) = (0, f64::INFINITY);
        while residual > self.tolerance {
            if iterations == self.max_iterations {
                return Err(TransferError::NotConverged {
                    what: "the barycentre of Gaussians".to_owned(),
                    iterations,
                    residual,
                    tolerance: self.tolerance,
                });
            }
            let mut next = Array2::zeros((d, d));
            for (of_one, &weight) in roots.iter().zip(&weights) {
                next.scaled_add(weight, &turned(of_one, &root)?);
            }
            let length = squares(root.iter()).sqrt();
            residual = match length > 0.0 {
                true => squares((&next - &root).iter()).sqrt() / length,
                false => 0.0,
            };
            root = next;
            iterations += 1;
        }
        Ok(Barycentre {
            gaussian: Gaussian {
                mean,
                covariance: gram(&root.t()),
            },
            iterations,
            residual,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{largest, random};
    use super::super::{sandwich, symmetric};
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::seed;

    /// `Σ_i w_i (Σ^½ Σ_i Σ^½)^½ − Σ`.
    fn fixed_point(gaussians: &[Gaussian], weights: &Array1<f64>, of: &Array2<f64>) -> Array2<f64> {
        let root = sqrtm_spd(of).unwrap();
        let mut sum = -of.clone();
        for (gaussian, &weight) in gaussians.iter().zip(weights) {
            let inner = symmetric(&sandwich(&root, &gaussian.covariance).unwrap());
            sum.scaled_add(weight, &sqrtm_spd(&inner).unwrap());
        }
        sum
    }

    fn spread(gaussians: &[Gaussian], weights: &Array1<f64>, about: &Gaussian) -> f64 {
        let costs = gaussians
            .iter()
            .map(|gaussian| gaussian.distance(about).unwrap().powi(2));
        costs.zip(weights).map(|(cost, weight)| cost * weight).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_gaussian_near_the_barycentre_is_nearer_to_all(d in 1_usize..6, count in 1_usize..5, seed in 0_u64..1000) {
            let gaussians: Vec<Gaussian> = (0..count).map(|i| random(d, 2 * d + 2, seed + i as u64)).collect();
            let mut rng = seed::rng(seed);
            let weights = Array1::from_shape_simple_fn(count, || rng.uniform() + 0.05);
            let shares = &weights / weights.sum();
            let found = GaussianBarycentre::new().solve(&gaussians, &weights).unwrap();
            let scale = largest(&found.gaussian.covariance);
            let left = largest(&fixed_point(&gaussians, &shares, &found.gaussian.covariance));
            prop_assert!(left < 1e-9 * scale, "{left:e}");
            let least = spread(&gaussians, &shares, &found.gaussian);
            for other in 0..4 {
                let mut nearby = found.gaussian.clone();
                let towards = random(d, 2 * d + 2, seed + 100 + other);
                nearby.mean = &nearby.mean * 0.99 + &towards.mean * 0.01;
                nearby.covariance = &nearby.covariance * 0.99 + &towards.covariance * 0.01;
                prop_assert!(spread(&gaussians, &shares, &nearby) >= least - 1e-12 * (1.0 + least));
            }
        }

        /// Deviations from 1 down to 1e-9, in axes of their own each, beside a covariance that is regular.
        #[test]
        fn nearly_singular_covariances_have_a_barycentre(d in 2_usize..5, seed in 0_u64..1000) {
            let flat = |seed: u64| {
                let axes = random(d, 2 * d, seed).covariance;
                let axes = translearn_core::linalg::eigh(&axes).unwrap().vectors;
                let deviations = Array1::from_shape_fn(d, |i| 10_f64.powf(-9.0 * i as f64 / (d - 1) as f64));
                gram(&(&axes * &deviations).t())
            };
            let of = |covariance| Gaussian { mean: Array1::zeros(d), covariance };
            let gaussians = [of(flat(seed)), of(flat(seed + 1)), random(d, 2 * d + 2, seed + 2)];
            let weights = array![0.4, 0.4, 0.2];
            let found = GaussianBarycentre::new().solve(&gaussians, &weights).unwrap();
            let scale = largest(&found.gaussian.covariance);
            let left = largest(&fixed_point(&gaussians, &weights, &found.gaussian.covariance));
            // A root of what rounding leaves of a variance of 0 is 1e-8.
            prop_assert!(left < 1e-7 * scale, "{left:e}");
        }
    }

    #[test]
    fn one_gaussian_and_points_are_their_own_barycentres() {
        let one = random(3, 9, 1);
        let found = GaussianBarycentre::new()
            .solve(std::slice::from_ref(&one), &array![2.0])
            .unwrap();
        assert!(largest(&(found.gaussian.covariance - one.covariance)) < 1e-14);
        let point = |mean| Gaussian {
            mean: array![mean, 1.0],
            covariance: Array2::zeros((2, 2)),
        };
        let found = GaussianBarycentre::new()
            .solve(&[point(0.0), point(3.0)], &array![1.0, 2.0])
            .unwrap();
        assert_eq!(found.gaussian, point(2.0));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_runs_out_says_so() {
        let solve = |gaussians: &[Gaussian], weights: Array1<f64>| {
            GaussianBarycentre::new()
                .solve(gaussians, &weights)
                .unwrap_err()
        };
        let (two, three) = (random(2, 9, 1), random(3, 9, 2));
        assert!(matches!(solve(&[], array![]), TransferError::Empty { .. }));
        assert!(matches!(
            solve(&[two.clone(), three], array![1.0, 1.0]),
            TransferError::FeatureMismatch { .. }
        ));
        assert!(matches!(
            solve(std::slice::from_ref(&two), array![1.0, 1.0]),
            TransferError::LengthMismatch { .. }
        ));
        assert!(matches!(
            solve(std::slice::from_ref(&two), array![-1.0]),
            TransferError::InvalidWeight { .. }
        ));
        let one_step = GaussianBarycentre::new().max_iterations(1);
        let error = one_step.solve(&[two, random(2, 9, 3)], &array![1.0, 1.0]);
        assert!(matches!(
            error,
            Err(TransferError::NotConverged { iterations: 1, .. })
        ));
    }
}
