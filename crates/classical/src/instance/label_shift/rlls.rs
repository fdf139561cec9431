//! Regularised learning under label shift.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, TransferError, TransferProblem, What, fit_reweighted, linalg::gram, setters,
    transfer_method,
};

use super::cross_fit::CrossFitted;
use super::{Classes, N_FOLDS};
use crate::instance::mixture::nonnegative_minimum;
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of regularised learning under label shift (RLLS): [`BbseParams`](super::BbseParams) with the weights held
/// near 1 as far as the confusions are uncertain.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(Y) differs, P(X | Y) does not, and rows are few or the learner confuses classes.
///
/// # Formula
///
/// $$w = 1 + \hat\theta, \qquad \hat\theta = \arg\min_{\theta \ge -1}\;
///   \lVert C \theta - (\mu - C \mathbf 1) \rVert_2 + \lambda\, \lVert \theta \rVert_2$$
///
/// with `C` and `μ` as in BBSE. Left open, `λ` is 0.01 times three times the bound of the paper on the error of `C`
/// that holds with probability 0.95, `3 (2 ln(2k/0.05) / 3n_s + √(2 ln(2k/0.05) / n_s))` for k classes.
///
/// # Steps
///
/// For a given `ν` the least `½‖Cθ − b‖² + ½ν‖θ‖²` under `θ ≥ −1` is found by active sets. It is the least of the sum
/// of norms where `ν ‖θ‖ = λ ‖Cθ − b‖`; the quotient of both sides rises with `ν`, which is bisected.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_folds` | 5 | integer ≥ 2 | parts of the source |
/// | `lambda` | `null` | (0, ∞) or `null` | penalty `λ`; `null`: from the numbers of rows and classes |
///
/// # Shapes and cost
///
/// One weight per class. `n_folds` fits of the learner, and O(k³) a step of the bisection for k classes. The trace holds
/// `class-weight`, `target-prior` and `prior-shift-p-value`, which tells whether label shift alone explains the target (see
/// [`label_shift`](crate::instance::label_shift)).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidWeight`] when no weight is above 0; what the learner
/// refuses, such as a part with one class. A singular `C` is no error.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Rlls;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-9.0], [-8.0], [8.0], [9.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-9.5], [8.5], [8.5], [9.5]]);
/// let prior = |lambda: f64| {
///     let model = Rlls::params().n_folds(2).lambda(lambda).fit_transfer(&source, &target)?;
///     Ok::<f64, translearn_core::TransferError>(model.trace().series["target-prior"][1])
/// };
/// assert!((prior(0.1)? - 0.75).abs() < 1e-6); // the penalty is too small to matter: as BBSE
/// assert!((prior(10.0)? - 0.5).abs() < 1e-6); // and here too large: as the source
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Azizzadenesheli, Liu, Yang, Anandkumar, *Regularized Learning for Domain Adaptation under Label Shifts*, ICLR 2019,
/// arXiv:1903.09734.
///
/// *Where we differ.* The paper's second factor on `θ` (its γ, for small targets) is 1. The factor 0.01 is that of its
/// code. The package abstention minimises the same sum, but stops where weights may still be 2e-4 off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RllsParams {
    n_folds: usize,
    lambda: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for RllsParams {
    fn default() -> Self {
        Self {
            n_folds: 5,
            lambda: None,
            learner: logistic(),
        }
    }
}

setters!(RllsParams {
    /// Sets the parts of the cross-fitting.
    n_folds: usize,
    /// Sets the penalty.
    lambda: Some(f64),
});

weighted_learner!(RllsParams);

pub(super) fn default_penalty(n_classes: usize, n_source: usize) -> f64 {
    let (n, log) = (n_source as f64, (2.0 * n_classes as f64 / 0.05).ln());
    0.01 * 3.0 * (2.0 * log / (3.0 * n) + (2.0 * log / n).sqrt())
}

const BISECTIONS: usize = 200;
/// Shares that differ by less are equal.
const ROUNDING: f64 = 1e-12;

/// `w = 1 + θ` with the least `‖Cθ − (μ − C1)‖ + λ‖θ‖` under `θ ≥ −1`.
pub(super) fn regularised_weights(
    confusion: &Array2<f64>,
    target: &Array1<f64>,
    lambda: f64,
) -> Result<Array1<f64>, TransferError> {
    let ones = Array1::ones(target.len());
    let norm = |v: Array1<f64>| v.dot(&v).sqrt();
    let missing = target - &confusion.dot(&ones);
    let reach = norm(confusion.t().dot(&missing));
    let missing = norm(missing);
    // Nothing is missing but rounding, or the penalty is steeper than anything to be gained.
    if missing <= ROUNDING || reach <= lambda * missing {
        return Ok(ones);
    }
    let moment = gram(confusion);
    let at_target = confusion.t().dot(target);
    let weights = |ridge: f64| {
        let mut quadratic = moment.clone();
        quadratic.diag_mut().mapv_inplace(|v| v + ridge);
        nonnegative_minimum(&quadratic, &(&at_target + ridge), &ones)
    };
    let (mut low, mut high) = (1e-12_f64, 1e6_f64);
    for _ in 0..BISECTIONS {
        let middle = (low * high).sqrt();
        if middle <= low || middle >= high {
            break;
        }
        let w = weights(middle)?;
        let missed = norm(confusion.dot(&w) - target);
        if middle * norm(&w - 1.0) < lambda * missed {
            low = middle;
        } else {
            high = middle;
        }
    }
    weights(high)
}

impl SourceWeighter for RllsParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let classes = Classes::of(problem, INFO.name)?;
        let fitted = CrossFitted::new(problem, &classes, &self.learner, self.n_folds, seed)?;
        let (confusion, target) = fitted.confusion(&classes, INFO.name)?;
        let (n_classes, n_source) = (classes.present.len(), classes.of_row.len());
        let penalty = default_penalty(n_classes, n_source);
        let weights = regularised_weights(&confusion, &target, self.lambda.unwrap_or(penalty))?;
        classes.explained_weights(&weights, problem.n_classes(), &fitted)
    }
}

crate::method_name!(Rlls => RllsParams, "Regularised learning under label shift (RLLS)");

transfer_method!(RllsParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for RllsParams {}

static INFO: MethodInfo = MethodInfo {
    name: "rlls",
    title: "Regularised learning under label shift (RLLS)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[
        N_FOLDS,
        ParamInfo {
            name: "lambda",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Penalty on what differs from weights of 1; null: from the numbers of rows and classes.",
        },
    ],
    exemptions: &[],
    reference: "Azizzadenesheli, Liu, Yang, Anandkumar. Regularized Learning for Domain Adaptation under Label Shifts. ICLR 2019. arXiv:1903.09734",
};
