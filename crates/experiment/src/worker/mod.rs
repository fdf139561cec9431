//! Worker processes: one trial at a time each, so that a trial that panics, aborts, hangs or takes too much memory ends
//! alone.
//!
//! A worker is this very program with the argument `worker`. It reads one [`Job`] a line from its standard input and
//! answers each with one [`Reply`] a line, which begins with [`REPLY`]; the end of its input ends it, also in the middle of a trial, so that no worker
//! outlives the run that started it. It writes no file: the run does.

mod memory;
mod process;
mod serve;

use serde::{Deserialize, Serialize};
use translearn_core::Registry;

pub(crate) use memory::is_measured as memory_is_measured;
pub(crate) use process::{DEVICE, Launcher, Outcome, Worker};
pub(crate) use serve::serve;

use crate::plan::Trial;
use crate::prepare::TaskCache;
use crate::store::to_csv;
use crate::{Status, TrialRecord, trial};

/// Argument that makes the program a worker.
pub(crate) const ARGUMENT: &str = "worker";

/// What a line with a reply begins with: any other line was printed by a trial.
const REPLY: &str = "translearn-reply ";

/// A trial to be run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) trial: Trial,
    /// Whether the predictions are wanted.
    pub(crate) predictions: bool,
}

/// What became of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) record: TrialRecord,
    /// The text of the predictions' file.
    pub(crate) predictions: Option<String>,
    /// Whether the trial panicked, so that the worker may be in any state.
    pub(crate) panicked: bool,
}

/// Runs a trial in this process. Only a panic is caught.
pub(crate) fn execute(job: &Job, registry: &Registry, cache: &mut TaskCache) -> Reply {
    memory::reset_peak();
    let run = || run(job, registry, cache);
    let (mut record, predictions, panicked) =
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            Ok((record, predictions)) => (record, predictions, false),
            Err(payload) => {
                let error = format!("panicked: {}", message(&*payload));
                (
                    trial::unfinished(&job.trial, registry, Status::Failed, error),
                    None,
                    true,
                )
            }
        };
    record.peak_rss_bytes = memory::peak();
    Reply {
        record,
        predictions,
        panicked,
    }
}

fn run(job: &Job, registry: &Registry, cache: &mut TaskCache) -> (TrialRecord, Option<String>) {
    let failed = |error: String| {
        (
            trial::unfinished(&job.trial, registry, Status::Failed, error),
            None,
        )
    };
    let prepared = match cache.get(&job.trial) {
        Ok(prepared) => prepared,
        Err(error) => return failed(error.to_string()),
    };
    let (record, predictions) = trial::run(&job.trial, registry, &prepared);
    match predictions
        .filter(|_| job.predictions)
        .map(|predictions| to_csv(&predictions))
        .transpose()
    {
        Ok(predictions) => (record, predictions),
        Err(error) => failed(format!("the predictions cannot be written: {error}")),
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
