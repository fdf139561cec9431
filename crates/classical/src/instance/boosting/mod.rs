//! Boosting: source rows that mislead lose weight, target rows that are missed gain it, round by round.

mod adaboost_r2;
mod multi_source;
mod regression;
mod reweighting;
mod task;
#[cfg(test)]
mod tests;
mod tradaboost;
mod tradaboost_r2;
mod two_stage;
mod vote;

pub use multi_source::{MultiSourceTrAdaBoost, MultiSourceTrAdaBoostParams};
pub use regression::{RegressionLoss, WeightedMedian};
pub use reweighting::Correction;
pub use task::{TaskTrAdaBoost, TaskTrAdaBoostParams};
pub use tradaboost::{TrAdaBoost, TrAdaBoostParams};
pub use tradaboost_r2::{TrAdaBoostR2, TrAdaBoostR2Params};
pub use two_stage::{TwoStageTrAdaBoostR2, TwoStageTrAdaBoostR2Params};
pub use vote::{BoostingLoss, WeightedVote};

use ndarray::{Array1, ArrayView1};
use translearn_core::{BaseLearner, ParamInfo, ParamRange, TransferError, mean_one};
use translearn_learners::Stump;

/// The number of rounds of every boosting.
const N_ROUNDS: ParamInfo = ParamInfo {
    name: "n_rounds",
    default: "10",
    range: ParamRange::Integer {
        low: 1,
        high: 100_000,
    },
    doc: "Boosting rounds.",
};

/// The loss of a row whose label is a class.
const LOSS: ParamInfo = ParamInfo {
    name: "loss",
    default: "\"error\"",
    range: ParamRange::Choice(&["error", "confidence"]),
    doc: "Loss of a row: wrong or right, or one minus the probability of the right label.",
};

fn stump() -> BaseLearner {
    Stump::params().into()
}

/// Weights of mean 1 from their logarithms.
fn normalised(log_weights: ArrayView1<'_, f64>) -> Result<Array1<f64>, TransferError> {
    let largest = log_weights.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    mean_one(&log_weights.mapv(|w| (w - largest).exp()))
}

/// The mean of `losses` under `weights`.
fn weighted_mean(losses: ArrayView1<'_, f64>, weights: ArrayView1<'_, f64>) -> f64 {
    losses
        .iter()
        .zip(weights)
        .map(|(loss, w)| w * loss)
        .sum::<f64>()
        / weights.sum()
}
