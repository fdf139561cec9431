use std::collections::BTreeMap;

use super::*;
use crate::spec::Spec;
use crate::{SCHEMA, Status};

fn plan(seeds: &[u64]) -> PlanFile {
    let spec = Spec {
        schema: SCHEMA,
        name: "demo".into(),
        seeds: seeds.to_vec(),
        metrics: vec![],
        baselines: true,
        timeout_seconds: None,
        memory_limit: None,
        curve: Default::default(),
        tasks: vec![],
        methods: vec![],
        file: PathBuf::new(),
    };
    PlanFile {
        schema: SCHEMA,
        experiment: "demo".into(),
        spec,
        data: BTreeMap::new(),
        versions: BTreeMap::from([("translearn".into(), "0.1.0".into())]),
        device: "cpu".into(),
        // Not in the order of the identifiers.
        trials: seeds.iter().rev().map(|seed| format!("t{seed}")).collect(),
    }
}

fn record(seed: u64) -> TrialRecord {
    TrialRecord {
        schema: SCHEMA,
        trial: format!("t{seed}"),
        experiment: "demo".into(),
        task: "a→b".into(),
        method: "m".into(),
        use_: "m".into(),
        family: "feature".into(),
        learner: None,
        params: serde_json::Map::new(),
        seed,
        status: Status::Ok,
        error: None,
        metrics: BTreeMap::from([("accuracy".into(), 0.1 + 0.2)]),
        fit_seconds: Some(0.5),
        predict_seconds: Some(0.1),
        peak_rss_bytes: Some(1000),
        n_source: 4,
        n_target: 4,
        n_labelled: 0,
        n_test: 4,
        n_features: Some(2),
        ess: None,
        selected: None,
        gate: None,
        outcomes: None,
        device: "cpu".into(),
        versions: BTreeMap::new(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn finished_trials_are_found_again_bit_for_bit_and_listed_in_the_order_of_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&[0, 1, 2]);
    {
        let store = Store::open(folder.path(), &plan, false).unwrap();
        store.put(&record(0), None).unwrap();
        store
            .put(&record(2), Some("index,label,prediction\n0,a,a\n"))
            .unwrap();
    }
    let store = Store::open(folder.path(), &plan, false).unwrap();
    let finished = store.finished().unwrap();
    assert_eq!(
        finished.values().cloned().collect::<Vec<_>>(),
        [record(0), record(2)]
    );
    assert_eq!(
        store.write_lines(&plan.trials).unwrap(),
        [record(2), record(0)]
    );
    let lines = fs::read_to_string(folder.path().join("trials.jsonl")).unwrap();
    let file = |id| fs::read_to_string(folder.path().join(format!("trials/{id}.json"))).unwrap();
    assert_eq!(lines, file("t2") + &file("t0"));
    assert_eq!(
        names(folder.path()),
        [
            ".lock",
            "plan.json",
            "predictions",
            "trials",
            "trials.jsonl"
        ]
    );
    assert_eq!(names(&folder.path().join("trials")), ["t0.json", "t2.json"]);
}

#[test]
fn what_a_killed_run_was_writing_is_removed_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&[0, 1]);
    drop(Store::open(folder.path(), &plan, false).unwrap());
    fs::write(
        folder.path().join(".writing-t0.json"),
        "{\"schema\": 1, \"tri",
    )
    .unwrap();
    let store = Store::open(folder.path(), &plan, false).unwrap();
    assert!(store.finished().unwrap().is_empty());
    assert_eq!(names(folder.path()), [".lock", "plan.json", "trials"]);
}

#[test]
fn a_folder_of_another_plan_or_version_is_refused_with_what_differs_unless_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &plan(&[0]), false).unwrap();
    store.put(&record(0), Some("x")).unwrap();
    store.write_lines(&["t0".into()]).unwrap();
    drop(store);
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();

    let open = |plan: &PlanFile, fresh| Store::open(folder.path(), plan, fresh);
    let message = open(&plan(&[0, 1]), false).unwrap_err().to_string();
    assert!(
        message.contains("spec.seeds: 1 entries in the folder, 2 now"),
        "{message}"
    );
    assert!(!message.contains("trials["), "{message}");
    let on_cuda = PlanFile {
        device: "cuda".into(),
        ..plan(&[0])
    };
    let message = open(&on_cuda, false).unwrap_err().to_string();
    assert!(
        message.contains("device: \"cpu\" in the folder, \"cuda\" now"),
        "{message}"
    );
    let newer = PlanFile {
        versions: BTreeMap::from([("translearn".into(), "0.2.0".into())]),
        ..plan(&[0])
    };
    let message = open(&newer, false).unwrap_err().to_string();
    assert!(
        message.contains("versions.translearn: \"0.1.0\" in the folder, \"0.2.0\" now"),
        "{message}"
    );

    let store = open(&newer, true).unwrap();
    assert!(store.finished().unwrap().is_empty());
    assert_eq!(
        names(folder.path()),
        [".lock", "notes.txt", "plan.json", "trials"]
    );
}

#[test]
fn trials_without_a_plan_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("trials")).unwrap();
    fs::write(folder.path().join("trials/t0.json"), "{}").unwrap();
    let error = Store::open(folder.path(), &plan(&[0]), false).unwrap_err();
    assert!(matches!(error, StoreError::NoPlan { .. }), "{error}");
    assert!(
        Store::open(folder.path(), &plan(&[0]), true)
            .unwrap()
            .finished()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn damaged_trials_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &plan(&[0]), false).unwrap();
    for (text, reason) in [
        ("{\"schema\": 1", "EOF"),
        ("{}", "missing field"),
        ("", "EOF"),
    ] {
        fs::write(folder.path().join("trials/t0.json"), text).unwrap();
        let message = store.finished().unwrap_err().to_string();
        assert!(
            message.contains("t0.json") && message.contains(reason),
            "{message}"
        );
    }
    store.put(&record(1), None).unwrap();
    fs::rename(
        folder.path().join("trials/t1.json"),
        folder.path().join("trials/t0.json"),
    )
    .unwrap();
    let message = store.finished().unwrap_err().to_string();
    assert!(message.contains("it holds trial t1"), "{message}");
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &plan(&[0]), false).unwrap();
    let error = Store::open(folder.path(), &plan(&[0]), true).unwrap_err();
    let StoreError::Busy { process, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(process, Some(std::process::id()));
    drop(store);
    // The lock file of a run that was killed stays and does not block.
    assert!(folder.path().join(".lock").is_file());
    assert!(Store::open(folder.path(), &plan(&[0]), false).is_ok());
}

#[test]
fn shards_are_merged_with_their_predictions() {
    let root = tempfile::tempdir().unwrap();
    let plan = plan(&[0, 1, 2]);
    let folders: Vec<PathBuf> = ["a", "b"]
        .iter()
        .map(|name| root.path().join(name))
        .collect();
    for (folder, seeds) in folders.iter().zip([[0, 1], [1, 2]]) {
        let store = Store::open(folder, &plan, false).unwrap();
        for seed in seeds {
            // The same trial on two machines: wall time and memory differ.
            let seconds = folder.as_os_str().len() as f64 + seed as f64;
            store
                .put(
                    &TrialRecord {
                        fit_seconds: Some(seconds),
                        ..record(seed)
                    },
                    Some(&format!("{seed}")),
                )
                .unwrap();
        }
    }
    let merged = merge(&folders).unwrap();
    assert_eq!(
        merged
            .records
            .iter()
            .map(|record| record.seed)
            .collect::<Vec<_>>(),
        [2, 1, 0]
    );

    let out = root.path().join("out");
    let store = merged.store(&out).unwrap();
    assert_eq!(store.write_lines(&plan.trials).unwrap(), merged.records);
    assert_eq!(
        names(&out.join("predictions")),
        ["t0.csv", "t1.csv", "t2.csv"]
    );
    assert_eq!(
        fs::read_to_string(out.join("predictions/t2.csv")).unwrap(),
        "2"
    );
    // Into one of the folders themselves.
    assert_eq!(
        merged.store(&folders[0]).unwrap().finished().unwrap().len(),
        3
    );
}

#[test]
fn merging_what_does_not_belong_together_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| root.path().join(name));
    Store::open(&a, &plan(&[0]), false)
        .unwrap()
        .put(&record(0), None)
        .unwrap();
    let other = TrialRecord {
        metrics: BTreeMap::from([("accuracy".into(), 0.3)]),
        ..record(0)
    };
    Store::open(&b, &plan(&[0]), false)
        .unwrap()
        .put(&other, None)
        .unwrap();
    Store::open(&c, &plan(&[1]), false).unwrap();

    let StoreError::Conflict { fields, trial, .. } = merge(&[a.clone(), b]).unwrap_err() else {
        panic!("a conflict")
    };
    assert_eq!(
        (fields, trial),
        (vec!["metrics".to_owned()], "t0".to_owned())
    );
    assert!(matches!(
        merge(&[a.clone(), c]),
        Err(StoreError::OtherPlan { .. })
    ));
    assert!(matches!(merge(&[a, d]), Err(StoreError::NoResults { .. })));
    assert!(matches!(merge(&[]), Err(StoreError::NoResults { .. })));
}
