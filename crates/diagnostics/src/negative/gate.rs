//! A method that steps back where it would do harm.

use translearn_classical::{SourceOnly, TargetOnly};
use translearn_core::{
    AcceptsTarget, BaseLearner, Fitted, Labels, MethodInfo, TransferError, TransferMethod,
    TransferProblem, params::ParamMap,
};
use translearn_learners::{Logistic, Ridge};

use super::rule::{Decision, GateRule, Weigher};

/// Any transfer method, behind a gate: used where the labelled target rows speak for it, else the baseline.
///
/// *When.* A method is to be used on problems nobody has looked at, and a loss is worse than a gain that is missed.
///
/// # Steps
///
/// The baseline is the method's own learner (logistic regression or, for values, ridge regression where it has none) fitted on
/// the labelled target rows alone; where there are none, or of one class alone, on the source. Both are fitted, [`GateRule`] decides, and the
/// method answers where the decision is to transfer. Else the baseline does.
///
/// Without labelled target rows there is no evidence: the verdict is undecided, and the baseline answers. A change
/// of P(Y|X) cannot be seen there at all.
///
/// The trace has the series `gate-gain`, `gate-deviation` (the belief) and `gate-open` (1 or 0) beside those of what was
/// fitted.
///
/// # Cost
///
/// Of the cross-validation: `n_folds · n_repeats` fits of method and baseline, and one fit more of each.
///
/// # Errors
///
/// Those of both fits, and [`TransferError::OutOfMemory`]. Where the cross-validation fails otherwise (too few
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
    rule: GateRule,
}

impl<M> TransferGate<M> {
    /// The gate before a method, with the default rule.
    pub fn new(method: M) -> Self {
        Self {
            method,
            rule: GateRule::default(),
        }
    }

    /// Sets how it is decided.
    #[must_use]
    pub fn rule(mut self, rule: GateRule) -> Self {
        self.rule = rule;
        self
    }
}

impl<M: TransferMethod> TransferGate<M> {
    /// What [`TransferGate::fit`](TransferMethod::fit) with the same seed decides.
    ///
    /// # Errors
    /// See the type; [`TransferError::InvalidParameter`] for a rule outside its ranges.
    pub fn decide(&self, problem: &TransferProblem, seed: u64) -> Result<Decision, TransferError> {
        Ok(self.fit_and_tell(problem, seed)?.1)
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
        self.method.info().check(problem)?;
        let baseline = baseline(&self.method, problem);
        let weigher = Weigher::new(&self.rule, problem, baseline, seed)?;
        let evidence = weigher.evidence(&self.method);
        let (of_method, decision) = weigher.weigh(&self.method, evidence)?;
        let mut fitted = if decision.is_open() {
            of_method
        } else {
            weigher.into_baseline()
        };
        let open = f64::from(u8::from(decision.is_open()));
        fitted.trace.series.extend([
            ("gate-gain".to_owned(), vec![decision.belief.gain]),
            ("gate-deviation".to_owned(), vec![decision.belief.deviation]),
            ("gate-open".to_owned(), vec![open]),
        ]);
        Ok((fitted, decision))
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
    let learner = method.learner().cloned();
    no_transfer(learner.unwrap_or_else(|| default_learner(problem)), problem)
}

/// The learner of methods that are given none.
pub(crate) fn default_learner(problem: &TransferProblem) -> BaseLearner {
    if problem.n_classes() > 0 {
        Logistic::params().into()
    } else {
        Ridge::params().into()
    }
}

/// A learner on the labelled target rows alone, or on the source where there are none, or of one class alone.
pub(crate) fn no_transfer(
    learner: BaseLearner,
    problem: &TransferProblem,
) -> Box<dyn TransferMethod> {
    let can_teach = match &problem.target_task().labels {
        Labels::Classes(codes) => codes.iter().any(|code| *code != codes[0]),
        Labels::Values(values) => !values.is_empty(),
    };
    if can_teach {
        Box::new(TargetOnly::params().learner(learner))
    } else {
        Box::new(SourceOnly::params().learner(learner))
    }
}
