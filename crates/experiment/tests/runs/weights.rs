//! Files of weights that a method starts from: found beside the specification, part of the trials that use them, and missed
//! before anything runs.
//!
//! The method here reads one word from its weights, so that no network is needed.

use std::fs;

use crate::common::{Done, Lab, by_method};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use translearn_core::{
    BaseLearner, Family, Fitted, Labels, LearnerNeed, MethodInfo, Needs, Outputs, ParamInfo,
    ParamRange, PlainModel, Sample, Trace, TransferError, What, transfer_method,
};
use translearn_learners::Logistic;

/// Fits its learner on the source, with the two classes swapped where its weights say so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Started {
    weights: Option<String>,
    #[serde(skip, default = "learner")]
    learner: BaseLearner,
}

impl Default for Started {
    fn default() -> Self {
        Self {
            weights: None,
            learner: learner(),
        }
    }
}

fn learner() -> BaseLearner {
    Logistic::params().into()
}

static INFO: MethodInfo = MethodInfo {
    name: "started",
    title: "Started",
    family: Family::Parameter,
    what: What::Parameters,
    needs: Needs {
        target_labels: false,
        same_features: true,
        outputs: Outputs::Classification,
        sparse: true,
        images: false,
        learner: LearnerNeed::Any,
    },
    parameters: &[ParamInfo {
        name: "weights",
        default: "null",
        range: ParamRange::WeightsOrAuto,
        doc: "Where it starts.",
    }],
    exemptions: &[],
    reference: "",
};

transfer_method!(Started, INFO, |method, problem, seed| {
    let swapped = match method.weights.as_deref() {
        None | Some("random") => false,
        Some(path) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| TransferError::Backend(format!("{path}: {error}")))?;
            text.starts_with("swapped")
        }
    };
    let source = problem.source()?;
    let labels = match &*source.labels {
        Labels::Classes(codes) if swapped => Labels::Classes(codes.mapv(|code| 1 - code)),
        labels => labels.clone(),
    };
    let sample = Sample::new(&source.features, &labels, problem.n_classes())?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(method.learner.fit_boxed(&sample, seed)?)),
        trace: Trace::default(),
    })
});

/// A specification in a folder that is not the one the program runs in.
fn run(lab: &Lab, weights: &str, rest: &[&str]) -> Done {
    fs::create_dir_all(lab.path("specs")).unwrap();
    let text = format!(
        "schema = 1\nname = 'weights'\nmetrics = ['accuracy']\n\
         [[task]]\nname = 'old to new'\nsource = {{ file = '../source.csv', label = 'y' }}\n\
         target = {{ file = '../target.csv', label = 'y' }}\n\
         [[method]]\nuse = 'started'\nweights = {weights}\n"
    );
    lab.write("specs/weights.toml", &text);
    lab.run(&[&["run", "specs/weights.toml", "--out", "out"], rest].concat())
}

fn trial(lab: &Lab, method: &str) -> Value {
    by_method(&lab.trials("out"))[&format!("{method}/0")].clone()
}

fn results_belong_to_the_bytes_of_the_file_beside_the_specification() {
    let lab = Lab::new(std::env::current_exe().unwrap());
    fs::create_dir_all(lab.path("specs")).unwrap();
    // One of the same name where the program runs is another file.
    lab.write("own.pt", "swapped");
    lab.write("specs/own.pt", "as it is");
    let done = run(&lab, "'own.pt'", &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let before = trial(&lab, "started");
    let baseline = trial(&lab, "source-only (logistic)");
    assert_eq!(before["metrics"], baseline["metrics"]);
    // Results name no folder of this machine.
    assert_eq!(before["params"]["weights"], "own.pt");

    lab.write("specs/own.pt", "swapped");
    let done = run(&lab, "'own.pt'", &[]);
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("data.own.pt: "), "{}", done.stderr);
    let done = run(&lab, "'own.pt'", &["--fresh"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let after = trial(&lab, "started");
    assert_ne!(before["trial"], after["trial"]);
    let accuracy = |trial: &Value| trial["metrics"]["accuracy"].as_f64().unwrap();
    assert!((accuracy(&before) + accuracy(&after) - 1.0).abs() < 1e-12);
    // The baseline starts from no file.
    assert_eq!(trial(&lab, "source-only (logistic)"), baseline);
}

fn every_point_of_a_grid_has_its_file() {
    let lab = Lab::new(std::env::current_exe().unwrap());
    fs::create_dir_all(lab.path("specs")).unwrap();
    lab.write("specs/a.pt", "swapped");
    lab.write("specs/b.pt", "as it is");
    let grid = "['auto', 'a.pt', 'b.pt', 'random']";
    let done = run(&lab, grid, &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let before = trial(&lab, "started");
    let scores: Vec<f64> = before["selected"]["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["score"].as_f64().unwrap())
        .collect();
    assert_eq!((scores[0], scores[0]), (scores[2], scores[3]));
    assert!(scores[1] < scores[2], "{scores:?}");
    assert_eq!(before["params"]["weights"], Value::Null);
    lab.write("specs/b.pt", "swapped");
    assert_eq!(run(&lab, grid, &["--fresh"]).code, Some(0));
    assert_ne!(trial(&lab, "started")["trial"], before["trial"]);
}

fn weights_that_are_nowhere_are_an_error_of_the_specification() {
    let lab = Lab::new(std::env::current_exe().unwrap());
    lab.write("own.pt", "as it is");
    for (weights, part) in [
        ("'own.pt'", "there is no weights or file `own.pt`; known: "),
        ("['auto', 'randon']", "`randon`; did you mean `random`?"),
        (
            "'cifar10-resnet2'",
            "`cifar10-resnet2`; did you mean `cifar10-resnet20`?",
        ),
    ] {
        let done = run(&lab, weights, &[]);
        assert_eq!(done.code, Some(2), "{weights}");
        assert!(done.stderr.contains(part), "{}", done.stderr);
        assert!(
            done.stderr.contains("line 10: method `started`"),
            "{}",
            done.stderr
        );
        assert!(!lab.path("out").exists());
    }
}

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "results_belong_to_the_bytes_of_the_file_beside_the_specification",
        results_belong_to_the_bytes_of_the_file_beside_the_specification,
    ),
    (
        "every_point_of_a_grid_has_its_file",
        every_point_of_a_grid_has_its_file,
    ),
    (
        "weights_that_are_nowhere_are_an_error_of_the_specification",
        weights_that_are_nowhere_are_an_error_of_the_specification,
    ),
];
