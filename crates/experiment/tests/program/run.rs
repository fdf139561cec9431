//! The program as it is installed: jobs, shards, reports, refusals and exit statuses.

use std::fs;

use crate::common::{Lab, by_method, names};
use serde_json::Value;

const METHODS: &str = r#"
[[method]]
use = "coral"
learner = { use = "logistic", c = [0.1, 1.0] }
[[method]]
use = "source-only"
name = "nearest mean"
learner = { use = "ncm" }
"#;

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"))
}

#[test]
fn jobs_and_shards_change_no_number() {
    let lab = lab();
    let spec = lab.spec("demo", "seeds = 3", METHODS);
    let spec = spec.to_str().unwrap();
    for (out, rest) in [
        ("one", &["--jobs", "1"][..]),
        ("two", &["--jobs", "2"]),
        ("shard0", &["--shard", "0/2", "--jobs", "1"]),
        ("shard1", &["--shard", "1/2"]),
    ] {
        let done = lab.run(&[&["run", spec, "--out", out, "--save-predictions"], rest].concat());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let one = lab.trials("one");
    // coral, nearest mean, and the baseline of logistic.
    assert_eq!(one.len(), 9);
    assert!(one.iter().all(|trial| trial["status"] == "ok"));
    assert_eq!(one, lab.trials("two"));
    assert_eq!(
        (lab.trials("shard0").len(), lab.trials("shard1").len()),
        (5, 4)
    );

    let done = lab.run(&["report", "shard0", "shard1", "--out", "merged"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(one, lab.trials("merged"));
    for folder in ["trials", "predictions"] {
        let files = |out: &str| names(&lab.path(out).join(folder));
        assert_eq!(files("merged"), files("one"));
    }
    for name in names(&lab.path("one/predictions")) {
        let text =
            |out: &str| fs::read_to_string(lab.path(out).join("predictions").join(&name)).unwrap();
        assert_eq!(text("one"), text("merged"));
        let accuracy = by_method(&one)
            .values()
            .find(|trial| name.starts_with(trial["trial"].as_str().unwrap()))
            .unwrap()["metrics"]["accuracy"]
            .as_f64()
            .unwrap();
        let text = text("one");
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect())
            .collect();
        let right = rows.iter().filter(|row| row[1] == row[2]).count();
        assert!((accuracy - right as f64 / rows.len() as f64).abs() < 1e-12);
    }
    // Without --out, several folders are joined under the experiment's name.
    assert_eq!(lab.run(&["report", "shard0", "shard1"]).code, Some(0));
    assert_eq!(one, lab.trials("target/experiments/demo"));
}

#[test]
fn finished_trials_are_skipped_and_fresh_runs_them_again() {
    let lab = lab();
    let spec = lab.spec("demo", "", METHODS);
    let run =
        |rest: &[&str]| lab.run(&[&["run", spec.to_str().unwrap(), "--out", "out"], rest].concat());
    assert_eq!(run(&[]).stderr.lines().count(), 3);
    let done = run(&[]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    // Predictions that are missing are made.
    assert_eq!(run(&["--save-predictions"]).stderr.lines().count(), 3);
    assert_eq!(run(&["--save-predictions"]).stderr, "");
    assert_eq!(run(&["--fresh"]).stderr.lines().count(), 3);
    assert!(!lab.path("out/predictions").exists());

    lab.spec("demo", "seeds = 2", METHODS);
    let done = run(&[]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr
            .contains("seeds: 1 entries in the folder, 2 now"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("--fresh"), "{}", done.stderr);
    assert_eq!(run(&["--fresh"]).code, Some(0));
    assert_eq!(lab.trials("out").len(), 6);
}

#[test]
fn changed_data_are_another_plan() {
    let lab = lab();
    let spec = lab.spec("demo", "", METHODS);
    let arguments = ["run", spec.to_str().unwrap(), "--out", "out"];
    assert_eq!(lab.run(&arguments).code, Some(0));
    let text = fs::read_to_string(lab.path("target.csv")).unwrap();
    lab.write("target.csv", &text.replacen("yes", "no", 1));
    let done = lab.run(&arguments);
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("data.target.csv"), "{}", done.stderr);
}

#[test]
fn what_cannot_be_run_is_refused_with_file_line_and_reason() {
    let lab = lab();
    let refuse = |arguments: &[&str], reasons: &[&str]| {
        let done = lab.run(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        for reason in reasons {
            assert!(
                done.stderr.contains(reason),
                "{arguments:?}: {}",
                done.stderr
            );
        }
    };
    lab.spec("typo", "sedes = 3", METHODS);
    refuse(
        &["run", "typo.toml"],
        &[
            "typo.toml` line 4",
            "unknown key `sedes`",
            "did you mean `seeds`?",
        ],
    );
    lab.spec("method", "", "[[method]]\nuse = \"corall\"\n");
    refuse(
        &["run", "method.toml"],
        &["method.toml` line", "there is no method `corall`", "coral"],
    );
    lab.spec("data", "", METHODS);
    fs::remove_file(lab.path("target.csv")).unwrap();
    refuse(&["run", "data.toml"], &["data.toml` line", "target.csv"]);
    refuse(&["plan", "data.toml"], &["target.csv"]);
    refuse(
        &["run", "nowhere.toml"],
        &["there is no file `nowhere.toml`"],
    );
    refuse(&["run", "nowhere"], &["no file `nowhere`"]);
    refuse(&["run", "typo.toml", "--shard", "2/2"], &["a shard is I/N"]);
    refuse(&["run", "typo.toml", "--jobs", "0"], &["--jobs"]);
    let no_cuda: &[&str] = if cfg!(feature = "deep") {
        &["cuda:99"]
    } else {
        &["this build has no CUDA; use --device cpu", "deep"]
    };
    refuse(&["run", "typo.toml", "--device", "cuda:99"], no_cuda);
    refuse(&["report", "nowhere"], &["`nowhere` is no result folder"]);
    refuse(&["list", "nothing"], &["methods, learners, specs, data"]);
    refuse(&["frobnicate"], &["unrecognized subcommand"]);
    assert!(
        !lab.path("target").exists(),
        "a refused run leaves no folder"
    );
}

#[test]
fn a_plan_is_one_line_of_json_or_one_command_each() {
    let lab = lab();
    let spec = lab
        .spec("it's a plan", "", METHODS)
        .to_str()
        .unwrap()
        .to_owned();
    // Such a name is none for a folder.
    assert_eq!(lab.run(&["plan", &spec]).code, Some(2));
    let spec = lab
        .spec("demo", "seeds = [3, 1]", METHODS)
        .to_str()
        .unwrap()
        .to_owned();
    let done = lab.run(&["plan", &spec]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let trials: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(trials.len(), 6);
    assert_eq!(
        (&trials[0]["seed"], &trials[1]["seed"]),
        (&Value::from(3), &Value::from(1))
    );
    assert!(!lab.path("target").exists(), "a plan writes nothing");

    // A plan may be made where the device is not; what trains no network is the same trial on it.
    let on_cuda = lab.run(&["plan", &spec, "--device", "cuda:1"]);
    assert_eq!(on_cuda.stdout, done.stdout, "{}", on_cuda.stderr);
    let on_cuda = lab.run(&["plan", &spec, "--device", "cuda:1", "--commands"]);
    assert!(on_cuda.stdout.contains(" --device cuda:1 "));
    assert_eq!(lab.run(&["plan", &spec, "--device", "gpu"]).code, Some(2));

    // The commands, run by a shell in any order and joined, are the run.
    let commands = lab.run(&["plan", &spec, "--commands"]).stdout;
    let mut lines: Vec<&str> = commands.lines().collect();
    assert_eq!(lines.len(), 6);
    lines.reverse();
    for line in lines {
        let status = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir("/")
            .output()
            .unwrap()
            .status;
        assert_eq!(status.code(), Some(0), "{line}");
    }
    let shards: Vec<String> = (0..6)
        .map(|index| format!("target/experiments/demo/shards/{index}"))
        .collect();
    let mut report = vec!["report"];
    report.extend(shards.iter().map(String::as_str));
    assert_eq!(lab.run(&report).code, Some(0));
    assert_eq!(lab.run(&["run", &spec, "--out", "whole"]).code, Some(0));
    assert_eq!(lab.trials("target/experiments/demo"), lab.trials("whole"));
    let ids: Vec<&Value> = trials.iter().map(|trial| &trial["trial"]).collect();
    assert_eq!(
        ids,
        lab.trials("whole")
            .iter()
            .map(|trial| &trial["trial"])
            .collect::<Vec<_>>()
    );
}

#[test]
fn folders_that_contradict_each_other_are_not_merged() {
    let lab = lab();
    let spec = lab.spec("demo", "", METHODS);
    for out in ["a", "b"] {
        assert_eq!(
            lab.run(&["run", spec.to_str().unwrap(), "--out", out]).code,
            Some(0)
        );
    }
    assert_eq!(
        lab.run(&["report", "a", "b", "--out", "both"]).code,
        Some(0)
    );
    assert_eq!(lab.trials("both"), lab.trials("a"));

    let name = &names(&lab.path("b/trials"))[0];
    let path = lab.path("b/trials").join(name);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"accuracy\":0", "\"accuracy\":1", 1)).unwrap();
    let done = lab.run(&["report", "a", "b", "--out", "none"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.contains(&name.replace(".json", "")) && done.stderr.contains("metrics"),
        "{}",
        done.stderr
    );
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let done = lab.run(&["report", "b"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.contains(name.as_str()) && done.stderr.contains("damaged"),
        "{}",
        done.stderr
    );
}
