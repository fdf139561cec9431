//! The result folder: what is written, when, and what a run that was killed leaves behind.
//!
//! | file | written |
//! |---|---|
//! | `plan.json` | before the first trial |
//! | `predictions/<id>.csv` | before its trial, so that a finished trial has its predictions |
//! | `trials/<id>.json` | when the trial is finished: whole or not at all |
//! | `trials.jsonl` | when a run ends, and by `report`: the same lines in the order of the plan |
//! | `summary.json`, `report.md`, `report.html`, `plots/` | after `trials.jsonl`, by [`crate::report`] |
//! | `.lock` | held by the system's file lock while a run lasts; the file itself says nothing |
//!
//! A file appears under its name only after all of it is on the disk (temporary file, fsync, rename, fsync of the
//! folder). Temporary files stand in the result folder, never in `trials/`, and the next run removes what a killed one
//! left. The lock belongs to the process, so that none outlives a kill.

mod difference;
mod error;
mod merge;
mod predictions;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use error::StoreError;
pub use merge::{Merged, merge};
pub(crate) use predictions::to_csv;

use crate::TrialRecord;
use crate::plan::PlanFile;

/// Files of a result folder beside `trials/`, `predictions/` and `plots/`; `--fresh` removes them all, `plan.json` last.
const FILES: [&str; 5] = [
    "trials.jsonl",
    "summary.json",
    "report.md",
    "report.html",
    "plan.json",
];

/// A result folder that this process alone writes to.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held, never read: the system releases the lock when the file is closed, be it by a kill.
    _lock: File,
}

impl Store {
    /// Opens a folder for the results of a plan, making it where it is not there. With `fresh`, results that stand there
    /// are deleted.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another run writes to the folder; [`StoreError::OtherPlan`] and
    /// [`StoreError::NoPlan`] when its results are not this plan's; [`StoreError::Io`].
    pub fn open(folder: &Path, plan: &PlanFile, fresh: bool) -> Result<Self, StoreError> {
        let store = Self::lock(folder)?;
        write::remove_temporaries(folder)?;
        if fresh {
            store.clear()?;
        }
        let path = folder.join("plan.json");
        let plan = to_value(plan, &path)?;
        match read_plan(folder)? {
            Some(there) => {
                let differences = plan_differences(&there, &plan);
                if !differences.is_empty() {
                    return Err(StoreError::OtherPlan {
                        folder: folder.to_owned(),
                        differences,
                    });
                }
            }
            None if !trial_files(folder)?.is_empty() => {
                return Err(StoreError::NoPlan {
                    folder: folder.to_owned(),
                });
            }
            None => write::write_whole(folder, &path, format!("{plan:#}\n").as_bytes())?,
        }
        store.make_trials()?;
        Ok(store)
    }

    fn lock(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
        let path = folder.join(".lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = lock.read_to_string(&mut holder);
                return Err(StoreError::Busy {
                    folder: folder.to_owned(),
                    process: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
        }
        // The process in the message of whoever finds the folder locked; nothing depends on it.
        let _ = lock
            .set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Deletes all results, so that a kill in between leaves a folder that is either still the old plan's or empty.
    fn clear(&self) -> Result<(), StoreError> {
        for name in ["trials", "predictions", "plots"] {
            let path = self.folder.join(name);
            allow_missing(fs::remove_dir_all(&path)).map_err(StoreError::io("delete", &path))?;
        }
        for name in FILES {
            let path = self.folder.join(name);
            allow_missing(fs::remove_file(&path)).map_err(StoreError::io("delete", &path))?;
        }
        Ok(())
    }

    fn make_trials(&self) -> Result<(), StoreError> {
        let trials = self.folder.join("trials");
        fs::create_dir_all(&trials)
            .and_then(|()| write::sync_folder(&self.folder))
            .map_err(StoreError::io("make the folder", &trials))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The finished trials by identifier.
    ///
    /// # Errors
    /// As [`finished`].
    pub fn finished(&self) -> Result<BTreeMap<String, TrialRecord>, StoreError> {
        finished(&self.folder)
    }

    /// Stores a finished trial; its predictions first, so that it is never there without them.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn put(&self, record: &TrialRecord, predictions: Option<&str>) -> Result<(), StoreError> {
        if let Some(predictions) = predictions {
            let folder = self.folder.join("predictions");
            fs::create_dir_all(&folder).map_err(StoreError::io("make the folder", &folder))?;
            let path = folder.join(format!("{}.csv", record.trial));
            write::write_whole(&self.folder, &path, predictions.as_bytes())?;
        }
        let path = self
            .folder
            .join("trials")
            .join(format!("{}.json", record.trial));
        write::write_whole(&self.folder, &path, line(record, &path)?.as_bytes())
    }

    /// Writes `trials.jsonl`: the finished trials in the order of `order`; returns them.
    ///
    /// # Errors
    /// As [`finished`].
    pub fn write_lines(&self, order: &[String]) -> Result<Vec<TrialRecord>, StoreError> {
        let records = in_order(self.finished()?, order);
        let path = self.folder.join("trials.jsonl");
        let lines = records
            .iter()
            .map(|record| line(record, &path))
            .collect::<Result<String, _>>()?;
        write::write_whole(&self.folder, &path, lines.as_bytes())?;
        Ok(records)
    }
}

/// The finished trials of a folder by identifier; another run may be writing to it.
///
/// # Errors
/// [`StoreError::Damaged`] for a file that is no trial; [`StoreError::Io`].
pub fn finished(folder: &Path) -> Result<BTreeMap<String, TrialRecord>, StoreError> {
    let mut finished = BTreeMap::new();
    for path in trial_files(folder)? {
        let text = fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
        let damaged = |reason: String| StoreError::Damaged {
            path: path.clone(),
            reason,
        };
        let record: TrialRecord =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if path
            .file_stem()
            .is_none_or(|stem| stem != record.trial.as_str())
        {
            return Err(damaged(format!("it holds trial {}", record.trial)));
        }
        finished.insert(record.trial.clone(), record);
    }
    Ok(finished)
}

/// Moves trials into an order; those that it does not name come last, by identifier.
fn in_order(mut finished: BTreeMap<String, TrialRecord>, order: &[String]) -> Vec<TrialRecord> {
    let mut records: Vec<TrialRecord> = order.iter().filter_map(|id| finished.remove(id)).collect();
    records.extend(finished.into_values());
    records
}

fn trial_files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let trials = folder.join("trials");
    let entries = match fs::read_dir(&trials) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", &trials)(error)),
    };
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(StoreError::io("list", &trials))?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort_unstable();
    Ok(paths)
}

/// `plan.json` of a folder, or `None` where there is none.
fn read_plan(folder: &Path) -> Result<Option<Value>, StoreError> {
    let path = folder.join("plan.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| StoreError::Damaged {
            path,
            reason: error.to_string(),
        })
}

/// What differs between two plans; the identifiers of the trials follow from the rest and are named only when nothing
/// else differs.
fn plan_differences(old: &Value, new: &Value) -> Vec<String> {
    let without_trials = |plan: &Value| {
        let mut plan = plan.clone();
        if let Value::Object(plan) = &mut plan {
            plan.remove("trials");
        }
        plan
    };
    let differences = difference::differences(&without_trials(old), &without_trials(new));
    if differences.is_empty() {
        difference::differences(old, new)
    } else {
        differences
    }
}

fn line(record: &TrialRecord, path: &Path) -> Result<String, StoreError> {
    Ok(format!("{}\n", to_value(record, path)?))
}

fn to_value<T: serde::Serialize>(value: &T, path: &Path) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::io("write", path)(error.into()))
}

fn allow_missing(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
