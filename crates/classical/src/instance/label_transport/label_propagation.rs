//! Label propagation by optimal transport.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, MethodInfo, Outputs, PlainModel, Trace,
    TransferError, TransferProblem, What, setters, transfer_method,
};
use translearn_transport::{CostScale, GroundCost, cost_matrix};

use super::{REGULARIZATION, carried, coupling, fit_carried, keep_known, label_columns};
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of label propagation by optimal transport: carries the labels of the source to the target rows along the
/// cheapest plan, then fits a learner on the target.
///
/// *Setting.* Labels in the source; none needed in the target (target labels that are known stay as they are). *When.* The
/// target is the source moved or bent, with about the same share of each class, and the learner should see the target as it
/// is: [`OptimalTransport`](crate::OptimalTransport) moves the rows of the source instead.
///
/// # Formula
///
/// $$P = \arg\min_P \sum_{ij} C_{ij} P_{ij} \;\bigl(+\, \varepsilon\, \mathrm{KL}(P \,\|\, a b^\top)\bigr), \qquad
///   \hat y_j = \frac{\sum_i P_{ij}\, y_i}{\sum_i P_{ij}}$$
///
/// over plans that give each source row the mass `a_i = 1 / n_s` and each target row `b_j = 1 / n_t`; `C` holds squared
/// Euclidean distances divided by their median. `y_i` is a value, or a row of zeros with a 1 for the class, so that `ŷ_j` is
/// a share for each class. The learner gets target row `j` once for each class that it has a share of, weighted by the share;
/// or with the value `ŷ_j`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `regularization` | `null` | (0, ∞) or `null` | `ε`, in medians of the cost; `null`: no entropy, the exact plan |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; O(n_s n_t d) and the solver, see [`emd`](translearn_transport::emd()) and
/// [`Sinkhorn`](translearn_transport::Sinkhorn). The plan is `n_s x n_t`. The exact plan has at most `n_s + n_t − 1` entries, so
/// the learner gets no more rows than that.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::NotConverged`] when Sinkhorn's algorithm runs out of iterations.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::LabelPropagation;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ridge;
///
/// // The target is the source, moved by 5: its row of class 0 lies where class 1 of the source does.
/// let source = DatasetBase::new(array![[0.0], [1.0], [5.0], [6.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[5.0], [6.0], [10.0], [11.0]]);
/// let model = LabelPropagation::params().learner(Ridge::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Redko, Courty, Flamary, Tuia, *Optimal Transport for Multi-source Domain Adaptation under Target Shift*, AISTATS 2019,
/// arXiv:1803.04899; Solomon, Rustamov, Guibas, Butscher, *Wasserstein Propagation for Semi-Supervised Learning*,
/// ICML 2014. Both label the rows at hand; the learner for new rows is ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelPropagationParams {
    regularization: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for LabelPropagationParams {
    fn default() -> Self {
        Self {
            regularization: None,
            learner: logistic(),
        }
    }
}

setters!(LabelPropagationParams {
    /// Sets the weight of the entropy.
    regularization: Some(f64),
});

weighted_learner!(LabelPropagationParams);

impl LabelPropagationParams {
    /// What each target row is given, `n_t x k` shares of the classes or `n_t x 1` values.
    ///
    /// # Errors
    /// As the fit.
    pub fn propagate(
        &self,
        problem: &TransferProblem,
    ) -> Result<ndarray::Array2<f64>, TransferError> {
        let source = problem.source()?;
        let cost = cost_matrix(
            &source.features,
            problem.target_features(),
            GroundCost::SquaredEuclidean,
            CostScale::Median,
        )?;
        let labels = label_columns(&source.labels, problem.n_classes());
        let mut found = carried(&coupling(&cost, self.regularization)?, &labels)?;
        keep_known(problem, &mut found);
        Ok(found)
    }

    fn fit_model(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let found = self.propagate(problem)?;
        let predictor = fit_carried(&self.learner, problem, &found, seed)?;
        Ok(Fitted {
            model: Box::new(PlainModel::new(predictor)),
            trace: Trace::default(),
        })
    }
}

crate::method_name!(LabelPropagation => LabelPropagationParams, "Label propagation by optimal transport");

transfer_method!(LabelPropagationParams, INFO, |method, problem, seed| {
    method.fit_model(problem, seed)
});

impl<TT> AcceptsTarget<TT> for LabelPropagationParams {}

static INFO: MethodInfo = MethodInfo {
    name: "label-propagation",
    title: "Label propagation by optimal transport",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[REGULARIZATION],
    exemptions: &[],
    reference: "Redko, Courty, Flamary, Tuia. Optimal Transport for Multi-source Domain Adaptation under Target Shift. AISTATS 2019. arXiv:1803.04899",
};
