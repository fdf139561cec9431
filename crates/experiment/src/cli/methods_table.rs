//! `methods-table`: the table of the README.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;
use translearn_core::{LearnerNeed, MethodInfo, Outputs, Registry};

use super::output::show;

pub(super) fn run(registry: &Registry) -> Result<ExitCode> {
    let infos: Vec<&MethodInfo> = registry.methods().iter().map(|entry| entry.info).collect();
    show(&table(&infos)?)?;
    Ok(ExitCode::SUCCESS)
}

fn table(infos: &[&MethodInfo]) -> Result<String> {
    let mut infos = infos.to_vec();
    infos.sort_by_key(|info| info.family);
    let mut text = String::from(
        "| method | what it is | family | target labels | predicts | around a learner | source |\n|---|---|---|---|---|---|---|\n",
    );
    for info in infos {
        let family = match serde_json::to_value(info.family)? {
            Value::String(name) => name,
            other => other.to_string(),
        };
        let labels = if info.needs.target_labels {
            "needed"
        } else {
            "optional"
        };
        let outputs = match info.needs.outputs {
            Outputs::Classification => "classes",
            Outputs::Regression => "values",
            Outputs::Both => "both",
        };
        let learner = match info.needs.learner {
            LearnerNeed::None => "no",
            LearnerNeed::Any => "any",
            LearnerNeed::Weighted => "weighted",
            LearnerNeed::Network => "`network`",
        };
        let cells = [
            info.title,
            &family,
            labels,
            outputs,
            learner,
            info.reference,
        ]
        .map(|cell| cell.replace('|', "\\|"));
        writeln!(text, "| `{}` | {} |", info.name, cells.join(" | "))?;
    }
    Ok(text)
}
