//! Adapters folded into the weights, and taken out again.

use tch::Tensor;

use crate::network::copy_of;
use crate::{DeepError, Network, Pass};

impl Network {
    /// Folds the adapters into the weights: passes then cost what they cost without adapters and give what they gave
    /// with them. The weights as they were are kept, so that [`Network::unmerge`] gives them back bit for bit.
    ///
    /// While merged, [`Network::state`] is that of a plain network of the same name, the adapters learn nothing, and
    /// nothing can be loaded. Merging twice is merging once.
    ///
    /// # Errors
    /// [`DeepError::NotMergeable`] for adapters that stand behind layers; [`DeepError::OutOfMemory`]. Nothing is
    /// changed then.
    pub fn merge(&mut self) -> Result<(), DeepError> {
        if self.is_merged() || self.adapted.adapters.is_empty() {
            return Ok(());
        }
        let mut pass = Pass::eval();
        for adapter in &self.adapted.adapters {
            tch::no_grad(|| adapter.prepare(&mut pass))?;
            if pass.overrides.has_layers() {
                return Err(DeepError::NotMergeable {
                    adapter: adapter.kind(),
                });
            }
        }
        let merged: Vec<(String, Tensor)> = pass
            .overrides
            .into_values()
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect();
        let kept = merged
            .iter()
            .filter_map(|(name, _)| Some((name, &self.parameters.get(name)?.tensor)))
            .map(|(name, tensor)| Ok((name.clone(), copy_of(tensor)?)))
            .collect::<Result<Vec<_>, DeepError>>()?;
        self.write(&merged)?;
        self.adapted.kept = Some(kept);
        Ok(())
    }

    /// Takes merged adapters out of the weights again; they act in each pass as before. Without [`Network::merge`]
    /// nothing happens.
    ///
    /// # Errors
    /// [`DeepError::Torch`].
    pub fn unmerge(&mut self) -> Result<(), DeepError> {
        if let Some(kept) = &self.adapted.kept {
            self.write(kept)?;
        }
        self.adapted.kept = None;
        Ok(())
    }

    /// Whether the adapters are in the weights.
    pub fn is_merged(&self) -> bool {
        self.adapted.kept.is_some()
    }

    fn write(&self, values: &[(String, Tensor)]) -> Result<(), DeepError> {
        for (name, value) in values {
            if let Some(parameter) = self.parameters.get(name) {
                let mut to = parameter.tensor.shallow_clone();
                tch::no_grad(|| to.f_copy_(value))?;
            }
        }
        Ok(())
    }
}
