//! AdaBoost.R2 on the target's rows, with the source's at weights that never change.

use ndarray::{Array1, Axis, concatenate, s};
use translearn_core::{
    BaseLearner, Features, Labels, Refit, Sample, TransferError, mean_one, seed::derive,
};

use super::regression::{RegressionLoss, WeightedMedian, log_beta};
use super::vote::Round;
use super::weighted_mean;

/// Source rows with target rows below, and the learner that is fitted on them under one weighting after another.
pub(super) struct FrozenSource<'a> {
    features: &'a Features,
    values: &'a Array1<f64>,
    n_source: usize,
    learner: Box<dyn Refit + 'a>,
    n_rounds: usize,
    loss: RegressionLoss,
}

impl<'a> FrozenSource<'a> {
    pub(super) fn new(
        learner: &'a BaseLearner,
        features: &'a Features,
        labels: &'a Labels,
        n_source: usize,
        n_rounds: usize,
        loss: RegressionLoss,
    ) -> Result<Self, TransferError> {
        Ok(Self {
            features,
            values: labels.values("AdaBoost.R2")?,
            n_source,
            learner: learner.refit(&Sample::new(features, labels, 0)?)?,
            n_rounds,
            loss,
        })
    }

    /// AdaBoost.R2 under these source weights; the rest to 1 belongs to the target.
    pub(super) fn boost(
        &self,
        source: &Array1<f64>,
        seed: u64,
    ) -> Result<WeightedMedian, TransferError> {
        let share = 1.0 - source.sum();
        let mut weights = self.weights(source);
        let mut rounds = Vec::new();
        for round in 1..=self.n_rounds {
            let seed = derive(seed, &["round", &round.to_string()]);
            let (mut hypothesis, losses) = self.hypothesis(&weights, seed)?;
            let error = weighted_mean(losses.view(), weights.view());
            let Some(log_beta) = log_beta(error) else {
                if rounds.is_empty() {
                    rounds.push(hypothesis);
                }
                break;
            };
            hypothesis.vote = -log_beta;
            rounds.push(hypothesis);
            let factors = losses
                .slice(s![self.n_source..])
                .mapv(|loss| (log_beta * (1.0 - loss)).exp());
            let mut target = weights.slice_mut(s![self.n_source..]);
            target *= &factors;
            let scale = share / target.sum();
            target *= scale;
        }
        Ok(WeightedMedian { rounds })
    }

    /// The losses of all rows under the learner alone, all target rows having the same weight.
    pub(super) fn losses(
        &self,
        source: &Array1<f64>,
        seed: u64,
    ) -> Result<Array1<f64>, TransferError> {
        Ok(self.hypothesis(&self.weights(source), seed)?.1)
    }

    /// Source weights, and the rest to 1 evenly for the target rows.
    #[expect(clippy::expect_used, reason = "two vectors always concatenate")]
    fn weights(&self, source: &Array1<f64>) -> Array1<f64> {
        let n_target = self.values.len() - self.n_source;
        let even = Array1::from_elem(n_target, (1.0 - source.sum()) / n_target as f64);
        concatenate(Axis(0), &[source.view(), even.view()]).expect("two vectors")
    }

    /// The learner under these weights, and the losses of all rows.
    fn hypothesis(
        &self,
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<(Round, Array1<f64>), TransferError> {
        let predictor = self.learner.fit_weighted(&mean_one(weights)?, seed)?;
        let predicted = predictor.predict(self.features)?.labels;
        let losses = self.loss.losses(
            predicted.values("AdaBoost.R2")?,
            self.values,
            weights.view(),
        );
        let vote = 1.0;
        Ok((Round { predictor, vote }, losses))
    }
}
