//! What one worker keeps between trials.

use std::path::PathBuf;
use std::sync::Arc;

use super::{PrepareError, PreparedTask, RawTask};
use crate::plan::Trial;
use crate::spec::TaskSpec;

/// Keeps the files of the last task and its last preparation. Trials come task by task, so one of each is enough.
#[derive(Debug, Default)]
pub struct TaskCache {
    raw: Option<(Files, RawTask)>,
    prepared: Option<(Key, Arc<PreparedTask>)>,
}

/// A task and, where it draws rows, the seed.
type Key = (PathBuf, TaskSpec, Option<u64>);

/// A task without what is done after reading.
type Files = (PathBuf, TaskSpec);

impl TaskCache {
    /// Prepares the task of a trial and looks at its images, so that what cannot be used is found before anything runs.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn check(&mut self, trial: &Trial) -> Result<(), PrepareError> {
        self.get(trial)?.check_images()
    }

    /// The task of a trial, prepared now or before.
    ///
    /// # Errors
    /// [`PrepareError`]; nothing is kept then.
    pub fn get(&mut self, trial: &Trial) -> Result<Arc<PreparedTask>, PrepareError> {
        let task = &trial.task;
        // Without a draw the seed plays no part.
        let draws = [task.labelled, task.source_sample, task.target_sample];
        let drawn = draws.iter().any(Option::is_some);
        let key = (
            trial.base.clone(),
            task.clone(),
            drawn.then_some(trial.seed),
        );
        if let Some((_, prepared)) = self.prepared.as_ref().filter(|(kept, _)| *kept == key) {
            return Ok(Arc::clone(prepared));
        }
        self.prepared = None;
        let files = (trial.base.clone(), files(task));
        if self.raw.as_ref().is_none_or(|(kept, _)| *kept != files) {
            self.raw = None;
            self.raw = Some((files, RawTask::load(task, &trial.base)?));
        }
        let Some((_, raw)) = &self.raw else {
            return Ok(Arc::new(PreparedTask::of(trial)?));
        };
        let prepared = Arc::new(raw.prepare(task, trial.seed)?);
        self.prepared = Some((key, Arc::clone(&prepared)));
        Ok(prepared)
    }
}

fn files(task: &TaskSpec) -> TaskSpec {
    TaskSpec {
        name: String::new(),
        labelled: None,
        source_sample: None,
        target_sample: None,
        preprocess: Vec::new(),
        text: None,
        table: Default::default(),
        line: 0,
        ..task.clone()
    }
}
