//! A training as a file with one JSON object a line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use tempfile::NamedTempFile;

use super::super::checkpoint::folder_of;
use super::{Begin, EpochReport, Observer, StepReport};
use crate::DeepError;

/// Keeps what is told of a training as [JSON lines](https://jsonlines.org): for scripts, tables and plots of one's own.
///
/// The first line says which training it is, then comes a line for each step and each epoch, with the fields of
/// [`StepReport`] and [`EpochReport`]:
///
/// ```text
/// {"event":"begin","name":"digits","n_steps":300,"n_epochs":3}
/// {"event":"step","step":1,"loss":2.3,"losses":{"task":2.3},"rates":{"head":0.01},"gradient_norm":1.7,"n_rows":32,"seconds":0.02}
/// {"event":"epoch","epoch":1,"step":100,"loss":1.1,"losses":{"task":1.1},"metrics":{"accuracy":0.7},"is_best":true,"rows_per_second":1600.0,"seconds":2.1}
/// ```
///
/// Numbers are written so that reading them gives the same bits; JSON knows no infinity and no NaN, which become
/// `null`. A line is with the system before the training goes on, some 200 bytes and one call a step.
///
/// A new training replaces the file. One that goes on after k steps keeps the lines up to step k, and of epochs those
/// that were finished then; later ones and a last line that was torn are dropped. This goes through a second file that
/// takes the place of the first when it is whole. A training that was interrupted and went on therefore leaves the
/// lines of one that was not, times apart (`seconds`, `rows_per_second`). Where there is no file to keep, the lines
/// start at k + 1.
///
/// # Example
/// ```
/// use translearn_deep::train::{Begin, JsonLines, Observer, StepReport};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("training.jsonl");
/// let begin = Begin { name: "digits", step: 0, n_steps: 300, epoch: 0, n_epochs: 3 };
/// let first = StepReport {
///     step: 1, loss: 2.5, losses: &[], rates: &[("head".into(), 0.01)], gradient_norm: None, n_rows: 32, seconds: 0.5,
/// };
/// let mut lines = JsonLines::create(&path)?;
/// lines.begin(&begin)?;
/// lines.step(&first)?;
/// lines.step(&StepReport { step: 2, loss: 2.0, ..first })?; // the training dies, its last checkpoint was after step 1
/// let mut lines = JsonLines::create(&path)?;
/// lines.begin(&Begin { step: 1, ..begin })?;
/// let text = std::fs::read_to_string(&path)?;
/// assert_eq!(text.lines().collect::<Vec<_>>(), [
///     r#"{"event":"begin","name":"digits","n_steps":300,"n_epochs":3}"#,
///     r#"{"event":"step","step":1,"loss":2.5,"losses":{},"rates":{"head":0.01},"gradient_norm":null,"n_rows":32,"seconds":0.5}"#,
/// ]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens the file, or makes it and its folder. What stands in it stays until a training begins.
    ///
    /// # Errors
    /// [`DeepError::Io`] when it cannot be written. Later, when a training goes on, also when the file holds a line
    /// that is none of a training: then it is left as it is.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DeepError> {
        let path = path.into();
        fs::create_dir_all(folder_of(&path)).map_err(DeepError::io("made a folder for", &path))?;
        let file = open(&path)?;
        Ok(Self { path, file })
    }

    /// Puts a file in place that begins with `first` and goes on with the lines of the old one that are kept.
    fn rewrite(&mut self, first: &Line<'_>, keep: Option<&Begin<'_>>) -> Result<(), DeepError> {
        let mut new = NamedTempFile::new_in(folder_of(&self.path))
            .map_err(DeepError::io("written", &self.path))?;
        let mut buffer = BufWriter::new(new.as_file_mut());
        buffer
            .write_all(&first.bytes())
            .map_err(DeepError::io("written", &self.path))?;
        if let Some(begin) = keep {
            copy(&self.path, begin, &mut buffer)?;
        }
        buffer
            .flush()
            .map_err(DeepError::io("written", &self.path))?;
        drop(buffer);
        // A temporary file is for its owner alone; this one is for whom the old one was.
        self.file
            .metadata()
            .and_then(|old| new.as_file().set_permissions(old.permissions()))
            .and_then(|()| new.as_file().sync_all())
            .map_err(DeepError::io("written", &self.path))?;
        new.persist(&self.path)
            .map_err(|error| DeepError::io("put in place", &self.path)(error.error))?;
        self.file = open(&self.path)?;
        Ok(())
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), DeepError> {
        self.file
            .write_all(&line.bytes())
            .map_err(DeepError::io("written", &self.path))
    }
}

impl Observer for JsonLines {
    fn begin(&mut self, begin: &Begin<'_>) -> Result<(), DeepError> {
        let first = Line::Begin {
            name: begin.name,
            n_steps: begin.n_steps,
            n_epochs: begin.n_epochs,
        };
        self.rewrite(&first, (begin.step > 0).then_some(begin))
    }

    fn step(&mut self, report: &StepReport<'_>) -> Result<(), DeepError> {
        self.write(&Line::Step {
            step: report.step,
            loss: report.loss,
            losses: report.losses,
            rates: report.rates,
            gradient_norm: report.gradient_norm,
            n_rows: report.n_rows,
            seconds: report.seconds,
        })
    }

    fn epoch(&mut self, report: &EpochReport<'_>) -> Result<(), DeepError> {
        self.write(&Line::Epoch {
            epoch: report.epoch,
            step: report.step,
            loss: report.loss,
            losses: report.losses,
            metrics: report.metrics,
            is_best: report.is_best,
            rows_per_second: report.rows_per_second,
            seconds: report.seconds,
        })
    }
}

/// A line as it is written.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Begin {
        name: &'a str,
        n_steps: u64,
        n_epochs: u64,
    },
    Step {
        step: u64,
        loss: f64,
        #[serde(serialize_with = "object")]
        losses: &'a [(String, f64)],
        #[serde(serialize_with = "object")]
        rates: &'a [(String, f64)],
        gradient_norm: Option<f64>,
        n_rows: usize,
        seconds: f64,
    },
    Epoch {
        epoch: u64,
        step: u64,
        loss: f64,
        #[serde(serialize_with = "object")]
        losses: &'a [(String, f64)],
        #[serde(serialize_with = "object")]
        metrics: &'a [(String, f64)],
        is_best: bool,
        rows_per_second: f64,
        seconds: f64,
    },
}

impl Line<'_> {
    /// With its end, so that one call writes the whole line.
    #[expect(
        clippy::expect_used,
        reason = "numbers, texts and objects with texts for names always have a JSON form"
    )]
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a line has a JSON form");
        bytes.push(b'\n');
        bytes
    }
}

/// As much of a line as decides whether it is kept.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Mark {
    Begin,
    Step { step: u64 },
    Epoch { epoch: u64 },
}

fn object<S: Serializer>(pairs: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// Copies the lines of steps and epochs that were done when the training goes on.
fn copy(path: &Path, begin: &Begin<'_>, to: &mut impl Write) -> Result<(), DeepError> {
    let mut from = BufReader::new(File::open(path).map_err(DeepError::io("read", path))?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = from
            .read_until(b'\n', &mut line)
            .map_err(DeepError::io("read", path))?;
        if length == 0 || line.last() != Some(&b'\n') {
            break; // the end, or a line whose own end was never written
        }
        let mark = serde_json::from_slice(&line).map_err(|error| {
            let message = format!("line {number} is none of a training: {error}");
            DeepError::io("read", path)(std::io::Error::new(ErrorKind::InvalidData, message))
        })?;
        let is_kept = match mark {
            Mark::Begin => false, // the new one says the same, or what holds from now on
            Mark::Step { step } => step <= begin.step,
            Mark::Epoch { epoch } => epoch <= begin.epoch,
        };
        if is_kept {
            to.write_all(&line)
                .map_err(DeepError::io("written", path))?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, DeepError> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(DeepError::io("written", path))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::{EPOCH, play};
    use super::*;

    /// The lines of a file, without the fields in which two runs may differ.
    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'), "{text:?}");
        text.lines()
            .map(|line| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                let fields = value.as_object_mut().unwrap();
                fields.remove("seconds");
                fields.remove("rows_per_second");
                value
            })
            .collect()
    }

    fn played(path: &Path, from: u64, to: u64, pace: f64) {
        play(&mut JsonLines::create(path).unwrap(), from, to, pace);
    }

    #[test]
    fn a_line_holds_what_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("training.jsonl");
        played(&path, 0, EPOCH, 2.0);
        let text = fs::read_to_string(&path).unwrap();
        let expected = [
            r#"{"event":"begin","name":"digits","n_steps":9,"n_epochs":3}"#,
            r#"{"event":"step","step":1,"loss":1.5,"losses":{"task":1.0,"mmd":0.5},"rates":{"backbone":0.001,"head":0.01},"gradient_norm":null,"n_rows":32,"seconds":0.2}"#,
            r#"{"event":"step","step":2,"loss":0.75,"losses":{"task":0.5,"mmd":0.25},"rates":{"backbone":0.001,"head":0.01},"gradient_norm":2.0,"n_rows":32,"seconds":0.1}"#,
            r#"{"event":"step","step":3,"loss":0.5,"losses":{"task":0.3333333333333333,"mmd":0.16666666666666666},"rates":{"backbone":0.001,"head":0.01},"gradient_norm":null,"n_rows":32,"seconds":0.06666666666666667}"#,
            r#"{"event":"epoch","epoch":1,"step":3,"loss":0.6666666666666666,"losses":{"task":0.4166666666666667,"mmd":0.25},"metrics":{"accuracy":0.6666666666666667},"is_best":true,"rows_per_second":160.0,"seconds":2.0}"#,
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_goes_on_leaves_the_lines_of_what_was_never_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        played(&whole, 0, 3 * EPOCH, 1.0);
        let whole = lines(&whole);
        assert_eq!(whole.len(), 1 + 9 + 3);
        for checkpoint in 0..=8 {
            for death in checkpoint..=9 {
                let path = folder.path().join(format!("{checkpoint}-{death}"));
                played(&path, 0, death, 3.0);
                // The death came in the middle of a line.
                let mut file = File::options().append(true).open(&path).unwrap();
                file.write_all(b"{\"event\":\"step\",\"st").unwrap();
                played(&path, checkpoint, 9, 0.5);
                assert_eq!(lines(&path), whole, "{checkpoint}-{death}");
            }
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1 + 54,
            "no temporary file is left"
        );
    }

    #[test]
    fn an_epoch_that_was_not_finished_at_the_checkpoint_is_told_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.jsonl");
        played(&path, 0, EPOCH, 1.0);
        // The checkpoint came after the last step of the epoch and before its validation.
        let begin = Begin {
            name: "digits",
            step: EPOCH,
            n_steps: 12,
            epoch: 0,
            n_epochs: 4,
        };
        let mut again = JsonLines::create(&path).unwrap();
        again.begin(&begin).unwrap();
        let kept = lines(&path);
        assert_eq!(
            kept.len(),
            4,
            "the epoch is dropped, its steps are not: {kept:?}"
        );
        assert_eq!(
            kept[0]["n_steps"], 12,
            "the first line tells what holds now"
        );
        // One that begins anew keeps nothing.
        again.begin(&Begin { step: 0, ..begin }).unwrap();
        assert_eq!(lines(&path).len(), 1);
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for other in ["{\"event\":\"step\",\"step\":1}\nbuy milk\n", "[1]\n", "\n"] {
            fs::write(&path, other).unwrap();
            let mut lines = JsonLines::create(&path).unwrap();
            let begin = Begin {
                name: "digits",
                step: 2,
                n_steps: 9,
                epoch: 0,
                n_epochs: 3,
            };
            let error = lines.begin(&begin).unwrap_err();
            let DeepError::Io { action, source, .. } = &error else {
                panic!("{error}")
            };
            let line = format!("line {} is none of a training", other.lines().count());
            assert!(
                *action == "read" && source.to_string().contains(&line),
                "{error}: {source}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
        let error = JsonLines::create(folder.path()).unwrap_err();
        assert!(
            matches!(error, DeepError::Io { path, .. } if path == folder.path()),
            "a folder is no file"
        );
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.jsonl");
        let mut to = JsonLines::create(&path).unwrap();
        to.step(&StepReport {
            step: 1,
            loss: f64::NAN,
            losses: &[("task".into(), f64::INFINITY)],
            rates: &[],
            gradient_norm: Some(0.1),
            n_rows: 1,
            seconds: 0.0,
        })
        .unwrap();
        let line = &lines(&path)[0];
        assert!(
            line["loss"].is_null() && line["losses"]["task"].is_null(),
            "{line}"
        );
        assert_eq!(line["gradient_norm"], 0.1);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_stays_readable_for_whom_it_was() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.jsonl");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        played(&path, 0, 1, 1.0);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o664);
    }
}
