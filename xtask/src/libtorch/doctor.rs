//! `cargo xtask libtorch doctor`: what is there, what is missing, what to do next.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use super::fetch::{is_supported, needed_space, unsupported};
use super::find::{FETCH, Found, Search};
use super::provision::cuda;
use super::tools::{self, Compiler, size};
use super::wheels::{VERSION, Variant};

/// What was found.
pub(crate) struct State {
    is_supported: bool,
    compiler: Result<Compiler>,
    pip: Result<String>,
    libtorch: Result<Option<Found>>,
    free: Option<u64>,
    cuda: Option<OsString>,
}

impl State {
    /// Looks everywhere.
    pub(crate) fn look(search: &Search) -> Self {
        let libtorch = search.find();
        let folder = match &libtorch {
            Ok(Some(found)) => &found.folder,
            _ => Path::new(""),
        };
        Self {
            is_supported: is_supported(),
            compiler: tools::compiler(),
            pip: tools::pip(&tools::python()),
            cuda: cuda(folder, &search.root),
            libtorch,
            // The folder is made by the first fetch.
            free: search.root.ancestors().find_map(tools::free_space),
        }
    }

    /// Whether what builds on libtorch can be built now.
    pub(crate) fn is_ready(&self) -> bool {
        self.compiler.is_ok() && matches!(self.libtorch, Ok(Some(_)))
    }

    /// A line for everything, and one for what to do next.
    pub(crate) fn lines(&self) -> Vec<String> {
        let has_libtorch = matches!(self.libtorch, Ok(Some(_)));
        // What only a fetch needs does not matter any more once there is a libtorch.
        let for_fetch = |good: bool| match good {
            true => '✓',
            false if has_libtorch => '·',
            false => '✗',
        };
        let mut lines = Vec::new();
        let mut say =
            |mark: char, what: &str, text: &str| lines.push(format!("{mark} {what:<13} {text}"));

        let platform = format!("{} {}", std::env::consts::ARCH, std::env::consts::OS);
        let known = if self.is_supported {
            "libtorch can be fetched"
        } else {
            "libtorch cannot be fetched, but built on where it is installed"
        };
        say(
            for_fetch(self.is_supported),
            "platform",
            &format!("{platform}, {known}"),
        );
        match &self.compiler {
            Ok(compiler) => say(
                '✓',
                "C++ compiler",
                &format!("{} ({})", compiler.program, compiler.version),
            ),
            Err(error) => say('✗', "C++ compiler", &format!("{error:#}")),
        }
        match &self.pip {
            Ok(version) => say('✓', "Python, pip", version),
            Err(error) => say(for_fetch(false), "Python, pip", &format!("{error:#}")),
        }
        match &self.libtorch {
            Ok(Some(Found { folder, origin })) => {
                say(
                    '✓',
                    "libtorch",
                    &format!("{VERSION} in `{}` ({origin})", folder.display()),
                );
            }
            Ok(None) => say('✗', "libtorch", &format!("{VERSION} is not here yet")),
            Err(error) => say('✗', "libtorch", &format!("{error:#}")),
        }
        let needed = needed_space(&[Variant::Cpu]);
        match self.free {
            Some(free) if free < needed => {
                let text = format!("{}; a fetch needs {}", size(free), size(needed));
                say(for_fetch(false), "free space", &text);
            }
            Some(free) => say('✓', "free space", &size(free)),
            None => say('·', "free space", "the system does not tell"),
        }
        match &self.cuda {
            Some(folders) => say(
                '✓',
                "CUDA",
                &format!("libraries in `{}`", folders.to_string_lossy()),
            ),
            None => say(
                '·',
                "CUDA",
                &format!("none: the CPU serves (`{FETCH} --cuda` fetches them)"),
            ),
        }
        lines.push(String::new());
        lines.push(self.next());
        lines
    }

    fn next(&self) -> String {
        if self.compiler.is_err() {
            return "next: install a C++ compiler".to_owned();
        }
        match &self.libtorch {
            Ok(Some(_)) => "ready; next: `cargo xtask test`".to_owned(),
            Err(_) => format!(
                "next: put right what leads to that libtorch, or do without it and run `{FETCH}`"
            ),
            Ok(None) if !self.is_supported => unsupported(),
            Ok(None) if self.pip.is_err() => {
                format!("next: install Python's pip, then run `{FETCH}`")
            }
            Ok(None) => format!("next: `{FETCH}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn healthy() -> State {
        State {
            is_supported: true,
            compiler: Ok(Compiler {
                program: "c++".to_owned(),
                version: "c++ 12.2.0".to_owned(),
            }),
            pip: Ok("pip 23.2.1".to_owned()),
            libtorch: Ok(Some(Found {
                folder: "/opt/torch".into(),
                origin: "LIBTORCH",
            })),
            free: Some(70_000_000_000),
            cuda: None,
        }
    }

    /// The mark of every line but the last two, and the last.
    fn marks(state: &State) -> (String, String) {
        let mut lines = state.lines();
        let next = lines.pop().unwrap();
        assert_eq!(lines.pop().as_deref(), Some(""));
        assert_eq!(lines.len(), 6);
        (
            lines
                .iter()
                .filter_map(|line| line.chars().next())
                .collect(),
            next,
        )
    }

    #[test]
    fn all_is_well() {
        let state = healthy();
        assert!(state.is_ready());
        let (marks, next) = marks(&state);
        assert_eq!(marks, "✓✓✓✓✓·");
        assert_eq!(next, "ready; next: `cargo xtask test`");
        let text = state.lines().join("\n");
        for part in [
            "✓ C++ compiler  c++ (c++ 12.2.0)",
            "✓ libtorch      2.11.0 in `/opt/torch` (LIBTORCH)",
            "✓ free space    70.0 GB",
            "· CUDA          none: the CPU serves",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn without_libtorch_the_next_step_is_to_fetch_it() {
        let mut state = healthy();
        state.libtorch = Ok(None);
        assert!(!state.is_ready());
        let (line, next) = marks(&state);
        assert_eq!(line, "✓✓✓✗✓·");
        assert_eq!(next, "next: `cargo xtask libtorch fetch`");
        state.pip = Err(anyhow!("no pip"));
        state.free = Some(1_000_000);
        let (line, next) = marks(&state);
        assert_eq!(line, "✓✓✗✗✗·");
        assert!(next.contains("install Python's pip, then"), "{next}");
        state.is_supported = false;
        let (line, next) = marks(&state);
        assert_eq!(line, "✗✓✗✗✗·");
        assert!(next.contains("set LIBTORCH"), "{next}");
    }

    #[test]
    fn what_only_a_fetch_needs_is_no_fault_where_libtorch_is() {
        let mut state = healthy();
        state.is_supported = false;
        state.pip = Err(anyhow!("no pip"));
        state.free = Some(1_000_000);
        state.cuda = Some("/opt/cuda".into());
        assert!(state.is_ready());
        assert_eq!(marks(&state).0, "·✓·✓·✓");
    }

    #[test]
    fn what_does_not_serve_is_told_with_its_reason() {
        let mut state = healthy();
        state.libtorch = Err(anyhow!("it is libtorch 2.10.0"));
        assert!(!state.is_ready());
        assert_eq!(marks(&state).0, "✓✓✓✗✓·");
        assert!(
            state
                .lines()
                .join("\n")
                .contains("✗ libtorch      it is libtorch 2.10.0")
        );
        state.compiler = Err(anyhow!("no C++ compiler"));
        state.libtorch = healthy().libtorch;
        assert!(!state.is_ready());
        let (line, next) = marks(&state);
        assert_eq!(line, "✓✗✓✓✓·");
        assert_eq!(next, "next: install a C++ compiler");
    }
}
