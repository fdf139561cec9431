//! Every registered method and learner against its laws, its table of parameters and bad input.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

mod bad_input;
mod choices;
mod faulty;
mod images;
mod learners;
mod methods;
mod parameters;

use std::io::Write;

use translearn_core::{BaseLearner, LearnerNeed, MethodEntry, Registry};

fn registry() -> Registry {
    translearn_classical::registry()
}

/// The learner, for a method that wraps one.
fn wrapped(entry: &MethodEntry, learner: BaseLearner) -> Option<BaseLearner> {
    (entry.info.needs.learner != LearnerNeed::None).then_some(learner)
}

/// Past the test harness, which hides what a passing test prints.
fn show(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}
