//! TrAdaBoost.

use ndarray::{Array1, Array2, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Features, Fitted, MethodInfo, Outputs,
    ParamInfo, ParamRange, Prediction, Predictor, Sample, Scores, Trace, TransferError,
    TransferModel, TransferProblem, What, mean_one, seed::derive, transfer_method,
};
use translearn_learners::Stump;

use super::{weighted_learner, weighting_needs};
use crate::baseline::pooled_rows;

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
/// 3. A source row: `w_i ← w_i β^{ℓ_i}`. A target row: `w_i ← w_i β_t^{-ℓ_i}`.
/// 4. After `N` rounds, the rounds from `⌈N/2⌉` on vote with weight `ln(1/β_t)`; the largest sum of votes wins.
///
/// The loss is 1 for a wrong label and 0 for a right one (`error`), or one minus the probability of the right label
/// (`confidence`), which still tells rows apart when the learner fits all of them; votes then are probabilities too.
/// Decision values become probabilities as logistic functions of each class's value, scaled to sum 1.
///
/// For two classes the vote is the paper's rule `Π β_t^{-h_t(x)} ≥ Π β_t^{-1/2}`. Weights are kept as logarithms.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N`; the paper takes 100, which often hurts on a handful of target labels |
/// | `loss` | `error` | `error`, `confidence` | the loss `ℓ_i` of a row |
///
/// # Cost
///
/// `N` fits of the learner on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels, for real-valued labels or for a learner that ignores weights.
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
/// Dai, Yang, Xue, Yu, *Boosting for Transfer Learning*, ICML 2007, doi:10.1145/1273496.1273521.
///
/// *Where we differ.* More than two classes, by the vote above. `ε_t` is kept inside its range where the paper requires it
/// to be below ½. ADAPT takes `β_t = ε_t / (2 - ε_t)`; this is the paper's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrAdaBoostParams {
    n_rounds: usize,
    loss: BoostingLoss,
    #[serde(skip, default = "stump")]
    learner: BaseLearner,
}

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
    fn votes(
        self,
        prediction: &Prediction,
        n_classes: usize,
    ) -> Result<Array2<f64>, TransferError> {
        match (self, &prediction.scores) {
            (Self::Confidence, Some(Scores::Probabilities(p))) => Ok(p.clone()),
            (Self::Confidence, Some(Scores::Decision(values))) => {
                let mut p = values.mapv(|v| 1.0 / (1.0 + (-v).exp()));
                for mut row in p.rows_mut() {
                    let sum = row.sum();
                    row.mapv_inplace(|v| v / sum.max(f64::MIN_POSITIVE));
                }
                Ok(p)
            }
            (Self::Error, _) | (Self::Confidence, None) => {
                let labels = prediction.labels.classes("tradaboost")?;
                let mut votes = Array2::zeros((labels.len(), n_classes));
                for (row, &class) in labels.indexed_iter() {
                    votes[[row, class]] = 1.0;
                }
                Ok(votes)
            }
        }
    }
}

fn stump() -> BaseLearner {
    Stump::params().into()
}

impl Default for TrAdaBoostParams {
    fn default() -> Self {
        Self {
            n_rounds: 10,
            loss: BoostingLoss::Error,
            learner: stump(),
        }
    }
}

impl TrAdaBoostParams {
    /// Sets the number of rounds.
    #[must_use]
    pub fn n_rounds(mut self, n_rounds: usize) -> Self {
        self.n_rounds = n_rounds;
        self
    }

    /// Sets the loss of a row.
    #[must_use]
    pub fn loss(mut self, loss: BoostingLoss) -> Self {
        self.loss = loss;
        self
    }
}

weighted_learner!(TrAdaBoostParams);

/// The range a round's error is kept in: 0 would give an infinite vote, ½ and more a negative one.
const ERROR_RANGE: (f64, f64) = (1e-10, 0.499);

impl TrAdaBoostParams {
    fn boost(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let rows = pooled_rows(problem)?;
        let labels = rows.labels.classes("tradaboost")?;
        let n_source = problem.source()?.labels.len();
        let sample = Sample::new(&rows.features, &rows.labels, problem.n_classes())?;
        let log_beta = -(1.0 + (2.0 * (n_source as f64).ln() / self.n_rounds as f64).sqrt()).ln();
        let mut log_weights = Array1::<f64>::zeros(labels.len());
        let learner = self.learner.refit(&sample)?;
        let (mut rounds, mut errors) = (Vec::new(), Vec::new());
        for round in 1..=self.n_rounds {
            let weights = normalised(&log_weights)?;
            let seed = derive(seed, &["round", &round.to_string()]);
            let predictor = learner.fit_weighted(&weights, seed)?;
            let votes = self
                .loss
                .votes(&predictor.predict(&rows.features)?, problem.n_classes())?;
            let losses: Vec<f64> = labels
                .indexed_iter()
                .map(|(row, &label)| 1.0 - votes[[row, label]])
                .collect();
            let target = weights.slice(s![n_source..]);
            let missed: f64 = target
                .iter()
                .zip(&losses[n_source..])
                .map(|(w, loss)| w * loss)
                .sum();
            let error = (missed / target.sum()).clamp(ERROR_RANGE.0, ERROR_RANGE.1);
            let log_beta_round = (error / (1.0 - error)).ln();
            for (row, log_weight) in log_weights.iter_mut().enumerate() {
                *log_weight += losses[row]
                    * if row < n_source {
                        log_beta
                    } else {
                        -log_beta_round
                    };
            }
            errors.push(error);
            // The first half of the rounds has no vote.
            if round >= self.n_rounds.div_ceil(2) {
                rounds.push(Round {
                    predictor,
                    vote: -log_beta_round,
                });
            }
        }
        let source_weights = mean_one(&normalised(&log_weights)?.slice(s![..n_source]).to_owned())?;
        let trace = Trace {
            source_weights: Some(source_weights),
            series: [("target-error".to_owned(), errors)].into(),
        };
        let model = TrAdaBoost {
            rounds,
            loss: self.loss,
            n_classes: problem.n_classes(),
        };
        Ok(Fitted {
            model: Box::new(model),
            trace,
        })
    }
}

/// Weights of mean 1 from their logarithms; the target's never vanish, because they only grow.
fn normalised(log_weights: &Array1<f64>) -> Result<Array1<f64>, TransferError> {
    let largest = log_weights.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    mean_one(&log_weights.mapv(|w| (w - largest).exp()))
}

transfer_method!(TrAdaBoostParams, INFO, |method, problem, seed| {
    method.boost(problem, seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for TrAdaBoostParams {}

static INFO: MethodInfo = MethodInfo {
    name: "tradaboost",
    title: "TrAdaBoost",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Classification, true),
    parameters: &[
        ParamInfo {
            name: "n_rounds",
            default: "10",
            range: ParamRange::Integer {
                low: 1,
                high: 100_000,
            },
            doc: "Boosting rounds; the paper takes 100.",
        },
        ParamInfo {
            name: "loss",
            default: "\"error\"",
            range: ParamRange::Choice(&["error", "confidence"]),
            doc: "Loss of a row: wrong or right, or one minus the probability of the right label.",
        },
    ],
    exemptions: &[],
    reference: "Dai, Yang, Xue, Yu. Boosting for Transfer Learning. ICML 2007. doi:10.1145/1273496.1273521",
};

/// A fitted ensemble.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrAdaBoost {
    rounds: Vec<Round>,
    loss: BoostingLoss,
    n_classes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Round {
    predictor: Box<dyn Predictor>,
    vote: f64,
}

impl TrAdaBoost {
    /// Default parameters.
    pub fn params() -> TrAdaBoostParams {
        TrAdaBoostParams::default()
    }
}

#[typetag::serde(name = "tradaboost")]
impl TransferModel for TrAdaBoost {
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
