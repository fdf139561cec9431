//! The README says what is true: its table of methods is the registry's, its specifications exist.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_table_of_methods_is_the_registry() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    // Those over libtorch have a table of their own, which the deep crate holds to its registry.
    let (readme, _) = readme.split_once("## Methods over libtorch").unwrap();
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let registry = translearn_classical::registry();
    assert_eq!(
        rows.len(),
        registry.methods().len(),
        "`translearn-experiment methods-table` prints the table"
    );
    for (row, entry) in rows.iter().zip(registry.methods()) {
        let start = format!("| `{}` | {} | ", entry.info.name, entry.info.title);
        assert!(
            row.starts_with(&start),
            "`{row}` should start with `{start}`"
        );
        assert!(
            row.contains(entry.info.reference),
            "`{row}` lacks `{}`",
            entry.info.reference
        );
    }
}

#[test]
fn every_learner_is_named() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let line = readme
        .lines()
        .find(|line| line.starts_with("Learners: "))
        .unwrap();
    for entry in translearn_classical::registry().learners() {
        assert!(
            line.contains(entry.info.name),
            "`{line}` lacks `{}`",
            entry.info.name
        );
    }
}

#[test]
fn every_specification_it_runs_exists() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let named = readme
        .split("cargo xtask experiment run ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| c.is_whitespace() || c == '`').next());
    let mut found = 0;
    for name in named.filter(|name| !name.contains('.')) {
        let file = root()
            .join("xtask/experiments")
            .join(format!("{name}.toml"));
        assert!(file.is_file(), "there is no {}", file.display());
        found += 1;
    }
    assert!(found >= 2, "the README runs {found} specifications");
}
