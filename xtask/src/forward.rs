//! Commands of the experiment runner that stand on their own: `cargo xtask relate`, `cargo xtask diagnose`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::experiment;
use crate::libtorch::Provision;
use crate::workspace::Workspace;

/// What is handed on to the runner's command of the same name.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// What the command takes; `--help` shows it.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    pub(crate) rest: Vec<String>,
}

/// Builds the runner, without libtorch, then becomes it.
pub(crate) fn run(workspace: &Workspace, command: &str, arguments: &Arguments) -> Result<ExitCode> {
    let words = [&[command.to_owned()], &arguments.rest[..]].concat();
    experiment::start(workspace, &Provision::default(), &words)
}
