//! Where a libtorch is, and whether it is the right one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tools;
use super::wheels::{VERSION, Variant};

/// What is done where none serves.
pub(crate) const FETCH: &str = "cargo xtask libtorch fetch";

/// The places that are searched, in this order.
pub(crate) struct Search {
    /// The folder named on the command line.
    pub(crate) flag: Option<PathBuf>,
    /// `LIBTORCH`.
    pub(crate) variable: Option<PathBuf>,
    /// Tells the folder of a PyTorch, where `LIBTORCH_USE_PYTORCH` asks for it.
    pub(crate) pytorch: Option<Box<dyn Fn() -> Result<PathBuf>>>,
    /// Where `fetch` puts its folders.
    pub(crate) root: PathBuf,
}

/// A libtorch of the right version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its folder, with `include` and `lib`.
    pub(crate) folder: PathBuf,
    /// What led to it.
    pub(crate) origin: &'static str,
}

impl Search {
    /// The places this process was told of.
    pub(crate) fn begin(root: PathBuf, flag: Option<PathBuf>) -> Self {
        let variable = env::var_os("LIBTORCH").filter(|value| !value.is_empty());
        let pytorch = env::var_os("LIBTORCH_USE_PYTORCH")
            .map(|_| -> Box<dyn Fn() -> _> { Box::new(|| pytorch_of(&tools::python())) });
        Self {
            flag,
            variable: variable.map(PathBuf::from),
            pytorch,
            root,
        }
    }

    /// The first place that has one.
    ///
    /// # Errors
    /// A place that was named, or holds a folder of ours, but has no libtorch of this version: it is not passed over, or
    /// one would build against another than one thinks.
    pub(crate) fn find(&self) -> Result<Option<Found>> {
        if let Some(folder) = &self.flag {
            return named(folder, "--libtorch").map(Some);
        }
        // `.cargo/config.toml` sets LIBTORCH to our own folder for whatever cargo starts, this program included: that is
        // no word of the user, and the folder may not be there yet.
        let ours = self.root.join(Variant::Cpu.folder());
        if let Some(folder) = self.variable.as_ref().filter(|folder| **folder != ours) {
            return named(folder, "LIBTORCH").map(Some);
        }
        if let Some(ask) = &self.pytorch {
            return named(&ask()?, "LIBTORCH_USE_PYTORCH").map(Some);
        }
        for variant in [Variant::Cpu, Variant::Cuda] {
            let folder = self.root.join(variant.folder());
            if folder.exists() {
                inspect(&folder).with_context(|| {
                    format!(
                        "the fetched libtorch is not whole; remove `{}` and run `{FETCH}`",
                        folder.display()
                    )
                })?;
                return Ok(Some(Found {
                    folder,
                    origin: "fetched",
                }));
            }
        }
        Ok(None)
    }
}

/// A folder somebody named: the right libtorch, or an error.
fn named(folder: &Path, origin: &'static str) -> Result<Found> {
    // Build scripts run elsewhere and would look for a relative path there.
    let folder = absolute(folder).with_context(|| format!("{origin} names no folder"))?;
    inspect(&folder).with_context(|| {
        format!(
            "{origin} does not lead to a libtorch that serves; correct it, or do without it and run `{FETCH}`"
        )
    })?;
    Ok(Found { folder, origin })
}

/// Refuses a folder that is not libtorch of this version, for C++ to build against.
pub(crate) fn inspect(folder: &Path) -> Result<()> {
    for needed in [
        format!("lib/{}", library("torch_cpu")),
        "include/torch/csrc/api/include".to_owned(),
    ] {
        if !folder.join(&needed).exists() {
            bail!("`{}` has no `{needed}`", folder.display());
        }
    }
    let found = version(folder)?;
    if found != VERSION {
        bail!(
            "`{}` is libtorch {found}, and tch was made for {VERSION} alone",
            folder.display()
        );
    }
    Ok(())
}

/// The file name of a library on this system.
pub(crate) fn library(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

/// The version of a libtorch, without the build that follows `+`.
fn version(folder: &Path) -> Result<String> {
    let release = |version: &str| {
        let version = version.trim();
        version.split('+').next().unwrap_or(version).to_owned()
    };
    if let Ok(text) = fs::read_to_string(folder.join("build-version")) {
        return Ok(release(&text));
    }
    // A Python package has no `build-version`, so torch-sys would take any.
    let text = fs::read_to_string(folder.join("version.py")).unwrap_or_default();
    match text.lines().find_map(assigned) {
        Some(version) => Ok(release(version)),
        None => bail!(
            "`{}` does not tell its version: it has neither `build-version` nor a `version.py` with `__version__`",
            folder.display()
        ),
    }
}

/// The value in a line `__version__ = '...'`.
fn assigned(line: &str) -> Option<&str> {
    let value = line.strip_prefix("__version__")?.trim_start();
    let value = value.strip_prefix('=')?.trim();
    Some(value.trim_matches(['\'', '"']))
}

/// The folder of the PyTorch of an interpreter, which is not loaded for it.
fn pytorch_of(python: &Path) -> Result<PathBuf> {
    const SCRIPT: &str =
        "import importlib.util as u, os; print(os.path.dirname(u.find_spec('torch').origin))";
    let folder = tools::first_line(Command::new(python).args(["-c", SCRIPT]));
    let folder = folder.with_context(|| {
        format!(
            "LIBTORCH_USE_PYTORCH is set, but `{}` has no PyTorch; install torch=={VERSION} there, name another \
             interpreter in PYTHON, or unset LIBTORCH_USE_PYTORCH",
            python.display()
        )
    })?;
    Ok(folder.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A folder that looks like libtorch.
    pub(crate) fn libtorch(folder: PathBuf, version_file: &str, text: &str) -> PathBuf {
        fs::create_dir_all(folder.join("include/torch/csrc/api/include")).unwrap();
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::write(folder.join("lib").join(library("torch_cpu")), "").unwrap();
        fs::write(folder.join(version_file), text).unwrap();
        folder
    }

    fn whole(folder: PathBuf) -> PathBuf {
        libtorch(folder, "build-version", "2.11.0\n")
    }

    fn empty(root: &Path) -> Search {
        Search {
            flag: None,
            variable: None,
            pytorch: None,
            root: root.to_owned(),
        }
    }

    fn found(search: &Search) -> (PathBuf, &'static str) {
        let Found { folder, origin } = search.find().unwrap().unwrap();
        (folder, origin)
    }

    #[test]
    fn the_first_place_in_the_order_wins() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let mut search = empty(root.path());
        assert_eq!(search.find().unwrap(), None);
        let cuda = whole(at("2.11.0-cuda"));
        assert_eq!(found(&search), (cuda, "fetched"));
        let cpu = whole(at("2.11.0-cpu"));
        assert_eq!(found(&search), (cpu, "fetched"));
        let python = whole(at("python"));
        let answer = python.clone();
        search.pytorch = Some(Box::new(move || Ok(answer.clone())));
        assert_eq!(found(&search), (python, "LIBTORCH_USE_PYTORCH"));
        let variable = whole(at("variable"));
        search.variable = Some(variable.clone());
        assert_eq!(found(&search), (variable, "LIBTORCH"));
        let flag = whole(at("flag"));
        search.flag = Some(flag.clone());
        assert_eq!(found(&search), (flag, "--libtorch"));
    }

    #[test]
    fn the_variable_of_the_workspace_is_no_word_of_the_user() {
        let root = tempfile::tempdir().unwrap();
        let ours = root.path().join("2.11.0-cpu");
        let mut search = empty(root.path());
        search.variable = Some(ours.clone());
        assert_eq!(search.find().unwrap(), None, "not there yet");
        whole(ours.clone());
        assert_eq!(found(&search), (ours, "fetched"));
        // What the user did say comes first.
        let python = whole(root.path().join("python"));
        let answer = python.clone();
        search.pytorch = Some(Box::new(move || Ok(answer.clone())));
        assert_eq!(found(&search).0, python);
    }

    #[test]
    fn a_named_folder_that_does_not_serve_is_not_passed_over() {
        let root = tempfile::tempdir().unwrap();
        whole(root.path().join("2.11.0-cpu"));
        let mut search = empty(root.path());
        search.variable = Some(root.path().join("nowhere"));
        let error = format!("{:#}", search.find().unwrap_err());
        assert!(error.contains("LIBTORCH does not lead"), "{error}");
        assert!(error.contains("nowhere` has no `lib/"), "{error}");
        assert!(error.contains(FETCH), "{error}");
    }

    #[test]
    fn another_version_is_an_error_with_both_and_the_place() {
        let root = tempfile::tempdir().unwrap();
        let other = libtorch(
            root.path().join("other"),
            "version.py",
            "__version__ = '2.10.1+cu130'\n",
        );
        let mut search = empty(root.path());
        search.flag = Some(other.clone());
        let error = format!("{:#}", search.find().unwrap_err());
        for part in ["2.10.1", "2.11.0", "--libtorch", other.to_str().unwrap()] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("cu130"), "{error}");
    }

    #[test]
    fn a_fetched_folder_that_lost_something_is_told() {
        let root = tempfile::tempdir().unwrap();
        let ours = whole(root.path().join("2.11.0-cpu"));
        fs::remove_dir_all(ours.join("include")).unwrap();
        let error = format!("{:#}", empty(root.path()).find().unwrap_err());
        assert!(error.contains("remove `"), "{error}");
        assert!(error.contains("has no `include"), "{error}");
    }

    #[test]
    fn versions_of_both_layouts_are_read() {
        let root = tempfile::tempdir().unwrap();
        for (name, file, text, expected) in [
            ("a", "build-version", "2.11.0+cpu\n", "2.11.0"),
            ("b", "build-version", "2.12.0", "2.12.0"),
            (
                "c",
                "version.py",
                "from typing import Optional\n\n__all__ = ['__version__', 'debug']\n__version__ = '2.11.0+cu130'\ndebug = False\n",
                "2.11.0",
            ),
            ("d", "version.py", "__version__=\"2.9.1\"", "2.9.1"),
        ] {
            let folder = libtorch(root.path().join(name), file, text);
            assert_eq!(version(&folder).unwrap(), expected);
        }
        let silent = libtorch(root.path().join("e"), "version.py", "debug = False\n");
        let error = version(&silent).unwrap_err().to_string();
        assert!(error.contains("does not tell its version"), "{error}");
    }

    #[test]
    fn an_interpreter_that_is_not_there_has_no_pytorch() {
        let error = pytorch_of(Path::new("/nowhere/python3"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`/nowhere/python3` has no PyTorch"),
            "{error}"
        );
    }
}
