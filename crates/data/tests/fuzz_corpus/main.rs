//! Replays the corpus of the fuzz targets in `fuzz/`, which share these bodies.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, whose helpers clippy does not know as such"
)]

mod csv;
mod mat;

use std::path::Path;

/// Runs `body` on every input of a target; a failure names its file.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!(
            "skipped: no corpus in {} (it is not part of the published crate)",
            folder.display()
        );
        return;
    };
    let mut n = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        body(&std::fs::read(&path).unwrap());
        n += 1;
    }
    assert!(n >= 10, "{n} inputs in {}", folder.display());
}

#[test]
fn csv_corpus() {
    replay("csv", csv::run);
}

#[test]
fn mat_corpus() {
    replay("mat", mat::run);
}
