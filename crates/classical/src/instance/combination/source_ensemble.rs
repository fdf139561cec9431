//! An ensemble of several sources.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, MethodInfo, ParamInfo, ParamRange, Trace,
    TransferError, TransferProblem, What, setters, transfer_method,
};

use super::model::{CombinedSources, Densities, mixture};
use super::{COMBINING_NEEDS, GAMMA, fit_sources};
use crate::instance::logistic;

/// Parameters of the source ensemble: a model for each source, averaged.
///
/// *Setting.* Labels in several sources; the target may have some. *When.* As the baseline of methods for several
/// sources: beside `source-only`, which pools them, and
/// [`DistributionWeightedParams`](super::DistributionWeightedParams), which lets each answer where it is dense. With
/// one source it is `source-only`, or `pooled` where the target has labels.
///
/// # Formula
///
/// $$h(x) = \sum_{k=1}^K \lambda_k h_k(x)$$
///
/// `h_k` is the learner fitted on source `k`, with the labelled target rows, where there are any; its answer is a
/// value, or the probabilities of the classes as in [`DistributionWeightedParams`](super::DistributionWeightedParams).
/// `λ_k` is `1/K` (`uniform`), or the share of source `k` in the mixture of the sources' densities under which the
/// target's rows are most likely (`mixture`), as it is found there.
///
/// The series `mixture` of the trace has `λ`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `weights` | `mixture` | `uniform`, `mixture` | how the sources are weighted |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the densities; `null`: the median heuristic over all sources and the target |
///
/// # Cost
///
/// A fit for each source; with `mixture` `O(n_s n_t d)` time and `O(max_k n_k · n_t)` memory for the densities.
///
/// # Errors
///
/// [`TransferError::Unsupported`] when no two rows differ, so that there is no median distance;
/// [`TransferError::NotConverged`] when the mixture is not found.
///
/// # Example
///
/// ```
/// use ndarray::{Array2, array};
/// use translearn_classical::instance::{EnsembleWeights, SourceEnsemble};
/// use translearn_core::{Domain, LabelSpace, Task, TransferMethod, TransferProblem};
/// use translearn_learners::Ncm;
///
/// let domain = |name: &str, x: Array2<f64>| Domain { name: name.to_owned(), features: x.into() };
/// let space = LabelSpace::numbered(2);
/// // Three sources with their borders at 0, 1 and 5: two of three are below 2.
/// let source = |border: f64| (
///     domain("source", array![[border - 1.0], [border + 1.0]]),
///     Task::labelled(LabelSpace::numbered(2), array![0, 1].into()),
/// );
/// let problem = TransferProblem::from_parts(
///     vec![source(0.0), source(1.0), source(5.0)],
///     (domain("target", array![[2.0]]), Task::unlabelled(space)),
/// )?;
/// let method = SourceEnsemble::params().weights(EnsembleWeights::Uniform).learner(Ncm::params());
/// let fitted = method.fit(&problem, 0)?;
/// assert_eq!(fitted.model.predict(&array![[2.0]].into())?.labels, array![1].into());
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The linear combining rule of Mansour, Mohri, Rostamizadeh, *Domain Adaptation with Multiple Sources*, NIPS 2008, who
/// show that it may err although every source is predicted perfectly and the target is their mixture.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceEnsembleParams {
    weights: EnsembleWeights,
    gamma: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

/// How the sources of an ensemble are weighted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnsembleWeights {
    /// All alike.
    Uniform,
    /// By their shares in the mixture that is most like the target.
    #[default]
    Mixture,
}

impl Default for SourceEnsembleParams {
    fn default() -> Self {
        Self {
            weights: EnsembleWeights::Mixture,
            gamma: None,
            learner: logistic(),
        }
    }
}

setters!(SourceEnsembleParams {
    /// Sets how the sources are weighted.
    weights: EnsembleWeights,
    /// Sets the width of the densities.
    gamma: Some(f64),
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl SourceEnsembleParams {
    fn combine(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let predictors = fit_sources(&self.learner, problem, seed)?;
        let weights = match self.weights {
            EnsembleWeights::Uniform => {
                Array1::from_elem(predictors.len(), 1.0 / predictors.len() as f64)
            }
            EnsembleWeights::Mixture => {
                let densities = Densities::of_sources(problem, self.gamma)?;
                mixture(&densities.logs(problem.target_features())?)?.shares
            }
        };
        let series = [("mixture".to_owned(), weights.to_vec())];
        Ok(Fitted {
            model: Box::new(CombinedSources {
                predictors,
                weights,
                densities: None,
                n_classes: problem.n_classes(),
            }),
            trace: Trace {
                source_weights: None,
                series: series.into(),
            },
        })
    }
}

crate::method_name!(SourceEnsemble => SourceEnsembleParams, "Source ensemble");

transfer_method!(SourceEnsembleParams, INFO, |method, problem, seed| {
    method.combine(problem, seed)
});

impl<TT> AcceptsTarget<TT> for SourceEnsembleParams {}

static INFO: MethodInfo = MethodInfo {
    name: "source-ensemble",
    title: "Source ensemble",
    family: Family::Instance,
    what: What::Parameters,
    needs: COMBINING_NEEDS,
    parameters: &[
        ParamInfo {
            name: "weights",
            default: "\"mixture\"",
            range: ParamRange::Choice(&["uniform", "mixture"]),
            doc: "Weights of the sources: all alike, or by the mixture that is most like the target.",
        },
        GAMMA,
    ],
    exemptions: &[],
    reference: "Mansour, Mohri, Rostamizadeh. Domain Adaptation with Multiple Sources. NIPS 2008",
};
