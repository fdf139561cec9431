//! From a specification to trials, from a trial to its problem and its record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod columns;
mod expansion;
mod gate;
mod images;
mod leakage;
mod trial;
