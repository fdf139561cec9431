//! Runs a plan: what is finished is skipped, what is not is run and stored.

mod options;
mod pool;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use translearn_core::Registry;

pub(crate) use options::Engine;
pub use options::{RunOptions, Shard};

use crate::plan::{Plan, PlanFile, Trial};
use crate::prepare::{PrepareError, TaskCache};
use crate::progress::Progress;
use crate::store::{self, Store, StoreError};
use crate::summary::{Summary, summarise};
use crate::worker::DEVICE;
use crate::{Status, TrialRecord, report};
use pool::Work;

/// What kept a plan from being run. A trial that fails is no such error: it is a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The result folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Data that make no task; nothing was run.
    #[error("`{}` line {line}: task `{task}`: {error}", spec.display())]
    Data {
        /// The specification.
        spec: PathBuf,
        /// The line of the task in it.
        line: usize,
        /// The task.
        task: String,
        /// File, line and reason.
        error: Box<PrepareError>,
    },
    /// Networks would compute on another device than their trials say, and give other bits.
    #[error(
        "the plan has networks on `{planned}`, and {DEVICE} says `{here}`; say `plan.on_device(\"{here}\", …)`, or change \
         the variable"
    )]
    Device {
        /// The kind of the plan.
        planned: String,
        /// The kind that this process was told.
        here: String,
    },
    /// The report cannot be written.
    #[error("the report cannot be written into `{}`: {source}", folder.display())]
    Report {
        /// The result folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Worker processes cannot be started.
    #[error("a worker process cannot be started: {0}")]
    Worker(std::io::Error),
}

/// What stands in the result folder after a run.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The folder.
    pub folder: PathBuf,
    /// All finished trials of the folder, in the order of the plan.
    pub records: Vec<TrialRecord>,
    /// Their means, gains and verdicts, as `summary.json` has them.
    pub summary: Summary,
    /// Trials that were run now.
    pub ran: usize,
    /// Trials that were finished before and skipped.
    pub skipped: usize,
    /// Whether the run was stopped before its last trial.
    pub stopped: bool,
}

impl RunSummary {
    /// Trials that ended so.
    pub fn count(&self, status: Status) -> usize {
        self.records
            .iter()
            .filter(|record| record.status == status)
            .count()
    }

    /// The tables for the terminal: means, gains, verdicts, failures and where the report is.
    pub fn table(&self) -> String {
        report::terminal_table(&self.summary, &self.folder)
    }

    /// Whether every trial is `ok` or `unsupported`.
    pub fn is_good(&self) -> bool {
        self.count(Status::Failed) + self.count(Status::Timeout) == 0
    }
}

/// Runs a plan with the default options, in this process; see [`run_with`].
///
/// ```
/// use std::path::Path;
/// use translearn_experiment::{RunOptions, Status, plan, run_with, spec::Spec};
///
/// let text = r#"
/// schema = 1
/// name = "wine"
/// [[task]]
/// name = "low→high"
/// source = { set = "wine-quality-embedded", domain = "low-alcohol" }
/// target = { set = "wine-quality-embedded", domain = "high-alcohol" }
/// [[method]]
/// use = "source-only"
/// learner = { use = "ncm" }
/// "#;
/// let registry = translearn_classical::registry();   // `.with::<MyMethod>()` adds one's own
/// let plan = plan::plan(&Spec::parse(text, Path::new("wine.toml"), &registry)?, &registry)?;
/// let folder = tempfile::tempdir()?;
/// let options = RunOptions { out: Some(folder.path().join("wine")), quiet: true, ..RunOptions::default() };
/// let summary = run_with(&plan, &registry, &options)?;
/// assert_eq!((summary.ran, summary.count(Status::Ok)), (1, 1));
/// assert!(summary.table().contains("source-only") && summary.folder.join("report.html").is_file());
///
/// // A second run finds it finished.
/// assert_eq!(run_with(&plan, &registry, &options)?.skipped, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`run_with`].
pub fn run(plan: &Plan, registry: &Registry) -> Result<RunSummary, RunError> {
    run_with(plan, registry, &RunOptions::default())
}

/// Runs the trials of a plan that are not finished yet, stores each as it ends, and writes the report.
///
/// Every finished trial is skipped, however it ended: `failed` and `timeout` are results and are run again only with
/// `fresh`. A run may be killed at any moment and started again: what was finished is kept, what was not is run, and the
/// results are those of a run that was never killed.
///
/// The trials run in this process, one after the other, each with all threads: a panic is caught, but
/// `timeout_seconds` and `memory_limit` do not hold and an abort ends the run. [`crate::main_with`] makes a program of
/// one's registry whose `run` command has worker processes, limits and all.
///
/// # Errors
/// [`RunError::Device`] when `TRANSLEARN_DEVICE` names another kind of device than the plan's, where networks are trained.
/// [`RunError::Data`] when the data of a task cannot be used, with file, line and reason; nothing is run then.
/// [`RunError::Store`] when the folder is in use, holds the results of another plan, or cannot be written.
pub fn run_with(
    plan: &Plan,
    registry: &Registry,
    options: &RunOptions,
) -> Result<RunSummary, RunError> {
    run_by(&Engine::default(), plan, registry, options)
}

/// [`run_with`] by an engine.
pub(crate) fn run_by(
    engine: &Engine,
    plan: &Plan,
    registry: &Registry,
    options: &RunOptions,
) -> Result<RunSummary, RunError> {
    let folder = options
        .out
        .clone()
        .unwrap_or_else(|| default_folder(plan.experiment()));
    let of_shard: Vec<&Trial> = plan
        .trials
        .iter()
        .enumerate()
        .filter(|(place, _)| options.shard.is_none_or(|shard| shard.holds(*place)))
        .map(|(_, trial)| trial)
        .collect();
    if engine.device.is_none() && of_shard.iter().any(|t| t.method.takes_images(registry)) {
        check_device(&plan.file.device, std::env::var_os(DEVICE))?;
    }
    // Data that cannot be used are told before anything is written, deleted or run.
    let finished = if options.fresh {
        BTreeMap::new()
    } else {
        store::finished(&folder)?
    };
    check_data(
        &plan.file.spec.file,
        &unfinished(&of_shard, &finished, &folder, options),
    )?;

    engine.begun.store(true, Ordering::Relaxed);
    let store = Store::open(&folder, &plan.file, options.fresh)?;
    let trials = unfinished(&of_shard, &store.finished()?, &folder, options);
    let (total, to_run) = (of_shard.len(), trials.len());
    let skipped = total - to_run;
    let mut progress = Progress::new(options.quiet, total, skipped);
    let work = Work {
        trials,
        predictions: options.save_predictions,
        registry,
        device: engine.device.as_deref(),
        stop: &engine.stop,
    };
    let mut ran = 0;
    let done = |(record, predictions): pool::Finished| {
        store.put(&record, predictions.as_deref())?;
        ran += 1;
        progress.finished(&record);
        Ok(())
    };
    let result = match engine.workers {
        Some(count) if to_run > 0 => work.in_workers(count, done),
        _ => work.in_this_process(done),
    };
    progress.end();
    result?;
    let stopped = engine.stop.load(Ordering::Relaxed) && ran < to_run;
    let (records, summary) = finish(&store, &plan.file)?;
    Ok(RunSummary {
        folder,
        records,
        summary,
        ran,
        skipped,
        stopped,
    })
}

/// Writes what a result folder ends with: `trials.jsonl`, `summary.json` and the report.
pub(crate) fn finish(
    store: &Store,
    plan: &PlanFile,
) -> Result<(Vec<TrialRecord>, Summary), RunError> {
    let records = store.write_lines(&plan.trials)?;
    let summary = summarise(plan, &records);
    report::write(store.folder(), plan, &summary, &records).map_err(|source| RunError::Report {
        folder: store.folder().to_owned(),
        source,
    })?;
    Ok((records, summary))
}

/// The trials that have something left to be done.
fn unfinished<'a>(
    trials: &[&'a Trial],
    finished: &BTreeMap<String, TrialRecord>,
    folder: &Path,
    options: &RunOptions,
) -> Vec<&'a Trial> {
    let predictions = |trial: &Trial| folder.join("predictions").join(format!("{}.csv", trial.id));
    let is_finished = |trial: &Trial| {
        finished.get(&trial.id).is_some_and(|record| {
            record.status != Status::Ok || !options.save_predictions || predictions(trial).is_file()
        })
    };
    trials
        .iter()
        .copied()
        .filter(|trial| !is_finished(trial))
        .collect()
}

/// Refuses a plan for another kind of device than the variable names.
fn check_device(planned: &str, variable: Option<OsString>) -> Result<(), RunError> {
    let here = variable.map_or_else(
        || "cpu".to_owned(),
        |name| {
            let name = name.to_string_lossy();
            name.split(':').next().unwrap_or_default().to_owned()
        },
    );
    if here == planned {
        return Ok(());
    }
    Err(RunError::Device {
        planned: planned.to_owned(),
        here,
    })
}

/// Prepares each task once, for its first trial: fetches what is to be downloaded, and refuses what cannot be used.
fn check_data(spec: &Path, trials: &[&Trial]) -> Result<(), RunError> {
    let mut cache = TaskCache::default();
    for of_task in trials.chunk_by(|a, b| a.task.name == b.task.name) {
        cache.check(of_task[0]).map_err(|error| RunError::Data {
            spec: spec.to_owned(),
            line: of_task[0].task.line,
            task: of_task[0].task.name.clone(),
            error: Box::new(error),
        })?;
    }
    Ok(())
}

/// `target/experiments/<name>` below the workspace that `cargo xtask` names, else below the current folder.
pub(crate) fn default_folder(experiment: &str) -> PathBuf {
    workspace_target().join("experiments").join(experiment)
}

/// The folder `target` of the workspace that `cargo xtask` names, else of the current folder.
pub(crate) fn workspace_target() -> PathBuf {
    let root = std::env::var_os("TRANSLEARN_WORKSPACE")
        .map(PathBuf::from)
        .unwrap_or_default();
    root.join("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_for_another_device_than_this_process_has_is_refused() {
        let check = |planned: &str, variable: Option<&str>| {
            check_device(planned, variable.map(OsString::from)).map_err(|error| error.to_string())
        };
        assert_eq!(check("cpu", None), Ok(()));
        assert_eq!(check("cuda", Some("cuda:1")), Ok(()));
        let error = check("cpu", Some("cuda")).unwrap_err();
        assert!(
            error.contains("on `cpu`") && error.contains("TRANSLEARN_DEVICE says `cuda`"),
            "{error}"
        );
        assert!(check("cuda", None).is_err());
    }
}
