//! A training as event files that TensorBoard reads.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Begin, EpochReport, Observer, StepReport};
use crate::DeepError;

mod format;

use format::{Event, SessionLog, Summary, record};

/// Keeps what is told of a training as event files for [TensorBoard](https://www.tensorflow.org/tensorboard): curves in
/// a browser while the training lasts, and several trainings over each other. Writing needs neither TensorFlow nor
/// Python.
///
/// `tensorboard --logdir runs` shows every folder below `runs` as a run of its own, so each training gets a folder.
/// What it shows, over the steps:
///
/// | tag | from |
/// |---|---|
/// | `loss/total`, `loss/<name>` | the loss of each step and its parts |
/// | `rate/<group>` | learning rates of each step |
/// | `gradient_norm` | of each step where it was taken |
/// | `validation/<metric>` | validation after each epoch |
/// | `rows_per_second` | each epoch |
///
/// TensorBoard's numbers have 32 bits. A step is with the system before the training goes on: some 30 bytes a value,
/// and one call.
///
/// Files are never changed, only added. When a training goes on after k steps, in the same folder, a session starts at
/// step k + 1 in a new file, upon which TensorBoard forgets the points from there on. Its fast loader (`--load_fast`)
/// does so curve by curve, when the first new point comes. A training that begins anew in the folder takes back all
/// points.
///
/// # Example
/// ```
/// use translearn_deep::train::{Begin, Observer, StepReport, TensorBoard};
///
/// let runs = tempfile::tempdir()?;
/// let mut board = TensorBoard::create(runs.path().join("adam"))?;
/// board.begin(&Begin { name: "digits", step: 0, n_steps: 300, epoch: 0, n_epochs: 3 })?;
/// board.step(&StepReport {
///     step: 1, loss: 2.5, losses: &[], rates: &[("head".into(), 0.01)], gradient_norm: None, n_rows: 32, seconds: 0.5,
/// })?;
/// let file = std::fs::read_dir(runs.path().join("adam"))?.next().unwrap()?;
/// assert!(file.file_name().to_string_lossy().starts_with("events.out.tfevents."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Where we differ
/// `torch.utils.tensorboard` says where a session starts only when it is asked to purge. TensorBoard's newer reader
/// takes the first start in a folder for that of the first session and purges at later ones alone, so every session
/// says where it starts. The seconds in a file's name are always past those of the files before, whatever the clock
/// says: TensorBoard reads files in the order of their names, and new points have to come after the old.
///
/// # Source
/// The messages
/// [`event.proto`](https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto) and
/// `summary.proto`; records as in
/// [TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
}

impl TensorBoard {
    /// Adds an event file to a folder, which is made where there is none. One training at a time writes into a folder.
    ///
    /// # Errors
    /// [`DeepError::Io`] when the folder or the file cannot be made; later, when it cannot be written.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, DeepError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(DeepError::io("made", folder))?;
        let name = next_name(folder, now())?;
        let path = folder.join(name);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(DeepError::io("made", &path))?;
        let mut board = Self { path, file };
        board.write(Event {
            file_version: Some("brain.Event:2".to_owned()),
            ..Event::default()
        })?;
        Ok(board)
    }

    fn write(&mut self, event: Event) -> Result<(), DeepError> {
        let event = Event {
            wall_time: now(),
            ..event
        };
        self.file
            .write_all(&record(&event))
            .map_err(DeepError::io("written", &self.path))
    }
}

impl Observer for TensorBoard {
    fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
        self.write(Event {
            step: signed(begin.step.saturating_add(1)),
            session_log: Some(SessionLog::start()),
            ..Event::default()
        })
    }

    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        let mut summary = Summary::default();
        summary.add("loss/total", report.loss);
        summary.extend("loss", report.losses);
        summary.extend("rate", report.rates);
        if let Some(norm) = report.gradient_norm {
            summary.add("gradient_norm", norm);
        }
        self.write(Event {
            step: signed(report.step),
            summary: Some(summary),
            ..Event::default()
        })
    }

    fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
        let mut summary = Summary::default();
        summary.extend("validation", report.metrics);
        summary.add("rows_per_second", report.rows_per_second);
        self.write(Event {
            step: signed(report.step),
            summary: Some(summary),
            ..Event::default()
        })
    }
}

/// `events.out.tfevents.<seconds since 1970>.<process>.<files before>`, after all names that are there.
fn next_name(folder: &Path, now: f64) -> Result<String, DeepError> {
    const PREFIX: &str = "events.out.tfevents.";
    let mut n_files = 0;
    let mut seconds = now as u64;
    for entry in fs::read_dir(folder).map_err(DeepError::io("read", folder))? {
        let name = entry.map_err(DeepError::io("read", folder))?.file_name();
        if let Some(rest) = name.to_string_lossy().strip_prefix(PREFIX) {
            n_files += 1;
            let theirs = rest.split('.').next().and_then(|text| text.parse().ok());
            seconds = seconds.max(theirs.map_or(0, |theirs: u64| theirs.saturating_add(1)));
        }
    }
    Ok(format!(
        "{PREFIX}{seconds:010}.{}.{n_files}",
        std::process::id()
    ))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// As the format counts steps.
fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::super::tests::{EPOCH, play};
    use super::*;

    /// What a reader saw: points of each tag, in order.
    type Curves = BTreeMap<String, Vec<(u64, f64)>>;

    /// The curves of [`play`] up to a step.
    fn curves(to: u64) -> Curves {
        let mut curves = Curves::new();
        for step in 1..=to {
            let part = |by: f64| by / step as f64;
            let mut add = |tag: &str, value: f64| {
                let value = f64::from(value as f32);
                curves
                    .entry(tag.to_owned())
                    .or_default()
                    .push((step, value));
            };
            add("loss/total", part(1.5));
            add("loss/task", part(1.0));
            add("loss/mmd", part(0.5));
            add("rate/backbone", 1e-3);
            add("rate/head", 1e-2);
            if step % 2 == 0 {
                add("gradient_norm", part(4.0));
            }
            if step % EPOCH == 0 {
                add("validation/accuracy", 1.0 - part(1.0));
                add("rows_per_second", 320.0);
            }
        }
        curves
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    /// A training that died and went on from a checkpoint: of the first, other numbers than those of [`play`] after it.
    fn interrupted(folder: &Path, checkpoint: u64, death: u64) {
        let mut first = TensorBoard::create(folder).unwrap();
        play(&mut first, 0, checkpoint, 1.0);
        for step in checkpoint + 1..=death {
            let lost = [("lost".to_owned(), 7.0)];
            let report = StepReport {
                step,
                loss: -1.0,
                losses: &lost,
                rates: &lost,
                gradient_norm: Some(-1.0),
                n_rows: 1,
                seconds: 0.0,
            };
            first.step(&report).unwrap();
        }
        // The death came in the middle of a record.
        first.file.write_all(&[7; 5]).unwrap();
        play(
            &mut TensorBoard::create(folder).unwrap(),
            checkpoint,
            9,
            1.0,
        );
    }

    #[test]
    fn files_hold_a_version_a_session_and_the_curves() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("run");
        play(&mut TensorBoard::create(&folder).unwrap(), 0, 7, 1.0);
        let events = format::tests::events(&fs::read(&files(&folder)[0]).unwrap());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!(
            (events[1].step, &events[1].session_log),
            (1, &Some(SessionLog::start()))
        );
        let mut found = Curves::new();
        for event in &events[2..] {
            assert!((event.wall_time - now()).abs() < 600.0);
            assert!(event.file_version.is_none() && event.session_log.is_none());
            for (tag, value) in event.summary.as_ref().unwrap().points() {
                let point = (u64::try_from(event.step).unwrap(), f64::from(value));
                found.entry(tag.to_owned()).or_default().push(point);
            }
        }
        assert_eq!(found, curves(7));
    }

    #[test]
    fn a_new_file_comes_after_all_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("other.txt"), "").unwrap();
        fs::write(folder.join("events.out.tfevents.x.2.3"), "").unwrap();
        let process = std::process::id();
        let name = |now| next_name(folder, now).unwrap();
        assert_eq!(
            name(1234.9),
            format!("events.out.tfevents.0000001234.{process}.1")
        );
        fs::write(folder.join("events.out.tfevents.1700000000.host.4.0"), "").unwrap();
        for now in [1_700_000_000.5, 1_600_000_000.0] {
            assert_eq!(
                name(now),
                format!("events.out.tfevents.1700000001.{process}.2"),
                "in the same second, and with a clock that was set back"
            );
        }
        assert_eq!(
            name(1_800_000_000.0),
            format!("events.out.tfevents.1800000000.{process}.2")
        );
        fs::write(
            folder.join(format!("events.out.tfevents.{}.4.0", u64::MAX)),
            "",
        )
        .unwrap();
        assert!(name(5.0).contains(&u64::MAX.to_string()));
    }

    #[test]
    fn going_on_starts_a_session_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        interrupted(folder.path(), 4, 8);
        let files = files(folder.path());
        assert_eq!(files.len(), 2);
        let events = format::tests::events(&fs::read(&files[1]).unwrap());
        assert_eq!(
            (events[1].step, &events[1].session_log),
            (5, &Some(SessionLog::start()))
        );
        assert_eq!(events[2].step, 5);
    }

    #[test]
    fn what_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = TensorBoard::create(&file).unwrap_err();
        assert!(
            matches!(&error, DeepError::Io { action: "made", path, .. } if *path == file),
            "{error}"
        );
    }

    /// TensorBoard itself reads the files, the older way and the newer: every curve, and after a death only what holds.
    #[test]
    fn tensorboard_reads_it() {
        let Some(python) = std::env::var_os("TRANSLEARN_TENSORBOARD_PYTHON") else {
            eprintln!(
                "skipped: reading with TensorBoard itself; TRANSLEARN_TENSORBOARD_PYTHON names no Python that has it"
            );
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let run = |name: &str| folder.path().join(name);
        play(&mut TensorBoard::create(run("whole")).unwrap(), 0, 9, 1.0);
        interrupted(&run("middle"), 4, 8);
        interrupted(&run("epoch"), 3, 9);
        interrupted(&run("anew"), 0, 5);
        // One that goes on in a folder whose first file began in the middle.
        play(&mut TensorBoard::create(run("late")).unwrap(), 4, 8, 1.0);
        play(&mut TensorBoard::create(run("late")).unwrap(), 6, 7, 1.0);
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/read_tensorboard.py"
        );
        let output = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let found: BTreeMap<String, BTreeMap<String, Curves>> =
            serde_json::from_slice(&output.stdout).unwrap();
        let readers: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(readers, ["newer", "older"]);
        for (reader, mut runs) in found {
            let mut read = |run: &str| {
                let mut curves = runs.remove(run).unwrap();
                // A tag of which every point was taken back may stay, without points.
                curves.retain(|_, points| !points.is_empty());
                curves
            };
            for run in ["whole", "middle", "epoch", "anew"] {
                assert_eq!(read(run), curves(9), "{reader}: {run}");
            }
            let mut late = curves(7);
            for points in late.values_mut() {
                points.retain(|&(step, _)| step > 4);
            }
            assert_eq!(read("late"), late, "{reader}: late");
        }
    }
}
