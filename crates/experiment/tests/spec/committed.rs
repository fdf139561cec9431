//! Every specification of this repository is understood and has the trials its protocol asks for; those of methods over
//! libtorch by a program that has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use translearn_experiment::plan::{Plan, plan};
use translearn_experiment::spec::{SelectBy, Spec};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/experiments")
}

/// Methods and learners over libtorch, which this program may lack.
const DEEP: &str = include_str!("../../../deep/names.txt");

/// Whether this program has all that a specification names.
fn can_read(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    let named = |name: &str| text.contains(&format!("use = \"{name}\""));
    cfg!(feature = "deep") || !DEEP.split_whitespace().any(named)
}

fn plan_of(name: &str) -> Plan {
    let registry = translearn_experiment::registry();
    let spec = Spec::read(&folder().join(name).with_extension("toml"), &registry)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(spec.name, name, "the name is the file's");
    plan(&spec, &registry).unwrap()
}

#[test]
fn all_are_understood() {
    let mut trials = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") || !can_read(&path) {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        trials.insert(name.clone(), plan_of(&name).trials.len());
    }
    let mut expected = vec![
        ("amazon-5000d", 12),
        ("amazon-5000d-binary", 12),
        ("amazon-5000d-features", 12 * 7),
        ("digits-jda", 2 * 5),
        // Four methods, and a baseline for the nearest neighbour.
        ("hymenoptera-features", 2 * 5),
        // Two methods and three baselines.
        ("learning-curve", 7 * 5 * 10),
        ("newsgroups-tradaboost", 3 * 6 * 10),
        ("office-caltech-1nn", 12 * 3),
        ("office-caltech-coral", 12 * 6),
        ("office-caltech-coral-20", 12 * 3 * 20),
        ("office-caltech-easytl", 12 * 4),
        ("office-caltech-gfk", 12 * 4),
        ("office-caltech-jda", 12 * 5),
        ("office-caltech-meda", 12 * 3),
        ("office-caltech-rbf", 12 * 3),
        ("office-caltech-sources", 4 * 5 * 10),
        ("office-caltech-tca", 12 * 4),
        // Methods and three baselines on two tasks of classes, and on one of values.
        ("quickstart", 3 * (2 * 51 + 32)),
        ("simulated-shifts", 4 + 4 * 32),
        // Nine methods, in the open and behind gates, and two baselines where there are labels.
        ("transfer-or-not", 140 * (18 + 2 * 19)),
    ];
    if cfg!(feature = "deep") {
        expected.extend([
            ("cifar-resnet20", 2),
            ("digits-dann", 2 * 4 * 3),
            ("hymenoptera-finetune", 4 * 6 * 3),
            // Four curves of three points and the base.
            ("yosinski-digits", 4 * (4 * 3 + 1) * 3),
        ]);
    }
    let expected = expected.into_iter();
    let expected: BTreeMap<String, usize> = expected
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    assert_eq!(trials, expected);
}

#[test]
fn the_quickstart_needs_no_download_and_runs_every_first_method() {
    let plan = plan_of("quickstart");
    assert!(
        plan.file.data.keys().all(|set| set.ends_with("-embedded")),
        "{:?}",
        plan.file.data
    );
    let registry = translearn_classical::registry();
    for entry in registry.methods() {
        let name = entry.info.name;
        let count = plan
            .trials
            .iter()
            .filter(|trial| trial.method.use_ == name)
            .count();
        // Three seeds on a task of its kind; there is one of real labels.
        assert!(count >= 3, "{name} has {count} trials");
    }
}

#[test]
fn what_was_chosen_with_test_labels_says_so() {
    let coral = plan_of("office-caltech-coral");
    for trial in &coral.trials {
        assert_ne!(
            trial.method.select,
            Some(SelectBy::Oracle),
            "chosen by the grid: {}",
            trial.method.name
        );
        let matched = trial.method.use_ == "coral" && trial.method.select.is_none();
        let precomputed = trial.method.learner.as_ref().is_some_and(|learner| {
            learner
                .params
                .get("kernel")
                .is_some_and(|k| k == "precomputed")
        });
        assert_eq!(
            matched && precomputed,
            trial.method.name.contains("oracle"),
            "{}",
            trial.method.name
        );
    }
    let hard: Vec<&str> = coral
        .trials
        .iter()
        .filter(|trial| trial.method.name.contains("oracle"))
        .filter(|trial| trial.method.learner.as_ref().unwrap().params["c"] == 0.001)
        .map(|trial| trial.task.name.as_str())
        .collect();
    assert_eq!(hard, ["C→W", "C→D"]);
}
