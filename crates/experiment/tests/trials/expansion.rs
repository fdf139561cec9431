//! The plan is a pure function of the specification, and its identifiers hold on to what decides the numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use translearn_core::{FitSample, LearnerInfo, Sample, TransferError};
use translearn_experiment::plan::{Plan, Trial, expand, plan, versions};
use translearn_experiment::spec::Spec;
use translearn_learners::NcmParams;

const SPEC: &str = r#"schema = 1
name = "wine"
seeds = [3, 1]

[[task]]
name = "quality"
source = { set = "wine-quality-embedded", domain = "low-alcohol" }
target = { set = "wine-quality-embedded", domain = "high-alcohol" }
labelled = { per_class = 3 }

[[task]]
name = "score"
source = { set = "wine-score-embedded", domain = "low-alcohol" }
target = { set = "wine-score-embedded", domain = "high-alcohol" }
preprocess = ["zscore"]

[[method]]
use = "coral"
learner = { use = "knn", k = [1, 5] }
select = "importance-weighted"
folds = 3

[[method]]
use = "aux"
tasks = ["quality"]
learner = { use = "logistic" }

[[method]]
use = "pooled"
name = "everything in one pot"
learner = { use = "logistic", c = 1 }
"#;

fn spec(text: &str) -> Spec {
    Spec::parse(
        text,
        Path::new("specs/wine.toml"),
        &translearn_classical::registry(),
    )
    .unwrap()
}

/// Checksums and version held fixed, so that the golden file does not change with the data or the release.
fn fixed(text: &str) -> Plan {
    let data = ["wine-quality-embedded", "wine-score-embedded"]
        .map(|name| (name.to_owned(), format!("sha of {name}")));
    let versions = BTreeMap::from([("translearn".to_owned(), "0.0.0".to_owned())]);
    expand(
        &spec(text),
        &translearn_classical::registry(),
        &BTreeMap::from(data),
        &versions,
    )
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.trials.iter().map(|trial| trial.id.clone()).collect()
}

#[test]
fn the_same_specification_gives_the_same_plan() {
    assert_eq!(fixed(SPEC), fixed(SPEC));
    let real = plan(&spec(SPEC), &translearn_classical::registry()).unwrap();
    assert_eq!(
        real,
        plan(&spec(SPEC), &translearn_classical::registry()).unwrap()
    );
    assert_eq!(real.file.versions, versions());
    assert!(
        real.file.data.values().all(|sum| sum.len() == 64),
        "{:?}",
        real.file.data
    );
    assert_eq!(real.file.trials, ids(&real));
    assert_eq!(
        ids(&real).into_iter().collect::<BTreeSet<_>>().len(),
        real.trials.len(),
        "no identifier stands twice"
    );
}

#[test]
fn trials_come_task_by_task_method_by_method_seed_by_seed() {
    let plan = fixed(SPEC);
    let order: Vec<_> = plan
        .trials
        .iter()
        .map(|t| (t.task.name.as_str(), t.method.name.as_str(), t.seed))
        .collect();
    let expected = [
        ("quality", "coral"),
        ("quality", "aux"),
        ("quality", "everything in one pot"),
        ("quality", "source-only (knn)"),
        ("quality", "source-only (logistic)"),
        ("quality", "target-only (knn)"),
        ("quality", "target-only (logistic)"),
        ("quality", "pooled (knn)"),
        ("score", "coral"),
        ("score", "everything in one pot"),
        ("score", "source-only (knn)"),
        ("score", "source-only (logistic)"),
    ];
    assert_eq!(
        order,
        expected
            .iter()
            .flat_map(|&(t, m)| [(t, m, 3), (t, m, 1)])
            .collect::<Vec<_>>()
    );
}

#[test]
fn baselines_follow_the_learners() {
    let plan = fixed(SPEC);
    let find = |name: &str| {
        plan.file
            .spec
            .methods
            .iter()
            .find(|method| method.name == name)
            .unwrap()
    };
    // The grid of a learner is decided for the baseline as it is for the method.
    let knn = find("source-only (knn)");
    assert_eq!((knn.select, knn.folds), (find("coral").select, 3));
    assert_eq!(knn.learner, find("coral").learner);
    // `pooled` around logistic regression is listed under a name of its own, and not added again.
    assert!(
        plan.file
            .spec
            .methods
            .iter()
            .all(|method| method.name != "pooled (logistic)")
    );
    assert_eq!(
        find("target-only (logistic)").tasks.as_deref(),
        Some(&["quality".to_owned()][..])
    );
    assert_eq!(find("source-only (logistic)").tasks, None);

    let none = fixed(&SPEC.replace("seeds = [3, 1]", "baselines = false"));
    assert_eq!(none.file.spec.methods.len(), 3);
}

#[test]
fn baselines_of_learners_that_differ_in_parameters_differ_in_name() {
    let methods = "[[method]]\nuse = 'coral'\nlearner = { use = 'knn', k = 1 }\n[[method]]\nuse = 'sa'\nlearner = { use = 'knn', k = 3 }\n";
    let text = format!("{}{methods}", &SPEC[..SPEC.find("[[method]]").unwrap()]);
    let names: Vec<String> = fixed(&text)
        .file
        .spec
        .methods
        .into_iter()
        .map(|method| method.name)
        .collect();
    assert!(
        names.contains(&"source-only (knn, k=1)".to_owned()),
        "{names:?}"
    );
    assert!(
        names.contains(&"source-only (knn, k=3)".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "{names:?}"
    );
    // An oracle's baseline is no oracle.
    let oracle = fixed(&text.replace("k = 3 }", "k = [1, 3] }\nselect = 'oracle'"));
    for method in oracle
        .file
        .spec
        .methods
        .iter()
        .filter(|method| method.line == 0)
    {
        assert_ne!(
            method
                .select
                .map(translearn_experiment::spec::SelectBy::name),
            Some("oracle"),
            "{}",
            method.name
        );
    }
}

/// The way back of reverse validation has no labels in the target, without which these baselines cannot be fitted.
#[test]
fn baselines_of_labelled_rows_are_not_chosen_by_the_way_back() {
    let text = SPEC.replace("\"importance-weighted\"\nfolds = 3", "\"reverse\"");
    let added = fixed(&text).file.spec.methods;
    let by = |use_: &str| {
        let mut grids = added
            .iter()
            .filter(|method| method.line == 0 && method.select.is_some());
        let baseline = grids.find(|method| method.use_ == use_).unwrap();
        (baseline.select.unwrap().name(), baseline.folds)
    };
    assert_eq!(by("source-only"), ("reverse", 0));
    assert_eq!(
        (by("target-only"), by("pooled")),
        (("source-cv", 5), ("source-cv", 5))
    );
}

#[test]
fn an_identifier_changes_with_what_decides_the_numbers_and_with_nothing_else() {
    let before = ids(&fixed(SPEC));
    let same = [
        ("name = \"wine\"", "name = \"port\""),
        ("name = \"everything in one pot\"", "name = \"pot\""),
        (
            "seeds = [3, 1]",
            "seeds = [3, 1]\nmetrics = [\"accuracy\", \"mae\"]\ntimeout_seconds = 5",
        ),
        ("c = 1 }", "c = 1.0, tolerance = 1e-8 }"),
        ("labelled = {", "# as in the paper\nlabelled = {"),
    ];
    for (from, to) in same {
        assert_eq!(ids(&fixed(&SPEC.replace(from, to))), before, "{to}");
    }
    let changed = |text: &str| {
        let after = ids(&fixed(text));
        assert_eq!(after.len(), before.len());
        before.iter().zip(&after).filter(|(a, b)| a != b).count()
    };
    // Eight methods on the first task, four on the second, two seeds.
    assert_eq!(changed(&SPEC.replace("per_class = 3", "per_class = 4")), 16);
    assert_eq!(changed(&SPEC.replace("[\"zscore\"]", "[\"minmax\"]")), 8);
    assert_eq!(
        changed(&SPEC.replace("name = \"score\"", "name = \"points\"")),
        8
    );
    assert_eq!(changed(&SPEC.replace("[3, 1]", "[3, 2]")), 12);
    // The grid is CORAL's and its three baselines', of which two are on the first task only.
    assert_eq!(
        changed(&SPEC.replace("folds = 3", "folds = 4")),
        2 * (2 + 2 + 1 + 1)
    );
    assert_eq!(changed(&SPEC.replace("k = [1, 5]", "k = [1, 7]")), 12);
}

/// A learner of images, as `network` is one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pictures {}

impl FitSample for Pictures {
    type Model = <NcmParams as FitSample>::Model;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "pictures",
        images: true,
        parameters: &[],
        ..*<NcmParams as FitSample>::INFO
    };

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<Self::Model, TransferError> {
        NcmParams::default().fit_checked(sample, seed)
    }
}

#[test]
fn another_kind_of_device_makes_other_trials_of_what_trains_networks_alone() {
    let registry = translearn_classical::registry().with_learner::<Pictures>();
    let networks = "[[method]]\nuse = 'source-only'\nname = 'network'\nlearner = { use = 'pictures' }\n\
                    [[method]]\nuse = 'coral'\nname = 'never'\nlearner = { use = 'pictures' }\n";
    let text = format!("{SPEC}{networks}");
    let spec = Spec::parse(&text, Path::new("specs/wine.toml"), &registry).unwrap();
    let on_cpu = expand(&spec, &registry, &BTreeMap::new(), &versions());
    assert_eq!(on_cpu.file.device, "cpu");
    assert_eq!(on_cpu.clone().on_device("cpu", &registry), on_cpu);
    let on_cuda = on_cpu.clone().on_device("cuda", &registry);
    assert_eq!(on_cuda.file.device, "cuda");
    assert_eq!(ids(&on_cuda), on_cuda.file.trials);
    let mut moved = BTreeSet::new();
    for (cpu, cuda) in on_cpu.trials.iter().zip(&on_cuda.trials) {
        if cpu.id == cuda.id {
            assert_eq!(cpu, cuda);
        } else {
            assert_eq!((cpu.device.as_str(), cuda.device.as_str()), ("cpu", "cuda"));
            assert_eq!((&cpu.task, &cpu.method), (&cuda.task, &cuda.method));
            moved.insert(cpu.method.name.as_str());
        }
    }
    let expected = ["network", "pooled (pictures)", "target-only (pictures)"];
    assert_eq!(moved, BTreeSet::from(expected));

    // Without networks a plan is the same on every device.
    let classical = fixed(SPEC);
    assert_eq!(classical.clone().on_device("cuda", &registry), classical);
}

#[test]
fn a_trial_is_whole_in_one_line() {
    for trial in fixed(SPEC).trials {
        let line = serde_json::to_string(&trial).unwrap();
        assert!(!line.contains('\n'));
        let again: Trial = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), line);
        assert!(again.base.is_absolute());
        // The worker draws and fits what the planner meant.
        assert_eq!(again.seed_for("fit"), trial.seed_for("fit"));
    }
}

#[test]
fn seeds_are_those_of_the_data_not_of_the_method() {
    let plan = fixed(SPEC);
    let on_quality = plan
        .trials
        .iter()
        .filter(|trial| trial.task.name == "quality" && trial.seed == 3);
    let fits: BTreeSet<u64> = on_quality.map(|trial| trial.seed_for("fit")).collect();
    assert_eq!(fits.len(), 1, "all methods of a (task, seed) share it");
    let all: BTreeSet<u64> = plan
        .trials
        .iter()
        .flat_map(|t| ["fit", "folds", "labelled"].map(|p| t.seed_for(p)))
        .collect();
    assert_eq!(
        all.len(),
        2 * 2 * 3,
        "tasks, seeds and parts each have their own"
    );
    // Preprocessing and the size of a draw leave the draw alone.
    let other = fixed(
        &SPEC
            .replace("per_class = 3", "per_class = 5")
            .replace("labelled", "preprocess = ['l2-rows']\nlabelled"),
    );
    assert_eq!(
        other.trials[0].seed_for("labelled"),
        plan.trials[0].seed_for("labelled")
    );
}

#[test]
fn own_files_are_hashed_by_their_bytes() {
    let folder = std::env::temp_dir().join(format!("translearn-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("old.csv", "x,y\n1,a\n2,b\n");
    write("new.csv", "x,y\n1,a\n3,b\n");
    let text = "schema = 1\nname = 'own'\n[[task]]\nname = 't'\nsource = { file = 'old.csv', label = 'y' }\n\
                target = { file = 'new.csv', label = 'y' }\n[[method]]\nuse = 'coral'\n";
    let registry = translearn_classical::registry();
    let parsed = Spec::parse(text, &folder.join("own.toml"), &registry).unwrap();
    let before = plan(&parsed, &registry).unwrap();
    // As sha256sum has it.
    assert_eq!(
        before.file.data["old.csv"],
        "01331cf653a16b7278f66569b5719303c2f18ce869c87638c09943a49d3e73dd"
    );
    write("new.csv", "x,y\n1,a\n4,b\n");
    let after = plan(&parsed, &registry).unwrap();
    assert_ne!(ids(&before), ids(&after));
    std::fs::remove_file(folder.join("old.csv")).unwrap();
    let error = plan(&parsed, &registry).unwrap_err();
    assert_eq!(error.line, Some(3));
    assert!(
        error.to_string().contains("task `t`: cannot open"),
        "{error}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// After a change that is meant: `UPDATE_GOLDEN=1 cargo test -p translearn-experiment --test trials`.
#[test]
fn the_plan_is_the_one_written_down() {
    let plan = fixed(SPEC);
    let lines = plan.trials.iter().map(|trial| {
        let trial = Trial {
            base: "/base".into(),
            ..trial.clone()
        };
        serde_json::to_string(&trial).unwrap() + "\n"
    });
    let file = serde_json::to_string_pretty(&plan.file).unwrap() + "\n";
    for (name, text) in [
        ("plan.jsonl", lines.collect::<String>()),
        ("plan.json", file),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        for (line, (written, now)) in golden.lines().zip(text.lines()).enumerate() {
            assert_eq!(written, now, "{name} line {}", line + 1);
        }
        assert_eq!(golden.len(), text.len(), "{name}");
    }
}
