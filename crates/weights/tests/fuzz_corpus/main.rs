//! Replays the corpus of the fuzz target in `fuzz/`, which shares its body.
#![expect(
    clippy::unwrap_used,
    reason = "a test, whose helpers clippy does not know as such"
)]

mod weights;

use std::path::Path;

#[test]
fn weights_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/weights");
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
        weights::run(&std::fs::read(&path).unwrap());
        n += 1;
    }
    assert!(n >= 10, "{n} inputs in {}", folder.display());
}
