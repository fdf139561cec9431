#![no_main]

#[path = "../../crates/weights/tests/fuzz_corpus/weights.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
