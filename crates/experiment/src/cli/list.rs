//! `list`: what can be named in a specification.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use translearn_core::{Law, LearnerInfo, MethodInfo, ParamInfo, Registry};
use translearn_data::{catalog, embedded};

use super::output::show;
use super::spec_file;

/// List what can be named in a specification, with needs, laws, and parameters with defaults and ranges.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to list.
    #[arg(value_enum, default_value = "methods")]
    what: What,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Transfer methods.
    Methods,
    /// Base learners.
    Learners,
    /// Specifications in `xtask/experiments/`.
    Specs,
    /// Data sets.
    Data,
}

pub(super) fn run(arguments: &Arguments, registry: &Registry) -> Result<ExitCode> {
    let list = match arguments.what {
        What::Methods => registry
            .methods()
            .iter()
            .map(|entry| method(entry.info))
            .collect::<Result<_>>()?,
        What::Learners => registry
            .learners()
            .iter()
            .map(|entry| learner(entry.info))
            .collect::<Result<_>>()?,
        What::Specs => specs()?,
        What::Data => data()?,
    };
    if arguments.json {
        show(&format!("{:#}\n", Value::Array(list)))?;
    } else {
        show(&text(arguments.what, &list))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn method(info: &MethodInfo) -> Result<Value> {
    let laws: Vec<Law> = Law::ALL
        .into_iter()
        .filter(|&law| info.claims(law))
        .collect();
    let exemptions: Vec<Value> = info
        .exemptions
        .iter()
        .map(|(law, reason)| json!({ "law": law, "reason": reason }))
        .collect();
    Ok(json!({
        "name": info.name,
        "title": info.title,
        "family": info.family,
        "what": info.what,
        "needs": serde_json::to_value(info.needs)?,
        "parameters": parameters(info.parameters),
        "laws": laws,
        "exemptions": exemptions,
        "reference": info.reference,
    }))
}

fn learner(info: &LearnerInfo) -> Result<Value> {
    Ok(json!({
        "name": info.name,
        "title": info.title,
        "outputs": info.outputs,
        "honors_weights": info.honors_weights,
        "sparse": info.sparse,
        "images": info.images,
        "probabilities": info.probabilities,
        "parameters": parameters(info.parameters),
        "reference": info.reference,
    }))
}

fn parameters(parameters: &[ParamInfo]) -> Vec<Value> {
    let default = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    parameters
        .iter()
        .map(|info| {
            json!({
                "name": info.name,
                "default": default(info.default),
                "range": info.range.to_string(),
                "doc": info.doc,
            })
        })
        .collect()
}

fn specs() -> Result<Vec<Value>> {
    let Some(folder) = spec_file::folder() else {
        return Ok(Vec::new());
    };
    let spec = |path: &Path| json!({ "name": spec_file::name(path), "file": path, "title": first_comment(path) });
    Ok(spec_file::named_in(&folder)?
        .iter()
        .map(|path| spec(path))
        .collect())
}

/// A specification says in its first line what it is.
fn first_comment(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.strip_prefix('#')?.trim().to_owned())
}

fn data() -> Result<Vec<Value>> {
    let mut list = Vec::new();
    for name in embedded::names() {
        list.push(json!({
            "name": name,
            "title": "embedded, needs no download",
            "domains": embedded::domains(name)?,
            "parts": [],
        }));
    }
    for set in catalog::sets() {
        let part = |part: &catalog::Part| {
            json!({
                "domain": part.domain,
                "split": part.split,
                "rows": part.rows,
                "columns": part.columns,
                "classes": part.classes,
            })
        };
        list.push(json!({
            "name": set.name(),
            "title": set.manifest().title,
            "licence": set.manifest().licence,
            "bytes": set.manifest().bytes(),
            "domains": set.domains(),
            "splits": set.splits(),
            "parts": set.parts().iter().map(part).collect::<Vec<_>>(),
        }));
    }
    Ok(list)
}

/// The list for people: one paragraph an entry.
fn text(what: What, list: &[Value]) -> String {
    let mut text = String::new();
    for entry in list {
        let field = |name: &str| words(&entry[name]);
        let _ = writeln!(text, "{}  {}", field("name"), field("title"));
        let lines = match what {
            What::Methods => vec![
                format!("family {}; transfers {}", field("family"), field("what")),
                format!("needs {}", needs(&entry["needs"])),
                exempt(&entry["exemptions"]),
                field("reference"),
            ],
            What::Learners => vec![
                format!(
                    "{}; {}; {}{}; {}",
                    match &entry["outputs"] {
                        Value::String(both) if both == "both" =>
                            "classification and regression".to_owned(),
                        one => words(one),
                    },
                    yes(
                        entry,
                        "honors_weights",
                        "uses sample weights",
                        "ignores sample weights"
                    ),
                    yes(entry, "sparse", "sparse rows as they are", "dense rows"),
                    yes(entry, "images", "; images as they are", ""),
                    yes(entry, "probabilities", "probabilities", "no probabilities"),
                ),
                field("reference"),
            ],
            What::Specs => vec![field("file")],
            What::Data => vec![shape(entry)],
        };
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "    {line}");
        }
        for parameter in entry["parameters"].as_array().into_iter().flatten() {
            let _ = writeln!(
                text,
                "    {} = {} ({}): {}",
                words(&parameter["name"]),
                parameter["default"],
                words(&parameter["range"]),
                words(&parameter["doc"]),
            );
        }
    }
    text
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn yes<'a>(entry: &Value, flag: &str, yes: &'a str, no: &'a str) -> &'a str {
    if entry[flag] == Value::Bool(true) {
        yes
    } else {
        no
    }
}

fn needs(needs: &Value) -> String {
    let mut parts = Vec::new();
    if needs["target_labels"] == Value::Bool(true) {
        parts.push("labelled target rows");
    }
    if needs["same_features"] == Value::Bool(true) {
        parts.push("one feature space");
    }
    parts.push(match needs["outputs"].as_str() {
        Some("classification") => "classes",
        Some("regression") => "real values",
        _ => "classes or real values",
    });
    if needs["images"] == Value::Bool(true) {
        parts.push("vectors or images");
    }
    match needs["learner"].as_str() {
        Some("any") => parts.push("a learner"),
        Some("weighted") => parts.push("a learner that uses sample weights"),
        Some("network") => parts.push("the learner `network`"),
        _ => {}
    }
    parts.join(", ")
}

fn exempt(exemptions: &Value) -> String {
    let each = exemptions.as_array().into_iter().flatten();
    let each: Vec<String> = each
        .map(|e| format!("{} ({})", words(&e["law"]), words(&e["reason"])))
        .collect();
    if each.is_empty() {
        "keeps every law".to_owned()
    } else {
        format!("keeps every law but {}", each.join("; "))
    }
}

fn shape(entry: &Value) -> String {
    let strings = |name: &str| {
        let each = entry[name].as_array().into_iter().flatten();
        each.map(words).collect::<Vec<_>>().join(" ")
    };
    let mut parts = Vec::new();
    for (name, list) in [
        ("domains", strings("domains")),
        ("splits", strings("splits")),
    ] {
        if !list.is_empty() {
            parts.push(format!("{name} {list}"));
        }
    }
    let rows: u64 = entry["parts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["rows"].as_u64())
        .sum();
    if rows > 0 {
        parts.push(format!("{rows} rows"));
    }
    parts.join("; ")
}
