//! TaskTrAdaBoost.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Fitted, Labelled, Law, MethodInfo, Outputs,
    ParamInfo, ParamRange, Predictor, Sample, Trace, TransferError, TransferProblem, What,
    seed::derive, setters, transfer_method,
};

use super::reweighting::TIE;
use super::vote::Round;
use super::{BoostingLoss, N_ROUNDS, WeightedVote, normalised, stump, weighted_mean};
use crate::baseline::target_rows;
use crate::instance::{weighted_learner, weighting_needs};

/// Parameters of TaskTrAdaBoost: AdaBoost on the target that chooses among the hypotheses AdaBoost found on the
/// sources.
///
/// *Setting.* Classes in any number of sources and for some target rows. *When.* A handful of target labels: too few to
/// learn a hypothesis from, enough to tell a good one from a bad one. The sources are looked at once, so that new
/// targets are cheap.
///
/// # Steps
///
/// An *AdaBoost round* with hypothesis `h` on rows of weight `w_i`: `ε` is the weighted share of wrong rows, kept at
/// 1e-10 or above; the vote is `α = ln((1 - ε) / ε) + ln(C - 1)` for `C` classes; wrong rows: `w_i ← w_i e^α`.
///
/// 1. On each source by itself, up to `N` rounds with the learner fitted on the current weights, until no row is wrong
///    or `α ≤ 0` (but for rounding). Hypotheses with `α > min_vote` are candidates.
/// 2. On the target, up to `N` rounds, each with the candidate of the smallest `ε`, which is then no candidate any
///    more. Of two classes, a candidate with `ε > ½` is taken the other way round, with error `1 - ε`. The rounds end
///    with the candidates, or when the best of them has `α ≤ 0`; the first is kept all the same.
/// 3. The rounds on the target vote with their `α`; the largest sum of votes wins.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N`, on each source and on the target |
/// | `min_vote` | 0 | [0, ∞) | a hypothesis is a candidate when its vote on its own source is larger |
///
/// # Cost
///
/// `N` fits on each source; on the target no fit, but `O(N · k N · n_t)` for the choice with `k` sources.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels, for real-valued labels, for a learner that ignores weights or
/// does no better than guessing on every source; [`TransferError::InvalidParameter`] for a `min_vote` that leaves no
/// candidate.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::TaskTrAdaBoost;
/// use translearn_core::FitTransfer;
///
/// // The same border with the classes the other way round: two labels are enough to see it.
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [1.0], [2.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::new(array![[-4.0], [4.0], [0.5]], array![Some(1), Some(0), None]);
/// let model = TaskTrAdaBoost::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[-0.5], [0.5]])?, array![1, 0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Yao, Doretto, *Boosting for Transfer Learning with Multiple Sources*, CVPR 2010, doi:10.1109/CVPR.2010.5539857.
///
/// *Where we differ.* The paper has two classes, for which votes here are twice its `α`, so that a `min_vote` is twice
/// its `γ`. More classes are served by the votes of SAMME (Zhu, Zou, Rosset, Hastie, *Multi-class AdaBoost*, 2009,
/// doi:10.4310/SII.2009.v2.n3.a8), and no candidate is turned round. A hypothesis without error ends the rounds on its
/// source, for all that follow would be the same. Equal errors go to the earlier candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskTrAdaBoostParams {
    n_rounds: usize,
    min_vote: f64,
    #[serde(skip, default = "stump")]
    learner: BaseLearner,
}

impl Default for TaskTrAdaBoostParams {
    fn default() -> Self {
        Self {
            n_rounds: 10,
            min_vote: 0.0,
            learner: stump(),
        }
    }
}

/// The least error a vote is computed from.
const LEAST_ERROR: f64 = 1e-10;

setters!(TaskTrAdaBoostParams {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the vote on its own source above which a hypothesis is a candidate.
    min_vote: f64,
});

impl TaskTrAdaBoostParams {
    /// Rounds of AdaBoost on one source, with their votes there.
    fn source_rounds(
        &self,
        source: &Labelled<'_>,
        n_classes: usize,
        seed: u64,
    ) -> Result<Vec<Round>, TransferError> {
        let sample = Sample::new(&source.features, &source.labels, n_classes)?;
        let learner = self.learner.refit(&sample)?;
        let mut log_weights = Array1::<f64>::zeros(source.labels.len());
        let mut rounds = Vec::new();
        for round in 1..=self.n_rounds {
            let weights = normalised(log_weights.view())?;
            let seed = derive(seed, &["round", &round.to_string()]);
            let predictor = learner.fit_weighted(&weights, seed)?;
            let losses = errors(&*predictor, source)?;
            let error = weighted_mean(losses.view(), weights.view());
            let vote = vote(error, n_classes);
            if vote <= TIE {
                break;
            }
            log_weights.scaled_add(vote, &losses);
            rounds.push(Round { predictor, vote });
            if error <= LEAST_ERROR {
                break;
            }
        }
        Ok(rounds)
    }

    fn candidates(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<Vec<Box<dyn Predictor>>, TransferError> {
        let mut rounds = Vec::new();
        for (place, source) in problem.labelled_sources().enumerate() {
            let seed = derive(seed, &["source", &place.to_string()]);
            rounds.extend(self.source_rounds(&source, problem.n_classes(), seed)?);
        }
        if rounds.is_empty() {
            return Err(TransferError::Unsupported {
                method: INFO.name.to_owned(),
                needs: "a source on which the learner does better than guessing".to_owned(),
                has: "none".to_owned(),
            });
        }
        let largest = rounds.iter().fold(0.0_f64, |a, round| a.max(round.vote));
        rounds.retain(|round| round.vote > self.min_vote);
        if rounds.is_empty() {
            return Err(TransferError::InvalidParameter {
                name: "min_vote".to_owned(),
                value: self.min_vote.to_string(),
                range: format!("votes below {largest}, the largest of a hypothesis of the sources"),
            });
        }
        Ok(rounds.into_iter().map(|round| round.predictor).collect())
    }

    fn boost(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let n_classes = problem.n_classes();
        let target = target_rows(problem)?;
        let mut candidates = self
            .candidates(problem, seed)?
            .into_iter()
            .map(|predictor| Ok((errors(&*predictor, &target)?, predictor)))
            .collect::<Result<Vec<_>, TransferError>>()?;
        let mut log_weights = Array1::<f64>::zeros(target.labels.len());
        let (mut rounds, mut series) = (Vec::new(), Vec::new());
        while rounds.len() < self.n_rounds && !candidates.is_empty() {
            let weights = normalised(log_weights.view())?;
            let mut best = (0, f64::INFINITY, false);
            for (place, (losses, _)) in candidates.iter().enumerate() {
                let error = weighted_mean(losses.view(), weights.view());
                let turned = n_classes == 2 && error > 0.5;
                let error = if turned { 1.0 - error } else { error };
                if error < best.1 - TIE {
                    best = (place, error, turned);
                }
            }
            let (place, error, turned) = best;
            let vote = vote(error, n_classes);
            let guesses = vote <= TIE;
            if guesses && !rounds.is_empty() {
                break;
            }
            let (losses, predictor) = candidates.remove(place);
            series.push(error);
            // Taken the other way round it is wrong where it was right, and votes against its answer.
            let sign = if turned { -1.0 } else { 1.0 };
            let wrong = if turned { 1.0 - losses } else { losses };
            log_weights.scaled_add(vote, &wrong);
            // The best of candidates that all guess answers alone.
            rounds.push(Round {
                predictor,
                vote: sign * if guesses { 1.0 } else { vote },
            });
            if guesses {
                break;
            }
        }
        Ok(Fitted {
            model: Box::new(WeightedVote {
                rounds,
                loss: BoostingLoss::Error,
                n_classes,
            }),
            trace: Trace {
                source_weights: None,
                series: [("target-error".to_owned(), series)].into(),
            },
        })
    }
}

/// 1 for each row that is predicted wrongly, 0 for the others.
fn errors(predictor: &dyn Predictor, rows: &Labelled<'_>) -> Result<Array1<f64>, TransferError> {
    let truth = rows.labels.classes(INFO.name)?;
    let predicted = predictor.predict(&rows.features)?.labels;
    let predicted = predicted.classes(INFO.name)?;
    let wrong = predicted
        .iter()
        .zip(truth)
        .map(|(p, y)| f64::from(u8::from(p != y)));
    Ok(wrong.collect())
}

/// The vote of a hypothesis with this error; 0 for one that guesses.
fn vote(error: f64, n_classes: usize) -> f64 {
    let error = error.clamp(LEAST_ERROR, 1.0 - LEAST_ERROR);
    ((1.0 - error) / error).ln() + (n_classes as f64 - 1.0).max(1.0).ln()
}

weighted_learner!(TaskTrAdaBoostParams);

crate::method_name!(TaskTrAdaBoost => TaskTrAdaBoostParams, "TaskTrAdaBoost");

transfer_method!(TaskTrAdaBoostParams, INFO, |method, problem, seed| {
    method.boost(problem, seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for TaskTrAdaBoostParams {}

static INFO: MethodInfo = MethodInfo {
    name: "task-tradaboost",
    title: "TaskTrAdaBoost",
    family: Family::Instance,
    what: What::Parameters,
    needs: weighting_needs(true, Outputs::Classification, true),
    parameters: &[
        N_ROUNDS,
        ParamInfo {
            name: "min_vote",
            default: "0.0",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Vote on its own source above which a hypothesis is a candidate.",
        },
    ],
    exemptions: &[(
        Law::LabelRenaming,
        "where classes tie in a source, as in a leaf of a stump, the learner answers with the lower one",
    )],
    reference: "Yao, Doretto. Boosting for Transfer Learning with Multiple Sources. CVPR 2010. doi:10.1109/CVPR.2010.5539857",
};
