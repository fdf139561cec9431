//! Rounds that vote on the class of a row.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Prediction, Predictor, TransferError, TransferModel};

use crate::instance::shares::{class_shares, one_hot};

/// The loss of a row in a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoostingLoss {
    /// 1 for a wrong label, 0 for a right one.
    #[default]
    Error,
    /// One minus the probability of the right label.
    Confidence,
}

impl BoostingLoss {
    /// The vote of a round for every row and class; a row's loss is one minus the vote for its label.
    pub(super) fn votes(
        self,
        prediction: &Prediction,
        n_classes: usize,
    ) -> Result<Array2<f64>, TransferError> {
        match self {
            Self::Confidence => class_shares(prediction, n_classes),
            Self::Error => one_hot(prediction, n_classes),
        }
    }
}

/// A fitted ensemble for classes: each round votes with its weight, and the largest sum of votes wins.
#[derive(Debug, Serialize, Deserialize)]
pub struct WeightedVote {
    pub(super) rounds: Vec<Round>,
    pub(super) loss: BoostingLoss,
    pub(super) n_classes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) predictor: Box<dyn Predictor>,
    pub(super) vote: f64,
}

#[typetag::serde(name = "weighted-vote")]
impl TransferModel for WeightedVote {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        let mut votes = Array2::zeros((target.n_rows(), self.n_classes));
        for Round { predictor, vote } in &self.rounds {
            votes.scaled_add(
                *vote,
                &self
                    .loss
                    .votes(&predictor.predict(target)?, self.n_classes)?,
            );
        }
        Ok(Prediction::from_decision(votes))
    }
}
