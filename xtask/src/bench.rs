//! `cargo xtask bench`: how fast translearn is, beside its peers and alone.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;
use clap::Args;

use crate::libtorch;
use crate::workspace::{Workspace, check};

const PACKAGE: &str = "translearn-benches";
const OURS: &str = "translearn-peerbench";
const DEEP: &str = "deep";
const DEEP_PACKAGE: &str = "translearn-deep";
const OURS_DEEP: &str = "beside_pytorch";

/// Time translearn beside ADAPT, skada, POT, scikit-learn and PyTorch, or alone.
///
/// The peers are installed from PyPI, at pinned versions, into `target/bench/venv` on the first run (2 GB; `PYTHON`
/// names another interpreter than `python3`). Both sides get the same arrays and two threads and take turns; the table
/// shows times, objectives, and a ratio where our result is as good as the peer's. It is also written to
/// `target/bench/<date>.json`.
///
/// `deep` times networks beside PyTorch, which is installed into `target/bench/torch-venv` (5 GB) unless
/// `--torch-python` names an interpreter that has it. See `docs/benchmarks.md`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// coral, sa, tca, tca-nystroem, jda, meda, kmm, kliep, ulsif, mmd-test, logme, otdd, tradaboost, emd, sinkhorn,
    /// sinkhorn-small, logistic, tree; all of these when none is named. kmm-frank-wolfe, which has no peer, for `--growth`.
    /// Or deep.
    names: Vec<String>,
    /// Interleaved runs of each side.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Small sizes, to check that everything runs.
    #[arg(long)]
    quick: bool,
    /// How the time of our side grows with rows and columns, in place of the comparison.
    #[arg(long)]
    growth: bool,
    /// The criterion benches of our side alone, on small sizes, against their last run.
    #[arg(long, conflicts_with_all = ["runs", "quick", "growth"])]
    alone: bool,
    /// For `deep`: an interpreter that has the packages of `benches/peers/torch_requirements.txt`.
    #[arg(long, value_name = "PYTHON")]
    torch_python: Option<PathBuf>,
    /// For `deep`: images with the channels of a pixel next to each other, on both sides.
    #[arg(long)]
    channels_last: bool,
}

/// Runs the benches.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let (deep, names): (Vec<&String>, Vec<&String>) =
        arguments.names.iter().partition(|name| *name == DEEP);
    if arguments.alone {
        if !deep.is_empty() {
            bail!("`{DEEP}` has no bench of our side alone");
        }
        return alone(workspace, &arguments.names);
    }
    if !deep.is_empty() {
        beside_pytorch(workspace, arguments)?;
    }
    if deep.is_empty() || !names.is_empty() {
        beside_peers(workspace, arguments, &names)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn alone(workspace: &Workspace, names: &[String]) -> Result<ExitCode> {
    let mut cargo = workspace.cargo(&["bench", "--package", PACKAGE, "--"]);
    // Criterion takes one filter, a regular expression.
    if !names.is_empty() {
        cargo.arg(format!("^({})/", names.join("|")));
    }
    check(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}

fn beside_peers(workspace: &Workspace, arguments: &Arguments, names: &[&String]) -> Result<()> {
    let target = target_folder(workspace)?;
    let peers = workspace.root().join("benches/peers");
    let folder = target.join("bench");
    let python = environment(&folder.join("venv"), &peers.join("requirements.txt"))?;
    check(&mut workspace.cargo(&["build", "--release", "--package", PACKAGE, "--bin", OURS]))?;
    check(
        Command::new(python)
            .arg(peers.join(match arguments.growth {
                true => "growth.py",
                false => "compare.py",
            }))
            .arg("--ours")
            .arg(program(&target.join("release").join(OURS)))
            .arg("--folder")
            .arg(folder)
            .args(["--runs", &arguments.runs.to_string()])
            .args(arguments.quick.then_some("--quick"))
            .args(names),
    )
}

fn beside_pytorch(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let target = target_folder(workspace)?;
    let peers = workspace.root().join("benches/peers");
    let folder = target.join("bench");
    let python = match &arguments.torch_python {
        Some(python) => python.clone(),
        None => environment(
            &folder.join("torch-venv"),
            &peers.join("torch_requirements.txt"),
        )?,
    };
    let libtorch = libtorch::ensure_if(workspace, libtorch::needs::bench(&arguments.names))?;
    let mut cargo = workspace.cargo(&[
        "build",
        "--release",
        "--package",
        DEEP_PACKAGE,
        "--example",
        OURS_DEEP,
    ]);
    libtorch.apply(&mut cargo);
    check(&mut cargo)?;
    // Without the path of our libtorch, which our program knows by itself: PyTorch is to load its own.
    check(
        Command::new(python)
            .arg(peers.join("deep.py"))
            .arg("--ours")
            .arg(program(&target.join("release/examples").join(OURS_DEEP)))
            .arg("--folder")
            .arg(folder)
            .args(["--runs", &arguments.runs.to_string()])
            .args(arguments.quick.then_some("--quick"))
            .args(arguments.channels_last.then_some("--channels-last")),
    )
}

/// The file of a program that cargo built.
fn program(path: &Path) -> PathBuf {
    path.with_extension(std::env::consts::EXE_EXTENSION)
}

fn target_folder(workspace: &Workspace) -> Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace.root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// The interpreter of a virtual environment that holds exactly these requirements; it is made anew when they changed.
fn environment(venv: &Path, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements)
        .with_context(|| format!("`{}`", requirements.display()))?;
    let installed = venv.join("requirements.txt");
    let python = venv.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let base = std::env::var_os("PYTHON").unwrap_or_else(|| OsString::from("python3"));
    eprintln!(
        "installing the peers into `{}`; this happens once and takes a few minutes",
        venv.display()
    );
    let made = Command::new(&base)
        .args(["-m", "venv", "--clear"])
        .arg(venv)
        .status();
    match made {
        Ok(status) if status.success() => {}
        Ok(status) => bail!(
            "`{} -m venv` ended with {status}: the comparison needs Python 3.11 or newer with venv and pip",
            base.display()
        ),
        Err(error) => bail!(
            "`{}` could not be started ({error}): the comparison needs Python 3.11 or newer with venv and pip; \
             install it, or name it in the environment variable PYTHON",
            base.display()
        ),
    }
    check(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(requirements),
    )
    .context("the peers could not be installed from PyPI")?;
    fs::write(&installed, wanted).with_context(|| format!("`{}`", installed.display()))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_with_these_requirements_is_left_as_it_is() {
        let root = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        let venv = root.join("venv");
        fs::create_dir_all(&venv).unwrap();
        fs::write(root.join("wanted.txt"), "adapt==0.4.5\n").unwrap();
        fs::write(venv.join("requirements.txt"), "adapt==0.4.5\n").unwrap();
        let python = environment(&venv, &root.join("wanted.txt")).unwrap();
        assert!(python.starts_with(&venv), "{}", python.display());
        assert!(!python.exists(), "nothing was installed");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn missing_requirements_are_an_error_that_names_the_file() {
        let error = environment(Path::new("/nowhere/venv"), Path::new("/nowhere/wanted.txt"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/wanted.txt"), "{error}");
    }
}
