//! `cargo xtask libtorch`: where libtorch is, whether it is the right one, and how it gets here.

mod doctor;
mod fetch;
mod find;
mod layout;
pub(crate) mod needs;
mod provision;
mod tools;
mod unpack;
mod wheels;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::workspace::Workspace;
use find::{FETCH, Found, Search};
use wheels::{VERSION, Variant};

pub(crate) use provision::{Provision, at_hand, ensure_if};

/// Find, check and fetch libtorch, which the deep methods build on.
///
/// It is looked for in this order: `--libtorch`, the environment variable LIBTORCH, the PyTorch of `python3` where
/// LIBTORCH_USE_PYTORCH is set (PYTHON names another interpreter), `target/libtorch`. Commands that need it fetch it there
/// by themselves.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is there and what is missing. Exit status 1 when what builds on libtorch cannot be built.
    Doctor(Place),
    /// Print the folder of libtorch.
    Path(Place),
    /// Print what a shell needs to build on it: `eval "$(cargo xtask libtorch env)"`.
    Env(Place),
    /// Download libtorch with pip, verify it and unpack it into `target/libtorch`, unless it is there.
    Fetch {
        /// Also what runs on NVIDIA cards (2.5 GB to download, 4.3 GB unpacked).
        #[arg(long)]
        cuda: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A folder with libtorch, in place of all others.
    #[arg(long, value_name = "FOLDER")]
    libtorch: Option<PathBuf>,
}

/// Runs one of the commands.
pub(crate) fn run(workspace: &Workspace, command: Command) -> Result<ExitCode> {
    let root = provision::root(workspace);
    let search = |place: Place| Search::begin(root.clone(), place.libtorch);
    match command {
        Command::Doctor(place) => {
            let state = doctor::State::look(&search(place));
            println!("{}", state.lines().join("\n"));
            return Ok(ExitCode::from(u8::from(!state.is_ready())));
        }
        Command::Path(place) => {
            println!("{}", demand(search(place).find()?)?.folder.display());
        }
        Command::Env(place) => {
            let folder = demand(search(place).find()?)?.folder;
            let provision = Provision::of(&folder, provision::cuda(&folder, &root));
            println!("{}", provision.lines().join("\n"));
        }
        Command::Fetch { cuda } => {
            fetch::fetch(&root, cuda)?;
            let variant = if cuda { Variant::Cuda } else { Variant::Cpu };
            let folder = root.join(variant.folder());
            println!("libtorch {VERSION} is in `{}`", folder.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found, or an error that says how to get it.
fn demand(found: Option<Found>) -> Result<Found> {
    found.with_context(|| {
        format!(
            "libtorch {VERSION} is not here: run `{FETCH}`, or set LIBTORCH to a folder that has it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nowhere_is_told_with_the_way_to_get_it() {
        let error = demand(None).unwrap_err().to_string();
        assert!(error.contains("`cargo xtask libtorch fetch`"), "{error}");
        assert!(error.contains("LIBTORCH"), "{error}");
    }
}
