//! Images become vectors by a network, from the specification to the trial. Without the feature `deep` the program says
//! what is missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Done, Lab};

/// A grainy image of a brightness.
fn png(path: &Path, brightness: u8, tint: u8) {
    let side = 40_u32;
    let pixels = (0..side * side).flat_map(|i| {
        let grain = (i * 37 % 23) as u8;
        [
            brightness + grain,
            brightness / 2 + tint + grain,
            brightness,
        ]
    });
    image::RgbImage::from_raw(side, side, pixels.collect())
        .unwrap()
        .save(path)
        .unwrap();
}

fn lab() -> Lab {
    let lab = Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"));
    for (domain, offset) in [("old", 0), ("new", 20)] {
        for (class, brightness) in [("dark", 20), ("light", 150)] {
            let folder = lab.path(&format!("{domain}/{class}"));
            fs::create_dir_all(&folder).unwrap();
            for i in 0..6 {
                png(&folder.join(format!("{i}.png")), brightness + offset, 3 * i);
            }
        }
    }
    lab
}

fn run(lab: &Lab, features: &str, out: &str) -> Done {
    run_with(lab, features, out, &[("TRANSLEARN_CACHE", "cache")])
}

fn run_with(lab: &Lab, features: &str, out: &str, variables: &[(&str, &str)]) -> Done {
    Done::from(command(lab, features, out, variables).output().unwrap())
}

fn command(lab: &Lab, features: &str, out: &str, variables: &[(&str, &str)]) -> Command {
    let text = format!(
        "schema = 1\nname = \"images\"\nmetrics = [\"accuracy\"]\nfeatures = {features}\n\
         [[task]]\nname = \"old to new\"\nkind = \"images\"\nsource = {{ file = \"old\" }}\n\
         target = {{ file = \"new\" }}\n[[method]]\nuse = \"coral\"\nlearner = {{ use = \"ncm\" }}\n"
    );
    lab.write("images.toml", &text);
    let mut command = lab.command(&["run", "images.toml", "--out", out]);
    command.envs(variables.iter().copied());
    command
}

const FEATURES: &str = "{ backbone = \"cifar-resnet20\", weights = \"random\" }";

#[cfg(not(feature = "deep"))]
#[test]
fn without_libtorch_the_program_says_how_to_get_it() {
    let done = run(&lab(), FEATURES, "out");
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr.contains("cargo xtask experiment"),
        "{}",
        done.stderr
    );
}

#[cfg(feature = "deep")]
#[test]
fn every_method_runs_on_features_that_are_computed_once() {
    let lab = lab();
    let done = run(&lab, FEATURES, "out");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.contains("features of 12 images"),
        "{}",
        done.stderr
    );
    let trials = lab.trials("out");
    assert!(trials.len() == 2 && trials.iter().all(|trial| trial["status"] == "ok"));
    assert!(
        trials
            .iter()
            .all(|trial| trial["n_features"] == 64 && trial["n_test"] == 12)
    );
    let kept = || fs::read_dir(lab.path("cache/features")).unwrap().count();
    assert_eq!(kept(), 2, "source and target");

    let again = run(&lab, FEATURES, "again");
    assert!(!again.stderr.contains("features of"), "{}", again.stderr);
    assert_eq!(lab.trials("again"), trials);

    // Another layer is another matrix, and another trial.
    let deeper = "{ backbone = \"cifar-resnet20\", weights = \"random\", layer = \"linear\" }";
    assert_eq!(run(&lab, deeper, "deeper").code, Some(0));
    assert_eq!(kept(), 4);
    assert_eq!(lab.trials("deeper")[0]["n_features"], 10);
    assert_ne!(lab.trials("deeper")[0]["trial"], trials[0]["trial"]);

    // An image that changes is seen.
    png(&lab.path("new/dark/0.png"), 90, 5);
    assert_eq!(run(&lab, FEATURES, "changed").code, Some(0));
    assert_eq!(kept(), 5);
}

#[cfg(feature = "deep")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    let lab = lab();
    let features = |threads: &str| {
        let cache = format!("cache{threads}");
        let variables = [
            ("TRANSLEARN_CACHE", cache.as_str()),
            ("OMP_NUM_THREADS", threads),
        ];
        let done = run_with(&lab, FEATURES, &format!("out{threads}"), &variables);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let folder = lab.path(&cache).join("features");
        let files = crate::common::names(&folder).into_iter();
        files
            .map(|name| (fs::read(folder.join(&name)).unwrap(), name))
            .collect::<Vec<_>>()
    };
    let one = features("1");
    assert_eq!(one.len(), 2);
    assert!(one == features("2"), "features differ");
}

/// Features of a large network take their time, and a signal must not wait for them.
#[cfg(all(feature = "deep", unix))]
#[test]
fn a_signal_ends_a_run_that_still_computes_features() {
    use std::io::{BufRead, BufReader};

    let lab = lab();
    let features = "{ backbone = \"resnet152\", weights = \"random\" }";
    let mut run = command(&lab, features, "out", &[("TRANSLEARN_CACHE", "cache")])
        .spawn()
        .unwrap();
    let lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let begun = lines
        .map_while(Result::ok)
        .any(|line| line.contains("computing features"));
    assert!(begun, "no feature was computed");
    let process = run.id().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status();
    assert!(sent.unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    // Not even those of the first part were waited for.
    assert!(!lab.path("cache/features").exists() && !lab.path("out").exists());
}

#[cfg(feature = "deep")]
#[test]
fn what_cannot_be_computed_is_an_error_of_the_specification() {
    let lab = lab();
    for (features, part) in [
        (
            "{ backbone = \"cifar-resnet21\", weights = \"random\" }",
            "did you mean `cifar-resnet20`?",
        ),
        (
            "{ backbone = \"resnet18\", weights = \"weights.pt\" }",
            "there is no weights or file `weights.pt`",
        ),
        (
            "{ backbone = \"cifar-resnet20\", weights = \"random\", layer = \"avgpol\" }",
            "did you mean `avgpool`?",
        ),
        (
            "{ backbone = \"resnet18\", weights = \"images.toml\" }",
            "images.toml",
        ),
    ] {
        let done = run(&lab, features, "out");
        assert_eq!(done.code, Some(2), "{features}");
        assert!(done.stderr.contains(part), "{}", done.stderr);
        assert!(done.stderr.contains("line 5"), "{}", done.stderr);
    }
}

/// Methods that train networks beside one that needs vectors, on images as they are.
#[cfg(feature = "deep")]
const TRAINED: &str = r#"
schema = 1
name = "trained"
metrics = ["accuracy"]

[[task]]
name = "old to new"
kind = "images"
source = { file = "old" }
target = { file = "new" }
target_sample = { count = 10 }

[[method]]
use = "dann"
learner = { use = "network", epochs = 2, batch_size = 4, image_size = 16, augment = "flip" }

[[method]]
use = "deep-coral"
learner = { use = "network", epochs = 2, batch_size = 4, image_size = 16, augment = "flip" }

[[method]]
use = "fine-tune"
weights = "random"
strategy = "lora"
learner = { use = "network", epochs = 2, batch_size = 4, image_size = 16, augment = "flip" }

[[method]]
use = "coral"
learner = { use = "ncm" }
"#;

#[cfg(feature = "deep")]
#[test]
fn networks_are_trained_on_images_beside_their_baseline_whatever_the_jobs() {
    let lab = lab();
    lab.write("trained.toml", TRAINED);
    let run = |jobs: &str, out: &str| {
        let arguments = ["run", "trained.toml", "--jobs", jobs, "--out", out];
        let done = Done::from(lab.command(&arguments).output().unwrap());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        lab.trials(out)
    };
    let trials = run("1", "one");
    assert_eq!(run("2", "two"), trials);
    let status = |use_: &str, learner: &str| {
        let of = |trial: &&serde_json::Value| trial["use"] == use_ && trial["learner"] == learner;
        let found: Vec<_> = trials.iter().filter(of).collect();
        assert_eq!(found.len(), 1, "{use_} around {learner}");
        found[0].clone()
    };
    for method in ["source-only", "dann", "deep-coral", "fine-tune"] {
        let trial = status(method, "network");
        assert_eq!(trial["status"], "ok", "{method}: {}", trial["error"]);
        assert_eq!(
            (&trial["n_target"], &trial["n_test"]),
            (&10.into(), &10.into())
        );
    }
    let coral = status("coral", "ncm");
    assert_eq!(coral["status"], "unsupported");
    let reason = coral["error"].as_str().unwrap();
    assert!(
        reason.contains("name a network with `features`"),
        "{reason}"
    );
}

/// The rows keep their order while their labels change: files are numbered through, and a class is a cut in the numbers.
#[cfg(feature = "deep")]
#[test]
fn labels_of_the_target_change_no_prediction() {
    let predictions = |cut: u8| -> Vec<String> {
        let lab = Lab::new(env!("CARGO_BIN_EXE_translearn-experiment"));
        for (domain, cut) in [("old", 6), ("new", cut)] {
            for i in 0..12_u8 {
                let class = if i < cut { "dark" } else { "light" };
                let folder = lab.path(&format!("{domain}/{class}"));
                fs::create_dir_all(&folder).unwrap();
                let brightness = if i < 6 { 20 } else { 150 };
                png(&folder.join(format!("{i:02}.png")), brightness, 3 * i);
            }
        }
        lab.write("trained.toml", TRAINED);
        let arguments = ["run", "trained.toml", "--save-predictions", "--out", "out"];
        let done = Done::from(lab.command(&arguments).output().unwrap());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let trials = lab.trials("out").into_iter();
        let networks = trials.filter(|trial| trial["learner"] == "network");
        let tables = networks.map(|trial| {
            let id = trial["trial"].as_str().unwrap();
            let file = lab.path(&format!("out/predictions/{id}.csv"));
            let text = fs::read_to_string(file).unwrap();
            // All columns but the label.
            let rows = text.lines().map(|line| {
                let mut cells: Vec<&str> = line.split(',').collect();
                cells.remove(1);
                cells.join(",")
            });
            format!("{} {}", trial["use"], rows.collect::<Vec<_>>().join("\n"))
        });
        tables.collect()
    };
    let (right, permuted) = (predictions(6), predictions(3));
    assert_eq!(right.len(), 4);
    assert!(right[0].contains("index,prediction"), "{}", right[0]);
    assert_eq!(right, permuted);
}
