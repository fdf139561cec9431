//! What the program tells about methods, learners, specifications and data.

use std::fs;

use crate::common::Lab;
use serde_json::Value;

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"))
}

fn json(lab: &Lab, what: &str) -> Vec<Value> {
    let done = lab.run(&["list", what, "--json"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&done.stdout).unwrap()
}

fn named<'a>(list: &'a [Value], name: &str) -> &'a Value {
    list.iter()
        .find(|entry| entry["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_method_is_listed_with_family_needs_laws_and_parameters() {
    let lab = lab();
    let list = json(&lab, "methods");
    let registry = translearn_experiment::registry();
    assert_eq!(list.len(), registry.methods().len());
    let coral = named(&list, "coral");
    assert_eq!(coral["family"], "feature");
    assert_eq!(coral["needs"]["target_labels"], false);
    assert!(
        coral["laws"]
            .as_array()
            .unwrap()
            .contains(&Value::from("seed-determinism"))
    );
    let lambda = coral["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["name"] == "lambda")
        .unwrap();
    assert!(
        lambda["default"].is_number() && lambda["range"].is_string() && lambda["doc"].is_string()
    );
    // A law is either kept or excused.
    for entry in &list {
        let count = |field: &str| entry[field].as_array().unwrap().len();
        assert_eq!(
            count("laws") + count("exemptions"),
            translearn_core::Law::ALL.len()
        );
    }
    let text = lab.run(&["list", "methods"]).stdout;
    assert!(
        registry
            .methods()
            .iter()
            .all(|entry| text.contains(&format!("{}  {}", entry.info.name, entry.info.title)))
    );
}

#[test]
fn learners_and_data_are_listed() {
    let lab = lab();
    let list = json(&lab, "learners");
    assert_eq!(named(&list, "logistic")["honors_weights"], true);
    let list = json(&lab, "data");
    let office = named(&list, "office-caltech10-surf");
    assert_eq!(
        office["domains"],
        serde_json::json!(["caltech10", "amazon", "webcam", "dslr"])
    );
    assert!(
        named(&list, "wine-quality-embedded")["domains"]
            .as_array()
            .unwrap()
            .len()
            > 2
    );
    assert!(
        lab.run(&["list", "data"])
            .stdout
            .contains("domains caltech10 amazon webcam dslr")
    );
    assert!(
        lab.run(&["list", "learners"])
            .stdout
            .contains("uses sample weights")
    );
}

#[test]
fn specifications_are_found_by_name_in_the_workspace() {
    let lab = lab();
    assert_eq!(json(&lab, "specs"), Vec::<Value>::new());
    fs::create_dir_all(lab.path("xtask/experiments")).unwrap();
    let spec = lab.spec(
        "quick",
        "",
        "[[method]]\nuse = \"source-only\"\nlearner = { use = \"ncm\" }\n",
    );
    let text = fs::read_to_string(&spec)
        .unwrap()
        .replace("file = \"", "file = \"../../");
    lab.write(
        "xtask/experiments/quick.toml",
        &format!("# Two files, one method.\n{text}"),
    );
    fs::remove_file(spec).unwrap();
    let list = json(&lab, "specs");
    assert_eq!(
        (list.len(), &list[0]["title"]),
        (1, &Value::from("Two files, one method."))
    );

    let done = lab.run(&["run", "quick"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(lab.trials("target/experiments/quick").len(), 1);
    // From a folder below, and from anywhere when `cargo xtask` names the workspace.
    fs::create_dir(lab.path("below")).unwrap();
    let mut below = lab.command(&["plan", "quick"]);
    assert!(
        below
            .current_dir(lab.path("below"))
            .output()
            .unwrap()
            .status
            .success()
    );
    let mut anywhere = lab.command(&["run", "quick"]);
    anywhere
        .current_dir("/")
        .env("TRANSLEARN_WORKSPACE", lab.path(""));
    assert!(anywhere.output().unwrap().status.success());
    let done = lab.run(&["run", "quik"]);
    assert!(
        done.code == Some(2) && done.stderr.contains("did you mean `quick`?"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_table_of_methods_has_a_row_for_each() {
    let text = lab().run(&["methods-table"]).stdout;
    let registry = translearn_experiment::registry();
    assert_eq!(text.lines().count(), 2 + registry.methods().len());
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(text.lines().all(|line| columns(line) == 8), "{text}");
    assert!(
        text.contains("| `coral` | Correlation alignment | feature | optional |"),
        "{text}"
    );
}
