#![no_main]

#[path = "../../crates/experiment/tests/fuzz_corpus/spec.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
