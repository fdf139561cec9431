//! Boosting of real values: the losses of AdaBoost.R2 and the weighted median of its rounds.

use ndarray::{Array1, ArrayView1};
use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Features, ParamInfo, ParamRange, Prediction, TransferError, TransferModel,
};
use translearn_learners::Tree;

use super::vote::Round;

/// How an absolute error becomes a loss between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionLoss {
    /// `|h(x) - y| / D`.
    #[default]
    Linear,
    /// `(|h(x) - y| / D)²`.
    Square,
    /// `1 - exp(-|h(x) - y| / D)`.
    Exponential,
}

/// The losses, as methods declare them.
pub(super) const REGRESSION_LOSS: ParamInfo = ParamInfo {
    name: "loss",
    default: "\"linear\"",
    range: ParamRange::Choice(&["linear", "square", "exponential"]),
    doc: "How the absolute error of a row, over the largest, becomes its loss.",
};

impl RegressionLoss {
    /// The loss of each row, `D` being the largest error of a row that has weight.
    pub(super) fn losses(
        self,
        predicted: &Array1<f64>,
        truth: &Array1<f64>,
        weights: ArrayView1<'_, f64>,
    ) -> Array1<f64> {
        let errors = (predicted - truth).mapv(f64::abs);
        let with_weight = errors.iter().zip(weights).filter(|&(_, &w)| w > 0.0);
        let largest = with_weight.fold(0.0_f64, |a, (&error, _)| a.max(error));
        if largest == 0.0 {
            return Array1::zeros(errors.len());
        }
        errors.mapv(|error| {
            let share = (error / largest).min(1.0);
            match self {
                Self::Linear => share,
                Self::Square => share * share,
                Self::Exponential => 1.0 - (-share).exp(),
            }
        })
    }
}

/// A regression tree of depth 3.
pub(super) fn tree() -> BaseLearner {
    Tree::params().max_depth(3).into()
}

/// What a round with this error votes and updates by, `ln β = ln(ε / (1 - ε))`; `None` where it ends the boosting.
pub(super) fn log_beta(error: f64) -> Option<f64> {
    let error = error.max(LEAST_ERROR);
    (error < 0.5).then(|| (error / (1.0 - error)).ln())
}

/// The least error a vote is computed from.
const LEAST_ERROR: f64 = 1e-10;

/// A fitted ensemble for real values: it answers with the weighted median of its rounds.
#[derive(Debug, Serialize, Deserialize)]
pub struct WeightedMedian {
    pub(super) rounds: Vec<Round>,
}

/// Half of all votes but for rounding, which must not choose between two rounds that have half each.
const HALF: f64 = 0.5 - 1e-9;

impl WeightedMedian {
    pub(super) fn values(&self, rows: &Features) -> Result<Array1<f64>, TransferError> {
        let answers = self
            .rounds
            .iter()
            .map(|Round { predictor, .. }| {
                let labels = predictor.predict(rows)?.labels;
                Ok(labels.values("boosting")?.clone())
            })
            .collect::<Result<Vec<Array1<f64>>, TransferError>>()?;
        let total: f64 = self.rounds.iter().map(|round| round.vote).sum();
        let median = |row: usize| {
            let mut order: Vec<usize> = (0..answers.len()).collect();
            order.sort_by(|&a, &b| answers[a][row].total_cmp(&answers[b][row]));
            let mut sum = 0.0;
            let middle = order.iter().find(|&&round| {
                sum += self.rounds[round].vote;
                sum >= HALF * total
            });
            middle.map_or(f64::NAN, |&round| answers[round][row])
        };
        Ok((0..rows.n_rows()).map(median).collect())
    }
}

#[typetag::serde(name = "weighted-median")]
impl TransferModel for WeightedMedian {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction::from_values(self.values(target)?))
    }
}
