//! MultiSourceTrAdaBoost.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, MethodInfo, Outputs, TransferProblem, What,
    setters, transfer_method,
};

use super::reweighting::{Boosting, Correction, Voters};
use super::{BoostingLoss, LOSS, N_ROUNDS, stump};
use crate::instance::{weighted_learner, weighting_needs};

/// Parameters of MultiSourceTrAdaBoost: TrAdaBoost in which every round takes the one source that helps the target
/// most.
///
/// *Setting.* Classes in any number of sources and for some target rows. *When.* Some sources are near the target and
/// others are not, and it is not known which.
///
/// # Steps
///
/// With `n_s` source rows in all, `N` rounds and all weights 1 at first, `β = 1 / (1 + √(2 ln n_s / N))`:
///
/// 1. For each source `k`, fit the learner on that source and the target with the current weights (scaled to mean 1).
/// 2. `ε_t^k` is its weighted mean loss `ℓ_i` on the **target** rows. The source with the smallest gives the round's
///    hypothesis `h_t` and `ε_t`, kept within `[1e-10, 0.499]`; `β_t = ε_t / (1 - ε_t)`.
/// 3. A row of any source: `w_i ← w_i β^{ℓ_i}`. A target row: `w_i ← w_i β_t^{-ℓ_i}`, both by the losses of `h_t`.
/// 4. All rounds vote with weight `ln(1/β_t)`; the largest sum of votes wins.
///
/// The losses are those of [`TrAdaBoostParams`](super::TrAdaBoostParams). With one source the rounds are TrAdaBoost's;
/// there the first half of them has no vote. The series `source` of the trace has the source taken in each round, by
/// its place among the sources with labels.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N`; the paper takes 100 |
/// | `loss` | `error` | `error`, `confidence` | the loss `ℓ_i` of a row |
///
/// # Cost
///
/// `N` fits for each source, on its rows and the target's: `N (n_s + k n_t)` rows for `k` sources.
///
/// # Errors
///
/// [`TransferError::Unsupported`](translearn_core::TransferError::Unsupported) without target labels, for real-valued
/// labels or for a learner that ignores weights.
///
/// # Example
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use translearn_classical::instance::MultiSourceTrAdaBoost;
/// use translearn_core::{Domain, LabelSpace, Task, TransferMethod, TransferProblem};
///
/// let domain = |name: &str, x: Array2<f64>| Domain { name: name.to_owned(), features: x.into() };
/// let labels = |y: Array1<usize>| Task::labelled(LabelSpace::numbered(2), y.into());
/// // The second source has the target's border, the first has the classes the other way round.
/// let x = array![[-2.0], [-1.0], [1.0], [2.0]];
/// let problem = TransferProblem::from_parts(
///     vec![
///         (domain("wrong", x.clone()), labels(array![1, 1, 0, 0])),
///         (domain("right", x), labels(array![0, 0, 1, 1])),
///     ],
///     (domain("target", array![[-3.0], [-0.5], [0.5], [3.0]]), labels(array![0, 0, 1, 1])),
/// )?;
/// let fitted = MultiSourceTrAdaBoost::params().n_rounds(4).fit(&problem, 0)?;
/// assert_eq!(fitted.trace.series["source"][0], 1.0);
/// let predicted = fitted.model.predict(&array![[-0.2], [0.2]].into())?;
/// assert_eq!(predicted.labels, array![0, 1].into());
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Yao, Doretto, *Boosting for Transfer Learning with Multiple Sources*, CVPR 2010, doi:10.1109/CVPR.2010.5539857.
///
/// *Where we differ.* The paper has two classes; more are decided by the vote above, as for TrAdaBoost. Its `α_t = ½
/// ln(1/β_t)` and labels of ±1 come to the same weights and votes. `ε_t` is kept inside its range where the paper
/// requires it to be below ½. Equal errors go to the earlier source.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiSourceTrAdaBoostParams {
    n_rounds: usize,
    loss: BoostingLoss,
    #[serde(skip, default = "stump")]
    learner: BaseLearner,
}

impl Default for MultiSourceTrAdaBoostParams {
    fn default() -> Self {
        Self {
            n_rounds: 10,
            loss: BoostingLoss::Error,
            learner: stump(),
        }
    }
}

setters!(MultiSourceTrAdaBoostParams {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the loss of a row.
    loss: BoostingLoss,
});

weighted_learner!(MultiSourceTrAdaBoostParams);

crate::method_name!(MultiSourceTrAdaBoost => MultiSourceTrAdaBoostParams, "MultiSourceTrAdaBoost");

transfer_method!(
    MultiSourceTrAdaBoostParams,
    INFO,
    |method, problem, seed| {
        let boosting = Boosting {
            owner: INFO.name,
            learner: &method.learner,
            n_rounds: method.n_rounds,
            loss: method.loss,
            correction: Correction::None,
            voters: Voters::All,
        };
        boosting.fit(problem, &rows_of_sources(problem), seed)
    }
);

/// The labelled rows of each source, numbered as in [`TransferProblem::source`].
fn rows_of_sources(problem: &TransferProblem) -> Vec<Range<usize>> {
    let mut end = 0;
    problem
        .labelled_sources()
        .map(|source| {
            let start = end;
            end += source.labels.len();
            start..end
        })
        .collect()
}

impl<TT: CarriesLabels> AcceptsTarget<TT> for MultiSourceTrAdaBoostParams {}

static INFO: MethodInfo = MethodInfo {
    name: "multi-source-tradaboost",
    title: "MultiSourceTrAdaBoost",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Classification, true),
    parameters: &[N_ROUNDS, LOSS],
    exemptions: &[],
    reference: "Yao, Doretto. Boosting for Transfer Learning with Multiple Sources. CVPR 2010. doi:10.1109/CVPR.2010.5539857",
};
