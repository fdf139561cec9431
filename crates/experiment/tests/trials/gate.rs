//! Methods behind a gate, on rows that are drawn.

use std::path::Path;

use translearn_core::Registry;
use translearn_diagnostics::negative::Verdict;
use translearn_experiment::plan::{Trial, plan};
use translearn_experiment::prepare::PreparedTask;
use translearn_experiment::spec::Spec;
use translearn_experiment::{Status, TrialRecord, summary, trial};

fn registry() -> Registry {
    translearn_classical::registry()
}

/// Trials of pooling, of the same behind a gate, and of the baselines, where the boundary has turned by `angle`.
fn trials(angle: f64, more: &str) -> (translearn_experiment::plan::PlanFile, Vec<Trial>) {
    let part = format!(
        "{{ generate = {{ kind = 'concept-shift', angle = {angle}, n_source = 200, n_target = 200 }}, draw = 3 }}"
    );
    let text = format!(
        "schema = 1\nname = 'x'\n[[task]]\nname = 't'\nsource = {part}\ntarget = {part}\n{more}\n\
         [[method]]\nuse = 'pooled'\nlearner = {{ use = 'logistic' }}\n\
         [[method]]\nuse = 'pooled'\nlearner = {{ use = 'logistic' }}\ngate = true\n"
    );
    let spec = Spec::parse(&text, Path::new("x.toml"), &registry()).unwrap();
    let plan = plan(&spec, &registry()).unwrap();
    (plan.file, plan.trials)
}

fn run(trials: &[Trial]) -> Vec<TrialRecord> {
    let record =
        |trial: &Trial| trial::run(trial, &registry(), &PreparedTask::of(trial).unwrap()).0;
    trials.iter().map(record).collect()
}

fn of<'a>(records: &'a [TrialRecord], name: &str) -> &'a TrialRecord {
    let record = records
        .iter()
        .find(|record| record.method.starts_with(name));
    record.unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn a_shut_gate_is_the_baseline_and_an_open_one_the_method() {
    let (_, opposed) = trials(180.0, "labelled = { per_class = 10 }");
    let names: Vec<&str> = opposed
        .iter()
        .map(|trial| trial.method.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "pooled",
            "pooled (gated)",
            "source-only (logistic)",
            "target-only (logistic)"
        ]
    );
    let records = run(&opposed);
    let gated = of(&records, "pooled (gated)");
    let decision = gated.gate.as_ref().unwrap();
    assert_eq!(
        (gated.status, decision.verdict),
        (Status::Ok, Verdict::DoNotTransfer),
        "{:?}",
        gated.error
    );
    assert_eq!(gated.metrics, of(&records, "target-only").metrics);
    let evidence = decision.evidence.unwrap();
    assert!(
        evidence.gain < -0.3 && evidence.n_rows == 20,
        "{evidence:?}"
    );
    assert!(of(&records, "pooled").gate.is_none());

    let (_, alike) = trials(0.0, "labelled = { count = 3 }");
    let records = run(&alike);
    let (gated, pooled) = (of(&records, "pooled (gated)"), of(&records, "pooled"));
    let decision = gated.gate.as_ref().unwrap();
    let expected = if decision.is_open() {
        pooled
    } else {
        of(&records, "target-only")
    };
    assert_eq!(gated.metrics, expected.metrics);
}

#[test]
fn a_gated_baseline_is_a_method() {
    let (plan, opposed) = trials(180.0, "labelled = { per_class = 10 }");
    let records = run(&opposed);
    let summary = summary::summarise(&plan, &records);
    let row = |name: &str| {
        summary
            .results
            .iter()
            .find(|row| row.method == name)
            .unwrap()
    };
    assert!(row("pooled").is_baseline() && !row("pooled (gated)").is_baseline());
    assert_eq!(row("pooled (gated)").gain, Some(0.0));
    let [gates] = &summary.gates[..] else {
        panic!("{:?}", summary.gates)
    };
    assert_eq!(
        (gates.audit.n_called_losses, gates.audit.gated_gain),
        (1, 0.0)
    );
    // Nothing gains: not to transfer is the best choice.
    assert_eq!((&gates.best_method, gates.audit.best_gain), (&None, 0.0));
    let text = serde_json::to_string(&summary).unwrap();
    let read: summary::Summary = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert!(row("pooled").gain.unwrap() < -0.1);
}

/// Methods of different tasks may share a name: a gated one is beside that of its own task, once.
#[test]
fn methods_of_one_name_are_compared_on_their_own_task() {
    let part = "{ generate = { kind = 'concept-shift', angle = 180, n_source = 100, n_target = 100 }, draw = 3 }";
    let mut text = "schema = 1\nname = 'x'\n".to_owned();
    for task in ["one", "two"] {
        text += &format!(
            "[[task]]\nname = '{task}'\nsource = {part}\ntarget = {part}\nlabelled = {{ per_class = 10 }}\n"
        );
    }
    for (task, c) in [("one", "0.1"), ("two", "10.0")] {
        for gate in ["", "gate = true"] {
            text += &format!(
                "[[method]]\nuse = 'pooled'\nlearner = {{ use = 'logistic', c = {c} }}\ntasks = ['{task}']\n{gate}\n"
            );
        }
    }
    let spec = Spec::parse(&text, Path::new("x.toml"), &registry()).unwrap();
    let planned = plan(&spec, &registry()).unwrap();
    let summary = summary::summarise(&planned.file, &run(&planned.trials));
    let audit = &summary.gates[0].audit;
    assert_eq!((audit.n_decisions, audit.n_problems), (2, 2));

    // The gated method on both tasks, in the open under another name on each.
    let text = text.replace("tasks = ['one']\ngate", "gate").replacen(
        "[[method]]\nuse = 'pooled'",
        "[[method]]\nname = 'open'\nuse = 'pooled'",
        1,
    );
    let text = text.replace("c = 10.0", "c = 0.1");
    let (kept, _) = text.rsplit_once("[[method]]").unwrap();
    let spec = Spec::parse(kept, Path::new("x.toml"), &registry()).unwrap();
    let planned = plan(&spec, &registry()).unwrap();
    let summary = summary::summarise(&planned.file, &run(&planned.trials));
    let audit = &summary.gates[0].audit;
    assert_eq!((audit.n_decisions, audit.n_problems), (2, 2));
}

/// A task counts in every group that it names, and in the sum of all.
#[test]
fn groups_are_a_name_or_a_list() {
    let names = |group: &str| {
        let more = format!("labelled = {{ per_class = 10 }}\n{group}");
        let (plan, trials) = trials(180.0, &more);
        let summary = summary::summarise(&plan, &run(&trials));
        let of = |gates: &summary::GateSummary| (gates.group.clone(), gates.audit.n_called);
        summary.gates.iter().map(of).collect::<Vec<_>>()
    };
    let named = |name: &str| (Some(name.to_owned()), 1);
    assert_eq!(names(""), [(None, 1)]);
    assert_eq!(names("group = 'real'"), [named("real"), named("all")]);
    assert_eq!(
        names("group = ['real', 'few']"),
        [named("real"), named("few"), named("all")]
    );
    let text = "schema = 1\nname = 'x'\n[[task]]\nname = 't'\ngroup = 3\n";
    let error = Spec::parse(text, Path::new("x.toml"), &registry()).unwrap_err();
    assert_eq!(error.line, Some(5), "{error}");
}

/// Values that are all alike are told exactly: nothing can be measured, and the record says so and can be read.
#[test]
fn a_record_without_a_standard_error_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |label: &dyn Fn(usize) -> f64| {
        let row = |row: usize| format!("{},{}\n", row as f64 * 0.1, label(row));
        format!("x,y\n{}", (0..30).map(row).collect::<String>())
    };
    std::fs::write(folder.path().join("s.csv"), rows(&|row| row as f64)).unwrap();
    std::fs::write(folder.path().join("t.csv"), rows(&|_| 0.0)).unwrap();
    let text = "schema = 1\nname = 'x'\nmetrics = ['rmse']\n[[task]]\nname = 't'\nsource = { file = 's.csv', label = 'y' }\n\
                target = { file = 't.csv', label = 'y' }\nlabelled = { count = 10 }\n\
                [[method]]\nuse = 'pooled'\nlearner = { use = 'ridge' }\ngate = true\n";
    let spec = Spec::parse(text, &folder.path().join("x.toml"), &registry()).unwrap();
    let plan = plan(&spec, &registry()).unwrap();
    let records = run(&plan.trials[..1]);
    let decision = records[0].gate.as_ref().unwrap();
    assert_eq!(decision.verdict, Verdict::Undecided);
    assert!(decision.obstacle.is_some() && decision.evidence.unwrap().standard_error.is_none());
    let text = serde_json::to_string(&records[0]).unwrap();
    assert_eq!(
        serde_json::from_str::<TrialRecord>(&text).unwrap(),
        records[0]
    );
}

#[test]
fn gates_make_other_trials() {
    let (_, trials) = trials(180.0, "labelled = { per_class = 10 }");
    assert_ne!(trials[0].id, trials[1].id);
    let (_, again) = self::trials(
        180.0,
        "labelled = { per_class = 10 }\ncorrupt_source = { labels = 1.0 }",
    );
    assert_ne!(trials[0].id, again[0].id);
}

/// What is drawn for a side is the generator's, and a corrupted source has its labels in other places.
#[test]
fn sources_are_drawn_and_corrupted() {
    let prepared = |more: &str| PreparedTask::of(&trials(180.0, more).1[0]).unwrap();
    let plain = prepared("labelled = { per_class = 10 }");
    let corrupted = prepared("labelled = { per_class = 10 }\ncorrupt_source = { labels = 1.0 }");
    let untouched = prepared("labelled = { per_class = 10 }\ncorrupt_source = { labels = 0.0 }");
    let source = |task: &PreparedTask| {
        let source = task.vectors().unwrap().problem.source().unwrap();
        (
            source.features.into_owned(),
            source.labels.classes("test").unwrap().to_vec(),
        )
    };
    let generator: translearn_data::generate::Generator = serde_json::from_str(
        r#"{ "kind": "concept-shift", "angle": 180.0, "n_source": 200, "n_target": 200 }"#,
    )
    .unwrap();
    let drawn = generator.generate(3).unwrap().source;
    assert_eq!(
        source(&plain),
        (drawn.0, drawn.1.classes("test").unwrap().to_vec())
    );
    assert_eq!(source(&untouched), source(&plain));
    let ((x, y), (same, dealt)) = (source(&plain), source(&corrupted));
    assert_eq!(x, same);
    assert_eq!(y.iter().sum::<usize>(), dealt.iter().sum::<usize>());
    let moved = y.iter().zip(&dealt).filter(|(a, b)| a != b).count();
    // Half of 200 by chance.
    assert!((70..=130).contains(&moved), "{moved}");
    assert_eq!(plain.test_labels, corrupted.test_labels);
}
