//! One trial from its prepared task to its record: selection, status, metrics.

use std::fmt::Write;
use std::path::Path;

use ndarray::Array1;
use serde_json::json;
use translearn_core::{Labels, Registry};
use translearn_experiment::plan::{Trial, plan};
use translearn_experiment::prepare::PreparedTask;
use translearn_experiment::spec::{SelectBy, Spec};
use translearn_experiment::trial::{self, Predictions};
use translearn_experiment::{Status, TrialRecord};

const IRIS: &str = "source = { set = 'iris-embedded', domain = 'low-sepal-width' }\n\
                    target = { set = 'iris-embedded', domain = 'high-sepal-width' }\n";
const DIABETES: &str = "source = { set = 'diabetes-embedded', domain = 'low-bmi' }\n\
                        target = { set = 'diabetes-embedded', domain = 'high-bmi' }\n";

fn registry() -> Registry {
    translearn_classical::registry()
}

fn trials(top: &str, task: &str, method: &str) -> Vec<Trial> {
    let text = format!(
        "schema = 1\nname = 'x'\nbaselines = false\n{top}\n[[task]]\nname = 't'\n{task}\n[[method]]\n{method}\n"
    );
    let spec = Spec::parse(&text, Path::new("x.toml"), &registry()).unwrap();
    plan(&spec, &registry()).unwrap().trials
}

fn run(top: &str, task: &str, method: &str) -> (TrialRecord, Option<Predictions>, PreparedTask) {
    let trial = &trials(top, task, method)[0];
    let prepared = PreparedTask::of(trial).unwrap();
    let (record, predictions) = trial::run(trial, &registry(), &prepared);
    (record, predictions, prepared)
}

#[test]
fn a_record_says_what_was_done() {
    let (record, predictions, prepared) = run(
        "metrics = ['accuracy', 'macro_f1', 'auroc', 'log_loss', 'rmse']",
        &format!("labelled = {{ per_class = 2 }}\n{IRIS}"),
        "use = 'kmm'\nname = 'KMM'\nlearner = { use = 'logistic', c = 10 }",
    );
    assert_eq!((record.status, record.error.as_deref()), (Status::Ok, None));
    assert_eq!(
        (
            record.task.as_str(),
            record.method.as_str(),
            record.use_.as_str()
        ),
        ("t", "KMM", "kmm")
    );
    assert_eq!(
        (record.family.as_str(), record.learner.as_deref()),
        ("instance", Some("logistic"))
    );
    assert_eq!(record.params["learner.c"], json!(10.0));
    assert_eq!(record.params["bound"], json!(1000.0));
    assert_eq!(
        (
            record.n_source,
            record.n_target,
            record.n_labelled,
            record.n_test
        ),
        (75, 75, 6, 69)
    );
    assert_eq!(record.n_features, Some(4));
    assert!(record.fit_seconds.is_some() && record.predict_seconds.is_some());
    assert!(
        record.ess.is_some_and(|ess| (1.0..=75.0).contains(&ess)),
        "{:?}",
        record.ess
    );
    assert_eq!(record.selected, None);
    // Metrics of the other kind are left out.
    assert_eq!(
        record.metrics.keys().collect::<Vec<_>>(),
        ["accuracy", "auroc", "log_loss", "macro_f1"]
    );
    // Accuracy by hand.
    let predictions = predictions.unwrap();
    let right = (0..prepared.n_test())
        .filter(|&row| {
            predictions.label(&predictions.labels, row)
                == predictions.label(&predictions.prediction.labels, row)
        })
        .count();
    assert_eq!(
        record.metrics["accuracy"],
        right as f64 / prepared.n_test() as f64
    );
    assert_eq!(predictions.rows, prepared.test_rows);
    assert_eq!(
        predictions.class_names,
        ["setosa", "versicolor", "virginica"]
    );
}

#[test]
fn regression_has_its_own_metrics() {
    let (record, predictions, _) = run(
        "",
        DIABETES,
        "use = 'source-only'\nlearner = { use = 'ridge' }",
    );
    assert_eq!((record.status, record.error), (Status::Ok, None));
    assert_eq!(record.metrics.keys().collect::<Vec<_>>(), ["r2", "rmse"]);
    let predictions = predictions.unwrap();
    let (Labels::Values(truth), Labels::Values(predicted)) =
        (&predictions.labels, &predictions.prediction.labels)
    else {
        panic!("values")
    };
    let rmse = (truth - predicted).mapv(|e| e * e).mean().unwrap().sqrt();
    assert!((record.metrics["rmse"] - rmse).abs() < 1e-9);
}

#[test]
fn what_a_method_cannot_serve_is_unsupported_with_the_reason() {
    let reason = |task: &str, method: &str| {
        let (record, predictions, _) = run("metrics = ['accuracy', 'rmse']", task, method);
        assert!(predictions.is_none() && record.metrics.is_empty());
        assert_eq!(record.status, Status::Unsupported, "{:?}", record.error);
        record.error.unwrap()
    };
    let message = reason(IRIS, "use = 'target-only'");
    assert!(message.contains("needs labelled target rows"), "{message}");
    let message = reason(
        DIABETES,
        "use = 'source-only'\nlearner = { use = 'logistic' }",
    );
    assert!(message.contains("class labels"), "{message}");
    let message = reason(DIABETES, "use = 'jda'\nn_components = 2");
    assert!(message.contains("class labels"), "{message}");
}

#[test]
fn a_failure_keeps_its_reason() {
    let (record, _, _) = run("", IRIS, "use = 'sa'\nn_components = 40");
    assert_eq!(record.status, Status::Failed);
    assert!(record.error.unwrap().contains("n_components"));
    // Nothing to measure is a failure too.
    let trial = &trials("", IRIS, "use = 'source-only'")[0];
    let trial = Trial {
        metrics: vec!["rmse".parse().unwrap()],
        ..trial.clone()
    };
    let (record, _) = trial::run(&trial, &registry(), &PreparedTask::of(&trial).unwrap());
    assert_eq!(record.status, Status::Failed);
    assert!(
        record
            .error
            .unwrap()
            .starts_with("nothing could be measured")
    );
}

#[test]
fn a_trial_that_never_ended_has_a_record() {
    let trial = &trials(
        "",
        IRIS,
        "use = 'coral'\nlearner = { use = 'knn', k = [1, 3] }",
    )[0];
    let record = trial::unfinished(
        trial,
        &registry(),
        Status::Timeout,
        "longer than 5 s".into(),
    );
    assert_eq!(
        (record.status, record.error.as_deref()),
        (Status::Timeout, Some("longer than 5 s"))
    );
    assert_eq!(
        (record.trial, record.family.as_str()),
        (trial.id.clone(), "feature")
    );
    assert_eq!(record.params["learner.k"], json!([1, 3]));
}

#[test]
fn the_oracle_takes_the_best_on_the_scored_rows() {
    let method = |k: &str| format!("use = 'source-only'\nlearner = {{ use = 'knn', k = {k} }}");
    let (record, _, _) = run(
        "",
        IRIS,
        &format!("{}\nselect = 'oracle'", method("[40, 1, 5, 15]")),
    );
    assert_eq!(record.method, "source-only (oracle)");
    let selected = record.selected.unwrap();
    let naive: Vec<f64> = ["40", "1", "5", "15"]
        .map(|k| run("", IRIS, &method(k)).0.metrics["accuracy"])
        .to_vec();
    assert_eq!(
        selected
            .scores
            .iter()
            .map(|point| point.score.unwrap())
            .collect::<Vec<_>>(),
        naive
    );
    let best = naive.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(record.metrics["accuracy"], best);
    // The first of equals.
    let first = naive.iter().position(|&score| score == best).unwrap();
    assert_eq!(selected.params["learner.k"], json!([40, 1, 5, 15][first]));
    assert_eq!(
        (record.params["learner.k"].clone(), selected.by.as_str()),
        (json!([40, 1, 5, 15][first]), "oracle")
    );
}

/// The score of leave-one-out cross-validation of 1-NN, by the definition.
#[test]
fn source_cross_validation_is_what_it_says() {
    let method = "use = 'source-only'\nlearner = { use = 'knn', k = [1, 40] }\nfolds = 75";
    let (record, _, prepared) = run("", IRIS, method);
    let source = prepared.vectors().unwrap().problem.source().unwrap();
    let x = source.features.dense().unwrap();
    let labels = source.labels.classes("test").unwrap();
    let right = (0..75)
        .filter(|&i| {
            let distance = |j: usize| (&x.row(i) - &x.row(j)).mapv(|d| d * d).sum();
            let nearest = (0..75)
                .filter(|&j| j != i)
                .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
                .unwrap();
            labels[nearest] == labels[i]
        })
        .count();
    let selected = record.selected.unwrap();
    assert_eq!(selected.by, "source-cv");
    assert!((selected.scores[0].score.unwrap() - right as f64 / 75.0).abs() < 1e-12);
    assert_eq!(selected.params["learner.k"], json!(1));
}

#[test]
fn labels_that_score_do_not_choose() {
    for select in SelectBy::all() {
        if select == SelectBy::Oracle {
            continue;
        }
        let folds = if select.uses_folds() { "folds = 3" } else { "" };
        let method = format!(
            "use = 'coral'\nlearner = {{ use = 'logistic', c = [0.001, 1, 1000] }}\nselect = '{}'\n{folds}",
            select.name()
        );
        let trial = &trials("", IRIS, &method)[0];
        let prepared = PreparedTask::of(trial).unwrap();
        let (honest, predicted) = trial::run(trial, &registry(), &prepared);
        let Labels::Classes(codes) = &prepared.test_labels else {
            panic!("classes")
        };
        let mut shuffled = prepared.clone();
        shuffled.test_labels = Labels::Classes(codes.mapv(|code| 2 - code));
        let (other, again) = trial::run(trial, &registry(), &shuffled);
        let selected = honest.selected.as_ref().unwrap();
        assert_eq!(selected.by, select.name());
        assert!(selected.scores.iter().any(|point| point.score.is_some()));
        assert_eq!(honest.selected, other.selected);
        assert_eq!(predicted.unwrap().prediction, again.unwrap().prediction);
        assert_ne!(honest.metrics, other.metrics);
    }
}

/// Left of 0 the labels change slowly, right of 0 quickly, and the target lies right: only weighted validation sees
/// that many neighbours are wrong there.
#[test]
fn importance_weights_look_where_the_target_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = "x,y\n".to_owned();
    for i in 0..200 {
        let x = -10.0 + f64::from(i) * 0.05;
        // Noise: one label in five is wrong, so that many neighbours are right here.
        let noise = i % 5 == 0;
        writeln!(source, "{x},{}", i32::from((x < -5.0) != noise)).unwrap();
    }
    for i in 0..40 {
        writeln!(source, "{},{}", f64::from(i) * 0.05, (i / 2) % 2).unwrap();
    }
    let target: String = (0..40)
        .map(|i| format!("{},{}\n", f64::from(i) * 0.05 + 0.01, (i / 2) % 2))
        .collect();
    std::fs::write(folder.path().join("s.csv"), source).unwrap();
    std::fs::write(folder.path().join("t.csv"), format!("x,y\n{target}")).unwrap();
    let chosen = |select: &str| {
        let text = format!(
            "schema = 1\nname = 'x'\nbaselines = false\nmetrics = ['accuracy']\n[[task]]\nname = 't'\n\
             source = {{ file = 's.csv', label = 'y' }}\ntarget = {{ file = 't.csv', label = 'y' }}\n\
             [[method]]\nuse = 'source-only'\nlearner = {{ use = 'knn', k = [15, 1] }}\nselect = '{select}'\nfolds = 10\n"
        );
        let spec = Spec::parse(&text, &folder.path().join("x.toml"), &registry()).unwrap();
        let trial = plan(&spec, &registry()).unwrap().trials.remove(0);
        let prepared = PreparedTask::of(&trial).unwrap();
        let record = trial::run(&trial, &registry(), &prepared).0;
        record.selected.unwrap().params["learner.k"].clone()
    };
    assert_eq!(
        (chosen("source-cv"), chosen("importance-weighted")),
        (json!(15), json!(1))
    );
}

/// One neighbour tells the classes apart; of all rows as neighbours each row is the largest class.
#[test]
fn a_collapsed_point_is_not_chosen() {
    let method = |k: &str| {
        format!("use = 'source-only'\nlearner = {{ use = 'knn', k = {k} }}\nselect = 'entropy'")
    };
    let (record, _, _) = run("", IRIS, &method("[75, 5]"));
    let selected = record.selected.unwrap();
    assert_eq!(selected.params["learner.k"], json!(5));
    let reason = selected.scores[0].error.as_ref().unwrap();
    assert!(reason.contains("effective classes"), "{reason}");
    let (record, _, _) = run("", IRIS, &method("[75, 74]"));
    assert_eq!(record.status, Status::Failed);
}

#[test]
fn a_grid_point_that_fails_leaves_the_choice_to_the_others() {
    let (record, _, _) = run(
        "",
        IRIS,
        "use = 'sa'\nlearner = { use = 'knn' }\nn_components = [40, 2]",
    );
    assert_eq!(record.status, Status::Ok, "{:?}", record.error);
    let selected = record.selected.unwrap();
    assert_eq!(
        selected.params,
        serde_json::from_value(json!({"n_components": 2})).unwrap()
    );
    assert!(
        selected.scores[0].score.is_none()
            && selected.scores[0]
                .error
                .as_ref()
                .unwrap()
                .contains("n_components")
    );
    let (record, _, _) = run(
        "",
        IRIS,
        "use = 'sa'\nlearner = { use = 'knn' }\nn_components = [40, 50]",
    );
    assert_eq!(record.status, Status::Failed);
    assert_eq!(record.params["n_components"], json!([40, 50]));
}

#[test]
fn regression_grids_are_decided_by_the_error() {
    for select in ["source-cv", "importance-weighted", "dev", "reverse"] {
        let method = format!(
            "use = 'source-only'\nlearner = {{ use = 'ridge', lambda = [1e5, 1.0] }}\nselect = '{select}'"
        );
        let selected = run("", DIABETES, &method).0.selected.unwrap();
        assert_eq!(selected.params["learner.lambda"], json!(1.0), "{select}");
        // A model that says nearly one value of all rows may count as collapsed.
        assert!(selected.scores[1].score.unwrap() < 0.0);
        assert!(selected.scores[0].score.is_none_or(|score| score < 0.0));
    }
}

#[test]
fn threads_change_no_bit() {
    let method = "use = 'kmm'\nlearner = { use = 'logistic', c = [0.1, 1, 10] }";
    let trial = &trials(
        "seeds = [7]",
        &format!("labelled = {{ per_class = 2 }}\n{IRIS}"),
        method,
    )[0];
    let prepared = PreparedTask::of(trial).unwrap();
    let mut records = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let (mut record, predictions) = pool.install(|| trial::run(trial, &registry(), &prepared));
        (record.fit_seconds, record.predict_seconds) = (None, None);
        (record, predictions)
    });
    let first = records[0].clone();
    assert_eq!(first.0.status, Status::Ok, "{:?}", first.0.error);
    records
        .iter_mut()
        .for_each(|other| assert_eq!(*other, first));
    let weights: Array1<f64> = first.0.ess.into_iter().collect();
    assert_eq!(weights.len(), 1);
}
