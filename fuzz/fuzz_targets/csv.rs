#![no_main]

#[path = "../../crates/data/tests/fuzz_corpus/csv.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
