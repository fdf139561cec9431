//! Images, from the specification to the trial: taken as they are by what takes them, `unsupported` for the rest.
//!
//! The learner of images here is a small one, nearest mean brightness, so that no network is needed.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Done, Lab, by_method};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    Features, FitSample, Image, LearnerInfo, Outputs, ParamInfo, ParamRange, Prediction, Predictor,
    Registry, Sample, TransferError,
};
use translearn_experiment::prepare::PreparedTask;
use translearn_experiment::{TrialRecord, plan::plan, spec::Spec, trial};

/// The class whose mean is nearest, by one number an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BrightnessParams {
    statistic: String,
}

impl Default for BrightnessParams {
    fn default() -> Self {
        Self {
            statistic: "mean".to_owned(),
        }
    }
}

/// Fits at work in this process, now and at most.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST_RUNNING: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Brightness {
    statistic: String,
    means: Array1<f64>,
}

fn numbers(statistic: &str, features: &Features) -> Result<Vec<f64>, TransferError> {
    let images = features
        .images()
        .ok_or_else(|| TransferError::Unsupported {
            method: "brightness".to_owned(),
            needs: "images".to_owned(),
            has: "vectors".to_owned(),
        })?;
    let number = |image: &Image| {
        let pixels = image.pixels();
        match statistic {
            "first" => f64::from(pixels[0]),
            _ => pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / pixels.len() as f64,
        }
    };
    Ok(images.iter().map(number).collect())
}

impl FitSample for BrightnessParams {
    type Model = Brightness;

    const INFO: &'static LearnerInfo = &LearnerInfo {
        name: "brightness",
        title: "Nearest mean brightness",
        honors_weights: false,
        sparse: false,
        images: true,
        outputs: Outputs::Classification,
        probabilities: false,
        parameters: &[ParamInfo {
            name: "statistic",
            default: "\"mean\"",
            range: ParamRange::Choice(&["mean", "first", "memory"]),
            doc: "The mean of all pixels, the first one, or more memory than there is.",
        }],
        reference: "",
    };

    fn fit_checked(&self, sample: &Sample<'_>, _: u64) -> Result<Brightness, TransferError> {
        let running = 1 + RUNNING.fetch_add(1, Ordering::SeqCst);
        MOST_RUNNING.fetch_max(running, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        if self.statistic == "memory" {
            return Err(TransferError::OutOfMemory("no memory is left".to_owned()));
        }
        let classes = sample.labels().classes("brightness")?;
        let values = numbers(&self.statistic, sample.features())?;
        let mut sums = Array2::zeros((sample.n_classes(), 2));
        for (&class, value) in classes.iter().zip(values) {
            sums[[class, 0]] += value;
            sums[[class, 1]] += 1.0;
        }
        let means = sums
            .outer_iter()
            .map(|sums| sums[0] / f64::max(sums[1], 1.0));
        Ok(Brightness {
            statistic: self.statistic.clone(),
            means: means.collect(),
        })
    }
}

#[typetag::serde(name = "brightness")]
impl Predictor for Brightness {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        let values = numbers(&self.statistic, features)?;
        let shape = (values.len(), self.means.len());
        Ok(Prediction::from_decision(Array2::from_shape_fn(
            shape,
            |(row, class)| -(values[row] - self.means[class]).abs(),
        )))
    }
}

/// Two domains of dark and light images of several sizes, whose first pixel tells nothing.
fn lab() -> Lab {
    let lab = Lab::new(std::env::current_exe().unwrap());
    for (domain, offset) in [("old", 0), ("new", 20)] {
        for (class, brightness) in [("dark", 20), ("light", 150)] {
            let folder = lab.path(&format!("{domain}/{class}"));
            fs::create_dir_all(&folder).unwrap();
            for i in 0..8_u32 {
                let (width, height) = (4 + i, 9 - i % 3);
                let image = image::RgbImage::from_fn(width, height, |x, y| {
                    let grain = (i * 31 + x * 7 + y * 3) % 23;
                    let value = if x + y == 0 {
                        (i * 97) % 251
                    } else {
                        brightness + offset + grain
                    };
                    image::Rgb([value as u8, value as u8 / 2, value as u8])
                });
                image.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    lab
}

const FOLDERS: &str = "name = 'old to new'\nkind = 'images'\nsource = { file = 'old' }\n\
                       target = { file = 'new' }\nlabelled = { per_class = 2 }\n";

fn run(lab: &Lab, task: &str, methods: &str, out: &str, jobs: &str) -> Done {
    let text = format!(
        "schema = 1\nname = 'images'\nmetrics = ['accuracy']\nseeds = 2\npreprocess = ['l2-rows']\n\
         [[task]]\n{task}\n{methods}"
    );
    lab.write("images.toml", &text);
    lab.run(&["run", "images.toml", "--out", out, "--jobs", jobs])
}

const METHODS: &str = "
[[method]]
use = 'source-only'
learner = { use = 'brightness' }
[[method]]
name = 'grid'
use = 'source-only'
learner = { use = 'brightness', statistic = ['first', 'mean'] }
[[method]]
name = 'weighted'
use = 'source-only'
learner = { use = 'brightness', statistic = ['first', 'mean'] }
select = 'importance-weighted'
[[method]]
name = 'ridge'
use = 'source-only'
learner = { use = 'ridge' }
[[method]]
use = 'coral'
learner = { use = 'ncm' }
";

fn methods_of_vectors_are_unsupported_where_there_are_images_alone() {
    let lab = lab();
    for (out, jobs) in [("one", "1"), ("three", "3")] {
        let done = run(&lab, FOLDERS, METHODS, out, jobs);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let trials = lab.trials("one");
    assert_eq!(trials, lab.trials("three"));
    let trials = by_method(&trials);
    for seed in 0..2 {
        let trial = |method: &str| trials[&format!("{method}/{seed}")];
        for method in [
            "source-only",
            "target-only (brightness)",
            "pooled (brightness)",
            "grid",
        ] {
            let trial = trial(method);
            assert_eq!(trial["status"], "ok", "{trial}");
            assert_eq!(trial["metrics"]["accuracy"], 1.0, "{trial}");
            let counts = ["n_source", "n_target", "n_labelled", "n_test", "n_features"];
            let counts = counts.map(|count| trial[count].as_u64().unwrap());
            assert_eq!(counts, [16, 16, 4, 12, 1]);
        }
        assert_eq!(
            trial("grid")["selected"]["params"]["learner.statistic"],
            "mean"
        );
        for (method, name) in [
            ("ridge", "`ridge` needs vectors"),
            ("coral", "`coral` needs vectors"),
            ("weighted", "are images, not vectors"),
        ] {
            let trial = trial(method);
            assert_eq!(trial["status"], "unsupported", "{trial}");
            let error = trial["error"].as_str().unwrap();
            assert!(
                error.contains(name) && error.contains("`features`"),
                "{error}"
            );
        }
    }
}

fn images_that_are_broken_are_told_before_anything_runs() {
    let lab = lab();
    let path = lab.path("new/light/3.png");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 16]).unwrap();
    let done = run(&lab, FOLDERS, METHODS, "out", "1");
    assert_eq!(done.code, Some(2));
    for part in ["line 6", "target new", "3.png", "PNG"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert!(!lab.path("out").exists());
}

/// Runs the one trial of a grid in this process; how long it took with what comes before the fit.
fn run_grid(lab: &Lab, statistics: &str) -> (TrialRecord, Duration) {
    let text = format!(
        "schema = 1\nname = 'grid'\nbaselines = false\n[[task]]\n{FOLDERS}[[method]]\nuse = 'source-only'\n\
         learner = {{ use = 'brightness', statistic = {statistics} }}\nselect = 'oracle'\n"
    );
    let registry = registry();
    let spec = Spec::parse(&text, &lab.path("grid.toml"), &registry).unwrap();
    let plan = plan(&spec, &registry).unwrap();
    let prepared = PreparedTask::of(&plan.trials[0]).unwrap();
    let start = Instant::now();
    let (record, _) = trial::run(&plan.trials[0], &registry, &prepared);
    (record, start.elapsed())
}

fn decoding_images_is_no_part_of_the_fit() {
    let lab = lab();
    for class in ["dark", "light"] {
        let grain = image::RgbImage::from_fn(2000, 2000, |x, y| {
            image::Rgb([(x * 31 + y * y * 7) as u8, (x * y) as u8, 7])
        });
        grain
            .save(lab.path(&format!("old/{class}/large.png")))
            .unwrap();
        grain
            .save(lab.path(&format!("new/{class}/large.png")))
            .unwrap();
    }
    let (record, took) = run_grid(&lab, "['mean', 'first']");
    let fit = Duration::from_secs_f64(record.fit_seconds.unwrap());
    assert!(fit * 2 < took, "{fit:?} of {took:?}");
}

fn a_grid_over_images_is_tried_point_by_point() {
    let lab = lab();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
    MOST_RUNNING.store(0, Ordering::SeqCst);
    let (record, _) = pool
        .unwrap()
        .install(|| run_grid(&lab, "['mean', 'first', 'mean', 'first', 'mean', 'first']"));
    assert_eq!(record.selected.unwrap().scores.len(), 6);
    assert_eq!(MOST_RUNNING.load(Ordering::SeqCst), 1);
}

/// Whether memory is short depends on the machine: it must not decide which point is chosen.
fn a_point_without_memory_fails_the_trial() {
    let (record, _) = run_grid(&lab(), "['mean', 'memory', 'first']");
    assert_eq!(record.status, translearn_experiment::Status::Failed);
    assert_eq!(record.error.as_deref(), Some("no memory is left"));
    assert!(record.metrics.is_empty());
}

/// What looks whole and is not fails where it is used, and nowhere else.
fn an_image_broken_inside_fails_the_trials_that_decode_it() {
    let lab = lab();
    let path = lab.path("new/light/3.png");
    let mut bytes = fs::read(&path).unwrap();
    let data = bytes.windows(4).position(|name| name == b"IDAT").unwrap() + 4;
    bytes[data..data + 8].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let done = run(&lab, FOLDERS, METHODS, "out", "2");
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let trials = lab.trials("out");
    let trials = by_method(&trials);
    let failed = trials["source-only/0"];
    assert_eq!(failed["status"], "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.contains("target new") && error.contains("3.png"),
        "{error}"
    );
    assert_eq!(trials["coral/0"]["status"], "unsupported");
}

fn has_mirror(sets: &[&str]) -> bool {
    let mirror = std::env::var_os("TRANSLEARN_MIRROR").map(std::path::PathBuf::from);
    let missing = sets.iter().find(|set| {
        !mirror
            .as_ref()
            .is_some_and(|mirror| mirror.join(set).is_dir())
    });
    if let Some(set) = missing {
        eprintln!("skipped: `{set}` is in no folder named by TRANSLEARN_MIRROR");
    }
    missing.is_none()
}

fn digits_of_two_sizes_are_one_task_of_images() {
    if !has_mirror(&["usps", "mnist-t10k"]) {
        return;
    }
    let task = "name = 'digits'\nkind = 'images'\nsource = { set = 'usps', split = 'train' }\n\
                source_sample = { per_class = 20 }\ntarget = { set = 'mnist-t10k' }\n\
                labelled = { per_class = 3 }\n";
    let lab = lab();
    for (out, jobs) in [("one", "1"), ("two", "2")] {
        let done = run(&lab, task, METHODS, out, jobs);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    let trials = lab.trials("one");
    assert_eq!(trials, lab.trials("two"));
    let trials = by_method(&trials);
    let brightness = trials["source-only/0"];
    assert_eq!(brightness["status"], "ok", "{brightness}");
    let counts = ["n_source", "n_target", "n_labelled", "n_test", "n_features"];
    let counts = counts.map(|count| brightness[count].as_u64().unwrap());
    assert_eq!(counts, [200, 10_000, 30, 9_970, 1]);
    for method in ["coral", "ridge"] {
        let trial = trials[&format!("{method}/0")];
        assert_eq!(trial["status"], "unsupported");
        let error = trial["error"].as_str().unwrap();
        assert!(error.contains("256") && error.contains("784"), "{error}");
    }
    // What learns from the target alone needs no features in common.
    let alone = trials["target-only (ridge)/0"];
    assert_eq!(alone["status"], "ok", "{alone}");
    assert_eq!(alone["n_features"], 784);
}

fn rows_of_pixels_are_vectors_for_methods_of_vectors() {
    if !has_mirror(&["mnist-usps"]) {
        return;
    }
    let task = "name = 'digits'\nkind = 'images'\nsource = { set = 'mnist-usps', domain = 'mnist' }\n\
                target = { set = 'mnist-usps', domain = 'usps' }\nlabelled = { per_class = 3 }\n";
    let lab = lab();
    let done = run(&lab, task, METHODS, "images", "2");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    // The same methods where the digits are no images.
    let vectors = METHODS.split("[[method]]\nname = 'ridge'").nth(1).unwrap();
    let vectors = format!("[[method]]\nname = 'ridge'{vectors}");
    let task = task.replace("kind = 'images'\n", "");
    let done = run(&lab, &task, &vectors, "vectors", "2");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let (images, vectors) = (lab.trials("images"), lab.trials("vectors"));
    let (images, vectors) = (by_method(&images), by_method(&vectors));
    for method in ["coral/0", "coral/1", "ridge/0"] {
        assert_eq!(images[method]["status"], "ok");
        for field in ["metrics", "n_features", "n_test", "outcomes"] {
            assert_eq!(images[method][field], vectors[method][field], "{method}");
        }
    }
    assert_eq!(images["coral/0"]["n_features"], 256);
    assert_eq!(images["source-only/0"]["n_features"], 1);
    // Weights come of the vectors, the fit of the images.
    assert_eq!(images["weighted/0"]["status"], "ok");
}

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "methods_of_vectors_are_unsupported_where_there_are_images_alone",
        methods_of_vectors_are_unsupported_where_there_are_images_alone,
    ),
    (
        "images_that_are_broken_are_told_before_anything_runs",
        images_that_are_broken_are_told_before_anything_runs,
    ),
    (
        "decoding_images_is_no_part_of_the_fit",
        decoding_images_is_no_part_of_the_fit,
    ),
    (
        "a_grid_over_images_is_tried_point_by_point",
        a_grid_over_images_is_tried_point_by_point,
    ),
    (
        "a_point_without_memory_fails_the_trial",
        a_point_without_memory_fails_the_trial,
    ),
    (
        "an_image_broken_inside_fails_the_trials_that_decode_it",
        an_image_broken_inside_fails_the_trials_that_decode_it,
    ),
    (
        "digits_of_two_sizes_are_one_task_of_images",
        digits_of_two_sizes_are_one_task_of_images,
    ),
    (
        "rows_of_pixels_are_vectors_for_methods_of_vectors",
        rows_of_pixels_are_vectors_for_methods_of_vectors,
    ),
];

fn registry() -> Registry {
    translearn_classical::registry().with_learner::<BrightnessParams>()
}
