//! LEEP for features without a classifier.

use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Labels, TransferError,
    linalg::{covariance, eigh_largest, matmul},
    setters,
};

use super::mixture::Mixture;
use super::{Classified, SourceProbabilities, leep};
use crate::check::check_count;

/// N-LEEP: [`leep`] with the components of a mixture of normal distributions in place of a source's classes.
///
/// *When.* Features whose model has no classifier, or one that would not fit, as after training without labels.
///
/// # Formula
///
/// $$\mathrm{NLEEP} = \frac1n \sum_i \ln \sum_v \hat P(y_i \mid v)\, p(v \mid f_i), \qquad
///   p(v \mid f) \propto \pi_v \prod_k \mathcal N(f_k;\, \mu_{vk},\, s_{vk})$$
///
/// with `P̂(y | v)` as for [`leep`] and the mixture fitted on the first principal components of the rows.
///
/// # Steps
///
/// 1. Rows are turned into their `n_components` principal components, all where there are no more.
/// 2. The mixture, `clusters_per_class` components for each class that occurs but no more than a third of the rows, is fitted by
///    expectation and maximisation, until a round raises the mean log-likelihood of a row by at most 1e-6. The start is
///    drawn by the seed as the centres of k-means++ are. No variance is below a thousandth of the mean variance.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 32 | integer ≥ 1 | principal components |
/// | `clusters_per_class` | 5 | integer ≥ 1 | components of the mixture |
///
/// # Shapes and cost
///
/// O(n d² + d³) for the components, O(n V k) a round for V components of the mixture in k columns.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows, [`TransferError::TooFewClasses`] for a single class,
/// [`TransferError::Unsupported`] for rows that are all alike, [`TransferError::NotConverged`] and
/// [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, Labels, seed};
/// use translearn_diagnostics::transferability::NLeep;
///
/// let mut rng = seed::rng(1);
/// let labels: Vec<usize> = (0..60).map(|row| row % 2).collect();
/// let features = Array2::from_shape_fn((60, 2), |(row, _)| 9.0 * labels[row] as f64 + rng.normal());
/// let score = NLeep::default().clusters_per_class(1).score(&features.into(), &Labels::Classes(labels.into()), 0)?;
/// assert!(score > -1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Li, Jia, Sang, Zhu, Green, Wang, Gong, *Ranking neural checkpoints*, CVPR 2021, doi:10.1109/CVPR46437.2021.00269.
///
/// *Where we differ.* The paper's mixture has full covariances; here columns are independent within a component, which a few rows
/// for each component can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NLeep {
    n_components: usize,
    clusters_per_class: usize,
}

impl Default for NLeep {
    fn default() -> Self {
        Self {
            n_components: 32,
            clusters_per_class: 5,
        }
    }
}

setters!(NLeep {
    /// Sets the number of principal components.
    n_components: usize,
    /// Sets the components of the mixture for each class.
    clusters_per_class: usize,
});

impl NLeep {
    /// The score of features for a task; the seed draws the start of the mixture.
    ///
    /// # Errors
    /// See the type.
    pub fn score(
        &self,
        features: &Features,
        labels: &Labels,
        seed: u64,
    ) -> Result<f64, TransferError> {
        check_count("n_components", self.n_components, 1)?;
        check_count("clusters_per_class", self.clusters_per_class, 1)?;
        // The same rows in the same order, however they came: the start draws rows by their places.
        super::check_rows(features, labels)?;
        let order = features.rows_by_value();
        let labels = labels.select(&order);
        let target = Classified::new(&features.select_rows(&order), &labels)?;
        let covariance = covariance(&target.rows)?;
        if covariance.diag().sum() == 0.0 {
            return Err(TransferError::Unsupported {
                method: "N-LEEP".to_owned(),
                needs: "rows that differ".to_owned(),
                has: format!("{} equal rows", target.rows.nrows()),
            });
        }
        let n_components = self.n_components.min(target.rows.ncols());
        let (_, directions) = eigh_largest(&covariance, n_components)?;
        let rows = matmul(&target.rows, &directions)?;
        let clusters = self.clusters_per_class.saturating_mul(target.n_classes);
        let clusters = clusters.min(rows.nrows() / 3).max(1);
        let (chances, _) = Mixture::fit(&rows, clusters, seed)?.expected(&rows);
        leep(&SourceProbabilities::new(chances)?, &labels)
    }
}
