#![no_main]

#[path = "../../crates/data/tests/fuzz_corpus/mat.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
