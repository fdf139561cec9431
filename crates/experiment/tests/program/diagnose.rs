//! `diagnose`: advice for two files of one's own.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::common::Lab;

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"))
}

/// Rows in which `size` and `colour` tell the class, with a number of no meaning; every `keep`-th row has a label.
fn table(n: usize, opposed: bool, shift: f64, keep: usize) -> String {
    let mut text = String::from("id,size,colour,noise,kind\n");
    for row in 0..n {
        let size = (row * 37 % 100) as f64 / 100.0;
        let noise = (row * 61 % 89) as f64 + shift;
        let colour = if row % 3 == 0 { "red" } else { "blue" };
        let kind = if (size > 0.5) != opposed {
            "large"
        } else {
            "small"
        };
        let kind = if row % keep == 0 { kind } else { "" };
        writeln!(text, "{row},{size},{colour},{noise},{kind}").unwrap();
    }
    text
}

/// The two files of every test.
const FILES: [&str; 5] = ["diagnose", "--source", "old.csv", "--target", "new.csv"];

struct Found {
    stdout: String,
    advice: Value,
    page: String,
}

fn diagnose(lab: &Lab, more: &[&str]) -> Found {
    let start = [
        &FILES[..],
        &["--label", "kind", "--drop", "id", "--out", "out"],
    ]
    .concat();
    let done = lab.run(&[&start[..], more].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let file = |name: &str| fs::read_to_string(lab.path("out").join(name)).unwrap();
    Found {
        stdout: done.stdout,
        advice: serde_json::from_str(&file("advice.json")).unwrap(),
        page: file("advice.html"),
    }
}

fn decision<'a>(found: &'a Found, method: &str) -> &'a Value {
    let methods = found.advice["methods"].as_array().unwrap();
    let method = methods.iter().find(|one| one["name"] == method).unwrap();
    &method["decision"]
}

#[test]
fn an_opposed_source_is_refused_and_a_shifted_column_named() {
    let lab = lab();
    fs::write(lab.path("old.csv"), table(120, true, 200.0, 1)).unwrap();
    fs::write(lab.path("new.csv"), table(100, false, 0.0, 3)).unwrap();
    let found = diagnose(&lab, &[]);
    assert_eq!(found.advice["choice"], "target-only");
    assert_eq!(found.advice["facts"]["n_labelled"], 34);
    assert_eq!(
        decision(&found, "source-only")["verdict"],
        "do-not-transfer"
    );
    assert_eq!(found.advice["drivers"][0]["name"], "noise");
    assert!(
        found.stdout.contains("most of all `noise`"),
        "{}",
        found.stdout
    );
    assert!(
        found.stdout.ends_with("out/advice.html\n"),
        "{}",
        found.stdout
    );
    // A page that stands alone, with both drawings.
    assert!(found.page.contains("old → new"));
    assert!(!found.page.contains("href=") && !found.page.contains("src="));
    assert_eq!(found.page.matches("<svg").count(), 2);
    for method in ["source-only", "pooled", "coral"] {
        assert!(found.stdout.contains(method) && found.page.contains(method));
    }
    // The same again, and another seed.
    assert_eq!(diagnose(&lab, &[]).advice, found.advice);
    assert_ne!(diagnose(&lab, &["--seed", "1"]).advice, found.advice);
}

#[test]
fn labels_can_be_few_or_none() {
    let lab = lab();
    fs::write(lab.path("old.csv"), table(120, false, 0.0, 1)).unwrap();
    fs::write(lab.path("new.csv"), table(100, false, 0.0, 2)).unwrap();
    let found = diagnose(
        &lab,
        &["--target-labels", "6", "--methods", "source-only,tca"],
    );
    assert_eq!(found.advice["facts"]["n_labelled"], 6);
    assert_eq!(found.advice["methods"].as_array().unwrap().len(), 2);
    let found = diagnose(&lab, &["--target-labels", "none"]);
    assert_eq!(found.advice["verdict"], "undecided");
    assert_eq!(found.advice["choice"], "source-only");
    assert!(found.stdout.contains("No target row has a label"));
    // A target without the column at all is one without labels.
    let bare: String = table(50, false, 0.0, 1)
        .lines()
        .map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0))
        .collect();
    fs::write(lab.path("new.csv"), bare).unwrap();
    let line = [&FILES[..], &["--label", "kind", "--target-labels", "3"]].concat();
    let done = lab.run(&line);
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("has no labels"), "{}", done.stderr);
    assert_eq!(diagnose(&lab, &[]).advice["facts"]["n_labelled"], 0);
}

/// One label, or labels of one class alone, teach nothing: the source does, and the reason is said.
#[test]
fn labels_of_one_class_are_too_few() {
    let lab = lab();
    fs::write(lab.path("old.csv"), table(120, false, 0.0, 1)).unwrap();
    fs::write(lab.path("new.csv"), table(100, false, 0.0, 2)).unwrap();
    let found = diagnose(&lab, &["--target-labels", "1"]);
    assert_eq!(found.advice["choice"], "source-only");
    assert_eq!(found.advice["verdict"], "undecided");
    assert!(
        found.stdout.contains("No gain could be measured"),
        "{}",
        found.stdout
    );
}

#[test]
fn values_are_told_from_classes_by_word() {
    let lab = lab();
    let rows = |n: usize| -> String {
        let row = |row: usize| format!("{},{}\n", row * 7 % 30, 2 * (row * 7 % 30));
        std::iter::once("x,y\n".to_owned())
            .chain((0..n).map(row))
            .collect()
    };
    fs::write(lab.path("old.csv"), rows(60)).unwrap();
    fs::write(lab.path("new.csv"), rows(40)).unwrap();
    let line = [&FILES[..], &["--label", "y", "--out", "out"]].concat();
    let done = lab.run(&line);
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("classification"), "{}", done.stderr);
    let done = lab.run(&[&line[..], &["--output", "regression"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("RMSE"), "{}", done.stdout);
}

#[test]
fn what_is_wrong_is_said() {
    let lab = lab();
    fs::write(lab.path("old.csv"), table(40, false, 0.0, 1)).unwrap();
    fs::write(lab.path("new.csv"), table(40, false, 0.0, 1)).unwrap();
    fs::write(lab.path("gaps.csv"), table(40, false, 0.0, 2)).unwrap();
    fs::write(lab.path("other.csv"), "width,kind\n1,large\n2,small\n").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (
            &[
                "--source", "odl.csv", "--target", "new.csv", "--label", "kind",
            ],
            "odl.csv",
        ),
        (
            &[&FILES[1..], &["--label", "knd"]].concat(),
            "did you mean `kind`?",
        ),
        (
            &[
                "--source", "gaps.csv", "--target", "new.csv", "--label", "kind",
            ],
            "row 2",
        ),
        (
            &[
                "--source",
                "old.csv",
                "--target",
                "other.csv",
                "--label",
                "kind",
            ],
            "width",
        ),
        (&["--source", "old.csv", "--target", "new.csv"], "label"),
        (
            &[&FILES[1..], &["--label", "kind", "--methods", "corall"]].concat(),
            "did you mean `coral`?",
        ),
        (
            &[&FILES[1..], &["--label", "kind", "--target-labels", "0"]].concat(),
            "`all`, `none` or a number",
        ),
        (
            &[&FILES[1..], &["--label", "kind", "--target-labels", "4000"]].concat(),
            "4000",
        ),
    ];
    for (words, why) in cases {
        let done = lab.run(&[&["diagnose", "--out", "out"], words].concat());
        assert_eq!(done.code, Some(2), "{words:?}");
        assert!(done.stderr.contains(why), "{words:?}: {}", done.stderr);
    }
    assert!(!lab.path("out").exists());
}
