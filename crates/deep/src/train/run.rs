//! The loop.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::average::{Average, copies, copy_into};
use super::checkpoint::{self, Checkpoint, Counters, Epoch};
use super::group::{gradient_norm, scale_gradients};
use super::observe::{Begin, EpochReport, Observer, StepReport};
use super::{Group, Losses, Objective, Step, Stream};
use crate::{DeepError, Network};

/// How long a training goes on, and what is done beside the steps.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `epochs` | 10 | integer ≥ 1 | rounds of the first stream |
/// | `accumulate` | 1 | integer ≥ 1 | batches whose gradients make one step |
/// | `clip_norm` | none | > 0 | longest gradient, in the 2-norm over all groups; a longer one is scaled |
/// | `ema` | none | [0, 1) | averages over the steps with this decay are validated and returned in place of the last values |
/// | `patience` | none | integer ≥ 1 | ends after so many epochs without a better validation, and returns the best |
/// | `seed` | 0 | any | order, dropout and augmentation |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainParams {
    /// Rounds of the first stream.
    pub epochs: u64,
    /// Batches whose gradients make one step.
    pub accumulate: u64,
    /// Longest gradient.
    pub clip_norm: Option<f64>,
    /// Decay of the averages.
    pub ema: Option<f64>,
    /// Epochs without a better validation before it ends.
    pub patience: Option<u64>,
    /// What is random is derived from this.
    pub seed: u64,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            epochs: 10,
            accumulate: 1,
            clip_norm: None,
            ema: None,
            patience: None,
            seed: 0,
        }
    }
}

impl TrainParams {
    fn check(&self) -> Result<(), DeepError> {
        let refuse = |name, value: String, range: &str| {
            Err(DeepError::InvalidParameter {
                name,
                value,
                range: range.to_owned(),
            })
        };
        for (name, value) in [
            ("epochs", self.epochs),
            ("accumulate", self.accumulate),
            ("patience", self.patience.unwrap_or(1)),
        ] {
            if value == 0 {
                return refuse(name, "0".to_owned(), "at least 1");
            }
        }
        match self.clip_norm {
            Some(norm) if !(norm > 0.0 && norm.is_finite()) => {
                refuse("clip_norm", norm.to_string(), "in (0, ∞)")
            }
            _ => Ok(()),
        }
    }
}

/// How good the models are on rows that are not trained on. Never rows that score a method.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// What early stopping looks at; the larger the better.
    pub score: f64,
    /// What is reported.
    pub metrics: Vec<(String, f64)>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Steps taken, those before an interruption included.
    pub steps: u64,
    /// Whether it came to its end; else it was asked to stop, and goes on from its checkpoint.
    pub finished: bool,
    /// Its epochs.
    pub epochs: Vec<Epoch>,
    /// Score and number of the epoch whose values the models have, where early stopping chose one.
    pub best: Option<(f64, u64)>,
}

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
        let mut memory = Memory::begin(self)?;
        let mut saved = self.restore(&mut memory)?;
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
                self.end_epoch(&mut memory, epoch, epoch_begun)?;
                epoch_begun = Instant::now();
            }
            let last = memory.counters.step == n_steps || memory.counters.stopped;
            let stop = self.stop.load(Ordering::Relaxed) && !last;
            if let Some(to) = self.checkpoint.as_ref()
                && (last || stop || memory.counters.step.is_multiple_of(to.every))
            {
                self.save(&memory, to)?;
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
        saved: Option<&std::path::Path>,
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
    ) -> Result<(), DeepError> {
        let (seconds, steps) = (begun.elapsed().as_secs_f64(), self.steps_per_epoch() as f64);
        let mut is_best = false;
        let mut metrics = Vec::new();
        if let Some(validate) = &mut self.validate {
            if let Some(average) = &mut memory.average {
                average.swap(&memory.tensors)?;
            }
            let found = tch::no_grad(|| validate())?;
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
        let rows = std::mem::take(&mut counters.rows);
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

    /// All tensors of the state by name.
    fn state(&self, memory: &Memory) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        let mut add = |kind: &str, names: &[String], tensors: &[Tensor]| {
            let named = names.iter().zip(tensors);
            all.extend(
                named.map(|(name, tensor)| (format!("{kind}/{name}"), tensor.shallow_clone())),
            );
        };
        add("model", &memory.names, &memory.tensors);
        if let Some(average) = &memory.average {
            add("average", &memory.names, &average.shadows);
        }
        if let Some(best) = &memory.best {
            add("best", &memory.names, best);
        }
        for (index, group) in self.groups.iter().enumerate() {
            let tensors: Vec<Tensor> = group.memory().map(Tensor::shallow_clone).collect();
            let names: Vec<String> = (0..tensors.len()).map(|k| format!("{index}/{k}")).collect();
            add("optimizer", &names, &tensors);
        }
        all
    }

    fn save(&self, memory: &Memory, to: &Checkpoint) -> Result<(), DeepError> {
        checkpoint::save(
            &to.path,
            &self.identity(),
            &memory.counters,
            &self.state(memory),
        )
    }

    /// Takes over the state of a checkpoint, where there is one; returns its file.
    fn restore(&mut self, memory: &mut Memory) -> Result<Option<PathBuf>, DeepError> {
        let Some(from) = self.checkpoint.clone() else {
            return Ok(None);
        };
        let Some((counters, tensors)) = checkpoint::load(&from.path, &self.identity())? else {
            return Ok(None);
        };
        let find = |name: &str| {
            tensors
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, tensor)| tensor)
        };
        if find(&format!(
            "best/{}",
            memory.names.first().map_or("", String::as_str)
        ))
        .is_some()
        {
            memory.best = Some(copies(&memory.tensors)?);
        }
        // The names and shapes to come are those of the state as it is now.
        for (name, tensor) in self.state(memory) {
            let saved = find(&name).filter(|saved| saved.size() == tensor.size());
            let Some(saved) = saved else {
                return Err(DeepError::Checkpoint {
                    path: from.path,
                    reason: format!(
                        "`{name}` of shape {:?} is missing or has another shape",
                        tensor.size()
                    ),
                });
            };
            copy_into(&[tensor], &[saved.shallow_clone()])?;
        }
        memory.counters = counters;
        Ok(Some(from.path))
    }
}

/// What a training remembers from step to step.
struct Memory {
    names: Vec<String>,
    tensors: Vec<Tensor>,
    counters: Counters,
    average: Option<Average>,
    best: Option<Vec<Tensor>>,
}

impl Memory {
    fn begin(training: &Training<'_>) -> Result<Self, DeepError> {
        let (mut names, mut tensors) = (Vec::new(), Vec::new());
        for (model, network) in &training.models {
            for (name, parameter) in network.parameters() {
                names.push(format!("{model}/{name}"));
                tensors.push(parameter.tensor.shallow_clone());
            }
        }
        let average = match training.params.ema {
            Some(decay) => Some(Average::new(decay, &tensors)?),
            None => None,
        };
        Ok(Self {
            names,
            tensors,
            counters: Counters::default(),
            average,
            best: None,
        })
    }

    fn count(
        &mut self,
        total: f64,
        each: &[(String, f64)],
        n_rows: usize,
    ) -> Result<(), DeepError> {
        self.counters.step += 1;
        self.counters.total += total;
        self.counters.rows += n_rows as u64;
        for (name, value) in each {
            match self
                .counters
                .sums
                .iter_mut()
                .find(|(known, _)| known == name)
            {
                Some((_, sum)) => *sum += value,
                None => self.counters.sums.push((name.clone(), *value)),
            }
        }
        match &mut self.average {
            Some(average) => average.update(&self.tensors, self.counters.step),
            None => Ok(()),
        }
    }

    fn outcome(&self, finished: bool) -> Outcome {
        Outcome {
            steps: self.counters.step,
            finished,
            epochs: self.counters.history.clone(),
            best: self.counters.best.filter(|_| self.best.is_some()),
        }
    }
}
