//! A method that steps back where it would do harm.

use serde::{Deserialize, Serialize};
use translearn_classical::{SourceOnly, TargetOnly};
use translearn_core::{
    AcceptsTarget, BaseLearner, Fitted, MethodInfo, TransferError, TransferMethod, TransferProblem,
    params::ParamMap, seed::derive,
};
use translearn_learners::Logistic;

use super::{Belief, Evidence, TargetCrossValidation, Verdict};
use crate::interval::check_confidence;

/// Any transfer method, behind a gate: fitted where the labelled target rows speak for it, else the baseline.
///
/// *When.* A method is to be used on problems nobody has looked at, and a loss is worse than a gain that is missed.
///
/// # Steps
///
/// 1. The baseline is the method's own learner (logistic regression or, for values, ridge regression where it has none) fitted on the labelled target rows
///    alone; where there are none, on the source.
/// 2. The gain over it, by [`TargetCrossValidation`].
/// 3. What is believed of the gain: the prior, after that [`Belief`].
/// 4. A gain that is at least as likely as `confidence` opens the gate: the method is fitted on the whole problem. Else the baseline is.
///
/// Without labelled target rows there is no evidence: the verdict is [`Verdict::Undecided`], and the baseline is fitted. A change
/// of P(Y|X) cannot be seen there at all.
///
/// The trace has the series `gate-gain`, `gate-deviation` (the belief) and `gate-open` (1 or 0) beside those of what was fitted.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `confidence` | 0.8 | [0.5, 1) | how likely a gain has to be |
/// | `prior` | 0 ± 0.1 | deviation > 0 | what gains are elsewhere; the default is an assumption, not an estimate |
/// | `validation` | 5 folds, 3 repetitions | | how the gain is measured |
///
/// # Cost
///
/// Of the cross-validation: `n_folds · n_repeats` fits of method and baseline, and one fit of what is chosen.
///
/// # Errors
///
/// Those of the fit that is chosen, and [`TransferError::OutOfMemory`]. Where the cross-validation fails otherwise (too few
/// labels, a fold without a class), there is no evidence.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_classical::Pooled;
/// use translearn_core::FitTransfer;
/// use translearn_diagnostics::negative::TransferGate;
///
/// // A large source with the classes the other way round.
/// let rows = |n: usize| Array2::from_shape_fn((n, 1), |(row, _)| 20.0 * row as f64 / n as f64);
/// let classes = |n: usize, left: usize| Array1::from_shape_fn(n, |row| if 2 * row < n { left } else { 1 - left });
/// let source = DatasetBase::new(rows(200), classes(200, 1));
/// let target = DatasetBase::new(rows(20), classes(20, 0));
/// let queries = Array2::from_elem((1, 1), 2.0);
/// let pooled = Pooled::params().fit_transfer(&source, &target)?;
/// let gated = TransferGate::new(Pooled::params()).fit_transfer(&source, &target)?;
/// assert_eq!((pooled.predict(&queries)?[0], gated.predict(&queries)?[0]), (1, 0));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransferGate<M> {
    method: M,
    confidence: f64,
    prior: Belief,
    validation: TargetCrossValidation,
}

impl<M> TransferGate<M> {
    /// The gate before a method, with the defaults above.
    pub fn new(method: M) -> Self {
        Self {
            method,
            confidence: 0.8,
            prior: Belief {
                gain: 0.0,
                deviation: 0.1,
            },
            validation: TargetCrossValidation::default(),
        }
    }

    /// Sets how likely a gain has to be.
    #[must_use]
    pub fn confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    /// Sets what gains are elsewhere.
    #[must_use]
    pub fn prior(mut self, prior: Belief) -> Self {
        self.prior = prior;
        self
    }

    /// Sets how the gain is measured.
    #[must_use]
    pub fn validation(mut self, validation: TargetCrossValidation) -> Self {
        self.validation = validation;
        self
    }
}

/// What a gate decided, and on what grounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Transfer, do not, or undecided.
    pub verdict: Verdict,
    /// What is believed of the gain.
    pub belief: Belief,
    /// What was measured; `None` where nothing could be.
    pub evidence: Option<Evidence>,
    /// Why nothing was measured.
    pub obstacle: Option<String>,
    /// The baseline: `target-only` or `source-only`.
    pub baseline: String,
}

impl Decision {
    /// Whether the method is fitted. Where the gate is undecided, it is not.
    pub fn is_open(&self) -> bool {
        self.verdict == Verdict::Transfer
    }
}

impl<M: TransferMethod> TransferGate<M> {
    /// What [`TransferGate::fit`](TransferMethod::fit) with the same seed decides.
    ///
    /// # Errors
    /// As [`MethodInfo::check`]; [`TransferError::InvalidParameter`] outside the ranges above.
    pub fn decide(&self, problem: &TransferProblem, seed: u64) -> Result<Decision, TransferError> {
        self.method.info().check(problem)?;
        self.check()?;
        let baseline = baseline(&self.method, problem);
        let mut decision = Decision {
            verdict: Verdict::Undecided,
            belief: self.prior,
            evidence: None,
            obstacle: None,
            baseline: baseline.info().name.to_owned(),
        };
        if problem.target_labelled().is_none() {
            decision.obstacle = Some("no target row has a label".to_owned());
            return Ok(decision);
        }
        let seed = derive(seed, &["gate"]);
        match self
            .validation
            .evidence(problem, &*baseline, &self.method, seed)
        {
            Ok(evidence) => {
                if let Some(standard_error) = evidence.standard_error {
                    decision.belief = self.prior.after(evidence.gain, standard_error);
                    decision.verdict = decision.belief.verdict(self.confidence);
                } else {
                    decision.obstacle = Some("an error is always 0".to_owned());
                }
                decision.evidence = Some(evidence);
            }
            // Neither is evidence: what runs out of memory here may not do so elsewhere.
            Err(
                error @ (TransferError::InvalidParameter { .. } | TransferError::OutOfMemory(_)),
            ) => return Err(error),
            Err(error) => decision.obstacle = Some(error.to_string()),
        }
        Ok(decision)
    }

    /// Fits, and tells what was decided.
    ///
    /// # Errors
    /// See the type.
    pub fn fit_and_tell(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<(Fitted, Decision), TransferError> {
        let decision = self.decide(problem, seed)?;
        let mut fitted = if decision.is_open() {
            self.method.fit(problem, seed)?
        } else {
            baseline(&self.method, problem).fit(problem, seed)?
        };
        let open = f64::from(u8::from(decision.is_open()));
        fitted.trace.series.extend([
            ("gate-gain".to_owned(), vec![decision.belief.gain]),
            ("gate-deviation".to_owned(), vec![decision.belief.deviation]),
            ("gate-open".to_owned(), vec![open]),
        ]);
        Ok((fitted, decision))
    }

    fn check(&self) -> Result<(), TransferError> {
        self.prior.check()?;
        check_confidence(self.confidence)?;
        if self.confidence < 0.5 {
            return Err(TransferError::InvalidParameter {
                name: "confidence".to_owned(),
                value: self.confidence.to_string(),
                range: "[0.5, 1): below, a loss that is likelier than a gain would open the gate"
                    .to_owned(),
            });
        }
        Ok(())
    }
}

impl<M: TransferMethod> TransferMethod for TransferGate<M> {
    fn info(&self) -> &'static MethodInfo {
        self.method.info()
    }

    fn params(&self) -> ParamMap {
        self.method.params()
    }

    fn learner(&self) -> Option<&BaseLearner> {
        self.method.learner()
    }

    fn fit_checked(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        Ok(self.fit_and_tell(problem, seed)?.0)
    }
}

impl<M: AcceptsTarget<TT>, TT> AcceptsTarget<TT> for TransferGate<M> {}

/// What there is without transfer, with the method's own learner.
pub(super) fn baseline(
    method: &dyn TransferMethod,
    problem: &TransferProblem,
) -> Box<dyn TransferMethod> {
    let learner = method.learner().cloned().unwrap_or_else(|| {
        if problem.n_classes() > 0 {
            Logistic::params().into()
        } else {
            translearn_learners::Ridge::params().into()
        }
    });
    if problem.target_labelled().is_some() {
        Box::new(TargetOnly::params().learner(learner))
    } else {
        Box::new(SourceOnly::params().learner(learner))
    }
}
