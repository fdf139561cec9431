//! The laws over every registered learner.

use std::fmt::Write;

use rayon::prelude::*;
use translearn_tests::learner_laws::{LearnerLaw, breaches};

use crate::{registry, show};

/// What a learner cannot keep by its nature.
const EXEMPT: &[(&str, LearnerLaw, &str)] = &[
    (
        "forest",
        LearnerLaw::WeightTwo,
        "its trees draw as many rows as there are, not as much weight: the same in distribution alone",
    ),
    (
        "forest",
        LearnerLaw::RowPermutation,
        "its trees draw rows by their place: the same in distribution alone",
    ),
    (
        "forest",
        LearnerLaw::ConstantColumn,
        "a split looks at some columns, drawn by their number: one more column is another draw",
    ),
];

fn holds(law: LearnerLaw) {
    let registry = registry();
    let wrong: Vec<String> = registry
        .learners()
        .par_iter()
        .flat_map_iter(|entry| {
            let found = breaches(law, entry);
            let exempt = EXEMPT
                .iter()
                .any(|&(name, of, _)| name == entry.info.name && of == law);
            match (exempt, found.is_empty()) {
                (true, true) => vec![format!(
                    "{} is exempt from {law:?} but keeps it",
                    entry.info.name
                )],
                (true, false) => Vec::new(),
                (false, _) => found,
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{law:?}:\n{}", wrong.join("\n"));
}

#[test]
fn weight_two_is_the_row_twice() {
    holds(LearnerLaw::WeightTwo);
}

#[test]
fn weight_zero_is_no_row() {
    holds(LearnerLaw::WeightZero);
}

#[test]
fn weights_matter() {
    holds(LearnerLaw::WeightsMatter);
}

#[test]
fn sparse_is_dense() {
    holds(LearnerLaw::Sparse);
}

#[test]
fn row_permutation() {
    holds(LearnerLaw::RowPermutation);
}

#[test]
fn save_load() {
    holds(LearnerLaw::SaveLoad);
}

#[test]
fn single_row() {
    holds(LearnerLaw::SingleRow);
}

#[test]
fn seed_determinism() {
    holds(LearnerLaw::SeedDeterminism);
}

#[test]
fn constant_column() {
    holds(LearnerLaw::ConstantColumn);
}

#[test]
fn wide_data() {
    holds(LearnerLaw::WideData);
}

#[test]
fn missing_class() {
    holds(LearnerLaw::MissingClass);
}

#[test]
fn honest_scores() {
    holds(LearnerLaw::HonestScores);
}

#[test]
fn exemptions_name_learners_that_exist() {
    let registry = registry();
    let mut text = String::from("\nlearners:\n");
    for (name, law, reason) in EXEMPT {
        assert!(registry.learner(name).is_ok(), "{name}");
        writeln!(text, "{name} is exempt from {law:?}: {reason}").unwrap();
    }
    // As for methods: a law that more than a third cannot keep is worded wrongly.
    for law in LearnerLaw::ALL {
        let exempt = EXEMPT.iter().filter(|&&(_, of, _)| of == law).count();
        assert!(3 * exempt <= registry.learners().len(), "{law:?}");
    }
    show(&text);
}
