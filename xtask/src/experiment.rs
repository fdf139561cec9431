//! `cargo xtask experiment`: builds the experiment runner and hands everything on to it.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand};
use clap::Args;

use crate::libtorch::{self, Provision};
use crate::workspace::Workspace;

/// The package, and the binary in it.
const RUNNER: &str = "translearn-experiment";

/// What a list without libtorch says.
const NOT_LISTED: &str = "note: methods over libtorch are not listed, for this build is without it; `cargo xtask libtorch doctor` tells what is missing";

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
    let needed = libtorch::needs::experiment(workspace, &arguments.rest);
    let libtorch = if libtorch::needs::experiment_lists(&arguments.rest) {
        libtorch::at_hand(workspace).unwrap_or_else(|| {
            eprintln!("{NOT_LISTED}");
            Provision::default()
        })
    } else {
        libtorch::ensure_if(workspace, needed)?
    };
    start(workspace, &libtorch, &arguments.rest)
}

/// Builds the runner, then becomes it with these arguments.
pub(crate) fn start(
    workspace: &Workspace,
    libtorch: &Provision,
    arguments: &[String],
) -> Result<ExitCode> {
    let runner = build(workspace, libtorch)?;
    let mut command = Command::new(&runner);
    command.args(arguments);
    libtorch.apply(&mut command);
    // Names of specs and the default result folder do not depend on the folder the user stands in.
    command.env("TRANSLEARN_WORKSPACE", workspace.root());
    hand_over(command).with_context(|| format!("`{}` could not be started", runner.display()))
}

fn build(workspace: &Workspace, libtorch: &Provision) -> Result<PathBuf> {
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
    let mut cargo = build_command(workspace, libtorch);
    cargo
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    if !built.exists() {
        eprintln!("building {RUNNER} in release mode; this happens once and takes a few minutes");
    } else if libtorch.is_empty() {
        cargo.arg("--quiet");
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

/// The runner is built on libtorch only where an experiment asks for it.
fn build_command(workspace: &Workspace, libtorch: &Provision) -> Command {
    let mut cargo = workspace.cargo(&["build", "--release", "--package", RUNNER, "--bin", RUNNER]);
    if !libtorch.is_empty() {
        cargo.args(["--features", "deep"]);
    }
    libtorch.apply(&mut cargo);
    cargo
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_runner_is_built_on_libtorch_only_where_it_is_needed() {
        let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let without = build_command(&workspace, &Provision::default());
        assert!(without.get_args().all(|word| word != "deep"));
        assert_eq!(without.get_envs().count(), 0);
        let with = build_command(&workspace, &Provision::of(Path::new("/opt/torch"), None));
        let words: Vec<_> = with.get_args().skip(without.get_args().count()).collect();
        assert_eq!(words, ["--features", "deep"]);
        assert!(with.get_envs().any(|(name, _)| name == "LIBTORCH"));
    }
}
