//! What a training minimises.

use tch::Tensor;
use translearn_core::seed;

use super::Batch;
use crate::{DeepError, Pass};

/// A step of a training as an objective sees it: a batch of every stream, and how far the training has come.
#[derive(Debug)]
pub struct Step {
    pub(super) seed: u64,
    pub(super) index: u64,
    pub(super) n_steps: u64,
    pub(super) epoch: u64,
    pub(super) batches: Vec<Batch>,
}

impl Step {
    /// The batch of the stream at this place.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] when there are fewer streams.
    pub fn batch(&self, stream: usize) -> Result<&Batch, DeepError> {
        self.batches
            .get(stream)
            .ok_or_else(|| DeepError::unknown("stream", &stream.to_string(), []))
    }

    /// How far the training has come, from 0 at the first step towards 1.
    pub fn progress(&self) -> f64 {
        self.index as f64 / self.n_steps as f64
    }

    /// Steps before this one; where gradients are accumulated, batches before this one.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The epoch, from 0.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A pass that learns. What it drops depends on the step and on `name`, and on no other pass of the step.
    pub fn pass(&self, name: &str) -> Pass {
        Pass::train(self.seed(&["pass", name]))
    }

    /// A seed for something random in this step.
    pub fn seed(&self, path: &[&str]) -> u64 {
        let index = self.index.to_string();
        let path: Vec<&str> = ["step", &index]
            .into_iter()
            .chain(path.iter().copied())
            .collect();
        seed::derive(self.seed, &path)
    }
}

/// The losses of a step by name, each with its weight; what is minimised is their weighted sum.
#[derive(Debug, Default)]
pub struct Losses(pub(super) Vec<(String, f64, Tensor)>);

impl Losses {
    /// No loss yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another loss, a tensor of one number.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, weight: f64, loss: Tensor) -> Self {
        self.0.push((name.into(), weight, loss));
        self
    }
}

/// What a training minimises: the losses of a step. Any closure of that shape is one.
pub trait Objective {
    /// The losses of a step.
    ///
    /// # Errors
    /// [`DeepError`].
    fn losses(&mut self, step: &Step) -> Result<Losses, DeepError>;
}

impl<F: FnMut(&Step) -> Result<Losses, DeepError>> Objective for F {
    fn losses(&mut self, step: &Step) -> Result<Losses, DeepError> {
        self(step)
    }
}
