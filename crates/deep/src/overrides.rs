//! What a pass computes with in place of what the layers hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use tch::Tensor;

use crate::{DeepError, Layer, Pass};

/// A learned tensor of a layer, with its full name: a pass may hold another value under it, which
/// [`Pass::value`] gives.
#[derive(Debug)]
pub struct Weight {
    name: Arc<str>,
    tensor: Tensor,
}

impl Weight {
    pub(crate) fn new(name: &str, tensor: Tensor) -> Self {
        Self {
            name: name.into(),
            tensor,
        }
    }

    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the layer holds; what a pass computes with may differ.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Whether it is learned, and not frozen.
    pub fn is_learned(&self) -> bool {
        self.tensor.requires_grad()
    }
}

impl Clone for Weight {
    /// The same memory under the same name.
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            tensor: self.tensor.shallow_clone(),
        }
    }
}

/// Values in place of weights, and layers behind layers, by name.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    values: BTreeMap<Arc<str>, Tensor>,
    behind: BTreeMap<String, Vec<Box<dyn Layer>>>,
}

impl Overrides {
    pub(crate) fn has_layers(&self) -> bool {
        !self.behind.is_empty()
    }

    pub(crate) fn into_values(self) -> BTreeMap<Arc<str>, Tensor> {
        self.values
    }
}

impl Pass {
    /// The value that this pass computes with: what adapters made of the weight, else the weight itself.
    pub fn value<'a>(&'a self, weight: &'a Weight) -> &'a Tensor {
        if self.overrides.values.is_empty() {
            return &weight.tensor;
        }
        let other = self.overrides.values.get(&weight.name);
        other.unwrap_or(&weight.tensor)
    }

    /// Computes with another value in place of a weight.
    pub(crate) fn replace(&mut self, weight: &Weight, value: Tensor) {
        self.overrides
            .values
            .insert(Arc::clone(&weight.name), value);
    }

    /// Sends the output of a layer through another one.
    pub(crate) fn put_behind(&mut self, layer: &str, other: Box<dyn Layer>) {
        let behind = self.overrides.behind.entry(layer.to_owned());
        behind.or_default().push(other);
    }

    /// The output of a layer after what was put behind it.
    pub(crate) fn through(&mut self, layer: &str, output: Tensor) -> Result<Tensor, DeepError> {
        // Taken out for the time: a layer needs the pass for itself.
        let Some((name, others)) = self.overrides.behind.remove_entry(layer) else {
            return Ok(output);
        };
        let result = others
            .iter()
            .try_fold(output, |y, other| other.forward(&y, self));
        self.overrides.behind.insert(name, others);
        result
    }
}
