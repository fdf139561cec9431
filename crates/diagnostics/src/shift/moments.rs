//! Distances between means and covariances, and along random directions.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, TransferError,
    linalg::{covariance, matmul},
    seed, setters,
};
use translearn_transport::{Gaussian, random_directions, sliced_wasserstein};

use super::relabel::{Pair, p_value, relabel};
use super::{N_PERMUTATIONS, TestResult};
use crate::check::check_count;

/// Distances between what two samples have of means, covariances and projections, with a permutation test.
///
/// *When.* To say how far apart domains are in the terms of a method: what CORAL aligns, what a linear map can repair, or,
/// with `sliced-wasserstein`, all of the distribution at the cost of sorting.
///
/// # Formula
///
/// | `kind` | distance |
/// |---|---|
/// | `coral` | `‖C_S − C_T‖²_F / 4 d²` |
/// | `frechet` | `‖μ_S − μ_T‖² + tr(C_S + C_T − 2 (C_S^{1/2} C_T C_S^{1/2})^{1/2})`, the squared Wasserstein distance of normal distributions |
/// | `sliced-wasserstein` | the mean over `n_directions` random directions of `∫ \|F_S − F_T\|`, the Wasserstein distance on a line |
///
/// with means `μ`, covariances `C` (divisors `n − 1`) and distribution functions `F`. The effect is `1 − T̄ / T` with the mean
/// `T̄` over the relabellings: the share of the distance that is not noise of the sample.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `kind` | `coral` | see above | the distance |
/// | `n_directions` | 50 | integer ≥ 1 | directions of `sliced-wasserstein` |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// For N rows and d columns: `coral` O(N d² B), `frechet` O((N d² + d³) B), `sliced-wasserstein` O(N log N · n_directions · B).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows a domain, [`TransferError::DenseTooLarge`],
/// [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_core::Features;
/// use translearn_diagnostics::shift::{MomentDistance, MomentKind};
///
/// let source = Features::from(array![[0.0], [2.0], [4.0]]);
/// let target = Features::from(array![[3.0], [5.0], [7.0]]);
/// // The same spread three further: no difference of covariances, and 3² between the means.
/// let distance = |kind| MomentDistance::default().kind(kind).distance(&source, &target, 0);
/// assert_eq!(distance(MomentKind::Coral)?, 0.0);
/// assert!((distance(MomentKind::Frechet)? - 9.0).abs() < 1e-12);
/// assert!((distance(MomentKind::SlicedWasserstein)? - 3.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Sun, Saenko, *Deep CORAL*, ECCV 2016 workshops, doi:10.1007/978-3-319-49409-8_35; Dowson, Landau, *The Fréchet distance
/// between multivariate normal distributions*, Journal of Multivariate Analysis 12(3), 1982,
/// doi:10.1016/0047-259X(82)90077-X; Bonneel, Rabin, Peyré, Pfister, *Sliced and Radon Wasserstein barycenters of
/// measures*, 2015, doi:10.1007/s10851-014-0506-3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MomentDistance {
    kind: MomentKind,
    n_directions: usize,
    n_permutations: usize,
}

/// Which distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// Between covariances.
    #[default]
    Coral,
    /// Between normal distributions.
    Frechet,
    /// Along random directions.
    SlicedWasserstein,
}

impl Default for MomentDistance {
    fn default() -> Self {
        Self {
            kind: MomentKind::Coral,
            n_directions: 50,
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(MomentDistance {
    /// Sets the distance.
    kind: MomentKind,
    /// Sets the number of directions of `sliced-wasserstein`.
    n_directions: usize,
    /// Sets the number of relabellings.
    n_permutations: usize,
});

impl MomentDistance {
    /// The distance between two samples; the seed draws the directions.
    ///
    /// # Errors
    /// See the type.
    pub fn distance(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<f64, TransferError> {
        let pair = Pair::new(source, target)?;
        let (source, target) = (
            self.view(&pair.source, seed)?,
            self.view(&pair.target, seed)?,
        );
        self.between(&source, &target)
    }

    /// Tests whether two samples are from one distribution; the seed draws directions and relabellings.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<TestResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        let pair = Pair::new(source, target)?;
        let sizes = pair.sizes();
        let pooled = self.view(&pair.pooled()?, seed)?;
        let (statistic, relabelled) = relabel(
            pooled.view(),
            sizes,
            self.n_permutations,
            seed,
            |source, target| self.between(source, target),
        )?;
        let noise = relabelled.iter().sum::<f64>() / relabelled.len() as f64;
        Ok(TestResult {
            test: match self.kind {
                MomentKind::Coral => "CORAL distance",
                MomentKind::Frechet => "Fréchet distance",
                MomentKind::SlicedWasserstein => "sliced Wasserstein distance",
            }
            .to_owned(),
            statistic,
            p_value: p_value(statistic, &relabelled, 1e3 * noise),
            effect: if statistic > 0.0 {
                (1.0 - noise / statistic).max(0.0)
            } else {
                0.0
            },
            n_source: sizes.source,
            n_target: sizes.target,
        })
    }

    /// The rows, or where they lie along each direction.
    fn view(&self, rows: &Features, seed: u64) -> Result<Array2<f64>, TransferError> {
        let rows = rows.dense()?;
        match self.kind {
            MomentKind::Coral | MomentKind::Frechet => Ok(rows.into_owned()),
            MomentKind::SlicedWasserstein => {
                check_count("n_directions", self.n_directions, 1)?;
                let seed = seed::derive(seed, &["directions"]);
                let directions = random_directions(rows.ncols(), self.n_directions, seed);
                Ok(matmul(&*rows, &directions)?)
            }
        }
    }

    fn between(&self, source: &Array2<f64>, target: &Array2<f64>) -> Result<f64, TransferError> {
        let equal = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
        match self.kind {
            MomentKind::Coral => {
                let difference = covariance(source)? - covariance(target)?;
                let squares: f64 = difference.iter().map(|v| v * v).sum();
                Ok(squares / (4.0 * (source.ncols() as f64).powi(2)))
            }
            MomentKind::Frechet => {
                let gaussian = |x: &Array2<f64>| -> Result<Gaussian, TransferError> {
                    Ok(Gaussian {
                        mean: x.sum_axis(Axis(0)) / x.nrows() as f64,
                        covariance: covariance(x)?,
                    })
                };
                Ok(gaussian(source)?.distance(&gaussian(target)?)?.powi(2))
            }
            MomentKind::SlicedWasserstein => {
                // Along the axes of the projections, whose mean is over lines.
                let axes = Array2::eye(source.ncols());
                let (m, n) = (equal(source.nrows()), equal(target.nrows()));
                sliced_wasserstein(source, &m, target, &n, &axes, 1.0)
            }
        }
    }
}
