//! Methods and learners as the laws try them: with their defaults, but exact and small.

use serde_json::{Map, Value, json};
use translearn_core::{
    BaseLearner, LearnerEntry, LearnerNeed, MethodEntry, Outputs, ParamInfo, ParamRange, Registry,
    TransferError, TransferMethod,
};

/// A method with a learner.
#[derive(Debug)]
pub struct Subject {
    /// `coral + ridge`.
    pub name: String,
    /// The method with its learner.
    pub method: Box<dyn TransferMethod>,
    /// Its learner with neither weights nor map, for comparison: `pooled` when the method needs target labels,
    /// `source-only` when not.
    pub without: Box<dyn TransferMethod>,
}

/// Every choice of a method that is not its default, one parameter at a time, with what the laws try it with.
pub fn choices(entry: &MethodEntry) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    for info in entry.info.parameters {
        if let ParamRange::Choice(values) = info.range {
            let default = info.default.trim_matches('"');
            let others = values.iter().filter(|value| **value != default);
            all.extend(others.map(|value| {
                let chosen = (info.name.to_owned(), json!(value));
                Map::from_iter([chosen].into_iter().chain(tried_with(value)))
            }));
        }
    }
    all
}

/// Parameters that a choice is tried with, for small problems.
fn tried_with(choice: &str) -> Option<(String, Value)> {
    let (name, value) = match choice {
        // Fewer than there are rows.
        "nystroem" => ("n_features", json!(40)),
        // Classes in other shares, far apart, take Sinkhorn's algorithm very long where there is little entropy.
        "sinkhorn" | "group-lasso" | "lp-l1" | "unbalanced" => ("regularization", json!(1.0)),
        // Its own tolerance: it is slow where that of the others is meant.
        "frank-wolfe" => ("tolerance", Value::Null),
        _ => return None,
    };
    Some((name.to_owned(), value))
}

/// The method with its own learner, where that serves the labels, and with others; with a choice of parameters beside its
/// defaults (see [`choices`]), with ridge regression alone, which iterates nothing.
///
/// # Errors
/// As [`MethodEntry::build`].
pub fn subjects(
    registry: &Registry,
    entry: &MethodEntry,
    chosen: &Map<String, Value>,
    classes: bool,
    width: usize,
) -> Result<Vec<Subject>, TransferError> {
    let serves = |outputs: Outputs| match outputs {
        Outputs::Both => true,
        Outputs::Classification => classes,
        Outputs::Regression => !classes,
    };
    if !serves(entry.info.needs.outputs) {
        return Ok(Vec::new());
    }
    let mut learners: Vec<BaseLearner> = Vec::new();
    if let Some(own) = entry.build(Map::new(), None)?.learner() {
        let mut params = own.params();
        params.extend(exact(own.info().parameters));
        learners.push(registry.learner(own.info().name)?.build(params)?);
    }
    let others: &[&str] = if classes {
        &["ridge", "gaussian-nb"]
    } else {
        &["ridge", "tree"]
    };
    for name in others {
        if let Ok(other) = registry.learner(name) {
            learners.push(other.build(exact(other.info.parameters))?);
        }
    }
    learners.retain(|learner| serves(learner.info().outputs));
    if !chosen.is_empty() {
        learners.retain(|learner| learner.info().name == "ridge");
        learners.truncate(1);
    }
    let needs_learner = entry.info.needs.learner != LearnerNeed::None;
    let baseline = if entry.info.needs.target_labels {
        "pooled"
    } else {
        "source-only"
    };
    learners
        .into_iter()
        .map(|learner| {
            let mut name = format!("{} + {}", entry.info.name, learner.info().name);
            for (parameter, value) in chosen {
                name += &format!(", {parameter} = {value}");
            }
            let without = registry
                .method(baseline)?
                .build(Map::new(), Some(learner.clone()))?;
            let mut params = exact(entry.info.parameters);
            params.extend(components(entry.info.parameters, width));
            params.extend(chosen.clone());
            let method = entry.build(params, needs_learner.then_some(learner))?;
            Ok(Subject {
                name,
                method,
                without,
            })
        })
        .collect()
}

/// A learner, exact and small.
///
/// # Errors
/// As [`LearnerEntry::build`].
pub fn learner(entry: &LearnerEntry) -> Result<BaseLearner, TransferError> {
    entry.build(exact(entry.info.parameters))
}

/// Iterations run to rounding, so that what is left of their tolerance is not taken for a broken law; ensembles are kept
/// small.
fn exact(parameters: &[ParamInfo]) -> Map<String, Value> {
    let value = |name| match name {
        "tolerance" => Some(json!(1e-10)),
        "n_trees" | "n_rounds" => Some(json!(10)),
        _ => None,
    };
    parameters
        .iter()
        .filter_map(|info| Some((info.name.to_owned(), value(info.name)?)))
        .collect()
}

/// A fixed number of components must not exceed the width of the data.
pub(crate) fn components(parameters: &[ParamInfo], width: usize) -> Map<String, Value> {
    parameters
        .iter()
        .filter(|info| {
            info.name == "n_components" && matches!(info.range, ParamRange::Integer { .. })
        })
        .map(|info| {
            (
                info.name.to_owned(),
                json!(
                    info.default
                        .parse::<usize>()
                        .map_or(width, |k| k.min(width))
                ),
            )
        })
        .collect()
}
