//! From a measured gain to a decision.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, Fitted, Labels, TransferError, TransferMethod, TransferProblem, seed::derive, setters,
};

use super::evidence::share_of_error;
use super::losses::distance;
use super::vote::{Electorate, NeighbourVote};
use super::{Belief, Evidence, TargetCrossValidation, Verdict};
use crate::check::check_share;
use crate::interval::check_confidence;

/// How a gain is weighed and what follows from it: the rule of [`TransferGate`](super::TransferGate) and of
/// [`Adviser`](crate::advice::Adviser).
///
/// # Steps
///
/// 1. *What is at stake*: method and baseline are fitted on the whole problem. With `d` of `n` target rows without a label on
///    which they disagree, `a = (d + 1) / (n + 2)`. The gain on these rows lies within `± d / n`, whatever their labels. Of
///    values, `a` is the root mean squared difference of the predictions as a share of the larger error (with the error of
///    the cross-validation), which bounds the gain in the same way. Without such rows, the rows of the folds stand for
///    them.
/// 2. *Prior*: a gain is what the neighbours of these rows see of it ([`NeighbourVote`] `v`) and a share of what is at stake,
///    `N(v + a m, (a t)²)` with `m ± t` of `prior`. Where nothing is measured `v` is 0: without labels both are models of the
///    source, and on the problems for tuning the vote told nothing of them.
/// 3. *Measurement*: [`TargetCrossValidation`], and the [`Belief`] after it.
/// 4. *Verdict*: not to transfer, where a loss of more than `margin` is at least as likely as `caution`; to transfer, where
///    any gain is at least as likely as `confidence`; else undecided.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `prior` | −0.05 ± 0.4 | deviation > 0 | what gains are elsewhere beyond the vote, as a share of what is at stake |
/// | `margin` | 0.01 | [0, 1) | losses up to this do not count |
/// | `caution` | 0.45 | (0, 1) | how likely a loss has to be |
/// | `confidence` | 0.62 | [0.5, 1) | how likely a gain has to be |
/// | `validation` | 5 folds, 3 repetitions | | how the gain is measured |
/// | `vote` | 20 neighbours in 10 dimensions | | who votes |
///
/// The prior and the two chances were chosen on the problems for tuning of the experiment `transfer-or-not`;
/// `docs/transfer-or-not.md` of the repository tells how often the rule is right on others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateRule {
    prior: Belief,
    margin: f64,
    caution: f64,
    confidence: f64,
    validation: TargetCrossValidation,
    vote: NeighbourVote,
}

impl Default for GateRule {
    fn default() -> Self {
        Self {
            prior: Belief {
                gain: -0.05,
                deviation: 0.4,
            },
            margin: 0.01,
            caution: 0.45,
            confidence: 0.62,
            validation: TargetCrossValidation::default(),
            vote: NeighbourVote::default(),
        }
    }
}

setters!(GateRule {
    /// Sets what gains are elsewhere beyond the vote, as a share of what is at stake.
    prior: Belief,
    /// Sets the losses that do not count.
    margin: f64,
    /// Sets how likely a loss has to be.
    caution: f64,
    /// Sets how likely a gain has to be.
    confidence: f64,
    /// Sets how the gain is measured.
    validation: TargetCrossValidation,
    /// Sets who votes.
    vote: NeighbourVote,
});

/// What was decided about a method, and on what grounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Transfer, do not, or undecided.
    pub verdict: Verdict,
    /// What is believed of the gain.
    pub belief: Belief,
    /// What was measured; `None` where nothing could be.
    pub evidence: Option<Evidence>,
    /// How far the predictions of method and baseline are apart on target rows without a label (see [`GateRule`]), which is
    /// about as much as can be gained or lost; `None` where it cannot be told.
    pub at_stake: Option<f64>,
    /// What the neighbours of rows on which method and baseline disagree see of the gain; `None` of values, where nothing was
    /// measured, nobody can vote (see [`NeighbourVote`]) or the rows' numbers are too large for principal components.
    pub vote: Option<f64>,
    /// Why nothing was measured.
    pub obstacle: Option<String>,
    /// The baseline: `target-only` or `source-only`.
    pub baseline: String,
}

impl Decision {
    /// Whether the method is to be used. Where nothing is decided, it is not.
    pub fn is_open(&self) -> bool {
        self.verdict == Verdict::Transfer
    }
}

/// A problem with the baseline fitted on it, against which methods are weighed.
pub(crate) struct Weigher<'a> {
    rule: &'a GateRule,
    problem: &'a TransferProblem,
    baseline: Box<dyn TransferMethod>,
    fitted: Fitted,
    unlabelled: Cow<'a, Features>,
    /// The baseline's prediction of these rows; `None` where there are none.
    expected: Option<Labels>,
    electorate: Option<Electorate>,
    seed: u64,
}

impl<'a> Weigher<'a> {
    pub(crate) fn new(
        rule: &'a GateRule,
        problem: &'a TransferProblem,
        baseline: Box<dyn TransferMethod>,
        seed: u64,
    ) -> Result<Self, TransferError> {
        rule.check()?;
        let fitted = baseline.fit(problem, seed)?;
        let unlabelled = problem.target_unlabelled();
        let expected = if unlabelled.n_rows() == 0 {
            None
        } else {
            Some(fitted.model.predict(&unlabelled)?.labels)
        };
        let electorate = || rule.vote.electorate(problem, derive(seed, &["vote"]));
        let electorate = match problem.target_labelled().map(|_| electorate()) {
            Some(Err(error @ TransferError::OutOfMemory(_))) => return Err(error),
            // Numbers too large for principal components are no fault of the methods.
            Some(electorate) => electorate.unwrap_or_default(),
            None => None,
        };
        Ok(Self {
            rule,
            problem,
            baseline,
            fitted,
            unlabelled,
            expected,
            electorate,
            seed,
        })
    }

    /// What was measured of a method.
    pub(crate) fn evidence(&self, method: &dyn TransferMethod) -> Result<Evidence, TransferError> {
        let validation = &self.rule.validation;
        validation.evidence(self.problem, &*self.baseline, method, self.folds())
    }

    /// The same of several methods, on the same folds.
    pub(crate) fn evidence_of(
        &self,
        methods: &[&dyn TransferMethod],
    ) -> Vec<Result<Evidence, TransferError>> {
        let validation = &self.rule.validation;
        validation
            .evidence_of(self.problem, &*self.baseline, methods, self.folds())
            .unwrap_or_else(|error| methods.iter().map(|_| Err(error.clone())).collect())
    }

    fn folds(&self) -> u64 {
        derive(self.seed, &["gate"])
    }

    /// Fits a method and decides about it.
    pub(crate) fn weigh(
        &self,
        method: &dyn TransferMethod,
        evidence: Result<Evidence, TransferError>,
    ) -> Result<(Fitted, Decision), TransferError> {
        let (evidence, obstacle) = match evidence {
            Ok(evidence) => (Some(evidence), None),
            // Neither says anything of the method: what runs out of memory here may not do so elsewhere.
            Err(
                error @ (TransferError::InvalidParameter { .. } | TransferError::OutOfMemory(_)),
            ) => return Err(error),
            Err(_) if self.problem.target_labelled().is_none() => {
                (None, Some("no target row has a label".to_owned()))
            }
            Err(error) => (None, Some(error.to_string())),
        };
        let fitted = method.fit(self.problem, self.seed)?;
        let said = match &self.expected {
            Some(_) => Some(fitted.model.predict(&self.unlabelled)?.labels),
            None => None,
        };
        let pair = self.expected.as_ref().zip(said.as_ref());
        let at_stake = self.at_stake(pair, evidence.as_ref())?;
        let voted = self.electorate.as_ref().zip(pair);
        let voted = voted.filter(|_| evidence.is_some());
        let vote = voted
            .map(|(electorate, (baseline, method))| electorate.vote(baseline, method))
            .transpose()?;
        let mut belief = self.rule.prior.scaled(at_stake.unwrap_or(1.0));
        belief.gain += vote.unwrap_or(0.0);
        let mut decision = Decision {
            verdict: Verdict::Undecided,
            belief,
            at_stake,
            vote,
            obstacle,
            baseline: self.baseline.info().name.to_owned(),
            evidence: None,
        };
        if let Some(evidence) = evidence {
            match evidence.standard_error {
                Some(error) => {
                    decision.belief = decision.belief.after(evidence.gain, error);
                    decision.verdict = self.rule.verdict(decision.belief);
                }
                None => decision.obstacle = Some("an error is always 0".to_owned()),
            }
            decision.evidence = Some(evidence);
        }
        Ok((fitted, decision))
    }

    /// How far the predictions of baseline and method are apart.
    fn at_stake(
        &self,
        predictions: Option<(&Labels, &Labels)>,
        evidence: Option<&Evidence>,
    ) -> Result<Option<f64>, TransferError> {
        let apart = predictions
            .map(|(baseline, method)| distance(baseline, method))
            .transpose()?;
        if self.problem.n_classes() == 0 {
            return Ok(evidence.map(|evidence| {
                let errors = (evidence.baseline_score, evidence.method_score);
                let of_rows = apart.map(|mean_square| share_of_error(mean_square, errors));
                of_rows.unwrap_or(evidence.disagreement).min(1.0)
            }));
        }
        let of_rows = apart.map(|share| (share, self.unlabelled.n_rows()));
        let of_folds = || evidence.map(|evidence| (evidence.disagreement, evidence.n_rows));
        Ok(of_rows.or_else(of_folds).map(|(share, n)| {
            let n = n as f64;
            (n * share + 1.0) / (n + 2.0)
        }))
    }

    /// The baseline as it was fitted.
    pub(crate) fn into_baseline(self) -> Fitted {
        self.fitted
    }
}

impl GateRule {
    /// When a method is to be used, in a sentence.
    pub(crate) fn in_words(&self) -> String {
        format!(
            "A method is to be used where a gain is at least {:.0} % likely, and not to be where a loss of more than {:.1} % is at least {:.0} % likely; between, it is undecided.",
            100.0 * self.confidence,
            100.0 * self.margin,
            100.0 * self.caution
        )
    }

    /// What follows from a belief.
    pub fn verdict(&self, belief: Belief) -> Verdict {
        if belief.chance_of_less(-self.margin) >= self.caution {
            Verdict::DoNotTransfer
        } else if belief.gain > 0.0 && belief.chance_of_less(0.0) <= 1.0 - self.confidence {
            Verdict::Transfer
        } else {
            Verdict::Undecided
        }
    }

    fn check(&self) -> Result<(), TransferError> {
        self.prior.check()?;
        self.validation.check()?;
        self.vote.check()?;
        check_confidence(self.confidence)?;
        let invalid = |name: &str, value: f64, range: &str| {
            Err(TransferError::InvalidParameter {
                name: name.to_owned(),
                value: value.to_string(),
                range: range.to_owned(),
            })
        };
        if self.confidence < 0.5 {
            let range = "[0.5, 1): below, a loss that is likelier than a gain would open the gate";
            return invalid("confidence", self.confidence, range);
        }
        check_share("caution", self.caution)?;
        if !(0.0..1.0).contains(&self.margin) {
            return invalid("margin", self.margin, "[0, 1)");
        }
        Ok(())
    }
}
