//! A training that is interrupted and goes on ends with the same bits as one that is not.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tch::{Device, Kind};
use translearn_core::{Image, seed};
use translearn_deep::train::Examples;
use translearn_deep::train::{
    Group, ImageExamples, Losses, Observer, Outcome, Pick, Schedule, Step, StepReport, Stream,
    TrainParams, Training, Validation,
};
use translearn_deep::{Augmentation, DeepError, Network, Optimizer, backbones, cross_entropy};

/// Where a child keeps its checkpoint; without it the child has nothing to do.
const CHILD: &str = "TRANSLEARN_RESUME_CHILD";
const EPOCHS: u64 = 5;
const ROWS: usize = 23;
const BATCH: usize = 5;

fn images(n: usize, seed: u64) -> ImageExamples {
    let mut rng = seed::rng(seed);
    let mut labels = Vec::new();
    let images = (0..n).map(|row| {
        labels.push(row % 3);
        let bright = |_| ((row % 3) * 70 + rng.below(60)) as u8;
        Image::new(20, 20, 1, (0..400).map(bright).collect()).unwrap()
    });
    let images = images.collect();
    let transform = backbones::find("small-cnn").unwrap().transform();
    ImageExamples::new(images, transform, Device::Cpu)
        .augmented(Augmentation::preset("digits", 20).unwrap())
        .labelled(&labels)
        .unwrap()
}

/// Sets the flag after a number of steps.
struct StopAt(u64, Arc<AtomicBool>);

impl Observer for StopAt {
    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        self.1.store(report.step == self.0, Ordering::Relaxed);
        Ok(())
    }
}

/// Tells its steps, and takes some time over them.
struct Tell(Duration);

impl Observer for Tell {
    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        println!("step {}", report.step);
        std::thread::sleep(self.0);
        Ok(())
    }
}

/// Everything that has a state is on: dropout, batch normalisation, augmentation, averages, early stopping, momentum in two
/// optimisers, schedules, a group that begins late.
fn train(
    checkpoint: &Path,
    stop: &Arc<AtomicBool>,
    observer: impl Observer,
) -> Result<(Network, Outcome), DeepError> {
    tch::set_num_threads(1);
    let network = backbones::find("small-cnn")?.build(3, Device::Cpu, 7)?;
    let (source, held_out) = (images(ROWS, 1), images(12, 2));
    let params = TrainParams {
        epochs: EPOCHS,
        ema: Some(0.9),
        patience: Some(2),
        clip_norm: Some(1.0),
        accumulate: 2,
        seed: 11,
    };
    let is_head = |name: &str| name.starts_with("fc2");
    let body = Group::of(
        "body",
        &network,
        |name| !is_head(name),
        Optimizer::sgd(),
        0.02,
    )?
    .schedule(Schedule::Cosine { floor: 0.0 })?
    .from_epoch(1);
    let head = Group::of("head", &network, is_head, Optimizer::adamw(), 0.003)?.warm_up(0.2)?;
    let validate = || {
        let batch = held_out.batch(&Pick::plain(0..12))?;
        let logits = network.forward(&batch.x, &mut translearn_deep::Pass::eval())?;
        let loss = cross_entropy(&logits, batch.labels()?)?.f_double_value(&[])?;
        // Best where the loss passes 1 on its way down, so that an earlier state than the last is returned.
        let score = -(loss - 1.0).abs();
        Ok(Validation {
            score,
            metrics: vec![("loss".to_owned(), loss)],
        })
    };
    let mut training = Training::new("resume", params)
        .model("network", &network)
        .group(body)
        .group(head)
        .stream(Stream::new("source", &source, BATCH)?)
        .validate(validate)
        .observe(observer)
        .checkpoint(checkpoint, 1)
        .stop_when(Arc::clone(stop));
    let outcome = training.run(|step: &Step| {
        let batch = step.batch(0)?;
        let mut pass = step.pass("source");
        let logits = network.forward(&batch.x, &mut pass)?;
        let noise = seed::rng(step.seed(&["noise"])).uniform();
        let task = cross_entropy(&logits, batch.labels()?)?;
        Ok(Losses::new().with("task", 1.0 + 0.1 * noise, task).with(
            "decay",
            1e-3,
            logits.f_square()?.f_mean(Kind::Float)?,
        ))
    })?;
    drop(training);
    Ok((network, outcome))
}

fn bits(network: &Network) -> Vec<Vec<u32>> {
    let tensors = network.parameters().values().map(|parameter| {
        let flat = parameter.tensor.detach().flatten(0, -1);
        let values = Vec::<f32>::try_from(flat).unwrap();
        values.iter().map(|value| value.to_bits()).collect()
    });
    tensors.collect()
}

/// The state of the file, byte by byte.
fn file(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn stopped_at_any_step_and_resumed_it_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let never = Arc::new(AtomicBool::new(false));
    let whole = folder.path().join("whole.safetensors");
    let (network, outcome) = train(&whole, &never, ()).unwrap();
    assert!(outcome.finished);
    let (_, best) = outcome.best.unwrap();
    assert!(
        best < outcome.epochs.len() as u64,
        "the best epoch is an earlier one, or it would not show whether it is kept: {outcome:?}"
    );
    let mut rng = seed::rng(3);
    for trial in 0..6 {
        let path = folder.path().join(format!("{trial}.safetensors"));
        // Two interruptions, in any place; the first may be within the first epoch, where a group is still frozen.
        let first = 1 + rng.below(outcome.steps as usize - 2) as u64;
        let second = first + 1 + rng.below((outcome.steps - first - 1) as usize) as u64;
        for at in [first, second] {
            let flag = Arc::new(AtomicBool::new(false));
            let (_, stopped) = train(&path, &flag, StopAt(at, Arc::clone(&flag))).unwrap();
            assert_eq!((stopped.finished, stopped.steps), (false, at));
        }
        let (resumed, again) = train(&path, &never, ()).unwrap();
        assert_eq!(again, outcome, "stopped at {first} and {second}");
        assert_eq!(
            bits(&resumed),
            bits(&network),
            "stopped at {first} and {second}"
        );
        assert_eq!(file(&path), file(&whole));
    }
    // A training that has ended is not begun again.
    let (ended, same) = train(&whole, &never, StopAt(1, Arc::clone(&never))).unwrap();
    assert_eq!((bits(&ended), same), (bits(&network), outcome));
}

/// What the tests below start as a process of its own.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed)).unwrap();
    let (_, outcome) = train(&PathBuf::from(path), &stop, Tell(Duration::from_millis(15))).unwrap();
    println!("finished {} after {}", outcome.finished, outcome.steps);
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment_it_goes_on_and_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let never = Arc::new(AtomicBool::new(false));
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    train(&whole, &never, ()).unwrap();
    let mut rng = seed::rng(5);
    for _ in 0..4 {
        let mut process = start(&killed);
        std::thread::sleep(Duration::from_millis(150 + rng.below(250) as u64));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let ended = start(&killed).wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stdout).contains("finished true"));
    assert_eq!(file(&killed), file(&whole));
}

#[cfg(unix)]
#[test]
fn a_signal_saves_and_ends_in_order() {
    use std::io::{BufRead, BufReader, Read};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signalled");
    for signal in ["-TERM", "-INT"] {
        let mut process = start(&path);
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("step") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "no step was taken");
        }
        let id = process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert!(process.wait().unwrap().success(), "{signal}: {rest}");
        assert!(rest.contains("finished false after"), "{signal}: {rest}");
        assert!(path.exists());
    }
}
