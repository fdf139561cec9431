//! How often gates are right, once held-out labels are seen.

use serde::{Deserialize, Serialize};

use super::{Belief, Verdict};

/// One decision and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Audited {
    /// Which problem: decisions on one problem can be chosen between.
    pub problem: usize,
    /// Which method.
    pub method: usize,
    /// What was decided.
    pub verdict: Verdict,
    /// What was believed of the gain.
    pub belief: Belief,
    /// Whether the belief rests on a measurement.
    pub measured: bool,
    /// The gain of the method on held-out rows, were it fitted.
    pub gain: f64,
}

/// How often gates were right.
///
/// Gains within `margin` of 0 are neither gains nor losses. Shares and means of nothing are NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Gains up to this are none.
    pub margin: f64,
    /// Decisions.
    pub n_decisions: usize,
    /// Problems.
    pub n_problems: usize,
    /// Decisions on methods that lose.
    pub n_losses: usize,
    /// Decisions not to transfer.
    pub n_called: usize,
    /// Of these, on methods that lose.
    pub n_called_losses: usize,
    /// Of these, on methods that neither gain nor lose.
    pub n_called_even: usize,
    /// Decisions that were none.
    pub n_undecided: usize,
    /// Gates that were open to a method that loses.
    pub n_let_through: usize,
    /// Mean gain of the methods without gates.
    pub gain: f64,
    /// Mean gain behind the gates.
    pub gated_gain: f64,
    /// Mean over problems of the gain of the best method, or of none where none gains: chosen with the held-out labels.
    pub oracle_gain: f64,
    /// Mean over problems of the gain of the method that is believed to gain most, among those whose gate is open.
    pub advised_gain: f64,
    /// Problems on which that method loses.
    pub n_advised_losses: usize,
    /// The method with the largest mean gain over all problems, where one that could not be decided on gains nothing: the best
    /// that never looks at the problem. `None` where none gains.
    #[serde(skip)]
    pub best: Option<usize>,
    /// Its mean gain; 0 where none gains, as not to transfer is a choice, too.
    pub best_gain: f64,
    /// How far beliefs can be taken at their word; `None` where none rests on a measurement.
    pub calibration: Option<Calibration>,
}

/// Beliefs beside what came, over the decisions that rest on a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Such decisions.
    pub n_measured: usize,
    /// Mean of what was believed less what came.
    pub bias: f64,
    /// Mean distance between what was believed and what came.
    pub error: f64,
    /// Share of the gains that lie within the 95 % interval of the belief.
    pub covered: f64,
}

impl Audit {
    /// Of the decisions not to transfer, the share on methods that lose.
    pub fn precision(&self) -> f64 {
        self.n_called_losses as f64 / self.n_called as f64
    }

    /// The same without those on methods that neither gain nor lose, which cost nothing.
    pub fn lenient_precision(&self) -> f64 {
        self.n_called_losses as f64 / (self.n_called - self.n_called_even) as f64
    }

    /// Of the methods that lose, the share that was called.
    pub fn recall(&self) -> f64 {
        self.n_called_losses as f64 / self.n_losses as f64
    }

    /// What the advised method lacks to the best on average.
    pub fn regret(&self) -> f64 {
        self.oracle_gain - self.advised_gain
    }

    /// What the best method that never looks at the problem lacks to the best on each.
    pub fn regret_of_best_method(&self) -> f64 {
        self.oracle_gain - self.best_gain
    }
}

/// Looks back on decisions with held-out labels.
///
/// *When.* To know how far a gate can be trusted, on problems that it was not tuned on.
///
/// *Cost.* O(n log n) for n decisions.
///
/// ```
/// use translearn_diagnostics::negative::{Audited, Belief, Verdict, audit};
///
/// let decision = |method, verdict, gain| Audited {
///     problem: 0,
///     method,
///     verdict,
///     belief: Belief { gain: 0.02, deviation: 0.1 },
///     measured: true,
///     gain,
/// };
/// let found = audit(&[decision(0, Verdict::DoNotTransfer, -0.2), decision(1, Verdict::Undecided, -0.1)], 0.01);
/// assert_eq!((found.precision(), found.recall(), found.gated_gain), (1.0, 0.5, 0.0));
/// ```
pub fn audit(decisions: &[Audited], margin: f64) -> Audit {
    let count = |of: &dyn Fn(&Audited) -> bool| decisions.iter().filter(|one| of(one)).count();
    let loses = |one: &Audited| one.gain < -margin;
    let called = |one: &Audited| one.verdict == Verdict::DoNotTransfer;
    let measured: Vec<&Audited> = decisions.iter().filter(|one| one.measured).collect();
    let of_measured = |of: &dyn Fn(&Audited) -> f64| mean(measured.iter().map(|one| of(one)));
    let by_problem = groups(decisions, |one| one.problem);
    let best_of = |group: &[&Audited]| group.iter().map(|one| one.gain).fold(0.0, f64::max);
    let methods = groups(decisions, |one| one.method);
    let n_problems = by_problem.len();
    let total = |group: &Vec<&Audited>| group.iter().map(|one| one.gain).sum::<f64>();
    let (best, best_gain) = methods
        .iter()
        .map(|group| (Some(group[0].method), total(group) / n_problems as f64))
        .fold(
            (None, 0.0),
            |best, next| {
                if next.1 > best.1 { next } else { best }
            },
        );
    Audit {
        margin,
        n_decisions: decisions.len(),
        n_problems,
        n_losses: count(&loses),
        n_called: count(&called),
        n_called_losses: count(&|one| called(one) && loses(one)),
        n_called_even: count(&|one| called(one) && one.gain.abs() <= margin),
        n_undecided: count(&|one| one.verdict == Verdict::Undecided),
        n_let_through: count(&|one| is_open(one) && loses(one)),
        gain: mean(decisions.iter().map(|one| one.gain)),
        gated_gain: mean(decisions.iter().map(gated)),
        oracle_gain: mean(by_problem.iter().map(|group| best_of(group))),
        advised_gain: mean(by_problem.iter().map(|group| advised(group))),
        n_advised_losses: by_problem
            .iter()
            .filter(|group| advised(group) < -margin)
            .count(),
        best,
        best_gain,
        calibration: (!measured.is_empty()).then(|| Calibration {
            n_measured: measured.len(),
            bias: of_measured(&|one| one.belief.gain - one.gain),
            error: of_measured(&|one| (one.belief.gain - one.gain).abs()),
            covered: of_measured(&|one| {
                f64::from(u8::from(one.belief.interval().contains(one.gain)))
            }),
        }),
    }
}

fn is_open(one: &Audited) -> bool {
    one.verdict == Verdict::Transfer
}

fn gated(one: &Audited) -> f64 {
    if is_open(one) { one.gain } else { 0.0 }
}

/// The gain of the method that is believed to gain most; the first of equals.
fn advised(group: &[&Audited]) -> f64 {
    let open = group.iter().filter(|one| is_open(one));
    let best = open.reduce(|best, next| {
        if next.belief.gain > best.belief.gain {
            next
        } else {
            best
        }
    });
    best.map_or(0.0, |one| one.gain)
}

fn groups(decisions: &[Audited], of: fn(&Audited) -> usize) -> Vec<Vec<&Audited>> {
    let mut ordered: Vec<&Audited> = decisions.iter().collect();
    ordered.sort_by_key(|one| of(one));
    ordered
        .chunk_by(|a, b| of(a) == of(b))
        .map(<[&Audited]>::to_vec)
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0);
    for value in values {
        sum += value;
        n += 1;
    }
    sum / f64::from(n)
}
