//! `report`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::show;
use crate::report::terminal_table;
use crate::run::{default_folder, finish};
use crate::store::merge;

/// Report the trials of one or more result folders of one plan: tables, gains, verdicts and plots. Runs nothing.
///
/// Several folders (shards, other machines) are joined by trial into one result folder.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Result folders.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Where the joined results and the report go [default: DIR when there is one, else target/experiments/<name>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let merged = merge(&arguments.folders)?;
    let out = match (&arguments.out, &arguments.folders[..]) {
        (Some(out), _) => out.clone(),
        (None, [folder]) => folder.clone(),
        (None, _) => default_folder(&merged.plan.experiment),
    };
    let store = merged.store(&out)?;
    let (_, summary) = finish(&store, &merged.plan)?;
    show(&terminal_table(&summary, store.folder()))?;
    Ok(ExitCode::SUCCESS)
}
