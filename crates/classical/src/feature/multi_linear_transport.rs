//! Linear transport of several domains onto their barycentre.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, Trace, TransferError, TransferProblem, What, fit_aligned,
    setters, transfer_method,
};
use translearn_transport::{Gaussian, GaussianBarycentre};

use super::{
    linear_transport::{LinearTransport, gaussian},
    logistic, map_needs,
    sources::{check_only_source, check_source},
};

/// Parameters of linear transport of several sources: moves every source and the target onto the Wasserstein barycentre
/// of the sources, each by the cheapest affine map between Gaussians, then fits any learner there.
///
/// *Setting.* Labels in one or more sources; none needed in the target (labelled target rows join the learner's fit).
/// *When.* Each domain (a subject, a site, an instrument) has a mean, scales and correlations of its own, and none is
/// the measure of the others. With one source it is [`LinearTransport`] the other way round: the target moves onto the
/// source.
///
/// # Formula
///
/// $$x \mapsto m + (x - m_j)\,A_j, \qquad
///   A_j = \Sigma_j^{-1/2} \bigl(\Sigma_j^{1/2}\, \Sigma\, \Sigma_j^{1/2}\bigr)^{1/2}\, \Sigma_j^{-1/2}$$
///
/// for rows of the domain `j`, the target included, with its mean `m_j` and `Σ_j = C_j + λ V` for its covariance `C_j`
/// (divisor `n`). `V` is diagonal: the variance of each feature, averaged over all domains; where that is less than
/// 1e-12 of the largest it counts as the largest, or as 1 where nothing varies. The barycentre is that of the `s`
/// sources, each of the same weight:
///
/// $$m = \tfrac1s \sum_{j \le s} m_j, \qquad
///   \Sigma = \tfrac1s \sum_{j \le s} \bigl(\Sigma^{1/2}\, \Sigma_j\, \Sigma^{1/2}\bigr)^{1/2}$$
///
/// So all domains come to have its mean and, but for the ridge, its covariance. Rows without labels count, too, in the
/// moments of their domain. Where a domain has fewer rows than features, new rows of it lie in directions of which it
/// says nothing; the ridge bounds by what they are multiplied there.
///
/// # Steps
///
/// `Σ` is found by the iteration of [`GaussianBarycentre`], which needs no inverse. The trace holds under
/// `barycentre-step` the length of its last step as a share of `Σ^(1/2)`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | 0.01 | (0, ∞) | ridge added to the covariance of every domain, as a share of the features' variances |
///
/// # Shapes and cost
///
/// Domains of `n` rows in all and `d` columns; a `d x d` matrix for each of the `s + 1` domains. O(n d² + s d³) and O(s
/// d³) for each step of the iteration.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::InvalidParameter`] where the ridge is lost beside the
/// covariances, so that they are singular: raise `lambda`; [`TransferError::NotConverged`] for the barycentre; and
/// [`TransferError::Unsupported`] for [`TransferModel::predict_source`] with several sources, of which the rows could
/// be any: [`DomainMap::map_source_at`] says which.
///
/// [`TransferModel::predict_source`]: translearn_core::TransferModel::predict_source
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::MultiLinearTransport;
/// use translearn_core::{DomainMap, FitTransfer, TransferProblem};
///
/// // The target is the source, three times as wide and moved by 10.
/// let source = DatasetBase::new(array![[-1.0], [0.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[7.0], [10.0], [13.0], [16.0]]);
/// let params = MultiLinearTransport::params().lambda(1e-8);
/// let model = params.fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[11.0], [12.0]])?, array![0, 1]); // the border is at 10 + 3 · 0.5
///
/// let map = params.map(&TransferProblem::new(&source, &target)?)?;
/// let moved = map.map_target(&array![[13.0]].into())?.dense()?[[0, 0]];
/// assert!((moved - 1.0).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Gnassounou, Flamary, Gramfort, *Convolutional Monge Mapping Normalization for learning on sleep data*, NeurIPS 2023,
/// arXiv:2305.18831 (for stationary signals; the barycentre is that of the training domains, and a new domain is moved
/// onto it); Flamary, Lounici, Ferrari, *Concentration bounds for linear Monge mapping estimation and optimal transport
/// domain adaptation*, 2019, arXiv:1905.10155.
///
/// *Where we differ.* As in skada 0.6.0 (`MultiLinearMongeAlignment`) the target is not part of the barycentre: what
/// the learner is fitted on does not depend on it. There `reg`, documented as a ridge, is the tolerance of the
/// iteration, and no ridge is added: covariances that are nearly singular are inverted. Montesuma and Mboula
/// (*Wasserstein Barycenter for Multi-Source Domain Adaptation*, CVPR 2021) move the barycentre of the samples
/// themselves on to the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiLinearTransportParams {
    lambda: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for MultiLinearTransportParams {
    fn default() -> Self {
        Self {
            lambda: 0.01,
            learner: logistic(),
        }
    }
}

setters!(MultiLinearTransportParams {
    /// Sets the ridge added to the covariance of every domain, as a share of the features' variances.
    lambda: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl MultiLinearTransportParams {
    /// The maps of all domains of a problem.
    ///
    /// # Errors
    /// As the fit.
    pub fn map(&self, problem: &TransferProblem) -> Result<MultiLinearTransport, TransferError> {
        Ok(self.map_and_step(problem)?.0)
    }

    /// The maps, and the last step of the iteration.
    fn map_and_step(
        &self,
        problem: &TransferProblem,
    ) -> Result<(MultiLinearTransport, f64), TransferError> {
        problem.check_same_features()?;
        let sources = problem.sources().iter().map(|(domain, _)| &domain.features);
        let mut sources: Vec<Gaussian> = sources
            .map(|rows| gaussian(rows, 0.0))
            .collect::<Result<_, _>>()?;
        let mut target = gaussian(problem.target_features(), 0.0)?;
        let ridge = self.ridge(sources.iter().chain([&target]));
        for domain in sources.iter_mut().chain([&mut target]) {
            let mut variances = domain.covariance.diag_mut();
            variances += &ridge;
        }
        let weights = Array1::ones(sources.len());
        let found = GaussianBarycentre::new().solve(&sources, &weights)?;
        let onto = |from: &Gaussian| LinearTransport::between(from, &found.gaussian, self.lambda);
        let map = MultiLinearTransport {
            sources: sources.iter().map(onto).collect::<Result<_, _>>()?,
            target: onto(&target)?,
        };
        Ok((map, found.residual))
    }

    /// `λ V`.
    fn ridge<'a>(&self, domains: impl Iterator<Item = &'a Gaussian> + Clone) -> Array1<f64> {
        let count = domains.clone().count() as f64;
        let variances = domains.map(|domain| domain.covariance.diag().to_owned() / count);
        let variances = variances
            .reduce(|sum, variances| sum + variances)
            .unwrap_or_default();
        let largest = variances.fold(0.0_f64, |largest, &variance| largest.max(variance));
        let instead = if largest > 0.0 { largest } else { 1.0 };
        variances.mapv(|variance| match variance > VARIES * largest {
            true => self.lambda * variance,
            false => self.lambda * instead,
        })
    }
}

/// Share of the largest variance from which on a feature counts as one that varies: less may be rounding.
const VARIES: f64 = 1e-12;

impl FitAlign for MultiLinearTransportParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let (map, step) = self.map_and_step(problem)?;
        Ok(Alignment {
            map: Box::new(map),
            trace: Trace {
                series: [("barycentre-step".to_owned(), vec![step])].into(),
                ..Trace::default()
            },
        })
    }
}

transfer_method!(MultiLinearTransportParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for MultiLinearTransportParams {}

static INFO: MethodInfo = MethodInfo {
    name: "multi-linear-transport",
    title: "Linear Monge mapping onto a barycentre",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[ParamInfo {
        name: "lambda",
        default: "0.01",
        range: ParamRange::Positive,
        doc: "Ridge added to the covariance of each domain, as a share of the features' variances.",
    }],
    exemptions: &[],
    reference: "Gnassounou, Flamary, Gramfort. Convolutional Monge Mapping Normalization for learning on sleep data. NeurIPS 2023. arXiv:2305.18831",
};

/// The fitted affine maps of all domains onto their barycentre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLinearTransport {
    sources: Vec<LinearTransport>,
    target: LinearTransport,
}

impl MultiLinearTransport {
    /// Default parameters.
    pub fn params() -> MultiLinearTransportParams {
        MultiLinearTransportParams::default()
    }

    /// The map of each source, in the order of [`TransferProblem::sources`].
    pub fn sources(&self) -> &[LinearTransport] {
        &self.sources
    }

    /// The map of the target.
    pub fn target(&self) -> &LinearTransport {
        &self.target
    }
}

#[typetag::serde(name = "multi-linear-transport")]
impl DomainMap for MultiLinearTransport {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        check_only_source(INFO.name, self.sources.len())?;
        self.map_source_at(0, source)
    }

    fn map_source_at(&self, index: usize, source: &Features) -> Result<Features, TransferError> {
        check_source(index, self.sources.len())?;
        self.sources[index].apply(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        self.target.apply(target)
    }
}
