//! Distribution-weighted combination of several sources.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, MethodInfo, Trace, TransferError, TransferProblem,
    What, setters, transfer_method,
};

use super::model::{CombinedSources, Densities, mixture};
use super::{COMBINING_NEEDS, GAMMA, fit_sources};
use crate::instance::logistic;
use crate::instance::mixture::Mixture;

/// Parameters of the distribution-weighted combination: a model for each source, each answering where its source is
/// dense.
///
/// *Setting.* Labels in several sources; the target may have some. *When.* The target is a mixture of the sources, in
/// shares that nobody knows, and the sources agree on no common model. With one source it is `source-only`, or `pooled`
/// where the target has labels.
///
/// # Formula
///
/// With the models `h_k` of the `K` sources, their densities `D_k` and the mixture weights `λ`:
///
/// $$h(x) = \sum_{k=1}^K \frac{\lambda_k D_k(x)}{\sum_j \lambda_j D_j(x)} \; h_k(x), \qquad
///   D_k(x) \propto \frac{1}{n_k} \sum_{i=1}^{n_k} \exp(-\gamma \lVert x - x_i^k \rVert^2)$$
///
/// `h_k(x)` is a value, or the probabilities of the classes (of a learner without probabilities, those of
/// [`TrAdaBoostParams`](crate::instance::TrAdaBoostParams) with the loss `confidence`). The weights are those under
/// which the target's rows are most likely,
///
/// $$\max_{\lambda \ge 0,\, \sum \lambda_k = 1} \; F(\lambda) = \frac{1}{n_t} \sum_{j=1}^{n_t} \ln \sum_k \lambda_k D_k(x_j)$$
///
/// # Steps
///
/// 1. Fit the learner on each source by itself, with the labelled target rows, where there are any.
/// 2. From `λ_k = 1/K`, Newton steps until `max_k g_k - 1` is 1e-6 or less, with
///    `g_k = (1/n_t) Σ_j D_k(x_j) / Σ_l λ_l D_l(x_j)`: by so much `F` may lie below its maximum at most.
///
/// The series `mixture` and `gap` of the trace have `λ` and what that bound came to.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `gamma` | `null` | (0, ∞) or `null` | width of the densities; `null`: the median heuristic over all sources and the target |
///
/// # Cost
///
/// A fit for each source; `O(n_s n_t d)` time and `O(max_k n_k · n_t)` memory for the densities of `n_t` target rows,
/// and as much for as many rows to predict. The model keeps the rows of the sources.
///
/// # Errors
///
/// [`TransferError::Unsupported`] when no two rows differ, so that there is no median distance;
/// [`TransferError::NotConverged`] when the mixture is not found.
///
/// # Example
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use translearn_classical::instance::DistributionWeighted;
/// use translearn_core::{Domain, LabelSpace, Task, TransferMethod, TransferProblem};
///
/// let domain = |name: &str, x: Array2<f64>| Domain { name: name.to_owned(), features: x.into() };
/// let labels = |y: Array1<usize>| Task::labelled(LabelSpace::numbered(2), y.into());
/// // Around 0 the larger value is class 1, around 10 it is class 0.
/// let problem = TransferProblem::from_parts(
///     vec![
///         (domain("low", array![[-1.0], [1.0]]), labels(array![0, 1])),
///         (domain("high", array![[9.0], [11.0]]), labels(array![1, 0])),
///     ],
///     (domain("target", array![[0.5], [-0.5], [10.5], [0.8]]), Task::unlabelled(LabelSpace::numbered(2))),
/// )?;
/// let fitted = DistributionWeighted::params().gamma(1.0).fit(&problem, 0)?;
/// let mixture = &fitted.trace.series["mixture"];
/// assert!((mixture[0] - 0.75).abs() < 1e-6, "{mixture:?}");
/// let predicted = fitted.model.predict(&array![[0.5], [10.5]].into())?;
/// assert_eq!(predicted.labels, array![1, 0].into());
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Mansour, Mohri, Rostamizadeh, *Domain Adaptation with Multiple Sources*, NIPS 2008.
///
/// *Where we differ.* The paper supposes the densities and the mixture to be known; here they are estimated, by kernels
/// of one width and by maximum likelihood. Its uniform share `η`, which keeps the weights defined where no source has
/// density, is not needed: densities are kept as logarithms, so that far from all sources the nearest answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistributionWeightedParams {
    gamma: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for DistributionWeightedParams {
    fn default() -> Self {
        Self {
            gamma: None,
            learner: logistic(),
        }
    }
}

setters!(DistributionWeightedParams {
    /// Sets the width of the densities.
    gamma: Some(f64),
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl DistributionWeightedParams {
    fn combine(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let predictors = fit_sources(&self.learner, problem, seed)?;
        let densities = Densities::of_sources(problem, self.gamma)?;
        let Mixture { shares, gap, .. } = mixture(&densities.logs(problem.target_features())?)?;
        let series = [
            ("mixture".to_owned(), shares.to_vec()),
            ("gap".to_owned(), vec![gap]),
        ];
        Ok(Fitted {
            model: Box::new(CombinedSources {
                predictors,
                weights: shares,
                densities: Some(densities),
                n_classes: problem.n_classes(),
            }),
            trace: Trace {
                source_weights: None,
                series: series.into(),
            },
        })
    }
}

crate::method_name!(DistributionWeighted => DistributionWeightedParams, "Distribution-weighted combination");

transfer_method!(DistributionWeightedParams, INFO, |method, problem, seed| {
    method.combine(problem, seed)
});

impl<TT> AcceptsTarget<TT> for DistributionWeightedParams {}

static INFO: MethodInfo = MethodInfo {
    name: "distribution-weighted",
    title: "Distribution-weighted combination",
    family: Family::Instance,
    what: What::Parameters,
    needs: COMBINING_NEEDS,
    parameters: &[GAMMA],
    exemptions: &[],
    reference: "Mansour, Mohri, Rostamizadeh. Domain Adaptation with Multiple Sources. NIPS 2008",
};
