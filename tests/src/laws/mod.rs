//! The laws of [`Law`], each as a check over one method.

mod blind;
mod invariances;
mod obstacles;

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
    let outcome = match law {
        Law::IdenticalDomains => each(registry, entry, &own_data, &invariances::identical_domains),
        Law::RowPermutation => on_cases(registry, entry, &invariances::row_permutation),
        Law::LabelRenaming => on_cases(registry, entry, &invariances::label_renaming),
        Law::TargetLabelBlind => Ok(blind::target_label_blind(registry, entry)),
        Law::SeedDeterminism => on_cases(registry, entry, &invariances::seed_determinism),
        Law::SaveLoad => on_cases(registry, entry, &invariances::save_load),
        Law::SingleRow => on_cases(registry, entry, &invariances::single_row),
        Law::WideData => each(
            registry,
            entry,
            &obstacles::wide_data,
            &obstacles::is_learned,
        ),
        Law::ConstantColumn => each(
            registry,
            entry,
            &obstacles::constant_columns,
            &obstacles::constant_column,
        ),
        // Where there are no classes, none can be missing.
        Law::MissingClass if entry.info.needs.outputs == Outputs::Regression => Ok(Vec::new()),
        Law::MissingClass => each(
            registry,
            entry,
            &obstacles::missing_class,
            &obstacles::is_learned,
        ),
    };
    outcome.unwrap_or_else(|error| vec![format!("{}: {error}", entry.info.name)])
}

type Cases<'a> = &'a dyn Fn(&MethodEntry) -> Outcome<Vec<Case>>;
type Check<'a> = &'a dyn Fn(&Subject, &Case) -> Outcome;

/// A check over the small shifted problems: without target labels, where the method needs none, and with some.
fn on_cases(registry: &Registry, entry: &MethodEntry, check: Check<'_>) -> Outcome<Vec<String>> {
    let cases = |entry: &MethodEntry| {
        let mut all = Vec::new();
        for labelled in [false, true] {
            if labelled || !entry.info.needs.target_labels {
                all.extend(cases::classes(labelled)?);
                all.extend(cases::values(labelled)?);
            }
        }
        Ok(all)
    };
    each(registry, entry, &cases, check)
}

/// A check over cases of any kind; those whose labels the method does not serve are left out.
fn each(
    registry: &Registry,
    entry: &MethodEntry,
    cases: Cases<'_>,
    check: Check<'_>,
) -> Outcome<Vec<String>> {
    let mut breaches = Vec::new();
    let mut checked = 0;
    for case in cases(entry)? {
        let classes = case.problem.n_classes() > 0;
        for subject in subjects(registry, entry, classes, case.width())? {
            checked += 1;
            if let Err(error) = check(&subject, &case) {
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
