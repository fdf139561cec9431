//! TrAdaBoost.R2.

use ndarray::{Array1, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Fitted, Law, MethodInfo, Outputs, Sample,
    Trace, TransferError, TransferProblem, What, seed::derive, setters, transfer_method,
};

use super::regression::{REGRESSION_LOSS, RegressionLoss, WeightedMedian, log_beta, tree};
use super::vote::Round;
use super::{N_ROUNDS, normalised, weighted_mean};
use crate::baseline::pooled_rows;
use crate::instance::{weighted_learner, weighting_needs};

/// Parameters of TrAdaBoost.R2: TrAdaBoost for real values, with the losses of AdaBoost.R2.
///
/// *Setting.* Real-valued labels in the source and for some target rows. *When.* A few target labels, and a source of
/// which an unknown part is misleading; [`TwoStageTrAdaBoostR2Params`](super::TwoStageTrAdaBoostR2Params) chooses by
/// cross-validation how much of the source to use, and costs more.
///
/// # Steps
///
/// With `n_s` source rows, `N` rounds and all weights 1 at first, `β = 1 / (1 + √(2 ln n_s / N))`:
///
/// 1. Fit the learner on all labelled rows with the current weights (scaled to mean 1).
/// 2. The error of a row is `|h_t(x_i) - y_i|`, `D` the largest of all rows. Its loss `ℓ_i` is `|h_t(x_i) - y_i| / D`
///    (`linear`), the square of that (`square`), or `1 - exp(-|h_t(x_i) - y_i| / D)` (`exponential`).
/// 3. `ε_t` is the weighted mean loss of the **target** rows, kept at 1e-10 or above. With `ε_t ≥ ½` the rounds end and
///    this one has no vote, unless it is the first. `β_t = ε_t / (1 - ε_t)`.
/// 4. A source row: `w_i ← w_i β^{ℓ_i}`. A target row: `w_i ← w_i β_t^{-ℓ_i}`.
/// 5. Of the `M` rounds that came about, those from `⌈M/2⌉` on answer with their weighted median: the least answer such
///    that it and those below have half of all votes `ln(1/β_t)`.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N` |
/// | `loss` | `linear` | `linear`, `square`, `exponential` | the loss `ℓ_i` of a row |
///
/// # Cost
///
/// `N` fits of the learner on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::Unsupported`] without target labels, for classes or for a learner that ignores weights.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::TrAdaBoostR2;
/// use translearn_core::FitTransfer;
///
/// // Half of the source has another level than the target.
/// let source = DatasetBase::new(
///     array![[0.0], [1.0], [2.0], [3.0], [0.0], [1.0], [2.0], [3.0]],
///     array![0.0, 1.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0],
/// );
/// let target = DatasetBase::new(array![[0.0], [3.0], [1.0]], array![Some(0.0), Some(3.0), None]);
/// let model = TrAdaBoostR2::params().n_rounds(20).fit_transfer(&source, &target)?;
/// // The mean of the three rows at 0 is 3.
/// let predicted = model.predict(&array![[0.0]])?;
/// assert!(predicted[0].abs() < 1.0, "{predicted}");
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Pardoe, Stone, *Boosting for Regression Transfer*, ICML 2010. The losses: Drucker, *Improving Regressors Using
/// Boosting Techniques*, ICML 1997.
///
/// *Where we differ.* The first round is kept where the paper is left without any. ADAPT takes `β_t = ε_t / (2 - ε_t)`,
/// never stops, and of an even number of rounds lets one less answer; with the paper's `β_t` its rounds are these.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrAdaBoostR2Params {
    n_rounds: usize,
    loss: RegressionLoss,
    #[serde(skip, default = "tree")]
    learner: BaseLearner,
}

impl Default for TrAdaBoostR2Params {
    fn default() -> Self {
        Self {
            n_rounds: 10,
            loss: RegressionLoss::Linear,
            learner: tree(),
        }
    }
}

setters!(TrAdaBoostR2Params {
    /// Sets the number of rounds.
    n_rounds: usize,
    /// Sets the loss of a row.
    loss: RegressionLoss,
});

impl TrAdaBoostR2Params {
    fn boost(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let rows = pooled_rows(problem)?;
        let values = rows.labels.values(INFO.name)?;
        let n_source = problem.source()?.labels.len();
        let sample = Sample::new(&rows.features, &rows.labels, 0)?;
        let learner = self.learner.refit(&sample)?;
        let log_beta_source =
            -(1.0 + (2.0 * (n_source as f64).ln() / self.n_rounds as f64).sqrt()).ln();
        let mut log_weights = Array1::<f64>::zeros(values.len());
        let (mut rounds, mut errors) = (Vec::new(), Vec::new());
        for round in 1..=self.n_rounds {
            let weights = normalised(log_weights.view())?;
            let seed = derive(seed, &["round", &round.to_string()]);
            let predictor = learner.fit_weighted(&weights, seed)?;
            let predicted = predictor.predict(&rows.features)?.labels;
            let losses = self.loss.losses(
                predicted.values(INFO.name)?,
                values,
                Array1::ones(values.len()).view(),
            );
            let error = weighted_mean(losses.slice(s![n_source..]), weights.slice(s![n_source..]));
            errors.push(error);
            let Some(log_beta_round) = log_beta(error) else {
                if rounds.is_empty() {
                    let vote = 1.0;
                    rounds.push(Round { predictor, vote });
                }
                break;
            };
            for (row, log_weight) in log_weights.iter_mut().enumerate() {
                *log_weight += losses[row]
                    * if row < n_source {
                        log_beta_source
                    } else {
                        -log_beta_round
                    };
            }
            let vote = -log_beta_round;
            rounds.push(Round { predictor, vote });
        }
        // The first half of the rounds has no vote.
        rounds.drain(..rounds.len().div_ceil(2).saturating_sub(1));
        let source_weights = normalised(log_weights.slice(s![..n_source]))?;
        Ok(Fitted {
            model: Box::new(WeightedMedian { rounds }),
            trace: Trace {
                source_weights: Some(source_weights),
                series: [("target-error".to_owned(), errors)].into(),
            },
        })
    }
}

weighted_learner!(TrAdaBoostR2Params);

crate::method_name!(TrAdaBoostR2 => TrAdaBoostR2Params, "TrAdaBoost.R2");

transfer_method!(TrAdaBoostR2Params, INFO, |method, problem, seed| {
    method.boost(problem, seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for TrAdaBoostR2Params {}

static INFO: MethodInfo = MethodInfo {
    name: "tradaboost-r2",
    title: "TrAdaBoost.R2",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Regression, true),
    parameters: &[N_ROUNDS, REGRESSION_LOSS],
    exemptions: &[(
        Law::IdenticalDomains,
        "a source row that is noisy loses weight although it comes from the target's own distribution",
    )],
    reference: "Pardoe, Stone. Boosting for Regression Transfer. ICML 2010",
};
