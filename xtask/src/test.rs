//! `cargo xtask test`: the test command of the README.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::libtorch;
use crate::workspace::{Workspace, check};

/// Crates that stand outside the workspace, as those of its users do.
const OUTSIDE: &[&str] = &["examples/custom-method"];

/// The whole workspace, the runner with networks.
pub(crate) const EVERYTHING: [&str; 3] =
    ["--workspace", "--features", "translearn-experiment/deep"];

/// Run every test, doctests included, then those of the example crates outside the workspace.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Handed on to `cargo test` in place of `--workspace`; with any of these, the crates outside are left out.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENT"
    )]
    rest: Vec<String>,
}

/// Runs the tests.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let libtorch = libtorch::ensure_if(workspace, libtorch::needs::test(&arguments.rest))?;
    let mut cargo = workspace.cargo(&["test"]);
    if arguments.rest.is_empty() {
        cargo.args(EVERYTHING);
    }
    libtorch.apply(&mut cargo);
    check(cargo.args(&arguments.rest))?;
    if arguments.rest.is_empty() {
        outside(workspace)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn outside(workspace: &Workspace) -> Result<()> {
    for name in OUTSIDE {
        let manifest = workspace.root().join(name).join("Cargo.toml");
        if manifest.is_file() {
            // A build folder of its own, under the workspace's `target` so that one place holds all that was built.
            let target = workspace.root().join("target").join(name);
            check(
                workspace
                    .cargo(&["test", "--manifest-path"])
                    .arg(manifest)
                    .arg("--target-dir")
                    .arg(target),
            )?;
        }
    }
    Ok(())
}
