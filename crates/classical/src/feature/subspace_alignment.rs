//! Subspace alignment.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    linalg::matmul, setters, transfer_method,
};

use super::{logistic, map_needs, principal::principal_components};

/// Parameters of subspace alignment (SA): describes each domain by its leading principal directions and rotates the
/// source's onto the target's, then fits any learner in the target's subspace.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* Each
/// domain lies near a low-dimensional subspace, and the subspaces differ.
///
/// # Formula
///
/// $$x_S \mapsto (x_S - \bar x_S)\, P_S P_S^\top P_T, \qquad x_T \mapsto (x_T - \bar x_T)\, P_T$$
///
/// with `P_S`, `P_T` (`d x k`) the leading principal directions of each domain. `M = P_Sᵀ P_T` minimises
/// `‖P_S M − P_T‖_F`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | `null` | integer ≥ 1 or `null` | size `k` of both subspaces; `null`: as many as the smaller domain has, min(d, n_s − 1, n_t − 1) |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`, mapped rows have `k` columns. O((n_s + n_t) d² + d³), or with the number of rows
/// and of columns exchanged when there are more columns.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] for a domain of one row,
/// [`TransferError::InvalidParameter`] when `n_components` exceeds what a domain has.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::SubspaceAlignment;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Knn;
///
/// // The same line, turned by a right angle.
/// let source = DatasetBase::new(array![[-2.0, 0.0], [-1.0, 0.1], [1.0, -0.1], [2.0, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, -1.5], [0.0, -1.0], [0.0, 1.0], [-0.1, 1.5]]);
/// let model = SubspaceAlignment::params()
///     .n_components(1)
///     .learner(Knn::params().k(1))
///     .fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?.len(), 4);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Fernando, Habrard, Sebban, Tuytelaars, *Unsupervised Visual Domain Adaptation Using Subspace Alignment*, ICCV 2013,
/// doi:10.1109/ICCV.2013.368. The paper standardises each domain first; here each is centred, and scaling is left to
/// preprocessing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubspaceAlignmentParams {
    n_components: Option<usize>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for SubspaceAlignmentParams {
    fn default() -> Self {
        Self {
            n_components: None,
            learner: logistic(),
        }
    }
}

setters!(SubspaceAlignmentParams {
    /// Sets the size of both subspaces.
    n_components: Some(usize),
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SubspaceAlignmentParams {
    /// The map between two samples.
    ///
    /// # Errors
    /// [`TransferError::TooFewRows`], [`TransferError::InvalidParameter`] and [`TransferError::Linalg`].
    pub fn align(
        &self,
        source: &Array2<f64>,
        target: &Array2<f64>,
    ) -> Result<SubspaceAlignment, TransferError> {
        let fewest_rows = source.nrows().min(target.nrows()).max(2);
        let k = self
            .n_components
            .unwrap_or_else(|| source.ncols().min(fewest_rows - 1));
        let (from, to) = rayon::join(
            || principal_components(source, k, "source"),
            || principal_components(target, k, "target"),
        );
        let (from, to) = (from?, to?);
        let rotation = matmul(&from.directions.t(), &to.directions)?;
        Ok(SubspaceAlignment {
            source_mean: from.mean,
            source_map: matmul(&from.directions, &rotation)?,
            target_mean: to.mean,
            target_map: to.directions,
        })
    }
}

impl FitAlign for SubspaceAlignmentParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        Ok(self
            .align(
                &*source.features.dense()?,
                &*problem.target_features().dense()?,
            )?
            .into())
    }
}

transfer_method!(SubspaceAlignmentParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for SubspaceAlignmentParams {}

static INFO: MethodInfo = MethodInfo {
    name: "sa",
    title: "Subspace alignment",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[ParamInfo {
        name: "n_components",
        default: "null",
        range: ParamRange::IntegerOrAuto {
            low: 1,
            high: u64::MAX,
        },
        doc: "Size of both subspaces; null: as many as the smaller domain has.",
    }],
    exemptions: &[],
    reference: "Fernando, Habrard, Sebban, Tuytelaars. Unsupervised Visual Domain Adaptation Using Subspace Alignment. ICCV 2013. doi:10.1109/ICCV.2013.368",
};

/// Fitted subspaces and the rotation between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubspaceAlignment {
    source_mean: Array1<f64>,
    source_map: Array2<f64>,
    target_mean: Array1<f64>,
    target_map: Array2<f64>,
}

impl SubspaceAlignment {
    /// Default parameters.
    pub fn params() -> SubspaceAlignmentParams {
        SubspaceAlignmentParams::default()
    }

    /// `P_S P_Sᵀ P_T` (`d x k`), applied to centred source rows.
    pub fn source_map(&self) -> &Array2<f64> {
        &self.source_map
    }

    /// `P_T` (`d x k`), applied to centred target rows.
    pub fn target_map(&self) -> &Array2<f64> {
        &self.target_map
    }
}

#[typetag::serde(name = "subspace-alignment")]
impl DomainMap for SubspaceAlignment {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        project(source, &self.source_mean, &self.source_map)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        project(target, &self.target_mean, &self.target_map)
    }
}

fn project(
    rows: &Features,
    mean: &Array1<f64>,
    map: &Array2<f64>,
) -> Result<Features, TransferError> {
    translearn_core::check_prediction_rows(rows, map.nrows())?;
    Ok(matmul(&(&*rows.dense()? - mean), map)?.into())
}
