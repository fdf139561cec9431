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

/// With the tables of source and target.
fn lab_with(old: &str, new: &str) -> Lab {
    let lab = lab();
    fs::write(lab.path("old.csv"), old).unwrap();
    fs::write(lab.path("new.csv"), new).unwrap();
    lab
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
    let lab = lab_with(&table(120, true, 200.0, 1), &table(100, false, 0.0, 3));
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
    let lab = lab_with(&table(120, false, 0.0, 1), &table(100, false, 0.0, 2));
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

/// A column of one file alone can be left out, and what is filled in is said.
#[test]
fn columns_of_one_file_are_left_out_and_gaps_are_said() {
    let lab = lab();
    fs::write(lab.path("old.csv"), table(60, false, 0.0, 1)).unwrap();
    let more = table(40, false, 0.0, 1)
        .lines()
        .enumerate()
        .map(|(row, line)| match row {
            0 => format!("extra,{line}\n"),
            3 => format!(
                "1,{}\n",
                line.replacen("red", "", 1).replacen("blue", "", 1)
            ),
            _ => format!("1,{line}\n"),
        })
        .collect::<String>();
    fs::write(lab.path("new.csv"), more).unwrap();
    let line = [
        &FILES[..],
        &["--label", "kind", "--out", "out", "--methods", "pooled"],
    ]
    .concat();
    let done = lab.run(&line);
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("`--drop extra`"), "{}", done.stderr);
    let done = lab.run(&[&line[..], &["--drop", "extra", "--drop", "id"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("note: 1 of the 40 cells of `colour` in `new.csv`"),
        "{}",
        done.stderr
    );
}

/// One label, or labels of one class alone, teach nothing: the source does, and the reason is said.
#[test]
fn labels_of_one_class_are_too_few() {
    let lab = lab_with(&table(120, false, 0.0, 1), &table(100, false, 0.0, 2));
    let found = diagnose(&lab, &["--target-labels", "1"]);
    assert_eq!(found.advice["choice"], "source-only");
    assert_eq!(found.advice["verdict"], "undecided");
    assert!(
        found.stdout.contains("No gain could be measured"),
        "{}",
        found.stdout
    );
}

/// A test that could not be made is not one that found nothing; p-values are adjusted for their number.
#[test]
fn what_was_not_tested_is_said_everywhere() {
    let lab = lab_with(&table(120, false, 0.0, 1), &table(1, false, 0.0, 1));
    let found = diagnose(&lab, &["--methods", "source-only"]);
    let columns = |found: &Found| {
        let shifts = found.advice["shifts"].as_array().unwrap();
        let columns = shifts.iter().find(|shift| shift["kind"] == "columns");
        columns.unwrap().clone()
    };
    let untested = columns(&found);
    assert!(untested["result"].is_null() && untested["p_holm"].is_null());
    let why = untested["obstacle"].as_str().unwrap();
    assert!(found.page.contains(&format!("not tested: {why}")));
    assert!(found.stdout.contains("single columns differ") && found.stdout.contains("not tested"));
    assert!(
        found.stdout.contains("whether single columns differ") && found.stdout.contains(why),
        "{}",
        found.stdout
    );

    fs::write(lab.path("new.csv"), table(100, false, 200.0, 1)).unwrap();
    let found = diagnose(&lab, &["--methods", "source-only"]);
    let shifts = found.advice["shifts"].as_array().unwrap();
    let adjusted = |shift: &Value| shift["p_holm"].as_f64().unwrap();
    for shift in shifts {
        let p_value = shift["result"]["p_value"].as_f64().unwrap();
        assert!(adjusted(shift) >= p_value && adjusted(shift) <= 1.0);
    }
    // The least of all is multiplied by their number.
    let least = |of: &dyn Fn(&Value) -> f64| shifts.iter().map(of).fold(1.0, f64::min);
    let p_value = least(&|shift| shift["result"]["p_value"].as_f64().unwrap());
    assert!((least(&adjusted) - shifts.len() as f64 * p_value).abs() < 1e-12);
    assert!(found.page.contains("p (Holm)") && found.stdout.contains("p (Holm)"));
    assert!(found.stdout.contains("p < 0.001"), "{}", found.stdout);
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
    assert!(
        done.stderr.contains("`--output classification`"),
        "{}",
        done.stderr
    );
    let done = lab.run(&[&line[..], &["--output", "regression"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("RMSE"), "{}", done.stdout);
}

/// Neither file counts from 1 where one has an index 0; what is said is taken.
#[test]
fn svmlight_files_agree_on_their_columns() {
    let lab = lab();
    let lines = |first: usize| -> String {
        let line = |row: usize| {
            let (class, x) = (row % 2, (row * 37 % 50) as f64 / 10.0);
            format!("{class} {first}:{x} {}:{}\n", first + 3, x + class as f64)
        };
        (0..40).map(line).collect()
    };
    fs::write(lab.path("old.svm"), lines(0)).unwrap();
    fs::write(lab.path("new.svm"), lines(1)).unwrap();
    let run = |more: &[&str]| {
        let start = [
            "diagnose",
            "--source",
            "old.svm",
            "--target",
            "new.svm",
            "--output",
            "classification",
            "--methods",
            "source-only",
            "--out",
            "out",
        ];
        lab.run(&[&start[..], more].concat())
    };
    for (more, n_features) in [(&[][..], 5), (&["--n-features", "7"], 7)] {
        let done = run(more);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let advice = fs::read_to_string(lab.path("out/advice.json")).unwrap();
        let advice: Value = serde_json::from_str(&advice).unwrap();
        assert_eq!(advice["facts"]["n_features"], n_features);
    }
    for (more, why) in [
        (&["--one-based", "true"], "indices from 1"),
        (&["--n-features", "3"], "at most 3 features"),
        (&["--features", "X"], "only npz, mat and hdf5"),
        (&["--label", "y"], "the first number"),
    ] {
        let done = run(more);
        assert_eq!(done.code, Some(2), "{more:?}");
        assert!(done.stderr.contains(why), "{more:?}: {}", done.stderr);
    }
}

/// A file of several arrays, of which two are numbers as long as the labels.
fn arrays(rows: usize) -> Vec<u8> {
    let npy = |shape: &str, values: Vec<f64>| {
        let head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
        let head = format!("{head:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.bytes());
        bytes.extend(values.into_iter().flat_map(f64::to_le_bytes));
        bytes
    };
    let values = |n: usize| (0..n).map(|at| (at * 37 % 100) as f64).collect();
    let classes = (0..rows).map(|row| (row % 2) as f64).collect();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("pixels", npy(&format!("{rows}, 3"), values(3 * rows))),
        ("words", npy(&format!("{rows}, 2"), values(2 * rows))),
        ("kind", npy(&format!("{rows},"), classes)),
    ] {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        std::io::Write::write_all(&mut archive, &bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn of_several_arrays_one_is_named() {
    let lab = lab();
    fs::write(lab.path("old.npz"), arrays(40)).unwrap();
    fs::write(lab.path("new.npz"), arrays(30)).unwrap();
    let run = |more: &[&str]| {
        let start = [
            "diagnose", "--source", "old.npz", "--target", "new.npz", "--label", "kind",
        ];
        let rest = [
            "--output",
            "classification",
            "--methods",
            "source-only",
            "--out",
            "out",
        ];
        lab.run(&[&start[..], &rest, more].concat())
    };
    let done = run(&[]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.contains("kind, pixels, words"),
        "{}",
        done.stderr
    );
    let done = run(&["--features", "words"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("2 features"), "{}", done.stdout);
}

#[test]
fn what_is_wrong_is_said() {
    let lab = lab_with(&table(40, false, 0.0, 1), &table(40, false, 0.0, 1));
    fs::write(lab.path("gaps.csv"), table(40, false, 0.0, 2)).unwrap();
    fs::write(lab.path("other.csv"), "width,kind\n1,large\n2,small\n").unwrap();
    fs::write(lab.path("taken"), "").unwrap();
    let words = table(40, false, 0.0, 1).replace("12,", "twelve,");
    fs::write(lab.path("words.csv"), words).unwrap();
    let cases: [(&[&str], &str); 13] = [
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
        (
            &[&FILES[1..], &["--label", "kind", "--drop", "kind"]].concat(),
            "`kind` is the label",
        ),
        (
            &[&FILES[1..], &["--label", "kind", "--drop", "idd"]].concat(),
            "did you mean `id`?",
        ),
        (
            &[&FILES[1..], &["--label", "kind", "--out", "taken/out"]].concat(),
            "`taken` is a file",
        ),
        (
            &[
                "--source",
                "old.csv",
                "--target",
                "words.csv",
                "--label",
                "kind",
            ],
            "`id` is `twelve`",
        ),
        (
            &["--source", ".", "--target", "new.csv", "--label", "kind"],
            "a folder",
        ),
    ];
    for (words, why) in cases {
        let out: &[&str] = if words.contains(&"--out") {
            &[]
        } else {
            &["--out", "out"]
        };
        let done = lab.run(&[&["diagnose"], words, out].concat());
        assert_eq!(done.code, Some(2), "{words:?}");
        assert!(done.stderr.contains(why), "{words:?}: {}", done.stderr);
    }
    assert!(!lab.path("out").exists());
}
