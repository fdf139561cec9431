//! The laws over every registered method.

use std::collections::BTreeMap;
use std::fmt::Write;

use rayon::prelude::*;
use translearn_core::{Family, Law, MethodEntry};
use translearn_tests::laws::breaches;

use crate::{registry, show};

/// Claimed laws hold; a law that is not claimed is indeed broken, or the exemption would be out of date.
fn holds(law: Law) {
    let registry = registry();
    let wrong: Vec<String> = registry
        .methods()
        .par_iter()
        .flat_map_iter(|entry| {
            let found = breaches(law, &registry, entry);
            match (entry.info.claims(law), found.is_empty()) {
                (false, true) => vec![format!(
                    "{} is exempt from {law:?} but keeps it",
                    entry.info.name
                )],
                (false, false) => Vec::new(),
                (true, _) => found,
            }
        })
        .collect();
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
fn target_label_blind() {
    holds(Law::TargetLabelBlind);
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

/// A law that many methods of a family are exempt from is a law worded wrongly, or a family with a fault.
#[test]
fn no_law_is_exempt_for_more_than_a_third_of_a_family() {
    let registry = registry();
    let mut families: BTreeMap<Family, Vec<&MethodEntry>> = BTreeMap::new();
    registry
        .methods()
        .iter()
        .for_each(|entry| families.entry(entry.info.family).or_default().push(entry));
    let mut table = String::from("\nlaws: + claimed, - exempt\n");
    let mut reasons = String::new();
    let mut suspect = Vec::new();
    writeln!(
        table,
        "{:<18} {}",
        "",
        Law::ALL.map(|law| format!("{law:?}")).join(" ")
    )
    .unwrap();
    for (family, entries) in &families {
        for entry in entries {
            let mark = |law: Law| {
                let width = format!("{law:?}").len();
                format!("{:<width$}", if entry.info.claims(law) { "+" } else { "-" })
            };
            writeln!(
                table,
                "{:<18} {}",
                entry.info.name,
                Law::ALL.map(mark).join(" ")
            )
            .unwrap();
            for (law, reason) in entry.info.exemptions {
                assert!(
                    reason.len() > 20,
                    "{}: a reason for {law:?}, please: {reason:?}",
                    entry.info.name
                );
                writeln!(
                    reasons,
                    "{} is exempt from {law:?}: {reason}",
                    entry.info.name
                )
                .unwrap();
            }
        }
        for law in Law::ALL {
            let exempt = entries
                .iter()
                .filter(|entry| !entry.info.claims(law))
                .count();
            if 3 * exempt > entries.len() {
                suspect.push(format!(
                    "{law:?}: {exempt} of {} of {family:?}",
                    entries.len()
                ));
            }
        }
    }
    show(&format!("{table}{reasons}"));
    assert!(suspect.is_empty(), "suspect laws: {}", suspect.join("; "));
}
