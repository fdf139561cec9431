//! Two-stage TrAdaBoost.R2.

use ndarray::{Array1, ArrayView1, s};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, CarriesLabels, Family, Features, Fitted, Labels, Law, MethodInfo,
    Outputs, ParamInfo, ParamRange, Trace, TransferError, TransferProblem, What, seed::derive,
    setters, transfer_method,
};

use super::N_ROUNDS;
use super::adaboost_r2::FrozenSource;
use super::regression::{REGRESSION_LOSS, RegressionLoss, WeightedMedian, tree};
use crate::baseline::pooled_rows;
use crate::instance::{weighted_learner, weighting_needs};

/// Parameters of two-stage TrAdaBoost.R2: the source gives way to the target step by step, and cross-validation on the
/// target says at which step to stop.
///
/// *Setting.* Real-valued labels in the source and for some target rows. *When.* As
/// [`TrAdaBoostR2Params`](super::TrAdaBoostR2Params), where some dozens of target labels allow cross-validation.
///
/// # Steps
///
/// With `n_s` source rows, `n_t` target rows with labels and all weights equal at first, for steps `t = 1 … S`:
///
/// 1. The target rows share the weight
///    $$K_t = \frac{n_t}{n_s + n_t} + \frac{t - 1}{S - 1} \left( 1 - \frac{n_t}{n_s + n_t} \right)$$
///    evenly, the source rows have the rest: from the even share to the target alone.
/// 2. Model `t`: AdaBoost.R2 on all rows, `N` rounds in which only target rows change their weight. A round fits the
///    learner; the loss `ℓ_i` of a row is its absolute error over the largest of the rows with weight, its square, or
///    one minus its negative exponential; `ε` is the weighted mean loss of **all** rows, at 1e-10 or above; with `ε ≥
///    ½` the rounds end and this one has no vote, unless it is the first. `β = ε / (1 - ε)`. A target row: `w_i ← w_i
///    β^{1 - ℓ_i}`, and the target is scaled to `K_t` again. The answer is the weighted median, with votes `ln(1/β)`.
/// 3. Its error: the mean squared error of `n_folds`-fold cross-validation over the target rows, each model fitted as
///    in 2 on the source and the other folds, which share `K_t`.
/// 4. Fit the learner on the weights of 1. A source row: `w_i ← w_i β_t^{ℓ_i}`, then all weights are scaled to sum 1, with
///    the `β_t` that gives the target `K_{t+1}` by that, found by bisection.
///
/// The answer is that of the model with the least error, the earliest of equals.
///
/// The series `target-share`, `beta` and `cv-error` of the trace have `K_t`, `β_t` and the error of each step; the
/// source weights are those of the step chosen, 1 being the mean of all rows.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_steps` | 10 | integer ≥ 2 | steps `S` |
/// | `n_rounds` | 10 | integer ≥ 1 | rounds `N` of AdaBoost.R2 |
/// | `n_folds` | 5 | integer ≥ 2 | folds; as many as target rows, if those are fewer |
/// | `loss` | `linear` | `linear`, `square`, `exponential` | the loss `ℓ_i` of a row |
///
/// # Cost
///
/// `S (N (n_folds + 1) + 1)` fits of the learner on `n_s + n_t` rows.
///
/// # Errors
///
/// [`TransferError::TooFewRows`] for a single target label; [`TransferError::Unsupported`] without target labels, for
/// classes or for a learner that ignores weights.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::Array1;
/// use translearn_classical::instance::TwoStageTrAdaBoostR2;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ridge;
///
/// // The source falls where the target rises: the last step, the target alone, is the best.
/// let x = Array1::linspace(-1.0, 1.0, 12);
/// let rows = x.clone().insert_axis(ndarray::Axis(1));
/// let source = DatasetBase::new(rows.clone(), -2.0 * &x);
/// let target = DatasetBase::new(rows, 2.0 * &x);
/// let model = TwoStageTrAdaBoostR2::params()
///     .learner(Ridge::params().lambda(1e-6))
///     .fit_transfer(&source, &target)?;
/// let predicted = model.predict(target.records())?;
/// assert!((predicted[0] + 2.0).abs() < 1e-3, "{predicted}");
/// assert_eq!(model.trace().source_weights, Some(Array1::zeros(12)));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Pardoe, Stone, *Boosting for Regression Transfer*, ICML 2010 (Algorithm 3).
///
/// *Where we differ.* Rows without error lose nothing whatever `β_t` is; where they alone leave the target less than
/// `K_{t+1}` the source is scaled as a block. Folds are dealt out in the order of the labels, so that each has the whole
/// range of them. ADAPT takes `β = ε / (2 - ε)`, cross-validates the learner in place of the boosted model, takes the
/// losses of step 4 from that model in place of the learner, lets only the later half of its rounds answer, takes its first
/// step twice, ends short of the target alone and searches `β_t` to 1e-3; without these its weights are ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoStageTrAdaBoostR2Params {
    n_steps: usize,
    n_rounds: usize,
    n_folds: usize,
    loss: RegressionLoss,
    #[serde(skip, default = "tree")]
    learner: BaseLearner,
}

impl Default for TwoStageTrAdaBoostR2Params {
    fn default() -> Self {
        Self {
            n_steps: 10,
            n_rounds: 10,
            n_folds: 5,
            loss: RegressionLoss::Linear,
            learner: tree(),
        }
    }
}

setters!(TwoStageTrAdaBoostR2Params {
    /// Sets the number of steps.
    n_steps: usize,
    /// Sets the number of rounds of AdaBoost.R2.
    n_rounds: usize,
    /// Sets the number of folds.
    n_folds: usize,
    /// Sets the loss of a row.
    loss: RegressionLoss,
});

/// Errors this near each other, relative to the smaller, are equal, so that rounding does not choose a step.
const TIE: f64 = 1e-10;

/// The rows that a fold fits, and those it holds back.
struct Fold {
    features: Features,
    labels: Labels,
    held_back: (Features, Labels),
}

impl TwoStageTrAdaBoostR2Params {
    fn fit_steps(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let rows = pooled_rows(problem)?;
        let values = rows.labels.values(INFO.name)?;
        let n_source = problem.source()?.labels.len();
        let (n, n_target) = (values.len() as f64, values.len() - n_source);
        if n_target < 2 {
            return Err(TransferError::TooFewRows {
                what: "the labelled target".to_owned(),
                rows: n_target,
                needed: 2,
            });
        }
        let whole = self.frozen(&rows.features, &rows.labels, n_source)?;
        let folds = self.folds(&rows.features, &rows.labels, values.slice(s![n_source..]));
        let parts = folds
            .iter()
            .map(|fold| self.frozen(&fold.features, &fold.labels, n_source))
            .collect::<Result<Vec<_>, _>>()?;
        let share = |step: usize| {
            let even = n_target as f64 / n;
            even + (step - 1) as f64 / (self.n_steps - 1) as f64 * (1.0 - even)
        };
        let mut source = Array1::from_elem(n_source, 1.0 / n);
        let (mut shares, mut betas, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut best: Option<(f64, WeightedMedian, Array1<f64>)> = None;
        for step in 1..=self.n_steps {
            let seed = derive(seed, &["step", &step.to_string()]);
            let mut squares = 0.0;
            for (place, (fold, part)) in folds.iter().zip(&parts).enumerate() {
                let model = part.boost(&source, derive(seed, &["fold", &place.to_string()]))?;
                let (features, labels) = &fold.held_back;
                let off = model.values(features)? - labels.values(INFO.name)?;
                squares += off.dot(&off);
            }
            let error = squares / n_target as f64;
            if best
                .as_ref()
                .is_none_or(|&(least, ..)| error < least * (1.0 - TIE))
            {
                let model = whole.boost(&source, derive(seed, &["model"]))?;
                best = Some((error, model, &source * n));
            }
            errors.push(error);
            shares.push(1.0 - source.sum());
            if step < self.n_steps {
                let losses = whole.losses(&source, derive(seed, &["losses"]))?;
                let left = 1.0 - share(step + 1);
                let (damped, beta) = damped(&source, losses.slice(s![..n_source]), left);
                source = damped;
                betas.push(beta);
            }
        }
        let (_, model, source_weights) = best.ok_or_else(|| TransferError::Empty {
            what: "the list of steps".to_owned(),
            needed: 2,
        })?;
        Ok(Fitted {
            model: Box::new(model),
            trace: Trace {
                source_weights: Some(source_weights),
                series: [
                    ("target-share".to_owned(), shares),
                    ("beta".to_owned(), betas),
                    ("cv-error".to_owned(), errors),
                ]
                .into(),
            },
        })
    }

    fn frozen<'a>(
        &'a self,
        features: &'a Features,
        labels: &'a Labels,
        n_source: usize,
    ) -> Result<FrozenSource<'a>, TransferError> {
        let (n_rounds, loss) = (self.n_rounds, self.loss);
        FrozenSource::new(&self.learner, features, labels, n_source, n_rounds, loss)
    }

    /// Target rows dealt out in the order of their labels; a fold fits the source and what it does not hold back.
    fn folds(
        &self,
        features: &Features,
        labels: &Labels,
        target: ArrayView1<'_, f64>,
    ) -> Vec<Fold> {
        let n_source = labels.len() - target.len();
        let mut order: Vec<usize> = (0..target.len()).collect();
        order.sort_by(|&a, &b| target[a].total_cmp(&target[b]));
        let n_folds = self.n_folds.min(target.len());
        let mut fold_of = vec![0; target.len()];
        for (turn, row) in order.into_iter().enumerate() {
            fold_of[row] = turn % n_folds;
        }
        let fold = |fold: usize| {
            let held = |row: &usize| *row >= n_source && fold_of[row - n_source] == fold;
            let (held_back, fitted): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(held);
            Fold {
                features: features.select_rows(&fitted),
                labels: labels.select(&fitted),
                held_back: (features.select_rows(&held_back), labels.select(&held_back)),
            }
        };
        (0..n_folds).map(fold).collect()
    }
}

/// Losses up to this are none: rounding is not to choose between rows that the learner meets.
const NO_LOSS: f64 = 1e-10;

/// `ln β` that leaves nothing of a row with a loss.
const LEAST_LOG_BETA: f64 = -750.0 / NO_LOSS;

/// Weights `w_i β^{ℓ_i}` whose share of all is `share` where the target keeps what these leave to 1, scaled with the target's
/// to sum 1; and `β`. Where no `β` is small enough, because rows without loss have more than that, they alone are left.
fn damped(weights: &Array1<f64>, losses: ArrayView1<'_, f64>, share: f64) -> (Array1<f64>, f64) {
    if share <= 0.0 {
        return (Array1::zeros(weights.len()), 0.0);
    }
    let losses = losses.mapv(|loss| if loss <= NO_LOSS { 0.0 } else { loss });
    let goal = (1.0 - weights.sum()) * share / (1.0 - share);
    let at = |log_beta: f64| weights * &losses.mapv(|loss| (log_beta * loss).exp());
    let (mut low, mut high) = (LEAST_LOG_BETA, 0.0);
    if at(low).sum() >= goal {
        high = low;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if at(middle).sum() > goal {
            high = middle;
        } else {
            low = middle;
        }
    }
    let damped = at(high);
    let scale = share / damped.sum();
    (damped * scale, high.exp())
}

weighted_learner!(TwoStageTrAdaBoostR2Params);

crate::method_name!(TwoStageTrAdaBoostR2 => TwoStageTrAdaBoostR2Params, "Two-stage TrAdaBoost.R2");

transfer_method!(TwoStageTrAdaBoostR2Params, INFO, |method, problem, seed| {
    method.fit_steps(problem, seed)
});

impl<TT: CarriesLabels> AcceptsTarget<TT> for TwoStageTrAdaBoostR2Params {}

static INFO: MethodInfo = MethodInfo {
    name: "two-stage-tradaboost-r2",
    title: "Two-stage TrAdaBoost.R2",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(true, Outputs::Regression, true),
    parameters: &[
        ParamInfo {
            name: "n_steps",
            default: "10",
            range: ParamRange::Integer {
                low: 2,
                high: 100_000,
            },
            doc: "Steps from the even share of weight to the target alone.",
        },
        N_ROUNDS,
        ParamInfo {
            name: "n_folds",
            default: "5",
            range: ParamRange::Integer {
                low: 2,
                high: 100_000,
            },
            doc: "Folds of the cross-validation over target rows; as many as there are rows, if those are fewer.",
        },
        REGRESSION_LOSS,
    ],
    exemptions: &[(
        Law::IdenticalDomains,
        "the source gives way whether it differs or not, and cross-validation may stop at any step",
    )],
    reference: "Pardoe, Stone. Boosting for Regression Transfer. ICML 2010",
};
