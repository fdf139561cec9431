//! Linear Monge mapping: transport between Gaussians.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned, setters,
    transfer_method,
};
use translearn_transport::{Gaussian, LinearMap};

use super::{logistic, map_needs, times};

/// Parameters of linear transport (linear Monge mapping): moves the source onto the target by the cheapest affine map
/// between two Gaussians of their means and covariances, then fits any learner on it. The target stays as it is.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* The
/// features of the two domains differ in mean, scale and correlation. It does what [`Coral`](super::Coral) does, and
/// moves the mean, too.
///
/// # Formula
///
/// $$x_S \mapsto m_T + (x_S - m_S)\,A, \quad x_T \mapsto x_T, \qquad
///   A = \Sigma_S^{-1/2} \bigl(\Sigma_S^{1/2}\, \Sigma_T\, \Sigma_S^{1/2}\bigr)^{1/2}\, \Sigma_S^{-1/2}$$
///
/// with the means `m` and `Σ = C + λ I` for the covariances `C` (divisor `n`) of the two domains. The image has the mean and
/// the covariance of the target, `A Σ_S A = Σ_T`. Of all matrices of which that is true, CORAL's `Σ_S^(-1/2) Σ_T^(1/2)` among
/// them, `A` is the only symmetric positive one, and the one that moves rows least: `tr((A − I)ᵀ Σ_S (A − I))` is minimal. The
/// two are the same where the covariances commute.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | 1e-8 | (0, ∞) | ridge added to both covariances |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; `A` is `d x d`. O((n_s + n_t) d² + d³).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::InvalidParameter`] where the ridge is lost beside the covariances, so
/// that they are singular: raise `lambda`.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::LinearTransport;
/// use translearn_core::FitTransfer;
///
/// // The target is the source, three times as wide and moved by 10.
/// let source = DatasetBase::new(array![[-1.0], [0.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[7.0], [10.0], [13.0], [16.0]]);
/// let model = LinearTransport::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[11.0], [12.0]])?, array![0, 1]); // the border is at 10 + 3 · 0.5
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Flamary, Lounici, Ferrari, *Concentration bounds for linear Monge mapping estimation and optimal transport domain
/// adaptation*, 2019, arXiv:1905.10155; Knott, Smith, *On the optimal mapping of distributions*, Journal of Optimization
/// Theory and Applications 43, 1984, doi:10.1007/BF00934745.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearTransportParams {
    lambda: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for LinearTransportParams {
    fn default() -> Self {
        Self {
            lambda: 1e-8,
            learner: logistic(),
        }
    }
}

setters!(LinearTransportParams {
    /// Sets the ridge added to both covariances.
    lambda: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl LinearTransportParams {
    /// The map from one sample to another.
    ///
    /// # Errors
    /// As the fit.
    pub fn map(
        &self,
        source: &Features,
        target: &Features,
    ) -> Result<LinearTransport, TransferError> {
        let (from, to) = (
            gaussian(source, self.lambda)?,
            gaussian(target, self.lambda)?,
        );
        LinearTransport::between(&from, &to, self.lambda)
    }
}

/// The Gaussian of a sample, all rows alike.
pub(super) fn gaussian(rows: &Features, ridge: f64) -> Result<Gaussian, TransferError> {
    Gaussian::of(&*rows.dense()?, &Array1::ones(rows.n_rows()), ridge)
}

impl FitAlign for LinearTransportParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        Ok(self
            .map(&source.features, problem.target_features())?
            .into())
    }
}

transfer_method!(LinearTransportParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for LinearTransportParams {}

static INFO: MethodInfo = MethodInfo {
    name: "linear-transport",
    title: "Linear Monge mapping",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[ParamInfo {
        name: "lambda",
        default: "1e-8",
        range: ParamRange::Positive,
        doc: "Ridge added to the covariance of each domain.",
    }],
    exemptions: &[],
    reference: "Flamary, Lounici, Ferrari. Concentration bounds for linear Monge mapping estimation and optimal transport domain adaptation. 2019. arXiv:1905.10155",
};

/// A fitted affine map of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearTransport {
    matrix: Array2<f64>,
    offset: Array1<f64>,
}

impl LinearTransport {
    /// Default parameters.
    pub fn params() -> LinearTransportParams {
        LinearTransportParams::default()
    }

    /// The cheapest map from one Gaussian to another, whose covariances hold the ridge `lambda`.
    pub(super) fn between(
        from: &Gaussian,
        to: &Gaussian,
        lambda: f64,
    ) -> Result<Self, TransferError> {
        match from.map_to(to) {
            Ok(LinearMap { matrix, offset }) => Ok(Self { matrix, offset }),
            Err(TransferError::Linalg(error)) => Err(TransferError::InvalidParameter {
                name: "lambda".to_owned(),
                value: lambda.to_string(),
                range: format!("what counts beside the covariances ({error})"),
            }),
            Err(error) => Err(error),
        }
    }

    /// The symmetric matrix `A` (`d x d`).
    pub fn matrix(&self) -> &Array2<f64> {
        &self.matrix
    }

    /// What is added to `x A`: `m_T − m_S A`.
    pub fn offset(&self) -> &Array1<f64> {
        &self.offset
    }

    /// The images of rows (`n x d`).
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width.
    pub fn apply(&self, rows: &Features) -> Result<Features, TransferError> {
        let turned = times(rows, &self.matrix)?;
        Ok((turned.dense()?.into_owned() + &self.offset).into())
    }
}

#[typetag::serde(name = "linear-transport")]
impl DomainMap for LinearTransport {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        self.apply(source)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        translearn_core::check_prediction_rows(target, self.offset.len())?;
        Ok(target.clone())
    }
}
