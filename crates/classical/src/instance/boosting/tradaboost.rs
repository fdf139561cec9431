//! TrAdaBoost.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, MethodInfo, Outputs, ParamInfo, ParamRange,
    What, setters, transfer_method,
};

use super::reweighting::{Boosting, Correction, Voters};
use super::{BoostingLoss, LOSS, N_ROUNDS, stump};
use crate::instance::{weighted_learner, weighting_needs};

/// Parameters of TrAdaBoost: boosting that turns down the source rows the learner keeps getting wrong and turns up the
/// target rows it gets wrong.
///
/// *Setting.* Classes in the source and for some target rows. *When.* A few target labels, and a source of which an
/// unknown part is misleading.
///
/// # Steps
///
/// With `n_s` source rows, `N` rounds and all weights 1 at first, `β = 1 / (1 + √(2 ln n_s / N))`:
///
/// 1. Fit the learner on all labelled rows with the current weights (scaled to mean 1).
/// 2. `ε_t` is its weighted mean loss `ℓ_i` on the **target** rows, kept within `[1e-10, 0.499]`;
///    `β_t = ε_t / (1 - ε_t)`.
/// 3. A source row: `w_i ← C_t w_i β^{ℓ_i}`. A target row: `w_i ← w_i β_t^{-ℓ_i}`.
/// 4. After `N` rounds, the rounds from `⌈N/2⌉` on vote with weight `ln(1/β_t)`; the largest sum of votes wins.
///
/// The loss is 1 for a wrong label and 0 for a right one (`error`), or one minus the probability of the right label
/// (`confidence`), which still tells rows apart when the learner fits all of them; votes then are probabilities too.
/// Decision values become probabilities as logistic functions of each class's value, scaled to sum 1.
///
/// `C_t` is 1 (`correction = "none"`, the paper), or what the target's weight as a whole grows by (`"dynamic"`):
///
/// $$C_t = \frac{\sum_{i \in T} w_i \beta_t^{-\ell_i}}{\sum_{i \in T} w_i}$$
///
/// Without it the source loses weight to the target in every round, right or wrong. With it a source row that is right
/// keeps its weight relative to the target's as a whole. For a loss of 0 or 1 and `ε_t` inside its range `C_t` is `2 (1
/// - ε_t)`.
///
/// For two classes the vote is the paper's rule `Π β_t^{-h_t(x)} ≥ Π β_t^{-1/2}`. Weights are kept as logarithms.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N`; the paper takes 100, which often hurts on a handful of target labels |
/// | `loss` | `error` | `error`, `confidence` | the loss `ℓ_i` of a row |
/// | `correction` | `none` | `none`, `dynamic` | what the source's weights are multiplied by in a round |
///
/// # Cost
///
/// `N` fits of the learner on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::Unsupported`](translearn_core::TransferError::Unsupported) without target labels, for real-valued
/// labels or for a learner that ignores weights.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::TrAdaBoost;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Stump;
///
/// // The source puts the border at 0, the target at 2.
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [1.0], [3.0], [4.0]], array![0, 0, 1, 1, 1]);
/// let target = DatasetBase::new(array![[1.0], [1.5], [3.0], [1.2]], array![Some(0), Some(0), Some(1), None]);
/// let model = TrAdaBoost::params()
///     .n_rounds(10)
///     .learner(Stump::params())
///     .fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[1.2]])?, array![0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Dai, Yang, Xue, Yu, *Boosting for Transfer Learning*, ICML 2007, doi:10.1145/1273496.1273521. The correction:
/// Al-Stouhi, Reddy, *Adaptive Boosting for Transfer Learning Using Dynamic Updates*, ECML PKDD 2011,
/// doi:10.1007/978-3-642-23780-5_14.
///
/// *Where we differ.* More than two classes, by the vote above. `ε_t` is kept inside its range where the paper requires
/// it to be below ½. The correction is written as the growth it makes up for: `2 (1 - ε_t)` doubles the source where
/// the target has no error and nothing grows. ADAPT takes `β_t = ε_t / (2 - ε_t)`, and of an even number of rounds lets the
/// `⌈N/2⌉`-th not vote; with the paper's `β_t` its rounds are these.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrAdaBoostParams {
    n_rounds: usize,
    loss: BoostingLoss,
    correction: Correction,
    #[serde(skip, default = "stump")]
    learner: BaseLearner,
}

impl Default for TrAdaBoostParams {
    fn default() -> Self {
        Self {
            n_rounds: 10,
            loss: BoostingLoss::Error,
            correction: Correction::None,
            learner: stump(),
        }
    }
}

setters!(TrAdaBoostParams {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the loss of a row.
    loss: BoostingLoss,
    /// Sets what is done about the drift of weight from source to target.
    correction: Correction,
});

weighted_learner!(TrAdaBoostParams);

crate::method_name!(TrAdaBoost => TrAdaBoostParams, "TrAdaBoost");

transfer_method!(TrAdaBoostParams, INFO, |method, problem, seed| {
    let boosting = Boosting {
        owner: INFO.name,
        learner: &method.learner,
        n_rounds: method.n_rounds,
        loss: method.loss,
        correction: method.correction,
        voters: Voters::SecondHalf,
    };
    let all = 0..problem.source()?.labels.len();
    boosting.fit(problem, &[all], seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for TrAdaBoostParams {}

static INFO: MethodInfo = MethodInfo {
    name: "tradaboost",
    title: "TrAdaBoost",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Classification, true),
    parameters: &[
        N_ROUNDS,
        LOSS,
        ParamInfo {
            name: "correction",
            default: "\"none\"",
            range: ParamRange::Choice(&["none", "dynamic"]),
            doc: "Factor on source weights in a round: none, or what the target's weight as a whole grows by.",
        },
    ],
    exemptions: &[],
    reference: "Dai, Yang, Xue, Yu. Boosting for Transfer Learning. ICML 2007. doi:10.1145/1273496.1273521",
};
