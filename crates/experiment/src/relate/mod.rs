//! Which tasks of a data set help each other: `cargo xtask relate`.
//!
//! The tasks are those of a set that holds many, or the domains of one. [`TaskSet::read`] reads them,
//! [`Relatedness::of`] measures over several splits, [`crate::report::write_relatedness`] draws.

mod read;
mod relatedness;

use std::path::PathBuf;

use translearn_core::TransferError;
use translearn_data::DataError;

pub(crate) use read::TaskSet;
#[cfg(test)]
pub(crate) use relatedness::tests;
pub(crate) use relatedness::{Comparison, Measure, Metric, RelatedTask, Relatedness, Score, Start};

/// What rows in several tasks do to the scores, in a sentence.
pub(crate) fn shared_rows_warning(shared: &str) -> String {
    format!(
        "{shared}: what is held out of one may be learned from in another, so that scores and gains are too high"
    )
}

/// A set whose tasks cannot be related, or a result that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelateError {
    /// The set is not known, or cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The tasks cannot be measured.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// Nothing to relate.
    #[error(
        "`{set}` holds one task and none can help another; name a set of many tasks (`school`) or of several domains: {known}"
    )]
    OneTask { set: String, known: String },
    /// Embedded sets.
    #[error(
        "the domains of `{set}` share rows, so that what is held out of one would be learned from in another; name a set of many tasks (`school`) or of several domains: {known}"
    )]
    SharedRows { set: String, known: String },
    /// Rows that no regression takes.
    #[error(
        "the domains of `{set}` are {found}, and transfer is measured between rows of numbers alone; name a set of many tasks (`school`) or of domains with columns: {known}"
    )]
    NoVectors {
        set: String,
        found: String,
        known: String,
    },
    /// Rows that say nothing.
    #[error(
        "domain `{domain}` of `{set}` has no label for each row, which transfer is measured by; name a set of many tasks (`school`) or of domains with labels: {known}"
    )]
    NoLabels {
        set: String,
        domain: String,
        known: String,
    },
    /// Columns that are not the same.
    #[error(
        "the domains of `{set}` have other columns each ({widths}), and weights of one say nothing of another; name a set whose domains share their columns: {known}"
    )]
    OtherColumns {
        set: String,
        widths: String,
        known: String,
    },
    /// A file that cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}
