//! Domain adaptation support vector machine.

mod machine;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Features, Fitted, MethodInfo, Outputs, ParamInfo,
    ParamRange, Prediction, Predictor, Trace, TransferError, TransferModel, TransferProblem, What,
    seed::derive, setters, transfer_method,
};
use translearn_learners::{LinearSvm, PresentClasses};

use super::{weighted_learner, weighting_needs};
use machine::{Adapted, Round, Rows, margins};

/// Parameters of the domain adaptation support vector machine (DASVM): target rows within the margin come in with the
/// machine's answers, source rows far from the border go out, until only target rows are learned from.
///
/// *Setting.* Classes in the source; the target may have some. *When.* The classes of both domains lie near enough that
/// the source's machine is mostly right about the target, and its border must move. Where the border has to cross a
/// dense part of the target, answers in the margin are wrong, and it does not come back.
///
/// # Formula
///
/// In round `i` a source row that is left weighs `s_i`, a target row that has been learned from in `h` rounds `t_h`,
/// beside target rows of known class with weight 1,
///
/// $$s_i = 1 - (1 - \tau) \min\Bigl(\frac{i}{\gamma}, 1\Bigr)^2, \qquad t_h = \tau + (1 - \tau) \min\Bigl(\frac{h}{\gamma}, 1\Bigr)^2$$
///
/// so that a support vector machine of cost `C` has cost `C s_i` for the one and `C t_h` for the other.
///
/// # Steps
///
/// 1. Fit the learner on the labelled source rows and, where there are any, the labelled target rows.
/// 2. Take its decision values `f(x)`, of probabilities `ln(p / (1 - p))`, and change what is learned from:
///    * of the target rows with `0 < f ≤ 1` that are not learned from, the `k` with the largest come in as rows of the
///      class, of those with `-1 ≤ f ≤ 0` the `k` with the smallest as rows of the others;
///    * those that came in before and lie on the other side now go out, to come in again or not;
///    * on each side as many source rows go out as target rows came in there, those farthest from the border first;
///      where no row came in on either side, `k` on each.
/// 3. Fit the learner with the weights above. Go to 2, until the source is gone and no more than `⌈β m⌉` of `m` target
///    rows would come in and no more than `⌈β m⌉` would go out.
/// 4. Fit the learner on all target rows, each with the side that the last machine gives it, and no source row.
///
/// Rows that tie with the last of `k` (to 1e-9) go with it. The learner is never given rows of one side alone: rounds
/// end before that, and where the last machine has the whole target on one side, step 4 is not made and the machine
/// stays. With three and more classes there is a machine for each against the others, each with rounds of its own, and
/// the largest decision value wins.
///
/// The trace has a value for each round: `source`, the source rows learned from; `taken`, the target rows learned from
/// with an answer; `released`, those of them that go out; `inside`, the target rows that the machine puts on the side
/// of its class, of two classes the second. With three and more classes their names end in `-` and the class.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `k` | 3 | integer ≥ 1 | target rows that come in on each side in a round |
/// | `initial_weight` | 0.1 | [0, 1] | weight `τ` of a target row that comes in, and of a source row at last |
/// | `growth_rounds` | 10 | integer ≥ 1 | rounds `γ` until a target row has weight 1 and the source weight `τ` |
/// | `beta` | 0.03 | [0, 1] | share `β` of the target rows that may still change sides at the end |
/// | `max_rounds` | 1000 | integer ≥ 1 | rounds after which step 4 follows in any case |
///
/// # Cost
///
/// A fit on up to `n_s + n_t` rows and a prediction of both domains in every round and for each class; some `n_s / 2k`
/// rounds, for the source has to go.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels or a learner that ignores weights,
/// [`TransferError::TooFewClasses`] for fewer than two classes, and what the learner makes of the rows.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::{SourceOnly, instance::Dasvm};
/// use translearn_core::FitTransfer;
/// use translearn_learners::LinearSvm;
///
/// // The border of the source lies at 0, in the target the classes come apart between -0.1 and 1.2.
/// let source = DatasetBase::new(array![[-2.0], [-1.5], [-1.0], [1.0], [1.5], [2.0]], array![0, 0, 0, 1, 1, 1]);
/// let target = DatasetBase::from(array![[-0.6], [-0.3], [-0.1], [1.2], [1.4], [1.7]]);
/// let learner = LinearSvm::params().c(0.2);
/// let alone = SourceOnly::params().learner(learner.clone()).fit_transfer(&source, &target)?;
/// assert_eq!(alone.predict(&array![[0.3]])?, array![1]);
/// let model = Dasvm::params().k(1).learner(learner).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(&array![[0.3]])?, array![0]);
/// assert_eq!(model.trace().series["source"], [6.0, 4.0, 2.0, 0.0]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Bruzzone, Marconcini, *Domain Adaptation Problems: A DASVM Classification Technique and a Circular Validation
/// Strategy*, IEEE Transactions on Pattern Analysis and Machine Intelligence 32(5), 2010, 770-787,
/// doi:10.1109/TPAMI.2009.57.
///
/// *Where we differ.* The paper stops at step 3. Rows beyond the margin cost a support vector machine nothing, so step
/// 4 moves it only by the `⌈β m⌉` rows that may be left within; other learners, which rows beyond a margin do tell
/// something, would know nothing of most of the target. The default learner is linear, with squared hinge losses; `svm`
/// has the paper's kernels. The weights `τ` and `γ`, which are the user's there, have defaults here, and the paper's
/// choice of parameters by circular validation is left to whoever selects them. `k` is that of skada, whose version
/// knows two classes only, no weights, and takes the source out whether or not target rows come in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DasvmParams {
    k: usize,
    initial_weight: f64,
    growth_rounds: usize,
    beta: f64,
    max_rounds: usize,
    #[serde(skip, default = "linear_svm")]
    learner: BaseLearner,
}

impl Default for DasvmParams {
    fn default() -> Self {
        Self {
            k: 3,
            initial_weight: 0.1,
            growth_rounds: 10,
            beta: 0.03,
            max_rounds: 1000,
            learner: linear_svm(),
        }
    }
}

fn linear_svm() -> BaseLearner {
    LinearSvm::params().into()
}

setters!(DasvmParams {
    /// Sets how many target rows come in on each side in a round.
    k: usize,
    /// Sets the weight of a target row that comes in, and of a source row at last.
    initial_weight: f64,
    /// Sets the number of rounds until a target row has weight 1.
    growth_rounds: usize,
    /// Sets the share of the target rows that may still change sides at the end.
    beta: f64,
    /// Sets the largest number of rounds.
    max_rounds: usize,
});

weighted_learner!(DasvmParams);

impl DasvmParams {
    fn train(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let source = problem.source()?;
        let target = problem.target_unlabelled();
        let known = problem.target_labelled();
        let mut codes = source.labels.classes(INFO.name)?.to_vec();
        let mut all = source.features.as_ref().clone();
        if let Some(known) = &known {
            all = all.stack(&known.features)?;
            codes.extend(known.labels.classes(INFO.name)?);
        }
        let (classes, of_row) = PresentClasses::of(codes.iter().copied(), problem.n_classes());
        if classes.len() < 2 {
            return Err(TransferError::TooFewClasses {
                what: "the labelled rows".to_owned(),
                classes: classes.len(),
            });
        }
        let rows = Rows {
            source: &source.features,
            n_known: codes.len() - source.labels.len(),
            target: &target,
            all: &all.stack(&target)?.stack(&target)?,
        };
        // The machine of two classes is that of the second.
        let machines: Vec<usize> = match classes.len() {
            2 => vec![1],
            n => (0..n).collect(),
        };
        let seed = derive(seed, &["learner"]);
        let adapted: Vec<Adapted> = (machines.par_iter())
            .map(|&class| {
                let inside: Vec<bool> = of_row.iter().map(|&of| of == class).collect();
                self.adapt(&self.learner, &rows, &inside, seed)
            })
            .collect::<Result<_, _>>()?;
        let mut series = BTreeMap::new();
        for (adapted, &class) in adapted.iter().zip(&machines) {
            let suffix = match machines.len() {
                1 => String::new(),
                _ => format!("-{}", classes.code(class)),
            };
            let mut add = |name: &str, of: fn(&Round) -> usize| {
                let values = adapted.rounds.iter().map(|round| of(round) as f64);
                series.insert(format!("{name}{suffix}"), values.collect());
            };
            add("source", |round| round.source);
            add("taken", |round| round.taken);
            add("released", |round| round.released);
            add("inside", |round| round.inside);
        }
        Ok(Fitted {
            model: Box::new(OneAgainstRest {
                machines: adapted.into_iter().map(|of| of.machine).collect(),
                classes,
            }),
            trace: Trace {
                source_weights: None,
                series,
            },
        })
    }
}

/// A machine for each class against the others, or one for the second of two classes.
#[derive(Debug, Serialize, Deserialize)]
pub struct OneAgainstRest {
    machines: Vec<Box<dyn Predictor>>,
    classes: PresentClasses,
}

#[typetag::serde(name = "one-against-rest")]
impl TransferModel for OneAgainstRest {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        let mut outputs = Array2::zeros((target.n_rows(), self.machines.len()));
        for (machine, mut column) in self.machines.iter().zip(outputs.columns_mut()) {
            column.assign(&margins(&machine.predict(target)?));
        }
        Ok(Prediction::from_decision(
            self.classes.widen_outputs(&outputs),
        ))
    }
}

crate::method_name!(Dasvm => DasvmParams, "Domain adaptation support vector machine");

transfer_method!(DasvmParams, INFO, |method, problem, seed| {
    method.train(problem, seed)
});

impl<TT> AcceptsTarget<TT> for DasvmParams {}

static INFO: MethodInfo = MethodInfo {
    name: "dasvm",
    title: "Domain adaptation support vector machine (DASVM)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[
        ParamInfo {
            name: "k",
            default: "3",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Target rows that come in on each side of the border in a round.",
        },
        ParamInfo {
            name: "initial_weight",
            default: "0.1",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Weight of a target row that comes in, and of a source row at last.",
        },
        ParamInfo {
            name: "growth_rounds",
            default: "10",
            range: ParamRange::Integer {
                low: 1,
                high: 100_000,
            },
            doc: "Rounds until a target row has weight 1.",
        },
        ParamInfo {
            name: "beta",
            default: "0.03",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Share of the target rows that may still change sides at the end.",
        },
        ParamInfo {
            name: "max_rounds",
            default: "1000",
            range: ParamRange::Integer {
                low: 1,
                high: 100_000,
            },
            doc: "Largest number of rounds.",
        },
    ],
    exemptions: &[],
    reference: "Bruzzone, Marconcini. Domain Adaptation Problems: A DASVM Classification Technique and a Circular Validation Strategy. IEEE TPAMI 32(5), 2010. doi:10.1109/TPAMI.2009.57",
};
