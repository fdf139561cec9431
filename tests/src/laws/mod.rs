//! The laws of [`Law`], each as a check over one method.

mod blind;
mod invariances;
mod obstacles;

use serde_json::{Map, Value};
use translearn_core::{
    Fitted, Law, MethodEntry, Outputs, Registry, TransferError, TransferProblem,
};

use crate::{
    Outcome,
    cases::{self, Case},
    subjects::{Subject, subjects},
};

/// How a method breaks a law: one line for each of its learners and problems, none where it keeps it.
///
/// Whether the method claims the law is not looked at, so that an exemption that is not needed can be found.
pub fn breaches(law: Law, registry: &Registry, entry: &MethodEntry) -> Vec<String> {
    breaches_with(law, registry, entry, &Map::new())
}

/// How a method breaks a law with one of its [`choices`](crate::subjects::choices): with one learner, with target labels only
/// where it needs them, and on labels that the choice serves. [`Law::TargetLabelBlind`] is about what a method is given, which no choice changes: it is left
/// out.
pub fn breaches_with(
    law: Law,
    registry: &Registry,
    entry: &MethodEntry,
    chosen: &Map<String, Value>,
) -> Vec<String> {
    let method = Chosen {
        registry,
        entry,
        chosen,
    };
    let outcome = match law {
        Law::IdenticalDomains => each(method, &own_data, &invariances::identical_domains),
        Law::RowPermutation => on_cases(method, &invariances::row_permutation),
        Law::LabelRenaming => on_cases(method, &invariances::label_renaming),
        Law::TargetLabelBlind if !chosen.is_empty() => Ok(Vec::new()),
        Law::TargetLabelBlind => Ok(blind::target_label_blind(registry, entry)),
        Law::SeedDeterminism => on_cases(method, &invariances::seed_determinism),
        Law::SaveLoad => on_cases(method, &invariances::save_load),
        Law::SingleRow => on_cases(method, &invariances::single_row),
        Law::WideData => each(method, &obstacles::wide_data, &obstacles::is_learned),
        Law::ConstantColumn => each(
            method,
            &obstacles::constant_columns,
            &obstacles::constant_column,
        ),
        // Where there are no classes, none can be missing.
        Law::MissingClass if entry.info.needs.outputs == Outputs::Regression => Ok(Vec::new()),
        Law::MissingClass => each(method, &obstacles::missing_class, &obstacles::is_learned),
    };
    outcome.unwrap_or_else(|error| vec![format!("{}: {error}", entry.info.name)])
}

/// A method with a choice of its parameters; its defaults where that is empty.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    registry: &'a Registry,
    entry: &'a MethodEntry,
    chosen: &'a Map<String, Value>,
}

type Cases<'a> = &'a dyn Fn(&MethodEntry) -> Outcome<Vec<Case>>;
type Check<'a> = &'a dyn Fn(&Subject, &Case) -> Outcome;

/// A check over the small shifted problems: without target labels, where the method needs none, and with some.
fn on_cases(method: Chosen<'_>, check: Check<'_>) -> Outcome<Vec<String>> {
    let cases = |entry: &MethodEntry| {
        let mut all = Vec::new();
        for labelled in [false, true] {
            let settled = !all.is_empty() && !method.chosen.is_empty();
            if !settled && (labelled || !entry.info.needs.target_labels) {
                all.extend(cases::classes(labelled)?);
                all.extend(cases::values(labelled)?);
            }
        }
        Ok(all)
    };
    each(method, &cases, check)
}

/// A check over cases of any kind; those whose labels the method does not serve are left out.
fn each(method: Chosen<'_>, cases: Cases<'_>, check: Check<'_>) -> Outcome<Vec<String>> {
    let Chosen {
        registry,
        entry,
        chosen,
    } = method;
    let mut breaches = Vec::new();
    let mut checked = 0;
    for case in cases(entry)? {
        let classes = case.problem.n_classes() > 0;
        for subject in subjects(registry, entry, chosen, classes, case.width())? {
            let outcome = check(&subject, &case);
            if !chosen.is_empty() && is_unsupported(&outcome) {
                continue;
            }
            checked += 1;
            if let Err(error) = outcome {
                breaches.push(format!("{} on {}: {error}", subject.name, case.name));
            }
        }
    }
    match checked {
        // A check that never ran proves nothing.
        0 => Err("no case and learner that the method serves".into()),
        _ => Ok(breaches),
    }
}

fn is_unsupported(outcome: &Outcome) -> bool {
    let error = outcome.as_ref().err();
    let error = error.and_then(|error| error.downcast_ref::<TransferError>());
    matches!(error, Some(TransferError::Unsupported { .. }))
}

/// One sample as source and as target, of well-separated classes and of real labels.
fn own_data(entry: &MethodEntry) -> Outcome<Vec<Case>> {
    let known = |n: usize| {
        if entry.info.needs.target_labels {
            (0..n).collect()
        } else {
            Vec::new()
        }
    };
    let mut all = Vec::new();
    if entry.info.needs.outputs != Outputs::Regression {
        let space = translearn_core::LabelSpace::numbered(2);
        let rows = cases::separated(61, 4, 2, 5);
        all.push(Case::new(
            "one sample twice",
            &space,
            rows.clone(),
            &rows,
            known(61),
            cases::separated(37, 4, 2, 6),
        )?);
    }
    if entry.info.needs.outputs != Outputs::Classification {
        let space = translearn_core::LabelSpace::Real;
        let rows = cases::linear(61, 4, 7);
        let name = "one sample twice, real labels";
        all.push(Case::new(
            name,
            &space,
            rows.clone(),
            &rows,
            known(61),
            cases::linear(37, 4, 8),
        )?);
    }
    Ok(all)
}

const SEED: u64 = 11;

fn fit(subject: &Subject, problem: &TransferProblem) -> Result<Fitted, TransferError> {
    subject.method.fit(problem, SEED)
}
