//! Which shift lies between two samples: tests with a p-value, and how large the difference is.
//!
//! | test | sees | effect |
//! |---|---|---|
//! | [`Mmd`] | any difference that the kernel sees, in all columns together | share of the kernel's variance between the domains |
//! | [`Energy`] | any difference, without a parameter | share of the dispersion between the domains |
//! | [`ClassifierTest`] | what a learner can tell apart on rows it has not seen | `2 AUC − 1` |
//! | [`Marginals`] | single columns, and which ones | largest difference of the distribution functions; Cramér's V |
//! | [`MomentDistance`] | means and covariances, or what lies along random directions | share of the distance that is no noise |
//!
//! Every p-value comes from relabelling: where both samples are from one distribution, every split of the pooled rows into
//! parts of their sizes is as likely as the one at hand, so that the chance of a p-value of at most `α` is at most `α`
//! whatever the distribution and however few the rows. With `B` relabellings it is `(1 + #{T_b ≥ T}) / (1 + B)`, and never
//! below `1 / (1 + B)`. Columns of sizes need no draw: all orders are counted, and of very many rows their limit is taken.
//!
//! A test that does not reject shows nothing; look at the effect and at the number of rows. Neither statistic nor p-value
//! depends on the order of the rows.

mod classifier;
mod energy;
mod marginals;
mod mmd;
mod moments;
mod relabel;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

pub use classifier::ClassifierTest;
pub(crate) use classifier::standardise;
pub use energy::Energy;
pub use marginals::{ColumnShift, ColumnTest, MarginalShift, Marginals};
pub use mmd::{Mmd, MmdEstimator};
pub use moments::{MomentDistance, MomentKind};
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
    if n_permutations == 0 {
        return Err(TransferError::InvalidParameter {
            name: "n_permutations".to_owned(),
            value: "0".to_owned(),
            range: "integer ≥ 1".to_owned(),
        });
    }
    Ok(())
}
