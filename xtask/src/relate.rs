//! `cargo xtask relate`: the command of this name of the experiment runner.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::experiment;
use crate::libtorch::Provision;
use crate::workspace::Workspace;

/// Measure which tasks of a data set help each other
///
/// Builds `translearn-experiment` in release mode and starts its command `relate` with the same arguments:
///
///   cargo xtask relate school
///   cargo xtask relate office-caltech10-surf --splits 20
///
/// `cargo xtask relate --help` shows the runner's help.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, disable_help_flag = true)]
pub(crate) struct Arguments {
    /// A data set, and what is to be done with it.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "DATA"
    )]
    pub(crate) rest: Vec<String>,
}

/// Builds the runner, without libtorch, then becomes it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let words = [&["relate".to_owned()], &arguments.rest[..]].concat();
    experiment::start(workspace, &Provision::default(), &words)
}
