//! Which shift lies between two samples: tests with a p-value, and how large the difference is.
//!
//! | test | sees | effect |
//! |---|---|---|
//! | [`Mmd`] | any difference that the kernel sees, in all columns together | share of the kernel's variance between the domains |
//! | [`Energy`] | any difference, without a parameter | share of the dispersion between the domains |
//! | [`ClassifierTest`] | what a learner can tell apart on rows it has not seen | `2 AUC − 1` |
//! | [`Divergence`] | what a learner with probabilities can tell apart | the divergence, between 0 and 1 |
//! | [`Marginals`] | single columns, and which ones | largest difference of the distribution functions; Cramér's V |
//! | [`MomentDistance`] | means and covariances, or what lies along random directions | share of the distance that is no noise |
//! | [`Overlap`] | target rows that lie farther from the source than its own | `2 AUC − 1` of the distances |
//! | [`LabelShift`] | the classes that a learner answers with | total variation of the shares of the classes |
//! | [`ConditionalShift`] | labels of target rows, given their features | likelihood that the shift takes from them |
//!
//! Every p-value but that of [`ConditionalShift`] comes from relabelling: where both samples are from one distribution, every
//! split of the pooled rows into parts of their sizes is as likely as the one at hand, so that the chance of a p-value of at
//! most `α` is at most `α` whatever the distribution and however few the rows. With `B` relabellings it is `(1 + #{T_b ≥ T}) /
//! (1 + B)`, and never below `1 / (1 + B)`. Columns of sizes need no draw: all orders are counted, and of very many rows their
//! limit is taken.
//!
//! [`drift()`] puts one of them to a sequence of batches.
//!
//! A test that does not reject shows nothing; look at the effect and at the number of rows. Neither statistic nor p-value
//! depends on the order of the rows.

mod classifier;
mod conditional;
mod divergence;
mod drift;
mod energy;
mod held_out;
mod label_shift;
#[cfg(test)]
mod label_tests;
mod marginals;
mod mmd;
mod moments;
mod overlap;
#[cfg(test)]
mod ratio_tests;
mod relabel;
#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod tests;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{Features, Labels, TransferError};

use crate::check::check_count;

pub use classifier::ClassifierTest;
pub use conditional::ConditionalShift;
pub use divergence::{Divergence, DivergenceKind};
pub use drift::{BatchShift, Drift, drift};
pub use energy::Energy;
pub use label_shift::{LabelShift, LabelShiftResult};
pub use marginals::{ColumnShift, ColumnTest, MarginalShift, Marginals};
pub use mmd::{Mmd, MmdEstimator};
pub use moments::{MomentDistance, MomentKind};
pub use overlap::{Overlap, OverlapResult};
pub(crate) use relabel::Pair;

/// What a two-sample test found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// The test, in words.
    pub test: String,
    /// Its statistic.
    pub statistic: f64,
    /// How likely a statistic at least as large is where there is no shift.
    pub p_value: f64,
    /// How large the difference is: 0 for none, 1 for domains that have nothing in common.
    pub effect: f64,
    /// Rows of the source.
    pub n_source: usize,
    /// Rows of the target.
    pub n_target: usize,
}

/// Relabellings of all tests unless they are told otherwise.
const N_PERMUTATIONS: usize = 1000;

fn check_permutations(n_permutations: usize) -> Result<(), TransferError> {
    check_count("n_permutations", n_permutations, 1)
}

/// Rows with their labels in an order that depends on both alone.
fn in_order(
    name: &str,
    features: &Features,
    labels: &Labels,
) -> Result<(Features, Labels), TransferError> {
    features.check_vectors(name)?;
    features.check_finite(name)?;
    if features.n_rows() != labels.len() {
        return Err(TransferError::LengthMismatch {
            left: name.to_owned(),
            left_len: features.n_rows(),
            right: "its labels".to_owned(),
            right_len: labels.len(),
        });
    }
    labels.classes("a test of shift")?;
    let order = crate::row_order::by_value_and_label(features, labels);
    Ok((features.select_rows(&order), labels.select(&order)))
}

/// Each code's place among the distinct codes, and these in ascending order: a large code takes no memory.
fn without_gaps(codes: &Array1<usize>) -> (Labels, Vec<usize>) {
    let mut present = codes.to_vec();
    present.sort_unstable();
    present.dedup();
    let places = codes.mapv(|code| present.partition_point(|&other| other < code));
    (Labels::Classes(places), present)
}
