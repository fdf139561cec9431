//! From the text of a specification to a [`Spec`].

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use translearn_core::Registry;
use translearn_core::metrics::Metric;

use super::section::{Document, Section};
use super::{CurveSpec, Kind, MethodSpec, Spec, SpecError, SpecProblem, TaskSpec, side};
use crate::SCHEMA;
use crate::spec::{FeaturesSpec, Step};

pub(super) fn parse(text: &str, file: &Path, registry: &Registry) -> Result<Spec, SpecError> {
    let mut top = Document::parse(file, text)?;
    // A misspelt key is reported before a key that is missing because of it, so all keys are taken first.
    let schema = top.optional_at::<u32>("schema")?;
    let name = top.optional_at::<String>("name")?;
    let seeds = top.optional_at::<Seeds>("seeds")?;
    let metrics = top.take("metrics");
    let preprocess = top.optional::<Vec<Step>>("preprocess")?.unwrap_or_default();
    let features = top.optional::<FeaturesSpec>("features")?;
    let baselines = top.optional("baselines")?.unwrap_or(true);
    let timeout = top.optional_at::<f64>("timeout_seconds")?;
    let memory = top.optional_at::<Bytes>("memory_limit")?;
    let curve = top.section("curve", "the curve")?;
    let tasks = top.sections("task", "task")?;
    let methods = top.sections("method", "method")?;
    top.finish()?;

    let (schema, line) = schema.ok_or_else(|| top.missing("schema"))?;
    if schema != SCHEMA {
        return Err(top.invalid("schema", line, format!("expected {SCHEMA}, found {schema}")));
    }
    let (name, line) = name.ok_or_else(|| top.missing("name"))?;
    check_name(&name).map_err(|reason| top.invalid("name", line, reason))?;
    let (metrics, metrics_line) = match metrics {
        None => (
            vec![Metric::Accuracy, Metric::MacroF1, Metric::Rmse, Metric::R2],
            top.line,
        ),
        Some(entry) => {
            let line = entry.line;
            (read_metrics(&top, top.read(entry)?, line)?, line)
        }
    };
    let seeds = match seeds {
        None => vec![0],
        Some((seeds, line)) => seeds
            .list()
            .map_err(|reason| top.invalid("seeds", line, reason))?,
    };
    let timeout_seconds = match timeout {
        Some((seconds, line)) if !(seconds > 0.0 && seconds.is_finite()) => {
            let reason = format!("expected seconds greater than 0, found {seconds}");
            return Err(top.invalid("timeout_seconds", line, reason));
        }
        timeout => timeout.map(|(seconds, _)| seconds),
    };
    let memory_limit = match memory {
        None => None,
        Some((bytes, line)) => Some(
            bytes
                .count()
                .map_err(|reason| top.invalid("memory_limit", line, reason))?,
        ),
    };

    let tasks = tasks
        .filter(|tasks| !tasks.is_empty())
        .ok_or_else(|| top.missing("task"))?;
    let tasks = tasks
        .into_iter()
        .map(|section| TaskSpec::parse(section, &preprocess, features.as_ref(), &metrics))
        .collect::<Result<Vec<_>, _>>()?;
    for (index, task) in tasks.iter().enumerate() {
        if let Some(first) = tasks[..index].iter().find(|first| first.name == task.name) {
            let what = format!("two tasks are named `{}`", task.name);
            return Err(duplicate(&top, task.line, what, first.line, "rename one"));
        }
        let served = task
            .output
            .is_none_or(|output| metrics.iter().any(|&metric| output.admits(metric)));
        if !served {
            let reason = format!(
                "none of them measures `{}`, whose labels are of another kind",
                task.name
            );
            return Err(top.invalid("metrics", metrics_line, reason));
        }
    }

    let methods = methods
        .filter(|methods| !methods.is_empty())
        .ok_or_else(|| top.missing("method"))?;
    let methods = methods
        .into_iter()
        .map(|section| MethodSpec::parse(section, registry, &tasks))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    for (index, method) in methods.iter().enumerate() {
        for first in methods[..index]
            .iter()
            .filter(|first| overlap(first, method))
        {
            let (what, advice) = if first.name == method.name {
                (
                    format!("two methods are named `{}`", method.name),
                    "give one another `name`, or `tasks` of its own",
                )
            } else if same(first, method) {
                let what = format!("`{}` and `{}` are the same method", first.name, method.name);
                (what, "leave one out, or change a parameter")
            } else {
                continue;
            };
            return Err(duplicate(&top, method.line, what, first.line, advice));
        }
    }
    for task in tasks.iter().filter(|task| task.kind == Kind::Images) {
        for method in methods.iter().filter(|method| method.serves(&task.name)) {
            if let Some(side) = side::of_networks(method, registry).filter(|&n| n > task.image_side)
            {
                let reason = format!(
                    "images are shrunk to {}, and a network of method `{}` takes {side}; say `image_side = {side}` in the \
                     task, or a smaller `image_size` in the learner",
                    task.image_side, method.name
                );
                let place = format!("task `{}`", task.name);
                let problem = SpecProblem::invalid("image_side", &place, reason);
                return Err(top.error_at(task.line, problem));
            }
        }
    }
    let curve = CurveSpec::parse(curve, &top, &tasks, &methods)?;
    Ok(Spec {
        schema,
        name,
        seeds,
        metrics,
        baselines,
        timeout_seconds,
        memory_limit,
        curve,
        tasks,
        methods,
        file: file.to_owned(),
    })
}

fn duplicate(
    top: &Section<'_>,
    line: usize,
    what: String,
    first: usize,
    advice: &'static str,
) -> SpecError {
    top.error_at(
        line,
        SpecProblem::Duplicate {
            what,
            first,
            advice,
        },
    )
}

/// Whether two methods meet on a task.
fn overlap(a: &MethodSpec, b: &MethodSpec) -> bool {
    match (&a.tasks, &b.tasks) {
        (Some(a), Some(b)) => a.iter().any(|task| b.contains(task)),
        _ => true,
    }
}

/// Whether two methods would give the same trials.
fn same(a: &MethodSpec, b: &MethodSpec) -> bool {
    let key = |m: &MethodSpec| {
        (
            m.use_.clone(),
            m.learner.clone(),
            m.params.clone(),
            m.select,
            m.folds,
            m.gate,
        )
    };
    key(a) == key(b)
}

fn read_metrics(
    top: &Section<'_>,
    names: Vec<String>,
    line: usize,
) -> Result<Vec<Metric>, SpecError> {
    let refuse = |reason: &dyn std::fmt::Display| top.invalid("metrics", line, reason);
    if names.is_empty() {
        return Err(refuse(&"expected at least one metric"));
    }
    let mut metrics = Vec::new();
    for name in names {
        let metric = name.parse().map_err(|error| refuse(&error))?;
        if metrics.contains(&metric) {
            return Err(refuse(&format!("`{metric}` stands twice")));
        }
        metrics.push(metric);
    }
    Ok(metrics)
}

/// The name of an experiment is the name of a folder.
fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
        return Err(format!(
            "expected letters, digits, `-`, `_` and, not in front, `.`, found \"{name}\""
        ));
    }
    Ok(())
}

/// `3`, or `[0, 1, 2]`.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of seeds or a list of seeds, none negative"
)]
enum Seeds {
    Number(u32),
    List(Vec<u64>),
}

impl Seeds {
    fn list(self) -> Result<Vec<u64>, String> {
        const LIMIT: u32 = 100_000;
        let seeds: Vec<u64> = match self {
            Self::Number(n) if n > LIMIT => {
                return Err(format!("expected at most {LIMIT} seeds, found {n}"));
            }
            Self::Number(n) => (0..u64::from(n)).collect(),
            Self::List(seeds) => seeds,
        };
        if seeds.is_empty() {
            return Err("expected at least one seed".to_owned());
        }
        let distinct: BTreeSet<u64> = seeds.iter().copied().collect();
        if distinct.len() < seeds.len() {
            return Err("a seed stands twice".to_owned());
        }
        Ok(seeds)
    }
}

/// `4294967296`, or `"4 GiB"`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected bytes, as a number or like \"4 GiB\"")]
enum Bytes {
    Number(u64),
    Text(String),
}

impl Bytes {
    fn count(self) -> Result<u64, String> {
        let refuse =
            |text: &str| format!("expected bytes, as a number or like \"4 GiB\", found \"{text}\"");
        let bytes = match &self {
            Self::Number(bytes) => *bytes,
            Self::Text(text) => {
                let unit_at = text
                    .find(|c: char| !c.is_ascii_digit() && c != '.')
                    .unwrap_or(text.len());
                let (number, unit) = text.split_at(unit_at);
                let number: f64 = number.parse().map_err(|_| refuse(text))?;
                let unit: u64 = match unit.trim() {
                    "B" | "" => 1,
                    "KiB" => 1 << 10,
                    "MiB" => 1 << 20,
                    "GiB" => 1 << 30,
                    "TiB" => 1 << 40,
                    "kB" | "KB" => 1_000,
                    "MB" => 1_000_000,
                    "GB" => 1_000_000_000,
                    "TB" => 1_000_000_000_000,
                    _ => return Err(refuse(text)),
                };
                (number * unit as f64) as u64
            }
        };
        if bytes == 0 {
            Err("expected more than 0 bytes".to_owned())
        } else {
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_units() {
        let count = |text: &str| Bytes::Text(text.to_owned()).count();
        assert_eq!(count("4 GiB"), Ok(4 << 30));
        assert_eq!(count("1.5kB"), Ok(1500));
        assert_eq!(count("12"), Ok(12));
        for bad in ["", "GiB", "4 gib", "-1 GiB", "1.2.3 MB", "0"] {
            assert!(count(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_names_of_folders() {
        for good in ["office-caltech", "a.b_c", "größe"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "..", ".hidden", "a/b", "a b", "a\\b", "a\n"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
