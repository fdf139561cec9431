//! `cargo xtask ci`: every check a change has to pass, cheapest first.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::libtorch;
use crate::test;
use crate::workspace::{Workspace, check, show};

/// Format, clippy, documentation and tests, in this order; stops at the first that fails.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// Runs the checks.
pub(crate) fn run(workspace: &Workspace, _: &Arguments) -> Result<ExitCode> {
    step(workspace.cargo(&["fmt", "--all", "--check"]))?;
    let libtorch = libtorch::ensure_if(workspace, true)?;
    for what in test::EVERYTHING {
        let mut clippy = workspace.cargo(&["clippy", "--all-targets"]);
        clippy.args(what).args(["--", "--deny", "warnings"]);
        libtorch.apply(&mut clippy);
        step(clippy)?;
    }
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    libtorch.apply(&mut doc);
    step(doc)?;
    println!("== cargo xtask test");
    test::run(workspace, &test::Arguments::default())
}

fn step(mut command: Command) -> Result<()> {
    println!("== {}", show(&command));
    let start = Instant::now();
    check(&mut command)?;
    println!("== ok, {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
