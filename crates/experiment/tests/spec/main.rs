//! Specifications: what they mean, what is wrong with them, and those of this repository.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod case;
mod committed;
mod conflicts;
mod curves;
mod errors;
mod fuzz;
mod understood;
