//! Trials that panic, abort, hang, take too much memory or talk too much end alone; a run that is stopped or killed goes on
//! where it was.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::common::{Done, Lab, by_method, children, is_running, names, signal, wait_for};
use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, Fitted, LearnerNeed, MethodInfo, Needs, Outputs, ParamInfo, ParamRange,
    PlainModel, Sample, Trace, TransferError, What, seed, transfer_method,
};
use translearn_experiment::{RunOptions, Status, plan, run_with, spec::Spec};
use translearn_learners::Logistic;

/// Fits its learner on a random half of the source, after it has done what it is asked to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faulty {
    does: String,
    milliseconds: u64,
    #[serde(skip, default = "learner")]
    learner: BaseLearner,
}

impl Default for Faulty {
    fn default() -> Self {
        Self {
            does: "nothing".into(),
            milliseconds: 0,
            learner: learner(),
        }
    }
}

fn learner() -> BaseLearner {
    Logistic::params().into()
}

static INFO: MethodInfo = MethodInfo {
    name: "faulty",
    title: "Faulty",
    family: Family::Baseline,
    what: What::Nothing,
    needs: Needs {
        target_labels: false,
        same_features: true,
        outputs: Outputs::Both,
        sparse: true,
        images: false,
        learner: LearnerNeed::Any,
    },
    parameters: &[
        ParamInfo {
            name: "does",
            default: "\"nothing\"",
            range: ParamRange::Choice(&[
                "nothing", "panic", "abort", "exit", "overflow", "memory", "talk", "refuse",
                "device", "garble",
            ]),
            doc: "What it does before the fit.",
        },
        ParamInfo {
            name: "milliseconds",
            default: "0",
            range: ParamRange::Integer {
                low: 0,
                high: u64::MAX,
            },
            doc: "How long it sleeps before the fit.",
        },
    ],
    exemptions: &[],
    reference: "",
};

transfer_method!(Faulty, INFO, |method, problem, seed| {
    std::thread::sleep(Duration::from_millis(method.milliseconds));
    match method.does.as_str() {
        "panic" => panic!("as asked"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        "overflow" => assert!(overflow(1) > 0),
        "memory" => {
            let block: Vec<u8> = (0..400_000_000_u32).map(|i| i as u8).collect();
            std::thread::sleep(Duration::from_secs(5));
            assert_eq!(block[1], 1);
        }
        "talk" => {
            std::io::stdout()
                .write_all(b"{\"record\": not json}\nno line end")
                .unwrap();
            eprintln!("to standard error");
        }
        // What a reply looks like that was cut short.
        "garble" => {
            let mut output = std::io::stdout().lock();
            output
                .write_all(b"\ntranslearn-reply {\"record\": {\"task\"\n")
                .unwrap();
            output.flush().unwrap();
            drop(output);
            std::thread::sleep(Duration::from_secs(3600));
        }
        "device" => panic!("on {:?}", std::env::var("TRANSLEARN_DEVICE")),
        "refuse" => {
            return Err(TransferError::Unsupported {
                method: "faulty".into(),
                needs: "nothing".into(),
                has: "something".into(),
            });
        }
        _ => {}
    }
    let source = problem.source()?;
    let rows = seed::rng(seed).choose(source.labels.len(), source.labels.len() / 2);
    let (features, labels) = (
        source.features.select_rows(&rows),
        source.labels.select(&rows),
    );
    let predictor = method
        .learner
        .fit_boxed(&Sample::new(&features, &labels, problem.n_classes())?, seed)?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(predictor)),
        trace: Trace::default(),
    })
});

#[expect(unconditional_recursion, reason = "to overflow the stack")]
fn overflow(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + block[7]
}

fn lab() -> Lab {
    Lab::new(std::env::current_exe().unwrap())
}

/// `[[method]]`s of the faulty kind: name and parameters.
fn methods(list: &[(&str, &str)]) -> String {
    list.iter()
        .map(|(name, params)| {
            format!("[[method]]\nuse = \"faulty\"\nname = \"{name}\"\n{params}\n")
        })
        .collect()
}

fn every_fault_ends_alone() {
    let lab = lab();
    let spec = lab.spec(
        "faults",
        "seeds = 2\nbaselines = false\ntimeout_seconds = 2.5\nmemory_limit = \"300 MiB\"",
        &methods(&[
            ("well", ""),
            ("panic", "does = \"panic\""),
            ("abort", "does = \"abort\""),
            ("exit", "does = \"exit\""),
            ("overflow", "does = \"overflow\""),
            ("memory", "does = \"memory\""),
            ("hang", "milliseconds = 3600000"),
            ("talk", "does = \"talk\""),
            ("refuse", "does = \"refuse\""),
            ("garble", "does = \"garble\""),
        ]),
    );
    for (out, jobs) in [("one", "1"), ("three", "3")] {
        let done = lab.run(&[
            "run",
            spec.to_str().unwrap(),
            "--out",
            out,
            "--jobs",
            jobs,
            "--save-predictions",
        ]);
        assert_eq!(done.code, Some(1), "{}", done.stderr);
        let trials = lab.trials(out);
        let trials = by_method(&trials);
        assert_eq!(trials.len(), 20);
        for (method, status, reason) in [
            ("well", "ok", ""),
            (
                "panic",
                "failed",
                "panicked: as asked (crates/experiment/tests/runs/faults.rs:",
            ),
            ("abort", "failed", "signal 6 (SIGABRT"),
            ("exit", "failed", "the worker ended with exit status: 7"),
            ("overflow", "failed", "signal 6 (SIGABRT"),
            (
                "memory",
                "failed",
                "it used more memory than memory_limit = 314572800 bytes",
            ),
            (
                "hang",
                "timeout",
                "it ran longer than timeout_seconds = 2.5",
            ),
            ("talk", "ok", ""),
            (
                "refuse",
                "unsupported",
                "`faulty` needs nothing but the problem has something",
            ),
            // At once, not at the end of the limit.
            (
                "garble",
                "failed",
                "the worker's reply cannot be read: EOF while parsing",
            ),
        ] {
            for seed in 0..2 {
                let trial = trials[&format!("{method}/{seed}")];
                assert_eq!(trial["status"], status, "{method}: {trial}");
                let error = trial["error"].as_str().unwrap_or_default();
                assert!(
                    error.contains(reason) && error.is_empty() == reason.is_empty(),
                    "{method}: {error}"
                );
                let predictions = format!("predictions/{}.csv", trial["trial"].as_str().unwrap());
                assert_eq!(lab.path(out).join(predictions).is_file(), status == "ok");
            }
        }
        assert_eq!(names(&lab.path(out).join("trials")).len(), 20);
        assert!(done.stderr.contains("[20/20]"), "{}", done.stderr);
    }
    assert_eq!(lab.trials("one"), lab.trials("three"));
}

/// The command line decides, not what the run itself was told.
fn workers_are_told_where_to_compute() {
    let lab = lab();
    let spec = lab.spec(
        "device",
        "baselines = false",
        &methods(&[("device", "does = \"device\"")]),
    );
    let mut run = lab.command(&["run", spec.to_str().unwrap(), "--out", "out"]);
    let done = run.env("TRANSLEARN_DEVICE", "cuda:7").output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let trial = &lab.trials("out")[0];
    assert_eq!(trial["device"], "cpu");
    let error = trial["error"].as_str().unwrap();
    assert!(error.contains("panicked: on Ok(\"cpu\")"), "{error}");
}

fn in_one_process_a_panic_ends_alone() {
    let lab = lab();
    let spec = lab.spec(
        "panics",
        "baselines = false",
        &methods(&[("panic", "does = \"panic\""), ("well", "")]),
    );
    let registry = translearn_classical::registry().with::<Faulty>();
    let plan = plan::plan(&Spec::read(&spec, &registry).unwrap(), &registry).unwrap();
    let options = RunOptions {
        out: Some(lab.path("out")),
        quiet: true,
        ..RunOptions::default()
    };
    let summary = run_with(&plan, &registry, &options).unwrap();
    let statuses: Vec<Status> = summary.records.iter().map(|record| record.status).collect();
    assert_eq!(statuses, [Status::Failed, Status::Ok]);
    assert!(!summary.is_good() && !summary.stopped);
    assert_eq!(
        summary.records[0].error.as_deref(),
        Some("panicked: as asked")
    );
    // The same numbers as in a worker.
    let done = lab.run(&["run", spec.to_str().unwrap(), "--out", "workers"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(lab.trials("out")[1], lab.trials("workers")[1]);
}

const SLOW: &[(&str, &str)] = &[
    ("slow", "milliseconds = 15"),
    ("fast", ""),
    ("bad", "does = \"panic\""),
];

fn a_killed_run_goes_on_where_it_was() {
    let lab = lab();
    let spec = lab.spec("killed", "seeds = 15", &methods(SLOW));
    let spec = spec.to_str().unwrap();
    let whole = lab.run(&[
        "run",
        spec,
        "--out",
        "whole",
        "--jobs",
        "2",
        "--save-predictions",
    ]);
    assert_eq!(whole.code, Some(1), "{}", whole.stderr);
    // A program that loads libtorch takes its time to begin, and so do its workers.
    let start = Instant::now();
    lab.run(&["run", "--help"]);
    let begun = start.elapsed();
    // Moments that differ from run to run: what matters is that none of them does harm.
    for round in 0..60_u64 {
        let mut run = lab.start(&[
            "run",
            spec,
            "--out",
            "killed",
            "--jobs",
            "2",
            "--save-predictions",
        ]);
        let patience = Duration::from_millis(20 + (37 * round) % 150) + begun * (round % 6) as u32;
        let start = Instant::now();
        let finished = loop {
            if let Some(status) = run.try_wait().unwrap() {
                break Some(status);
            }
            if start.elapsed() > patience {
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if let Some(status) = finished {
            assert_eq!(status.code(), Some(1));
            assert!(round > 1, "the run was never killed");
            break;
        }
        let workers = children(run.id());
        run.kill().unwrap();
        run.wait().unwrap();
        wait_for("the end of the workers", || {
            !workers.iter().any(|&worker| is_running(worker))
        });
        assert!(round < 59, "the run never came to its end");
    }
    assert_eq!(lab.trials("killed"), lab.trials("whole"));
    for folder in ["trials", "predictions"] {
        assert_eq!(
            names(&lab.path("killed").join(folder)),
            names(&lab.path("whole").join(folder))
        );
    }
    assert_eq!(names(&lab.path("killed")), names(&lab.path("whole")));
}

fn a_stopped_run_says_how_to_go_on() {
    let lab = lab();
    let spec = lab.spec(
        "stopped",
        "seeds = 40\nbaselines = false",
        &methods(&[("slow", "milliseconds = 50")]),
    );
    let arguments = [
        "run",
        spec.to_str().unwrap(),
        "--out",
        "stopped",
        "--jobs",
        "2",
    ];
    for name in ["-INT", "-TERM"] {
        let run = lab.start(&arguments);
        let (process, before) = (run.id(), lab.n_finished("stopped"));
        wait_for("a few trials", || lab.n_finished("stopped") > before + 2);
        signal(process, name);
        let done = Done::from(run.wait_with_output().unwrap());
        assert_eq!(done.code, Some(130), "{}", done.stderr);
        assert!(
            done.stderr
                .contains("of 40 trials are finished in stopped; the same command"),
            "{}",
            done.stderr
        );
        // Given up trials are not recorded as failed.
        assert!(
            lab.trials("stopped")
                .iter()
                .all(|trial| trial["status"] == "ok")
        );
        assert_eq!(lab.trials("stopped").len(), lab.n_finished("stopped"));
    }
    let done = lab.run(&arguments);
    assert_eq!((done.code, lab.trials("stopped").len()), (Some(0), 40));
}

fn a_killed_worker_is_replaced() {
    let lab = lab();
    let spec = lab.spec(
        "worker",
        "seeds = 4\nbaselines = false",
        &methods(&[("slow", "milliseconds = 400")]),
    );
    let run = lab.start(&["run", spec.to_str().unwrap(), "--out", "out", "--jobs", "1"]);
    wait_for("the first trial", || lab.n_finished("out") == 1);
    signal(children(run.id())[0], "-KILL");
    let done = Done::from(run.wait_with_output().unwrap());
    assert_eq!(done.code, Some(1));
    let statuses: Vec<_> = lab
        .trials("out")
        .iter()
        .map(|trial| trial["status"].clone())
        .collect();
    assert_eq!(statuses, ["ok", "failed", "ok", "ok"]);
    let error = lab.trials("out")[1]["error"].to_string();
    assert!(
        error.contains("the worker was ended by signal 9 (SIGKILL"),
        "{error}"
    );
}

fn two_runs_do_not_share_a_folder() {
    let lab = lab();
    let spec = lab.spec(
        "busy",
        "seeds = 8\nbaselines = false",
        &methods(&[("slow", "milliseconds = 100")]),
    );
    let arguments = ["run", spec.to_str().unwrap(), "--out", "out", "--jobs", "1"];
    let first = lab.start(&arguments);
    wait_for("the first trial", || lab.n_finished("out") == 1);
    let second = lab.run(&arguments);
    assert_eq!(second.code, Some(2));
    assert!(
        second
            .stderr
            .contains(&format!("another run (process {}) writes to", first.id())),
        "{}",
        second.stderr
    );
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(lab.trials("out").len(), 8);
}

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "workers_are_told_where_to_compute",
        workers_are_told_where_to_compute,
    ),
    ("every_fault_ends_alone", every_fault_ends_alone),
    (
        "in_one_process_a_panic_ends_alone",
        in_one_process_a_panic_ends_alone,
    ),
    (
        "a_killed_run_goes_on_where_it_was",
        a_killed_run_goes_on_where_it_was,
    ),
    (
        "a_stopped_run_says_how_to_go_on",
        a_stopped_run_says_how_to_go_on,
    ),
    ("a_killed_worker_is_replaced", a_killed_worker_is_replaced),
    (
        "two_runs_do_not_share_a_folder",
        two_runs_do_not_share_a_folder,
    ),
];
