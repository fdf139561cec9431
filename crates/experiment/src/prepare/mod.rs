//! From a task and a seed to a transfer problem and the rows that score it.
//!
//! **What is fitted, what is scored.** The fit sees the source rows, the labelled target rows, and the other target rows
//! without their labels. Scored are those other rows; or, where the task has a test part, that part, which neither the
//! fit nor any encoding or preprocessing sees. Steps, in order:
//!
//! 1. Read the parts, all svmlight files of a task with the same columns (all that a test part has a say in: where indices
//!    count from and how many there are); apply `classes`.
//! 2. One code per class for all parts (`ClassMap`).
//! 3. Draw `target_sample`, `source_sample` and `labelled` by seed. Only for the last are target labels looked at; the last two
//!    treat classes alike.
//! 4. Encode tables or texts, fitted on the source (or source and target, as their parameters say).
//! 5. Preprocess, fitted on the sources and the target's rows.
//!
//! Images that a method takes as they are go through 1 to 3 alone and are decoded when the first such method asks.

mod cache;
mod check;
mod columns;
mod draw;
mod encode;
mod images;
mod prepared;
mod raw;

use translearn_core::TransferError;
use translearn_data::DataError;

pub use cache::TaskCache;
pub use check::check;
pub(crate) use draw::draw_rows;
pub(crate) use encode::kind;
pub use prepared::{PreparedTask, View};
pub use raw::RawTask;
pub(crate) use raw::complement;

use crate::spec::Draw;

/// Data that make no task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A file that cannot be read, encoded or preprocessed.
    #[error("{part}: {error}")]
    Data {
        /// `source`, `target` or `test part`, with its name.
        part: String,
        /// The reason.
        error: Box<DataError>,
    },
    /// The parts do not make a problem.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// Images in a program that cannot compute with networks.
    #[error(
        "{part}: this program was built without libtorch and cannot compute features; `cargo xtask experiment` builds one that can"
    )]
    NoDeep {
        /// `source`, `target` or `test part`, with its name.
        part: String,
    },
    /// Features that a network could not compute.
    #[cfg(feature = "deep")]
    #[error("{part}: {error}")]
    Deep {
        /// `source`, `target` or `test part`, with its name.
        part: String,
        /// The reason.
        error: Box<translearn_deep::DeepError>,
    },
    /// A part without labels that needs them.
    #[error("{part} has no labels, which are needed {why}; name the column or array with `label`")]
    NoLabels {
        /// `source` or `target`, with its name.
        part: String,
        /// What for.
        why: &'static str,
    },
    /// Labels that can be read as classes and as numbers.
    #[error(
        "the labels are numbers, which can be classes or values; say `output = \"classification\"` or \"regression\" in the task"
    )]
    Output,
    /// A draw that asks for more than there is, or leaves nothing.
    #[error("`{what}` asks for {draw:?} of {rows} rows: {reason}")]
    Draw {
        /// `labelled`, `source_sample` or `target_sample`.
        what: &'static str,
        /// What was asked for.
        draw: Draw,
        /// Rows there are.
        rows: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl PrepareError {
    pub(crate) fn data(part: &str) -> impl FnOnce(DataError) -> Self {
        let part = part.to_owned();
        move |error| Self::Data {
            part,
            error: Box::new(error),
        }
    }
}
