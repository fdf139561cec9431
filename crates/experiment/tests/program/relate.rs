//! `relate`: which tasks of a set help each other.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::common::Lab;
use serde_json::Value;

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"))
}

/// Whether a set is in the mirror, without which nothing is downloaded for a test.
fn is_here(set: &str) -> bool {
    let mirror = std::env::var_os("TRANSLEARN_MIRROR").map(PathBuf::from);
    let here = mirror.is_some_and(|mirror| mirror.join(set).is_dir());
    if !here {
        let text = format!("skipped: `{set}` is in no folder named by TRANSLEARN_MIRROR\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    here
}

#[test]
fn what_has_no_tasks_to_relate_is_refused_with_what_has() {
    let lab = lab();
    for (data, why) in [
        ("schol", "did you mean `school`?"),
        ("usps", "`usps` holds one task"),
        ("iris-embedded", "the domains of `iris-embedded` share rows"),
    ] {
        let done = lab.run(&["relate", data]);
        assert_eq!(done.code, Some(2), "{data}");
        assert!(done.stderr.contains(why), "{data}: {}", done.stderr);
    }
    assert!(!lab.path("target").exists());
}

#[test]
fn the_speakers_of_digits_are_related() {
    if !is_here("fsdd") {
        return;
    }
    let lab = lab();
    let relate = |out: &str| {
        let done = lab.run(&[
            "relate", "fsdd", "--splits", "2", "--rows", "60", "--out", out,
        ]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let file = |name: &str| fs::read_to_string(lab.path(out).join(name)).unwrap();
        (done, file("relatedness.json"), file("relatedness.html"))
    };
    let (done, json, html) = relate("once");
    assert!(
        done.stderr
            .contains("note: 60 of the 500 rows of george are used"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("fsdd (6 tasks, 360 rows, 26 columns)"));
    assert!(
        done.stdout.ends_with("once/relatedness.html\n"),
        "{}",
        done.stdout
    );
    let found: Value = serde_json::from_str(&json).unwrap();
    let metrics: Vec<&Value> = (found["measures"].as_array().unwrap().iter())
        .map(|measure| &measure["metric"])
        .collect();
    assert_eq!(metrics, ["brier-skill", "accuracy"]);
    let names: Vec<&str> = (found["tasks"].as_array().unwrap().iter())
        .map(|task| task["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    );
    for (from, row) in found["gains"].as_array().unwrap().iter().enumerate() {
        assert_eq!(row[from], 0.0);
    }
    assert!(names.iter().all(|name| html.contains(name)));
    // The same again, on any number of threads.
    let (_, again, page) = relate("twice");
    assert_eq!((again, page), (json, html));
}

/// What is known to be in both domains is said before the scores, on the page and in the file.
#[test]
fn rows_in_both_domains_are_warned_of() {
    if !is_here("student-performance") {
        return;
    }
    let lab = lab();
    let line = ["relate", "student-performance", "--splits", "2", "--rows"];
    let done = lab.run(&[&line[..], &["40", "--out", "out"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("warning: 382 pupils are in both domains"),
        "{}",
        done.stderr
    );
    let file = |name: &str| fs::read_to_string(lab.path("out").join(name)).unwrap();
    let found: Value = serde_json::from_str(&file("relatedness.json")).unwrap();
    assert_eq!(found["shared_rows"], "382 pupils are in both domains");
    assert_eq!(found["measures"].as_array().unwrap().len(), 1);
    assert!(file("relatedness.html").contains("382 pupils are in both domains: what is held out"));
}

#[test]
fn a_file_is_no_place_for_a_page() {
    let lab = lab();
    fs::write(lab.path("taken"), "").unwrap();
    for out in ["taken", "taken/here"] {
        let done = lab.run(&["relate", "fsdd", "--out", out]);
        assert_eq!(done.code, Some(2));
        assert!(done.stderr.contains("`taken` is a file"), "{}", done.stderr);
    }
}
