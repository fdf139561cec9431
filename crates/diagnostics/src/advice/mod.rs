//! What to transfer, whether, and how: an adviser over the other modules.
//!
//! [`advise`] looks at one problem with every instrument that its data admit: the scenario, the tests of shift, what the
//! labelled target rows say of each method, and the rule of [`TransferGate`](crate::negative::TransferGate) on top. It says
//! what it found, what it recommends, how sure it is and why, for a person ([`Advice::reasons`]) and for a program
//! (everything is `Serialize`).

mod adviser;
mod reasons;
mod shift;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::{Family, Registry, Scenario, TransferError, TransferProblem};

pub use adviser::Adviser;
pub use shift::{ShiftFinding, ShiftKind};

use crate::negative::{Belief, Decision, Verdict};
use crate::shift::ColumnShift;

/// Advice for a problem by the default [`Adviser`], with seed 0.
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_core::TransferProblem;
/// use translearn_diagnostics::advice::advise;
///
/// // The same rows on both sides, with the classes the other way round.
/// let x = Array2::from_shape_fn((40, 2), |(row, column)| ((7 * row + 3 * column) % 40) as f64);
/// let y = Array1::from_shape_fn(40, |row| usize::from(x[[row, 0]] > 20.0));
/// let source = DatasetBase::new(x.clone(), y.mapv(|class| 1 - class));
/// let problem = TransferProblem::new(&source, &DatasetBase::new(x, y))?;
/// let advice = advise(&problem, &translearn_classical::registry())?;
/// assert_eq!(advice.choice, "target-only");
/// println!("{}", advice.reasons.join("\n"));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Errors
/// See [`Adviser`].
pub fn advise(problem: &TransferProblem, registry: &Registry) -> Result<Advice, TransferError> {
    Adviser::default().advise(problem, registry, 0)
}

/// What was found about a problem, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// The size of the problem.
    pub facts: Facts,
    /// Which of Pan & Yang's four differences hold, each by itself: its tests are not adjusted for their number.
    pub scenario: Scenario,
    /// The classes of labelled target rows that a source row has too.
    pub shared_classes: Vec<String>,
    /// Those that no source row has.
    pub unknown_classes: Vec<String>,
    /// The tests of shift, their p-values adjusted for their number.
    pub shifts: Vec<ShiftFinding>,
    /// The columns that shift, those with the largest effect first; none where the test of single columns does not reject.
    pub drivers: Vec<Driver>,
    /// What there is without transfer: `target-only` or `source-only`.
    pub baseline: String,
    /// The methods: those that are to be used first, then those that are undecided, then those that are not, each by the
    /// gain that is believed; methods that could not be judged last.
    pub methods: Vec<MethodAdvice>,
    /// To transfer where any method is to be used; not to, where every method that was judged is not; else undecided.
    pub verdict: Verdict,
    /// The method to use: the first, where it is to be used, else the baseline.
    pub choice: String,
    /// What is believed of its gain over the baseline; `None` for the baseline itself.
    pub expected_gain: Option<Belief>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// The size of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Rows of all sources.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
    /// Of these, those with a label.
    pub n_labelled: usize,
    /// Features of the target.
    pub n_features: usize,
    /// Classes; `None` for values.
    pub n_classes: Option<usize>,
}

/// A column that shifts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// What it is called; `column 3` for the third where it has no name.
    pub name: String,
    /// What was found.
    #[serde(flatten)]
    pub shift: ColumnShift,
}

/// What was found about a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodAdvice {
    /// Its name in the registry.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Its family.
    pub family: Family,
    /// What was decided; `None` where it could not be judged.
    pub decision: Option<Decision>,
    /// Why it could not be judged.
    pub obstacle: Option<String>,
}
