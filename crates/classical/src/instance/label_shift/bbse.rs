//! Black box shift estimation.

use ndarray::Axis;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, SourceWeighter, SourceWeights,
    TransferError, TransferProblem, What, fit_reweighted,
    linalg::{LinalgError, solve},
    transfer_method,
};

use super::cross_fit::CrossFitted;
use super::{Classes, N_FOLDS};
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of black box shift estimation (BBSE): the weights of the classes under which a learner's confusions in the
/// source add up to its predictions in the target.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight
/// 1). *When.* P(Y) differs, P(X | Y) does not, and the learner tells the classes apart; where it hardly does, `rlls`
/// or `mlls`.
///
/// # Formula
///
/// $$C w = \mu, \qquad C_{ij} = P_S(\hat y = i,\, y = j), \qquad \mu_i = P_T(\hat y = i)$$
///
/// A source row of class `j` weighs `max(0, w_j)`. `C` and `μ` come from learners fitted on all parts of the source but
/// one: each source row is predicted by the learner that has not seen it, the target's rows by each of them.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_folds` | 5 | integer ≥ 2 | parts of the source |
///
/// # Shapes and cost
///
/// One weight per class. `n_folds` fits of the learner, and O(k³) for k classes. The trace holds `class-weight`,
/// `target-prior`, the shares of the classes in the target, and `prior-shift-p-value`, which tells whether label shift
/// alone explains the target (see [`label_shift`](crate::instance::label_shift)).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::Unsupported`] when `C` has no inverse;
/// [`TransferError::InvalidWeight`] when no weight is above 0; what the learner refuses, such as a part with one class.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Bbse;
/// use translearn_core::FitTransfer;
///
/// // Half of the source is of class 1, but three quarters of the target.
/// let source = DatasetBase::new(array![[-9.0], [-8.0], [8.0], [9.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-9.5], [8.5], [8.5], [9.5]]);
/// let model = Bbse::params().n_folds(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.trace().series["target-prior"], [0.25, 0.75]);
/// assert_eq!(model.trace().source_weights, Some(array![0.5, 0.5, 1.5, 1.5]));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Lipton, Wang, Smola, *Detecting and Correcting for Label Shift with Black Box Predictors*, ICML 2018, arXiv:1802.03916.
///
/// *Where we differ.* The paper sets half of the source aside for `C`; here every row serves both ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BbseParams {
    n_folds: usize,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for BbseParams {
    fn default() -> Self {
        Self {
            n_folds: 5,
            learner: logistic(),
        }
    }
}

translearn_core::setters!(BbseParams {
    /// Sets the parts of the cross-fitting.
    n_folds: usize,
});
weighted_learner!(BbseParams);

impl SourceWeighter for BbseParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let classes = Classes::of(problem, INFO.name)?;
        let fitted = CrossFitted::new(problem, &classes, &self.learner, self.n_folds, seed)?;
        let (confusion, target) = fitted.confusion(&classes, INFO.name)?;
        let weights = match solve(&confusion, &target.insert_axis(Axis(1))) {
            Ok(weights) => weights.remove_axis(Axis(1)),
            Err(LinalgError::RankDeficient { .. }) => {
                return Err(TransferError::Unsupported {
                    method: INFO.name.to_owned(),
                    needs: "a learner that tells the classes apart (`rlls` does without)"
                        .to_owned(),
                    has: "one whose confusion matrix has no inverse".to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        classes.explained_weights(&weights.mapv(|w| w.max(0.0)), problem.n_classes(), &fitted)
    }
}

crate::method_name!(Bbse => BbseParams, "Black box shift estimation (BBSE)");

transfer_method!(BbseParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for BbseParams {}

static INFO: MethodInfo = MethodInfo {
    name: "bbse",
    title: "Black box shift estimation (BBSE)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[N_FOLDS],
    exemptions: &[],
    reference: "Lipton, Wang, Smola. Detecting and Correcting for Label Shift with Black Box Predictors. ICML 2018. arXiv:1802.03916",
};
