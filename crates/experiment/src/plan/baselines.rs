//! The rows every table must have: `source-only`, `target-only` and `pooled` around each learner that is used.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use translearn_core::Registry;

use crate::spec::{LearnerSpec, MethodSpec, SelectBy, Spec, TaskSpec};

/// The baselines, and whether each needs labelled target rows.
const BASELINES: [(&str, bool); 3] = [
    ("source-only", false),
    ("target-only", true),
    ("pooled", true),
];

/// The baselines that the specification does not list itself: for every task, each with every learner of the methods
/// that run on it. One whose learner has a grid decides it as its method does, but never as an oracle, nor by fitting
/// what needs labels of the target again without any.
pub(super) fn missing(spec: &Spec, registry: &Registry) -> Vec<MethodSpec> {
    let mut added: Vec<MethodSpec> = Vec::new();
    for (use_, needs_labels) in BASELINES {
        if registry.method(use_).is_err() {
            continue;
        }
        for task in spec
            .tasks
            .iter()
            .filter(|task| !needs_labels || task.labelled.is_some())
        {
            for baseline in of_task(spec, task, use_, needs_labels) {
                let same = |other: &&mut MethodSpec| {
                    key(other) == key(&baseline) && other.use_ == baseline.use_
                };
                match added.iter_mut().find(same) {
                    Some(before) => before.tasks.get_or_insert_default().push(task.name.clone()),
                    None => added.push(MethodSpec {
                        tasks: Some(vec![task.name.clone()]),
                        ..baseline
                    }),
                }
            }
        }
    }
    for baseline in &mut added {
        let everywhere = baseline
            .tasks
            .as_ref()
            .is_some_and(|tasks| tasks.len() == spec.tasks.len());
        if everywhere {
            baseline.tasks = None;
        }
    }
    name(spec, registry, &mut added);
    added
}

type Key<'a> = (Option<&'a LearnerSpec>, Option<SelectBy>, usize);

fn key(method: &MethodSpec) -> Key<'_> {
    (method.learner.as_ref(), method.select, method.folds)
}

fn of_task(spec: &Spec, task: &TaskSpec, use_: &str, needs_labels: bool) -> Vec<MethodSpec> {
    let on_task = || {
        spec.methods
            .iter()
            .filter(|method| method.serves(&task.name))
    };
    let mut baselines: Vec<MethodSpec> = Vec::new();
    for method in on_task() {
        let Some(learner) = &method.learner else {
            continue;
        };
        let has_grid = learner.params.values().any(Value::is_array);
        let (select, folds) = match (has_grid, method.select) {
            (false, _) => (None, 0),
            (true, Some(SelectBy::Oracle) | None) => (Some(SelectBy::SourceCv), 5),
            (true, Some(by)) if needs_labels && by.fits_again() => (Some(SelectBy::SourceCv), 5),
            (true, select) => (select, method.folds),
        };
        let baseline = MethodSpec {
            name: use_.to_owned(),
            use_: use_.to_owned(),
            learner: Some(learner.clone()),
            params: Map::new(),
            select,
            folds,
            gate: false,
            tasks: None,
            curve: None,
            line: 0,
        };
        let listed = on_task()
            .any(|other| !other.gate && other.use_ == use_ && key(other) == key(&baseline));
        if !listed && !baselines.iter().any(|other| key(other) == key(&baseline)) {
            baselines.push(baseline);
        }
    }
    baselines
}

/// `source-only (svm)`, with as much detail as tells it from the others and from the names that are taken.
fn name(spec: &Spec, registry: &Registry, added: &mut [MethodSpec]) {
    for detail in 0..4 {
        let candidates: Vec<String> = added
            .iter()
            .map(|baseline| describe(baseline, registry, detail))
            .collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let taken = spec.methods.iter().map(|method| method.name.as_str());
        for candidate in candidates.iter().map(String::as_str).chain(taken) {
            *counts.entry(candidate).or_default() += 1;
        }
        for (baseline, candidate) in added.iter_mut().zip(&candidates) {
            // A name is settled once it is the only one of its kind; `use` alone marks one that is not.
            if baseline.name == baseline.use_ && (counts[candidate.as_str()] == 1 || detail == 3) {
                baseline.name.clone_from(candidate);
            }
        }
    }
}

fn describe(baseline: &MethodSpec, registry: &Registry, detail: usize) -> String {
    let Some(learner) = &baseline.learner else {
        return baseline.use_.clone();
    };
    let mut parts = vec![learner.use_.clone()];
    if detail >= 1 {
        let set = learner
            .params
            .iter()
            .filter(|(name, value)| !is_default(registry, &learner.use_, name, value));
        parts.extend(set.map(|(name, value)| format!("{name}={value}")));
    }
    if let (true, Some(select)) = (detail >= 2, baseline.select) {
        parts.push(match baseline.folds {
            0 => select.name().to_owned(),
            folds => format!("{} with {folds} folds", select.name()),
        });
    }
    if detail >= 3 {
        parts.push("added".to_owned());
    }
    format!("{} ({})", baseline.use_, parts.join(", "))
}

/// Whether a learner's parameter stands at its default.
fn is_default(registry: &Registry, learner: &str, name: &str, value: &Value) -> bool {
    let Ok(entry) = registry.learner(learner) else {
        return false;
    };
    let default = entry.info.parameters.iter().find(|info| info.name == name);
    default
        .is_some_and(|info| serde_json::from_str::<Value>(info.default).is_ok_and(|d| d == *value))
}
