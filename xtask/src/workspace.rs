//! Where the workspace stands, and how cargo is run in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The checkout this program belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace `cargo xtask` was started in.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .context("start it as `cargo xtask`, not by its path")?;
        let root = Path::new(&manifest)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        Self::at(root)
    }

    /// The workspace in the folder `root`.
    pub(crate) fn at(root: PathBuf) -> Result<Self> {
        if !root.join("Cargo.toml").is_file() {
            bail!(
                "`{}` is no cargo workspace: it has no Cargo.toml",
                root.display()
            );
        }
        Ok(Self { root })
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A cargo command in the folder of the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(&self.root);
        command
    }
}

/// The cargo that started this program.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs a command to its end.
///
/// # Errors
/// The command and its exit status, when it is not 0.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_an_error_that_names_it() {
        let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        check(&mut workspace.cargo(&["--version"])).unwrap();
        let error = check(&mut workspace.cargo(&["no-such-command"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("`cargo no-such-command` ended with exit status"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_manifest_is_no_workspace() {
        let error = Workspace::at(PathBuf::from("/nowhere"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no Cargo.toml"), "{error}");
    }
}
