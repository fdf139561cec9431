//! Runs of methods and learners of our own: what ends, what goes on, what is given to whom.
//!
//! Workers are this very program started again, so it has a `main` of its own: with the arguments of the command line it is
//! the command line over a registry with these methods, otherwise it runs its tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test, though clippy sees a program"
)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod images;
mod weights;

use std::process::ExitCode;

fn main() -> ExitCode {
    let registry = translearn_classical::registry()
        .with::<faults::Faulty>()
        .with::<weights::Started>()
        .with_learner::<images::BrightnessParams>();
    let tests = [faults::TESTS, images::TESTS, weights::TESTS].concat();
    common::main_of(registry, &tests)
}
