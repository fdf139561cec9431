//! The loop.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tch::Tensor;

use super::average::{copies, copy_into};
use super::checkpoint::{Checkpoint, Epoch};
use super::group::{gradient_norm, scale_gradients};
use super::memory::Memory;
use super::observe::{Begin, EpochReport, Observer, StepReport};
use super::{Group, Losses, Objective, Outcome, Step, Stream, TrainParams, Validation};
use crate::{DeepError, Network};

type Validate<'a> = Box<dyn FnMut() -> Result<Validation, DeepError> + 'a>;

/// A training: models, streams, groups that learn, and what watches it.
///
/// *Exact.* A step depends on the seed, its number and the tensors alone. A training that is interrupted, however hard, and
/// run again with the same parts goes on from its last [`Checkpoint`] and ends with the same bits as one that was not (on
/// the CPU with the same number of threads).
///
/// *Early stopping.* With `patience`, the models end with their values of the best epoch, else with the last ones; with
/// `ema`, with the averages at that time.
///
/// *What is not a number.* A loss or gradient that is not finite ends the training before any model is touched:
/// [`DeepError::Diverged`] names the step, the loss and the last checkpoint.
pub struct Training<'a> {
    name: String,
    params: TrainParams,
    models: Vec<(String, &'a Network)>,
    groups: Vec<Group>,
    streams: Vec<Stream<'a>>,
    validate: Option<Validate<'a>>,
    observers: Vec<Box<dyn Observer + 'a>>,
    checkpoint: Option<Checkpoint>,
    stop: Arc<AtomicBool>,
}

impl fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training")
            .field("name", &self.name)
            .field("params", &self.params)
            .field("groups", &self.groups)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl<'a> Training<'a> {
    /// A training of nothing yet.
    pub fn new(name: impl Into<String>, params: TrainParams) -> Self {
        Self {
            name: name.into(),
            params,
            models: Vec::new(),
            groups: Vec::new(),
            streams: Vec::new(),
            validate: None,
            observers: Vec::new(),
            checkpoint: None,
            stop: Arc::default(),
        }
    }

    /// With a model: its tensors are saved, averaged and kept at their best.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>, network: &'a Network) -> Self {
        self.models.push((name.into(), network));
        self
    }

    /// With tensors that learn.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// With another stream. The first one says how long an epoch is: as many steps as it takes to see its rows once.
    #[must_use]
    pub fn stream(mut self, stream: Stream<'a>) -> Self {
        self.streams.push(stream);
        self
    }

    /// Looks at the models after every epoch.
    #[must_use]
    pub fn validate(
        mut self,
        validate: impl FnMut() -> Result<Validation, DeepError> + 'a,
    ) -> Self {
        self.validate = Some(Box::new(validate));
        self
    }

    /// With someone who watches.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Saves the training in a file, and goes on from there when it is run again.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>, every: u64) -> Self {
        let path = path.into();
        self.checkpoint = Some(Checkpoint {
            path,
            every: every.max(1),
        });
        self
    }

    /// Ends the training after the current step, saved, once the flag is set: by a handler of signals, say.
    #[must_use]
    pub fn stop_when(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = flag;
        self
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.streams.first().map_or(0, |stream| {
            let rows = stream.batch_size() as u64 * self.params.accumulate;
            (stream.n_examples() as u64).div_ceil(rows.max(1))
        })
    }

    /// Steps in all.
    pub fn n_steps(&self) -> u64 {
        self.steps_per_epoch() * self.params.epochs
    }

    /// Trains to the end, or until it is asked to stop.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`]; [`DeepError::Diverged`]; [`DeepError::Checkpoint`] for a file of another training;
    /// [`DeepError::Io`]; [`DeepError::OutOfMemory`]; what objective, validation and observers return.
    pub fn run(&mut self, mut objective: impl Objective) -> Result<Outcome, DeepError> {
        self.params.check()?;
        let (n_steps, per_epoch) = (self.n_steps(), self.steps_per_epoch());
        if n_steps == 0 || self.groups.iter().all(|group| group.tensors().is_empty()) {
            return Err(DeepError::InvalidParameter {
                name: "training",
                value: format!(
                    "{} streams and no tensor that learns, or none",
                    self.streams.len()
                ),
                range: "a training with at least one stream and one tensor".to_owned(),
            });
        }
        if self.params.patience.is_some() && self.validate.is_none() {
            return Err(DeepError::InvalidParameter {
                name: "patience",
                value: "given without validation".to_owned(),
                range: "given with rows to validate on".to_owned(),
            });
        }
        let mut memory = Memory::begin(&self.models, self.params.ema)?;
        let identity = self.identity();
        let mut saved = None;
        if let Some(from) = &self.checkpoint
            && memory.restore(&self.groups, &from.path, &identity)?
        {
            saved = Some(from.path.clone());
        }
        let begin = Begin {
            name: &self.name,
            step: memory.counters.step,
            n_steps,
            epoch: memory.counters.step / per_epoch,
            n_epochs: self.params.epochs,
        };
        for observer in &mut self.observers {
            observer.begin(&begin)?;
        }
        let mut epoch_begun = Instant::now();
        while memory.counters.step < n_steps && !memory.counters.stopped {
            let index = memory.counters.step;
            let epoch = index / per_epoch;
            for group in &self.groups {
                group.begin_epoch(epoch)?;
            }
            self.step(&mut objective, &mut memory, epoch, saved.as_deref())?;
            let ended = memory.counters.step.is_multiple_of(per_epoch);
            if ended {
                self.end_epoch(&mut memory, epoch, epoch_begun, saved.as_deref())?;
                epoch_begun = Instant::now();
            }
            let last = memory.counters.step == n_steps || memory.counters.stopped;
            let stop = self.stop.load(Ordering::Relaxed) && !last;
            if let Some(to) = self.checkpoint.as_ref()
                && (last || stop || memory.counters.step.is_multiple_of(to.every))
            {
                memory.save(&self.groups, &to.path, &identity)?;
                saved = Some(to.path.clone());
            }
            if stop {
                return Ok(memory.outcome(false));
            }
        }
        if let Some(average) = &mut memory.average {
            average.swap(&memory.tensors)?;
        }
        if let Some(best) = &memory.best {
            copy_into(&memory.tensors, best)?;
        }
        Ok(memory.outcome(true))
    }

    fn step(
        &mut self,
        objective: &mut impl Objective,
        memory: &mut Memory,
        epoch: u64,
        saved: Option<&Path>,
    ) -> Result<(), DeepError> {
        let begun = Instant::now();
        let index = memory.counters.step;
        let (n_steps, parts) = (self.n_steps(), self.params.accumulate);
        let diverged = |loss: &str, value: f64| DeepError::Diverged {
            step: index + 1,
            loss: loss.to_owned(),
            value,
            checkpoint: saved.map(ToOwned::to_owned),
        };
        for group in &self.groups {
            group.clear_gradients()?;
        }
        let (mut total, mut each, mut n_rows) = (0.0, Vec::<(String, f64)>::new(), 0);
        for part in 0..parts {
            let batches = self
                .streams
                .iter_mut()
                .map(|stream| stream.batch(self.params.seed, index * parts + part))
                .collect::<Result<Vec<_>, _>>()?;
            n_rows += batches.iter().map(super::Batch::n_rows).sum::<usize>();
            let step = Step {
                seed: self.params.seed,
                index: index * parts + part,
                n_steps: n_steps * parts,
                epoch,
                batches,
            };
            let rows = step.batches.first().map_or(0, super::Batch::n_rows);
            let Losses(losses) = objective.losses(&step)?;
            let mut sum: Option<Tensor> = None;
            for (name, weight, loss) in losses {
                let value = loss.f_double_value(&[])?;
                if !value.is_finite() {
                    return Err(diverged(&name, value));
                }
                let share = value / parts as f64;
                total += weight * share;
                match each.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += share,
                    None => each.push((name, share)),
                }
                let weighted = loss.f_mul_scalar(weight / parts as f64)?;
                sum = Some(match sum {
                    None => weighted,
                    Some(sum) => sum.f_add(&weighted)?,
                });
            }
            let Some(sum) = sum else {
                return Err(DeepError::unknown("loss in this step, named", "any", []));
            };
            sum.f_backward()
                .map_err(|error| DeepError::from(error).in_batch(rows))?;
        }
        let norm = gradient_norm(&self.groups)?;
        if !norm.is_finite() {
            return Err(diverged("gradient", norm));
        }
        if let Some(longest) = self.params.clip_norm.filter(|&longest| norm > longest) {
            scale_gradients(&self.groups, longest / norm)?;
        }
        let mut rates = Vec::with_capacity(self.groups.len());
        for group in &mut self.groups {
            rates.push((group.name().to_owned(), group.rate_at(index, n_steps)));
            group.step(index, n_steps)?;
        }
        memory.count(total, &each, n_rows)?;
        let report = StepReport {
            step: index + 1,
            loss: total,
            losses: &each,
            rates: &rates,
            gradient_norm: Some(norm),
            n_rows,
            seconds: begun.elapsed().as_secs_f64(),
        };
        self.observers
            .iter_mut()
            .try_for_each(|observer| observer.step(&report))
    }

    fn end_epoch(
        &mut self,
        memory: &mut Memory,
        epoch: u64,
        begun: Instant,
        saved: Option<&Path>,
    ) -> Result<(), DeepError> {
        let (seconds, steps) = (begun.elapsed().as_secs_f64(), self.steps_per_epoch() as f64);
        let mut is_best = false;
        let mut metrics = Vec::new();
        if let Some(validate) = &mut self.validate {
            if let Some(average) = &mut memory.average {
                average.swap(&memory.tensors)?;
            }
            let found = tch::no_grad(validate)?;
            if !found.score.is_finite() {
                return Err(DeepError::Diverged {
                    step: memory.counters.step,
                    loss: "score of the validation".to_owned(),
                    value: found.score,
                    checkpoint: saved.map(ToOwned::to_owned),
                });
            }
            is_best = memory
                .counters
                .best
                .is_none_or(|(score, _)| found.score > score);
            if is_best {
                memory.counters.best = Some((found.score, epoch + 1));
                memory.counters.stale = 0;
                if self.params.patience.is_some() {
                    memory.best = Some(copies(&memory.tensors)?);
                }
            } else {
                memory.counters.stale += 1;
            }
            if let Some(average) = &mut memory.average {
                average.swap(&memory.tensors)?;
            }
            metrics = found.metrics;
        }
        let counters = &mut memory.counters;
        let stale = counters.stale;
        counters.stopped = self
            .params
            .patience
            .is_some_and(|patience| stale >= patience);
        let losses = std::mem::take(&mut counters.sums);
        let ended = Epoch {
            epoch: epoch + 1,
            loss: std::mem::take(&mut counters.total) / steps,
            losses: losses
                .into_iter()
                .map(|(name, sum)| (name, sum / steps))
                .collect(),
            metrics,
        };
        let rows = std::mem::take(&mut memory.rows);
        let report = EpochReport {
            epoch: ended.epoch,
            step: counters.step,
            loss: ended.loss,
            losses: &ended.losses,
            metrics: &ended.metrics,
            is_best,
            rows_per_second: rows as f64 / seconds.max(1e-9),
            seconds,
        };
        for observer in &mut self.observers {
            observer.epoch(&report)?;
        }
        counters.history.push(ended);
        Ok(())
    }

    /// What the training is, so that a checkpoint of another one is refused.
    fn identity(&self) -> String {
        let streams: Vec<String> = self
            .streams
            .iter()
            .map(|stream| {
                format!(
                    "{} of {} by {}",
                    stream.name(),
                    stream.n_examples(),
                    stream.batch_size()
                )
            })
            .collect();
        let groups: Vec<String> = self.groups.iter().map(Group::describe).collect();
        format!(
            "{} {:?} [{}] [{}]",
            self.name,
            self.params,
            streams.join(", "),
            groups.join(", ")
        )
    }
}
