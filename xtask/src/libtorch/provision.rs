//! The environment in which programs are built against libtorch, and find it when they run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::fetch::fetch;
use super::find::{Search, inspect, library};
use super::tools;
use super::wheels::Variant;
use crate::workspace::Workspace;

/// Names the folders with `libtorch_cuda.so`, for programs to load it from when they start.
pub(crate) const CUDA_LIB: &str = "TRANSLEARN_CUDA_LIB";

/// Where the system's loader looks for libraries first.
const LIBRARY_PATH: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else if cfg!(windows) {
    "PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Variables for programs that build on libtorch; none where it is not needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Provision {
    variables: Vec<(&'static str, OsString)>,
    /// Goes before what the loader's path has already.
    library: Option<PathBuf>,
}

impl Provision {
    /// For the libtorch in `folder`.
    pub(crate) fn of(folder: &Path, cuda: Option<OsString>) -> Self {
        let mut variables = vec![("LIBTORCH", folder.into())];
        variables.extend(cuda.map(|folders| (CUDA_LIB, folders)));
        Self {
            variables,
            library: Some(folder.join("lib")),
        }
    }

    /// Whether there is something to give.
    pub(crate) fn is_empty(&self) -> bool {
        self.library.is_none()
    }

    /// Gives it to a command.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(library) = &self.library {
            let inherited = env::var_os(LIBRARY_PATH);
            command.env(LIBRARY_PATH, before(library, inherited.as_deref()));
            // torch-sys would look there first; what it asks for was found already, and checked.
            command.env_remove("LIBTORCH_USE_PYTORCH");
        }
    }

    /// The same as lines for a shell.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .variables
            .iter()
            .map(|(name, value)| format!("export {name}={}", quoted(value)))
            .collect();
        if let Some(library) = &self.library {
            let library = quoted(library.as_os_str());
            lines.push(format!(
                "export {LIBRARY_PATH}={library}${{{LIBRARY_PATH}:+:${LIBRARY_PATH}}}"
            ));
            lines.push("unset LIBTORCH_USE_PYTORCH".to_owned());
        }
        lines
    }
}

/// What a program needs to be built on libtorch, which is fetched where it is nowhere yet.
///
/// # Errors
/// There is no C++ compiler, a libtorch that does not serve, or none and it cannot be fetched.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Provision> {
    // Before minutes are spent on what cannot be finished.
    let compiler = tools::compiler()?;
    let root = root(workspace);
    let search = Search::begin(root.clone(), None);
    let found = match search.find()? {
        Some(found) => found,
        None => {
            fetch(&root, false)?;
            super::demand(search.find()?)?
        }
    };
    let mut provision = Provision::of(&found.folder, cuda(&found.folder, &root));
    if tools::must_be_named(&compiler) {
        provision.variables.push(("CXX", compiler.program.into()));
    }
    Ok(provision)
}

/// What is here already, where nothing has to be fetched for it; nothing is an error here.
pub(crate) fn at_hand(workspace: &Workspace) -> Option<Provision> {
    let root = root(workspace);
    Search::begin(root, None).find().ok().flatten()?;
    ensure(workspace).ok()
}

/// The same where `needed`, else nothing.
pub(crate) fn ensure_if(workspace: &Workspace, needed: bool) -> Result<Provision> {
    if needed {
        ensure(workspace)
    } else {
        Ok(Provision::default())
    }
}

/// Where fetched folders are. Not cargo's target folder, which can be moved: `.cargo/config.toml` names this one.
pub(crate) fn root(workspace: &Workspace) -> PathBuf {
    workspace.root().join("target").join("libtorch")
}

/// The folders to load CUDA from: those the user named, else that of this libtorch, else the fetched one.
pub(crate) fn cuda(libtorch: &Path, root: &Path) -> Option<OsString> {
    cuda_of(env::var_os(CUDA_LIB), libtorch, root)
}

fn cuda_of(named: Option<OsString>, libtorch: &Path, root: &Path) -> Option<OsString> {
    let fetched = root.join(Variant::Cuda.folder());
    let has_cuda = |folder: &&Path| {
        let library = folder.join("lib").join(library("torch_cuda"));
        library.is_file() && inspect(folder).is_ok()
    };
    let named = named.filter(|folders| !folders.is_empty());
    named.or_else(|| {
        let folder = [libtorch, &fetched].into_iter().find(has_cuda)?;
        Some(folder.join("lib").into())
    })
}

fn before(first: &Path, rest: Option<&OsStr>) -> OsString {
    let mut path = first.as_os_str().to_owned();
    // An empty part would mean the current folder.
    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
        path.push(if cfg!(windows) { ";" } else { ":" });
        path.push(rest);
    }
    path
}

/// A word for a POSIX shell.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::find::tests::libtorch;
    use super::*;

    #[test]
    fn the_lines_are_what_a_shell_needs() {
        let provision = Provision::of(Path::new("/opt/it's/torch"), Some("/opt/cuda/lib".into()));
        let path = LIBRARY_PATH;
        assert_eq!(
            provision.lines(),
            [
                r"export LIBTORCH='/opt/it'\''s/torch'".to_owned(),
                "export TRANSLEARN_CUDA_LIB='/opt/cuda/lib'".to_owned(),
                format!(r"export {path}='/opt/it'\''s/torch/lib'${{{path}:+:${path}}}"),
                "unset LIBTORCH_USE_PYTORCH".to_owned(),
            ]
        );
    }

    #[test]
    fn a_command_is_given_the_same() {
        let mut command = Command::new("cargo");
        Provision::of(Path::new("/opt/torch"), None).apply(&mut command);
        let given: Vec<_> = command.get_envs().collect();
        let value = |name: &str| {
            given
                .iter()
                .find(|(of, _)| *of == name)
                .map(|(_, value)| *value)
        };
        assert_eq!(value("LIBTORCH"), Some(Some(OsStr::new("/opt/torch"))));
        let path = value(LIBRARY_PATH).unwrap().unwrap().to_str().unwrap();
        assert!(path.starts_with("/opt/torch/lib"), "{path}");
        assert_eq!(value("LIBTORCH_USE_PYTORCH"), Some(None), "is removed");
        assert_eq!(value(CUDA_LIB), None);
    }

    #[test]
    fn where_nothing_is_needed_nothing_is_given() {
        let nothing = Provision::default();
        let mut command = Command::new("cargo");
        nothing.apply(&mut command);
        assert_eq!(command.get_envs().count(), 0);
        assert!(nothing.is_empty());
        assert!(nothing.lines().is_empty());
        assert!(!Provision::of(Path::new("/opt/torch"), None).is_empty());
    }

    #[test]
    fn the_library_path_is_kept_behind_ours() {
        let ours = Path::new("/ours");
        let separator = if cfg!(windows) { ";" } else { ":" };
        let both = before(ours, Some(OsStr::new("/theirs")));
        assert_eq!(both, OsString::from(format!("/ours{separator}/theirs")));
        assert_eq!(before(ours, Some(OsStr::new(""))), "/ours");
        assert_eq!(before(ours, None), "/ours");
    }

    #[test]
    fn cuda_is_that_of_the_user_then_of_libtorch_then_the_fetched_one() {
        let root = tempfile::tempdir().unwrap();
        let cpu = libtorch(root.path().join("cpu"), "build-version", "2.11.0");
        let find = |named: Option<&str>| cuda_of(named.map(Into::into), &cpu, root.path());
        assert_eq!(find(None), None);
        let fetched = libtorch(root.path().join("2.11.0-cuda"), "build-version", "2.11.0");
        assert_eq!(find(None), None, "without the library it is none");
        fs::write(fetched.join("lib").join(library("torch_cuda")), "").unwrap();
        assert_eq!(find(None), Some(fetched.join("lib").into()));
        fs::write(cpu.join("lib").join(library("torch_cuda")), "").unwrap();
        assert_eq!(find(Some("")), Some(cpu.join("lib").into()));
        assert_eq!(find(Some("/their/lib")), Some("/their/lib".into()));
        // One of another version would be loaded into ours.
        fs::write(cpu.join("build-version"), "2.10.0").unwrap();
        assert_eq!(find(None), Some(fetched.join("lib").into()));
    }
}
