//! Runs trials, in this process or in worker processes, and hands each over as it is finished.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use translearn_core::Registry;

use super::RunError;
use crate::plan::Trial;
use crate::prepare::TaskCache;
use crate::trial::unfinished;
use crate::worker::{Job, Launcher, Outcome, Reply, Worker, execute};
use crate::{Status, TrialRecord};

/// What is to be run.
pub(super) struct Work<'a> {
    pub(super) trials: Vec<&'a Trial>,
    pub(super) predictions: bool,
    pub(super) registry: &'a Registry,
    /// Where workers compute.
    pub(super) device: Option<&'a str>,
    pub(super) stop: &'a AtomicBool,
}

/// A finished trial and the text of its predictions.
pub(super) type Finished = (TrialRecord, Option<String>);

impl Work<'_> {
    /// Runs the trials one after the other in this process. Limits do not hold here; a panic is caught.
    pub(super) fn in_this_process(
        &self,
        mut done: impl FnMut(Finished) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let mut cache = TaskCache::default();
        for trial in &self.trials {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let reply = execute(&self.job(trial), self.registry, &mut cache);
            done((reply.record, reply.predictions))?;
        }
        Ok(())
    }

    /// Runs the trials in `count` worker processes.
    pub(super) fn in_workers(
        &self,
        count: NonZeroUsize,
        mut done: impl FnMut(Finished) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let count = count.get().min(self.trials.len()).max(1);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let launcher = Launcher::of_this_program((cores / count).max(1), self.device)
            .map_err(RunError::Worker)?;
        let next = AtomicUsize::new(0);
        let (sender, finished) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..count {
                let sender = sender.clone();
                let (next, launcher) = (&next, &launcher);
                scope.spawn(move || {
                    let mut worker = None;
                    while let Some(trial) = self.trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(finished) =
                            self.in_worker(trial, launcher, &mut worker).transpose()
                        else {
                            return;
                        };
                        if sender.send(finished).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let result = finished
                .into_iter()
                .try_for_each(|finished| done(finished?));
            if result.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            result
        })
    }

    /// Runs a trial in the worker of a slot, started or replaced as need be; `None` when the run is to stop.
    fn in_worker(
        &self,
        trial: &Trial,
        launcher: &Launcher,
        slot: &mut Option<Worker>,
    ) -> Result<Option<Finished>, RunError> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let job = self.job(trial);
        let mut outcome = Outcome::Gone;
        // A worker that ended while it had nothing to do is no fault of this trial.
        if let Some(worker) = slot {
            outcome = worker.run(&job, self.stop);
        }
        if let Outcome::Gone = outcome {
            outcome = slot
                .insert(Worker::start(launcher).map_err(RunError::Worker)?)
                .run(&job, self.stop);
        }
        if !matches!(&outcome, Outcome::Reply(reply) if !reply.panicked) {
            *slot = None;
        }
        let ended = |status, error| Some((unfinished(trial, self.registry, status, error), None));
        Ok(match outcome {
            Outcome::Reply(reply) => {
                let Reply {
                    record,
                    predictions,
                    ..
                } = *reply;
                Some((record, predictions))
            }
            Outcome::Timeout => {
                let seconds = trial.timeout_seconds.unwrap_or_default();
                ended(
                    Status::Timeout,
                    format!("it ran longer than timeout_seconds = {seconds}"),
                )
            }
            Outcome::Memory => {
                let bytes = trial.memory_limit.unwrap_or_default();
                ended(
                    Status::Failed,
                    format!("it used more memory than memory_limit = {bytes} bytes"),
                )
            }
            Outcome::Died(reason) => ended(Status::Failed, reason),
            Outcome::Gone => ended(
                Status::Failed,
                "the worker ended before it could start".to_owned(),
            ),
            Outcome::Stopped => None,
        })
    }

    fn job(&self, trial: &Trial) -> Job {
        Job {
            trial: trial.clone(),
            predictions: self.predictions,
        }
    }
}
