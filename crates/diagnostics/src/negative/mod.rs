//! Negative transfer: whether a method loses to no transfer, why, and a gate that keeps it from doing so.
//!
//! | question | answer |
//! |---|---|
//! | did it lose, on held-out labels? | [`PairedComparison`]: interval, exact p-value, correction over methods, each class alone |
//! | will it lose, judging by the labels at hand? | [`TargetCrossValidation`] measures, [`NeighbourVote`] sees without labels, [`Belief`] weighs, [`TransferGate`] acts |
//! | which of several sources does harm? | [`by_source`] |
//! | how often were the gates right? | [`audit`] |
//! | is the task unrelated, or does the method fail to use the relation? | [`Causes`] |
//!
//! Gains are over the *baseline*: the same learner on the labelled target rows alone, or on the source where no target row
//! has a label or (of a gate and an advice) all that have one are of one class. Of classes a gain is a difference of
//! accuracies; of values, the difference of two root mean squared errors as a share of the larger one. A loss is a negative
//! gain.

mod audit;
mod belief;
mod causes;
mod comparison;
mod evidence;
mod gate;
mod losses;
mod rule;
mod sources;
#[cfg(test)]
mod tests;
mod vote;

use serde::{Deserialize, Serialize};

pub use audit::{Audit, Audited, Calibration, audit};
pub use belief::Belief;
pub use causes::{Cause, Causes, FoundCause};
pub use comparison::{PairedComparison, TransferGap};
pub use evidence::{Evidence, TargetCrossValidation};
pub use gate::TransferGate;
pub(crate) use gate::{default_learner, no_transfer};
pub(crate) use rule::Weigher;
pub use rule::{Decision, GateRule};
pub use sources::by_source;
pub use vote::NeighbourVote;

/// Whether to transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is a gain.
    Transfer,
    /// There is a loss.
    DoNotTransfer,
    /// What is known does not tell.
    Undecided,
}
