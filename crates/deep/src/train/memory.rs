//! What a training remembers from step to step, and its way to a file and back.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Tensor;

use super::average::{Average, copies, copy_into};
use super::checkpoint::{self, Counters};
use super::{Group, Outcome};
use crate::{DeepError, Network};

/// What a training remembers from step to step.
pub(super) struct Memory {
    names: Vec<String>,
    /// The tensors of all models.
    pub(super) tensors: Vec<Tensor>,
    pub(super) counters: Counters,
    pub(super) average: Option<Average>,
    /// The values of the best epoch.
    pub(super) best: Option<Vec<Tensor>>,
    /// Rows of this epoch that went by since the training was begun or gone on with.
    pub(super) rows: u64,
}

impl Memory {
    pub(super) fn begin(
        models: &[(String, &Network)],
        ema: Option<f64>,
    ) -> Result<Self, DeepError> {
        let (mut names, mut tensors) = (Vec::new(), Vec::new());
        for (model, network) in models {
            for (name, parameter) in network.parameters() {
                names.push(format!("{model}/{name}"));
                tensors.push(parameter.tensor.shallow_clone());
            }
        }
        let average = match ema {
            Some(decay) => Some(Average::new(decay, &tensors)?),
            None => None,
        };
        Ok(Self {
            names,
            tensors,
            counters: Counters::default(),
            average,
            best: None,
            rows: 0,
        })
    }

    /// Takes in a step: its loss, each of its losses, and its rows.
    pub(super) fn count(
        &mut self,
        total: f64,
        each: &[(String, f64)],
        n_rows: usize,
    ) -> Result<(), DeepError> {
        self.counters.step += 1;
        self.counters.total += total;
        self.rows += n_rows as u64;
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

    pub(super) fn outcome(&self, finished: bool) -> Outcome {
        Outcome {
            steps: self.counters.step,
            finished,
            epochs: self.counters.history.clone(),
            best: self.counters.best.filter(|_| self.best.is_some()),
        }
    }

    /// All tensors of the state by name.
    fn state(&self, groups: &[Group]) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        let mut add = |kind: &str, names: &[String], tensors: &[Tensor]| {
            let named = names.iter().zip(tensors);
            all.extend(
                named.map(|(name, tensor)| (format!("{kind}/{name}"), tensor.shallow_clone())),
            );
        };
        add("model", &self.names, &self.tensors);
        if let Some(average) = &self.average {
            add("average", &self.names, &average.shadows);
        }
        if let Some(best) = &self.best {
            add("best", &self.names, best);
        }
        for (index, group) in groups.iter().enumerate() {
            let tensors: Vec<Tensor> = group.memory().map(Tensor::shallow_clone).collect();
            let names: Vec<String> = (0..tensors.len()).map(|k| format!("{index}/{k}")).collect();
            add("optimizer", &names, &tensors);
        }
        all
    }

    pub(super) fn save(
        &self,
        groups: &[Group],
        path: &Path,
        training: &str,
    ) -> Result<(), DeepError> {
        checkpoint::save(path, training, &self.counters, &self.state(groups))
    }

    /// Takes over the state of a checkpoint; `false` where there is none.
    pub(super) fn restore(
        &mut self,
        groups: &[Group],
        path: &Path,
        training: &str,
    ) -> Result<bool, DeepError> {
        let Some((counters, tensors)) = checkpoint::load(path, training)? else {
            return Ok(false);
        };
        let saved: BTreeMap<String, Tensor> = tensors.into_iter().collect();
        if saved.keys().any(|name| name.starts_with("best/")) {
            self.best = Some(copies(&self.tensors)?);
        }
        // The names and shapes to come are those of the state as it is now.
        for (name, tensor) in self.state(groups) {
            let found = saved
                .get(&name)
                .filter(|found| found.size() == tensor.size());
            let Some(found) = found else {
                return Err(DeepError::Checkpoint {
                    path: path.to_owned(),
                    reason: format!(
                        "`{name}` of shape {:?} is missing or has another shape",
                        tensor.size()
                    ),
                });
            };
            copy_into(&[tensor], &[found.shallow_clone()])?;
        }
        self.counters = counters;
        Ok(true)
    }
}
