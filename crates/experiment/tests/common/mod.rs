//! A small experiment over files of its own, and the program that runs it.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "part of tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use translearn_core::Registry;

/// Files of an experiment in a folder that is removed at the end.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Lab {
    /// Two domains of two classes each, and a program that knows the methods to be run on them.
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
            program: program.into(),
        };
        lab.write("source.csv", &table(60, 0.0));
        lab.write("target.csv", &table(50, 0.4));
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A specification of one task over the two files.
    pub(crate) fn spec(&self, name: &str, head: &str, methods: &str) -> PathBuf {
        let text = format!(
            "schema = 1\nname = \"{name}\"\nmetrics = [\"accuracy\", \"macro_f1\"]\n{head}\n\
             [[task]]\nname = \"old→new\"\nsource = {{ file = \"source.csv\", label = \"y\" }}\n\
             target = {{ file = \"target.csv\", label = \"y\" }}\n{methods}"
        );
        self.write(&format!("{name}.toml"), &text);
        self.path(&format!("{name}.toml"))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("TRANSLEARN_WORKSPACE");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end: exit status, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::from(self.command(arguments).output().unwrap())
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// The finished trials of a result folder as `trials.jsonl` has them, wall times and memory taken out.
    pub(crate) fn trials(&self, out: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(out).join("trials.jsonl")).unwrap();
        text.lines()
            .map(|line| without_times(serde_json::from_str(line).unwrap()))
            .collect()
    }

    pub(crate) fn n_finished(&self, out: &str) -> usize {
        fs::read_dir(self.path(out).join("trials")).map_or(0, |entries| {
            entries
                .filter(|entry| {
                    entry
                        .as_ref()
                        .unwrap()
                        .path()
                        .extension()
                        .is_some_and(|e| e == "json")
                })
                .count()
        })
    }
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Two noisy classes that lie on either side of `x0 + x1 = shift`, without any random generator.
fn table(rows: u32, shift: f64) -> String {
    let mut text = String::from("x0,x1,x2,y\n");
    for row in 0..rows {
        let wave = |k: f64| (f64::from(row) * k + shift).sin();
        let class = if row % 2 == 0 { -1.0 } else { 1.0 };
        let noisy = if row % 11 == 0 { -class } else { class };
        let name = if noisy > 0.0 { "yes" } else { "no" };
        let (x0, x1, x2) = (
            class + wave(1.7) + shift,
            class * 0.5 + wave(2.3),
            wave(0.9),
        );
        writeln!(text, "{x0},{x1},{x2},{name}").unwrap();
    }
    text
}

pub(crate) fn without_times(mut trial: Map<String, Value>) -> Value {
    for field in ["fit_seconds", "predict_seconds", "peak_rss_bytes"] {
        trial.remove(field);
    }
    Value::Object(trial)
}

/// Trials by method (and seed, where there are several), for looking one up.
pub(crate) fn by_method(trials: &[Value]) -> BTreeMap<String, &Value> {
    trials
        .iter()
        .map(|trial| {
            (
                format!("{}/{}", trial["method"].as_str().unwrap(), trial["seed"]),
                trial,
            )
        })
        .collect()
}

/// Waits until `ready`, at most 30 seconds.
pub(crate) fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes a process has started, on Linux.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_running(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}

pub(crate) fn signal(process: u32, name: &str) {
    assert!(
        Command::new("kill")
            .args([name, &process.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The `main` of a test program whose workers are itself, started again: with the arguments of the command line it is the
/// command line over the registry, otherwise it runs its tests.
#[allow(clippy::print_stdout, reason = "what a test harness does")]
pub(crate) fn main_of(registry: Registry, tests: &[(&str, fn())]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| ["run", "worker"].contains(&first.as_str()))
    {
        return translearn_experiment::main_with(registry);
    }
    let words: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let mut failed = 0;
    let chosen: Vec<_> = tests.iter().filter(|(name, _)| wanted(name)).collect();
    println!("\nrunning {} tests", chosen.len());
    for (name, test) in &chosen {
        let passed = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored",
        chosen.len() - failed
    );
    ExitCode::from(u8::from(failed > 0))
}
