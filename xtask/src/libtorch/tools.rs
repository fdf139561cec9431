//! The programs of the system that libtorch needs: Python with pip to get it, a C++ compiler to build against it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// A C++ compiler that starts.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// Its name.
    pub(crate) program: String,
    /// What it says about itself.
    pub(crate) version: String,
}

/// The compilers that are tried where `CXX` names none; the first is what build scripts try by themselves.
const COMPILERS: [&str; 3] = ["c++", "g++", "clang++"];

/// The C++ compiler that build scripts will use.
pub(crate) fn compiler() -> Result<Compiler> {
    match env::var("CXX") {
        Ok(named) if !named.trim().is_empty() => compiler_among(&[&named]),
        // Found by build scripts in ways of their own.
        _ if cfg!(windows) => Ok(Compiler {
            program: "cl".to_owned(),
            version: "that of Visual Studio, looked for while building".to_owned(),
        }),
        _ => compiler_among(&COMPILERS),
    }
}

fn compiler_among(candidates: &[&str]) -> Result<Compiler> {
    for candidate in candidates {
        // `CXX` may carry arguments, or a wrapper before the compiler.
        let mut words = candidate.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        if let Some(version) = first_line(command.args(words).arg("--version")) {
            return Ok(Compiler {
                program: (*candidate).to_owned(),
                version,
            });
        }
    }
    bail!(
        "no C++ compiler: {} could not be started, and what builds on libtorch contains C++; install one (on Debian and \
         Ubuntu: `apt-get install g++`), or name it in CXX",
        candidates.join(", ")
    )
}

/// Whether build scripts must be told of the compiler, because they would not find it by themselves.
pub(crate) fn must_be_named(compiler: &Compiler) -> bool {
    compiler.program != COMPILERS[0] && COMPILERS.contains(&compiler.program.as_str())
}

/// The Python that is asked: `PYTHON`, else what torch-sys would run.
pub(crate) fn python() -> PathBuf {
    match env::var_os("PYTHON") {
        Some(python) if !python.is_empty() => python.into(),
        _ if env::var_os("VIRTUAL_ENV").is_some() => "python".into(),
        _ => "python3".into(),
    }
}

/// What a Python says about its pip.
pub(crate) fn pip(python: &Path) -> Result<String> {
    if first_line(Command::new(python).arg("--version")).is_none() {
        bail!(
            "`{}` could not be started, and libtorch is downloaded by Python's pip; install python3 and python3-pip, \
             name the interpreter in PYTHON, or set LIBTORCH to a folder with libtorch",
            python.display()
        );
    }
    match first_line(Command::new(python).args(["-m", "pip", "--version"])) {
        Some(version) => Ok(version),
        None => bail!(
            "`{} -m pip` does not work, and libtorch is downloaded by pip; install it (on Debian and Ubuntu: \
             `apt-get install python3-pip`), or set LIBTORCH to a folder with libtorch",
            python.display()
        ),
    }
}

/// The first line a program prints, when it is there and ends well.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Bytes that an unprivileged user may still write below a folder, where the system tells.
#[cfg(unix)]
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(folder).ok()?;
    status.f_bavail.checked_mul(status.f_frsize)
}

#[cfg(not(unix))]
pub(crate) fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Bytes for people, in the units of pip and of disks.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn without_a_compiler_the_error_says_what_was_tried_and_what_to_do() {
        let error = compiler_among(&["/nowhere/c++", "/nowhere/g++"])
            .unwrap_err()
            .to_string();
        for part in [
            "no C++ compiler",
            "/nowhere/c++, /nowhere/g++",
            "install",
            "CXX",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn the_first_compiler_that_starts_is_taken_with_its_arguments() {
        // Any program that knows `--version` serves; `-q` shows that what follows the name is handed on.
        let cargo = workspace::cargo().into_string().unwrap();
        let named = format!("{cargo} -q");
        let compiler = compiler_among(&["/nowhere/c++", &named]).unwrap();
        assert_eq!(compiler.program, named);
        assert!(
            compiler.version.starts_with("cargo "),
            "{}",
            compiler.version
        );
        let refused = format!("{cargo} --no-such-argument");
        assert!(compiler_among(&[&refused]).is_err());
    }

    #[test]
    fn only_a_compiler_found_under_another_name_must_be_named() {
        let named = |program: &str| Compiler {
            program: program.to_owned(),
            version: String::new(),
        };
        assert!(!must_be_named(&named("c++")));
        assert!(must_be_named(&named("clang++")));
        assert!(!must_be_named(&named("/opt/bin/g++-14")), "CXX is set");
    }

    #[test]
    fn no_python_and_no_pip_are_told_apart() {
        let error = pip(Path::new("/nowhere/python3")).unwrap_err().to_string();
        assert!(error.contains("could not be started"), "{error}");
        // A program that starts and has no pip.
        let cargo = PathBuf::from(workspace::cargo());
        let error = pip(&cargo).unwrap_err().to_string();
        assert!(error.contains("-m pip` does not work"), "{error}");
        assert!(error.contains("python3-pip"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn free_space_is_told_of_folders_that_exist() {
        assert!(free_space(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap() > 0);
        assert_eq!(free_space(Path::new("/nowhere")), None);
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        assert_eq!(size(543_563_777), "544 MB");
        assert_eq!(size(2_240_000_000), "2.2 GB");
    }
}
