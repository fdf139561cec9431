//! Maximum-likelihood label shift.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Law, MethodInfo, Outputs, SourceWeighter, SourceWeights,
    TransferError, TransferProblem, What, fit_reweighted, transfer_method,
};

use super::calibration::Calibration;
use super::cross_fit::CrossFitted;
use super::{Classes, N_FOLDS};
use crate::instance::mixture::fit_mixture;
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of maximum-likelihood label shift (MLLS): the shares of the classes under which the target is most likely,
/// judged by calibrated probabilities of a learner.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(Y) differs, P(X | Y) does not; usually the most exact of its kind, also where the learner confuses classes.
///
/// # Formula
///
/// $$\max_q\; \frac{1}{n_t} \sum_j \ln \sum_c \frac{q_c}{\pi_c}\, p_c(x'_j) \quad \text{over}\quad q \ge 0,\; \sum_c q_c = 1$$
///
/// with `π` the shares of the classes in the source. A source row of class `c` weighs `q_c / π_c`.
///
/// # Steps
///
/// 1. Learners are fitted on all parts of the source but one; each source row is scored by the learner that has not
///    seen it, the target's rows by each of them (a target row counts once for each).
/// 2. `p(x) = softmax(a z(x) + b)` of the scores `z` (logarithms of probabilities, or decision values) is fitted to the
///    source: bias-corrected temperature scaling, with the mean loss plus `(a − 1)² / 2n_s`.
/// 3. The likelihood is that of a mixture, which Newton steps take to its maximum.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_folds` | 5 | integer ≥ 2 | parts of the source |
///
/// # Shapes and cost
///
/// One weight per class. `n_folds` fits of the learner, and O(n k²) a Newton step for k classes. The trace holds
/// `class-weight`, `target-prior`, `temperature`, `1/a`, and `prior-shift-p-value`, which tells whether label shift alone
/// explains the target (see [`label_shift`](crate::instance::label_shift)).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::Unsupported`] for a learner without scores,
/// [`TransferError::NotConverged`]; what the learner refuses, such as a part with one class.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Mlls;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-9.0], [-8.0], [8.0], [9.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-9.5], [8.5], [8.5], [9.5]]);
/// let model = Mlls::params().n_folds(2).fit_transfer(&source, &target)?;
/// assert!((model.trace().series["target-prior"][1] - 0.75).abs() < 0.01);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Saerens, Latinne, Decaestecker, *Adjusting the Outputs of a Classifier to New a Priori Probabilities*, Neural
/// Computation 14(1), 2002, doi:10.1162/089976602753284446; calibration as in Alexandari, Kundaje, Shrikumar, *Maximum
/// Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation*, ICML 2020, arXiv:1901.06852.
///
/// *Where we differ.* Both papers climb by expectation and maximisation, which comes to the same maximum but slowly;
/// here Newton steps and a bound on what is left. Calibration uses every source row, where theirs sets some aside. The
/// package abstention, of the authors of the second, fits the calibration but climbs with the probabilities from before it
/// (0.1.3.1); given calibrated ones it comes to these shares.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MllsParams {
    n_folds: usize,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for MllsParams {
    fn default() -> Self {
        Self {
            n_folds: 5,
            learner: logistic(),
        }
    }
}

/// How far the mean log-likelihood may be from its maximum.
const TOLERANCE: f64 = 1e-12;

translearn_core::setters!(MllsParams {
    /// Sets the parts of the cross-fitting.
    n_folds: usize,
});
weighted_learner!(MllsParams);

impl SourceWeighter for MllsParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let classes = Classes::of(problem, INFO.name)?;
        let fitted = CrossFitted::new(problem, &classes, &self.learner, self.n_folds, seed)?;
        let (source, target) = fitted.scores(&classes, INFO.name)?;
        let calibration = Calibration::fit(&source, &classes.of_row)?;
        let densities = calibration.probabilities(&target) / &classes.prior;
        let shares = fit_mixture(&densities, classes.prior.clone(), TOLERANCE)?.shares;
        let ratios = shares / &classes.prior;
        let mut weights = classes.explained_weights(&ratios, problem.n_classes(), &fitted)?;
        let temperature = ("temperature".to_owned(), vec![1.0 / calibration.scale]);
        weights.trace.series.extend([temperature]);
        Ok(weights)
    }
}

crate::method_name!(Mlls => MllsParams, "Maximum-likelihood label shift (MLLS)");

transfer_method!(MllsParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for MllsParams {}

static INFO: MethodInfo = MethodInfo {
    name: "mlls",
    title: "Maximum-likelihood label shift (MLLS)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[N_FOLDS],
    exemptions: &[(
        Law::IdenticalDomains,
        "the source's rows are scored by learners that have not seen them, the target's copies of them by learners most of \
         which have: surer scores move the shares a little",
    )],
    reference: "Saerens, Latinne, Decaestecker. Adjusting the Outputs of a Classifier to New a Priori Probabilities. Neural Computation 14(1), 2002. doi:10.1162/089976602753284446",
};
