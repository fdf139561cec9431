//! The laws with the choices that are not a method's defaults: kernels, plans, solvers, losses.

use rayon::prelude::*;
use serde_json::{Map, Value};
use translearn_core::{Law, MethodEntry};
use translearn_tests::laws::breaches_with;
use translearn_tests::subjects::choices;

use crate::registry;

/// Why plans with an entropy do not leave one sample alone.
const DRAWN_TOGETHER: &str =
    "the entropy draws the images of the source together, the target stays as it is";

/// Choices that break a law their method keeps by default: the parameter, its value, the law and the reason.
const EXEMPT: &[(&str, &str, Law, &str)] = &[
    (
        "kernel",
        "fourier",
        Law::ConstantColumn,
        "frequencies are drawn for all columns together, so that one more changes the draw",
    ),
    (
        "solver",
        "frank-wolfe",
        Law::RowPermutation,
        "steps end at a gap, and sums in another order lead to another point within it",
    ),
    (
        "loss",
        "confidence",
        Law::IdenticalDomains,
        "a source row that is right but not sure loses weight",
    ),
    (
        "form",
        "asymmetric-kernel",
        Law::WideData,
        "the fit sees rows by the map, a prediction by its transpose, and so few rows do not outweigh the difference",
    ),
    ("plan", "sinkhorn", Law::IdenticalDomains, DRAWN_TOGETHER),
    ("plan", "group-lasso", Law::IdenticalDomains, DRAWN_TOGETHER),
    ("plan", "lp-l1", Law::IdenticalDomains, DRAWN_TOGETHER),
    ("plan", "unbalanced", Law::IdenticalDomains, DRAWN_TOGETHER),
];

/// The place of the exemption.
fn exemption(chosen: &Map<String, Value>, law: Law) -> Option<usize> {
    EXEMPT.iter().position(|&(parameter, value, of, _)| {
        of == law && chosen.get(parameter).and_then(Value::as_str) == Some(value)
    })
}

/// As for the defaults: claimed laws hold, and an exemption is needed, by one method at least.
fn holds(law: Law) {
    let registry = registry();
    let tried: Vec<(&MethodEntry, Map<String, Value>)> = registry
        .methods()
        .iter()
        .filter(|entry| entry.info.claims(law))
        .flat_map(|entry| {
            choices(entry)
                .into_iter()
                .map(move |chosen| (entry, chosen))
        })
        .collect();
    let found: Vec<(Option<usize>, Vec<String>)> = tried
        .par_iter()
        .map(|(entry, chosen)| {
            let found = breaches_with(law, &registry, entry, chosen);
            (exemption(chosen, law), found)
        })
        .collect();
    let mut wrong = Vec::new();
    for (place, (parameter, value, of, _)) in EXEMPT.iter().enumerate() {
        let needed =
            |(at, found): &(Option<usize>, Vec<String>)| *at == Some(place) && !found.is_empty();
        if *of == law && !found.iter().any(needed) {
            wrong.push(format!("{parameter} = {value} is exempt but keeps it"));
        }
    }
    let claimed = found.into_iter().filter(|(exempt, _)| exempt.is_none());
    wrong.extend(claimed.flat_map(|(_, found)| found));
    assert!(wrong.is_empty(), "{law:?}:\n{}", wrong.join("\n"));
}

#[test]
fn identical_domains() {
    holds(Law::IdenticalDomains);
}

#[test]
fn row_permutation() {
    holds(Law::RowPermutation);
}

#[test]
fn label_renaming() {
    holds(Law::LabelRenaming);
}

#[test]
fn seed_determinism() {
    holds(Law::SeedDeterminism);
}

#[test]
fn save_load() {
    holds(Law::SaveLoad);
}

#[test]
fn single_row() {
    holds(Law::SingleRow);
}

#[test]
fn wide_data() {
    holds(Law::WideData);
}

#[test]
fn constant_column() {
    holds(Law::ConstantColumn);
}

#[test]
fn missing_class() {
    holds(Law::MissingClass);
}
