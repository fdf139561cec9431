//! Minimisation of the linear discrepancy.

mod barrier;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Law, MethodInfo, Outputs, SourceWeighter, SourceWeights,
    Trace, TransferError, TransferProblem, What, check_dense_memory, fit_reweighted,
    transfer_method,
};

use super::{logistic, weighted_learner, weighting_needs};
use barrier::least_discrepancy;

/// Parameters of linear discrepancy minimisation: source weights under which no two linear models whose predictions are
/// near each other in the source are far apart in the target.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and the learner is a linear one with squared loss, for which the discrepancy
/// bounds what the target can cost.
///
/// # Formula
///
/// $$\min_q\; \Bigl\lVert \tfrac{1}{n_t} X_T^\top X_T - X_S^\top \operatorname{diag}(q) X_S \Bigr\rVert_2 \quad \text{over}
///   \quad q \ge 0,\; \sum_i q_i = 1$$
///
/// with the largest absolute eigenvalue as norm: the most by which the mean of `((u − v)ᵀx)²` differs between the target
/// and the weighted source, over `‖u − v‖ ≤ 1`. A source row weighs `n_s q_i`. Features are taken as they are; the
/// learner's intercept is no part of the models compared unless a column is constant.
///
/// # Steps
///
/// 1. Divide by `‖C_S‖₂ + ‖C_T‖₂`, the norms of the second moments without weights.
/// 2. From equal shares, follow the central path of `min t` over `−tI ⪯ M(q) ⪯ tI`, `q ≥ 0`: Newton steps for `τt − ln
///    det(tI − M) − ln det(tI + M) − ln t − Σ ln q_i`, twice the `τ` each time.
/// 3. Stop when `‖M(q)‖₂` is above `⟨W, C_T⟩ − max_i x_iᵀ W x_i`, which no shares go below, by no more than 1e-6;
///    `W` is the difference of the inverses of `tI ∓ M`, divided by the sum of their traces.
///
/// Where several shares are best, those with the largest product are found: equal ones, if they are among them.
///
/// # Parameters
///
/// None but the learner.
///
/// # Shapes and cost
///
/// One weight per source row. O(n_s d² min(n_s, d²)) operations and 8 n_s d² bytes a Newton step, one to three hundred of
/// which are needed, with `n_s + n_t` in place of `d` where that is less. The trace holds `discrepancy`, that of equal
/// shares and of those found, `lower-bound`, what no shares go below, and `gap`, the difference on the scale of step 3.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::DenseTooLarge`] for sparse features and for the matrix of a step;
/// [`TransferError::NotConverged`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::LinearDiscrepancy;
/// use translearn_core::FitTransfer;
///
/// // Shares of 7/12 and 5/12 have the second moment of the target: 7/12 · 1 + 5/12 · 4 = 1.5².
/// let source = DatasetBase::new(array![[1.0], [2.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[1.5]]);
/// let model = LinearDiscrepancy::params().fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!((weights[0] - 7.0 / 6.0).abs() < 1e-4);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Cortes, Mohri, *Domain Adaptation and Sample Bias Correction Theory and Algorithm for Regression*, Theoretical Computer
/// Science 519, 2014, doi:10.1016/j.tcs.2013.09.027; the discrepancy and its semi-definite program are those of Mansour,
/// Mohri, Rostamizadeh, *Domain Adaptation: Learning Bounds and Algorithms*, COLT 2009, arXiv:0902.3430.
///
/// *Where we differ.* The paper smooths the norm and takes accelerated gradient steps; here Newton steps, and a bound on
/// what is left. Its kernels are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearDiscrepancyParams {
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for LinearDiscrepancyParams {
    fn default() -> Self {
        Self {
            learner: logistic(),
        }
    }
}

weighted_learner!(LinearDiscrepancyParams);

impl SourceWeighter for LinearDiscrepancyParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let source = problem.source()?.features;
        let target = problem.target_features().dense()?;
        let dimensions = source.n_columns().min(source.n_rows() + target.nrows());
        let what = "the matrix of a step of linear-discrepancy (fewer features make it smaller)";
        check_dense_memory(what, source.n_rows() + 1, dimensions * (dimensions + 1), 1)?;
        let least = least_discrepancy(&*source.dense()?, &target)?;
        let series = [
            (
                "discrepancy".to_owned(),
                vec![least.unweighted, least.discrepancy],
            ),
            ("lower-bound".to_owned(), vec![least.lower_bound]),
            ("gap".to_owned(), vec![least.gap]),
        ];
        Ok(SourceWeights {
            weights: least.shares,
            trace: Trace {
                series: series.into(),
                ..Trace::default()
            },
        })
    }
}

crate::method_name!(LinearDiscrepancy => LinearDiscrepancyParams, "Linear discrepancy minimisation");

transfer_method!(LinearDiscrepancyParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for LinearDiscrepancyParams {}

static INFO: MethodInfo = MethodInfo {
    name: "linear-discrepancy",
    title: "Linear discrepancy minimisation",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, false),
    parameters: &[],
    exemptions: &[(
        Law::MissingClass,
        "a class that only the target has takes its second moment out of reach: nearly all weight goes to the few rows that are \
         farthest out, and a learner of more than a line finds too little in them",
    )],
    reference: "Cortes, Mohri. Domain Adaptation and Sample Bias Correction Theory and Algorithm for Regression. Theoretical Computer Science 519, 2014. doi:10.1016/j.tcs.2013.09.027",
};
