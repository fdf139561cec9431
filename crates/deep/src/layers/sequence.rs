//! Layers one after the other, and layers from a function.

use std::fmt;

use tch::Tensor;

use crate::{DeepError, Layer, Named, Pass};

/// Layers one after the other.
#[derive(Debug, Default)]
pub struct Sequence(Vec<Named>);

impl Sequence {
    /// No layer: what comes in goes out.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another layer at the end.
    #[must_use]
    pub fn then(mut self, layer: Named) -> Self {
        self.0.push(layer);
        self
    }

    /// Adds a layer at the end.
    pub fn push(&mut self, layer: Named) {
        self.0.push(layer);
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Layer for Sequence {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let mut layers = self.0.iter();
        let Some(first) = layers.next() else {
            return Ok(x.shallow_clone());
        };
        let mut y = first.forward(x, pass)?;
        for layer in layers {
            y = layer.forward(&y, pass)?;
        }
        Ok(y)
    }
}

/// A layer from a function of the input and the pass: for what occurs in one network only.
pub struct Func<F>(pub F);

impl<F> fmt::Debug for Func<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Func")
    }
}

impl<F> Layer for Func<F>
where
    F: Fn(&Tensor, &mut Pass) -> Result<Tensor, DeepError> + Send,
{
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        (self.0)(x, pass)
    }
}
