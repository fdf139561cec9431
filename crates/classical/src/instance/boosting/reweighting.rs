//! The rounds of TrAdaBoost with one source or several: each side of the transfer is reweighted its own way.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array1, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Fitted, Labelled, Predictor, Refit, Sample, Trace, TransferError, TransferProblem,
    seed::derive,
};

use super::vote::{BoostingLoss, Round, WeightedVote};
use super::{normalised, weighted_mean};
use crate::baseline::pooled_rows;

/// The range a round's error is kept in: 0 would give an infinite vote, ½ and more a negative one.
const ERROR_RANGE: (f64, f64) = (1e-10, 0.499);

/// Errors this near each other are equal, so that rounding does not choose between hypotheses.
pub(super) const TIE: f64 = 1e-10;

/// What is done about the drift of weight from the source, right or wrong, to the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Nothing: the rule of TrAdaBoost's paper.
    #[default]
    None,
    /// The source grows as the target as a whole does: Dynamic-TrAdaBoost.
    Dynamic,
}

/// Which rounds vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voters {
    All,
    /// From the ⌈N/2⌉-th of N.
    SecondHalf,
}

/// How the rounds go.
pub(super) struct Boosting<'a> {
    /// The method, for errors.
    pub(super) owner: &'static str,
    pub(super) learner: &'a BaseLearner,
    pub(super) n_rounds: usize,
    pub(super) loss: BoostingLoss,
    pub(super) correction: Correction,
    pub(super) voters: Voters,
}

/// Rows on which a hypothesis is fitted in every round: one source, or all, and the target.
struct Candidate<'a> {
    rows: Vec<usize>,
    sample: Labelled<'a>,
}

/// The best hypothesis of a round, with the group of source rows it was fitted on.
struct Best {
    group: usize,
    predictor: Box<dyn Predictor>,
    losses: Array1<f64>,
    weights: Array1<f64>,
    error: f64,
}

impl Boosting<'_> {
    /// Boosts. A round fits a hypothesis on each of the `groups` of source rows, which cover the labelled source in its
    /// order, together with the target, and goes on with the one that errs least on the target.
    pub(super) fn fit(
        &self,
        problem: &TransferProblem,
        groups: &[Range<usize>],
        seed: u64,
    ) -> Result<Fitted, TransferError> {
        let rows = pooled_rows(problem)?;
        let labels = rows.labels.classes(self.owner)?;
        let n_source = problem.source()?.labels.len();
        let n_classes = problem.n_classes();
        let candidates: Vec<Candidate<'_>> = groups
            .iter()
            .map(|group| candidate(&rows, group, n_source))
            .collect();
        let learners = candidates
            .iter()
            .map(|Candidate { sample, .. }| {
                let sample = Sample::new(&sample.features, &sample.labels, n_classes)?;
                self.learner.refit(&sample)
            })
            .collect::<Result<Vec<Box<dyn Refit>>, TransferError>>()?;
        let log_beta = -(1.0 + (2.0 * (n_source as f64).ln() / self.n_rounds as f64).sqrt()).ln();
        let mut log_weights = Array1::<f64>::zeros(labels.len());
        let (mut rounds, mut errors, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.n_rounds {
            let seed = derive(seed, &["round", &round.to_string()]);
            let mut best: Option<Best> = None;
            for (group, (Candidate { rows: own, .. }, learner)) in
                candidates.iter().zip(&learners).enumerate()
            {
                let weights = normalised(log_weights.select(Axis(0), own).view())?;
                let predictor = learner.fit_weighted(&weights, seed)?;
                let votes = self
                    .loss
                    .votes(&predictor.predict(&rows.features)?, n_classes)?;
                let losses: Array1<f64> = labels
                    .indexed_iter()
                    .map(|(row, &label)| 1.0 - votes[[row, label]])
                    .collect();
                let weights = weights.slice_move(s![own.len() - (labels.len() - n_source)..]);
                let error = weighted_mean(losses.slice(s![n_source..]), weights.view());
                if best.as_ref().is_none_or(|best| error < best.error - TIE) {
                    best = Some(Best {
                        group,
                        predictor,
                        losses,
                        weights,
                        error,
                    });
                }
            }
            let Some(best) = best else {
                break;
            };
            let error = best.error.clamp(ERROR_RANGE.0, ERROR_RANGE.1);
            let log_beta_round = (error / (1.0 - error)).ln();
            let gain = match self.correction {
                Correction::None => 0.0,
                Correction::Dynamic => {
                    let growth = best
                        .losses
                        .slice(s![n_source..])
                        .mapv(|loss| (-log_beta_round * loss).exp());
                    weighted_mean(growth.view(), best.weights.view()).ln()
                }
            };
            for (row, log_weight) in log_weights.iter_mut().enumerate() {
                *log_weight += if row < n_source {
                    best.losses[row] * log_beta + gain
                } else {
                    -best.losses[row] * log_beta_round
                };
            }
            errors.push(error);
            chosen.push(best.group as f64);
            if self.voters == Voters::All || round >= self.n_rounds.div_ceil(2) {
                rounds.push(Round {
                    predictor: best.predictor,
                    vote: -log_beta_round,
                });
            }
        }
        let mut trace = Trace {
            source_weights: Some(normalised(log_weights.slice(s![..n_source]))?),
            series: [("target-error".to_owned(), errors)].into(),
        };
        if groups.len() > 1 {
            trace.series.insert("source".to_owned(), chosen);
        }
        Ok(Fitted {
            model: Box::new(WeightedVote {
                rounds,
                loss: self.loss,
                n_classes,
            }),
            trace,
        })
    }
}

/// The rows of a group of source rows and of the target, copied unless they are all there are.
fn candidate<'a>(all: &'a Labelled<'_>, group: &Range<usize>, n_source: usize) -> Candidate<'a> {
    let rows: Vec<usize> = group.clone().chain(n_source..all.labels.len()).collect();
    let sample = if group.len() == n_source {
        Labelled {
            features: Cow::Borrowed(&*all.features),
            labels: Cow::Borrowed(&*all.labels),
        }
    } else {
        Labelled {
            features: Cow::Owned(all.features.select_rows(&rows)),
            labels: Cow::Owned(all.labels.select(&rows)),
        }
    };
    Candidate { rows, sample }
}
