#![doc = include_str!("../README.md")]

mod cli;
pub mod plan;
pub mod prepare;
mod progress;
pub mod record;
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
