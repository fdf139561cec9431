//! `cargo xtask experiment`: builds the experiment runner and hands everything on to it.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand};
use clap::Args;

use crate::workspace::Workspace;

/// The package, and the binary in it.
const RUNNER: &str = "translearn-experiment";

/// Plan, run and report experiments
///
/// Builds `translearn-experiment` in release mode and starts it with the same arguments:
///
///   cargo xtask experiment run quickstart
///   cargo xtask experiment plan SPEC --commands
///   cargo xtask experiment report DIR...
///   cargo xtask experiment list methods
///
/// SPEC is a file, or the name of one in `xtask/experiments/`. `cargo xtask experiment --help` shows the runner's help.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, disable_help_flag = true)]
pub(crate) struct Arguments {
    /// What the runner is to do.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) rest: Vec<String>,
}

/// Builds the runner, then becomes it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let runner = build(workspace)?;
    let mut command = Command::new(&runner);
    command.args(&arguments.rest);
    // Names of specs and the default result folder do not depend on the folder the user stands in.
    command.env("TRANSLEARN_WORKSPACE", workspace.root());
    hand_over(command).with_context(|| format!("`{}` could not be started", runner.display()))
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace.root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let built = metadata
        .target_directory
        .join("release")
        .join(RUNNER)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let mut cargo = workspace.cargo(&["build", "--release", "--package", RUNNER, "--bin", RUNNER]);
    cargo
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    if built.exists() {
        cargo.arg("--quiet");
    } else {
        eprintln!("building {RUNNER} in release mode; this happens once and takes a few minutes");
    }
    let mut child = cargo.spawn().context("cargo could not be started")?;
    let messages = child.stdout.take().context("cargo has no output")?;
    let mut runner = None;
    for message in Message::parse_stream(BufReader::new(messages)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == RUNNER
            && let Some(executable) = artifact.executable
        {
            runner = Some(executable.into_std_path_buf());
        }
    }
    if !child.wait()?.success() {
        bail!("{RUNNER} could not be built; the reason stands above");
    }
    runner.context("cargo built no executable")
}

/// Replaces this process where the system can, so that Ctrl-C reaches the runner alone.
#[cfg(unix)]
fn hand_over(mut command: Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn hand_over(mut command: Command) -> std::io::Result<ExitCode> {
    let status = command.status()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
