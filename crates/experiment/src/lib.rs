#![doc = include_str!("../README.md")]

mod cli;
pub mod plan;
pub mod prepare;
mod progress;
mod question;
pub mod record;
mod relate;
pub mod report;
mod run;
pub mod select;
pub mod spec;
pub mod store;
pub mod summary;
pub mod trial;
mod worker;

pub use cli::main_with;
pub use record::{GridScore, SCHEMA, Selected, Status, TrialRecord};
pub use run::{RunError, RunOptions, RunSummary, Shard, run, run_with};

use translearn_core::Registry;

/// The methods and learners of this workspace that this build has: those over libtorch, which come last, with the feature
/// `deep` alone.
#[cfg(not(feature = "deep"))]
pub fn registry() -> Registry {
    translearn_classical::registry()
}

/// The methods and learners of this workspace that this build has: those over libtorch, which come last, with the feature
/// `deep` alone.
#[cfg(feature = "deep")]
pub fn registry() -> Registry {
    let (classical, deep) = (
        translearn_classical::registry(),
        translearn_deep::registry(),
    );
    Registry::new(
        [classical.methods(), deep.methods()].concat(),
        [classical.learners(), deep.learners()].concat(),
    )
}
