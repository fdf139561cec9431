//! Tensors that one optimiser moves, with its rate over time.

use tch::Tensor;

use super::Schedule;
use crate::{DeepError, Network, Optimizer, OptimizerState, Role};

/// Learned tensors, and how they follow their gradients: an optimiser, a rate and its course.
///
/// A training has any number of groups: a head that learns faster than what is below it, two networks that play against
/// each other, layers that begin to learn later.
#[derive(Debug)]
pub struct Group {
    name: String,
    tensors: Vec<Tensor>,
    state: OptimizerState,
    rate: f64,
    schedule: Schedule,
    warm_up: f64,
    from_epoch: u64,
}

impl Group {
    /// Tensors that learn, at a constant rate.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for a rate that is negative or not finite, or an optimiser's constants outside their
    /// ranges.
    pub fn new(
        name: impl Into<String>,
        tensors: impl IntoIterator<Item = Tensor>,
        optimizer: Optimizer,
        rate: f64,
    ) -> Result<Self, DeepError> {
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(DeepError::InvalidParameter {
                name: "learning_rate",
                value: rate.to_string(),
                range: "in [0, ∞)".to_owned(),
            });
        }
        let tensors: Vec<Tensor> = tensors.into_iter().collect();
        let state = OptimizerState::new(optimizer, tensors.iter().map(Tensor::shallow_clone))?;
        Ok(Self {
            name: name.into(),
            tensors,
            state,
            rate,
            schedule: Schedule::Constant,
            warm_up: 0.0,
            from_epoch: 0,
        })
    }

    /// The tensors of a network that learn now and whose name `keep` admits.
    ///
    /// # Errors
    /// As [`Group::new`].
    pub fn of(
        name: impl Into<String>,
        network: &Network,
        keep: impl Fn(&str) -> bool,
        optimizer: Optimizer,
        rate: f64,
    ) -> Result<Self, DeepError> {
        let learned = network.parameters().iter().filter(|(name, parameter)| {
            parameter.role == Role::Weight && parameter.tensor.requires_grad() && keep(name)
        });
        let tensors = learned.map(|(_, parameter)| parameter.tensor.shallow_clone());
        Self::new(name, tensors, optimizer, rate)
    }

    /// Changes the rate over the training.
    ///
    /// # Errors
    /// As [`Schedule::check`].
    pub fn schedule(mut self, schedule: Schedule) -> Result<Self, DeepError> {
        schedule.check()?;
        self.schedule = schedule;
        Ok(self)
    }

    /// Raises the rate from 0 over this share of the training, in `[0, 1)`, whatever the schedule. Default: 0.
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`].
    pub fn warm_up(mut self, share: f64) -> Result<Self, DeepError> {
        if !(0.0..1.0).contains(&share) {
            return Err(DeepError::InvalidParameter {
                name: "warm_up",
                value: share.to_string(),
                range: "in [0, 1)".to_owned(),
            });
        }
        self.warm_up = share;
        Ok(self)
    }

    /// Lets the group learn only from this epoch on; before, its tensors are frozen, and so are the statistics of their
    /// batch normalisation. Default: 0, the first.
    #[must_use]
    pub fn from_epoch(mut self, epoch: u64) -> Self {
        self.from_epoch = epoch;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rate of step `index` of `n_steps`: `rate · factor(p) · min(1, (index + 1) / (warm_up · n_steps))`.
    pub fn rate_at(&self, index: u64, n_steps: u64) -> f64 {
        let p = index as f64 / n_steps.max(1) as f64;
        let rising = self.warm_up * n_steps as f64;
        let risen = if rising > 0.0 {
            ((index + 1) as f64 / rising).min(1.0)
        } else {
            1.0
        };
        self.rate * self.schedule.factor(p) * risen
    }

    /// What it is, for the identity of a training.
    pub(super) fn describe(&self) -> String {
        let shapes: Vec<Vec<i64>> = self.tensors.iter().map(Tensor::size).collect();
        format!(
            "{} {shapes:?} {:?} {} {:?} {} {}",
            self.name,
            self.state.optimizer(),
            self.rate,
            self.schedule,
            self.warm_up,
            self.from_epoch
        )
    }

    pub(super) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Freezes or lets learn, as the epoch demands.
    pub(super) fn begin_epoch(&self, epoch: u64) -> Result<(), DeepError> {
        let learns = epoch >= self.from_epoch;
        for tensor in &self.tensors {
            if tensor.requires_grad() != learns {
                let _same = tensor.f_set_requires_grad(learns)?;
            }
        }
        Ok(())
    }

    pub(super) fn clear_gradients(&self) -> Result<(), DeepError> {
        self.state.clear_gradients()
    }

    pub(super) fn step(&mut self, index: u64, n_steps: u64) -> Result<(), DeepError> {
        let rate = self.rate_at(index, n_steps);
        self.state.step(rate)
    }

    pub(super) fn memory(&self) -> impl Iterator<Item = &Tensor> {
        self.state.memory()
    }
}

/// The 2-norm of all gradients of all groups together.
pub(super) fn gradient_norm(groups: &[Group]) -> Result<f64, DeepError> {
    let gradients: Vec<Tensor> = groups
        .iter()
        .flat_map(Group::tensors)
        .map(Tensor::grad)
        .filter(Tensor::defined)
        .collect();
    if gradients.is_empty() {
        return Ok(0.0);
    }
    let norms = gradients
        .iter()
        .map(Tensor::f_norm)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?)
}

/// Scales all gradients.
pub(super) fn scale_gradients(groups: &[Group], factor: f64) -> Result<(), DeepError> {
    tch::no_grad(|| {
        for tensor in groups.iter().flat_map(Group::tensors) {
            let mut gradient = tensor.grad();
            if gradient.defined() {
                let _scaled = gradient.f_mul_scalar_(factor)?;
            }
        }
        Ok(())
    })
}
