//! What can go wrong with a result folder.

use std::path::{Path, PathBuf};

/// A result folder that cannot be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another run writes to the folder.
    #[error(
        "another run{} writes to `{}`; wait for its end, or give this one another --out",
        process.map(|id| format!(" (process {id})")).unwrap_or_default(),
        folder.display()
    )]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// The process, where it is known.
        process: Option<u32>,
    },
    /// The folder holds results of another plan or version.
    #[error(
        "`{}` holds results of another plan:\n{}\ngive another --out, or --fresh to delete them",
        folder.display(),
        differences.iter().map(|difference| format!("  {difference}")).collect::<Vec<_>>().join("\n")
    )]
    OtherPlan {
        /// The folder.
        folder: PathBuf,
        /// What differs, both sides named.
        differences: Vec<String>,
    },
    /// The folder holds trials but no plan they belong to.
    #[error("`{}` holds trials but no plan.json; give another --out, or --fresh to delete them", folder.display())]
    NoPlan {
        /// The folder.
        folder: PathBuf,
    },
    /// There are no results.
    #[error("`{}` is no result folder: it has no plan.json", folder.display())]
    NoResults {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that is not what its name says.
    #[error("`{}` is damaged: {reason}; delete it and run again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two folders hold one trial with different content.
    #[error(
        "trial {trial} ({what}) differs between `{}` and `{}` in {}; \
         one of them was changed, or made on another machine: report them one by one",
        first.display(),
        second.display(),
        fields.join(", ")
    )]
    Conflict {
        /// The trial.
        trial: String,
        /// Its task, method and seed.
        what: String,
        /// One folder.
        first: PathBuf,
        /// The other folder.
        second: PathBuf,
        /// The fields that differ.
        fields: Vec<String>,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
