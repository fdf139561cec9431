//! `cargo xtask test`: the test command of the README.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::libtorch;
use crate::workspace::{Workspace, check};

/// Crates that stand outside the workspace, as those of its users do.
const OUTSIDE: &[&str] = &["examples/custom-method"];

/// The whole workspace, and then the runner with networks by itself: built together, every program that names the runner
/// would load libtorch. Beside the runner stand the two packages whose dependencies ask for features of `serde_json` and
/// `either` that its own do without: with them it builds upon what the workspace has built, without them upon all of it
/// built again.
pub(crate) const EVERYTHING: [&[&str]; 2] = [
    &["--workspace"],
    &[
        "--package=translearn-experiment",
        "--package=translearn-benches",
        "--package=xtask",
        "--features=translearn-experiment/deep",
    ],
];
/// What of the runner depends on networks.
const WITH_NETWORKS: [&str; 5] = ["--lib", "--test", "program", "--test", "spec"];

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
    let test = |what: &[&str], rest: &[String]| {
        let mut cargo = workspace.cargo(&["test"]);
        cargo.args(what).args(rest);
        libtorch.apply(&mut cargo);
        check(&mut cargo)
    };
    if arguments.rest.is_empty() {
        let [workspace_alone, runner] = EVERYTHING;
        test(workspace_alone, &[])?;
        test(&[runner, &WITH_NETWORKS].concat(), &[])?;
        outside(workspace)?;
    } else {
        test(&[], &arguments.rest)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn outside(workspace: &Workspace) -> Result<()> {
    for name in OUTSIDE {
        let manifest = workspace.root().join(name).join("Cargo.toml");
        if manifest.is_file() {
            // The workspace's build folder holds most of its dependencies already.
            check(
                workspace
                    .cargo(&["test", "--manifest-path"])
                    .arg(manifest)
                    .arg("--target-dir")
                    .arg(workspace.root().join("target")),
            )?;
        }
    }
    Ok(())
}
