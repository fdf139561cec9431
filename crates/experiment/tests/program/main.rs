//! The program as it is installed, and the files it writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod diagnose;
mod features;
mod list;
mod relate;
mod report;
mod run;
