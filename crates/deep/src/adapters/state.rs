//! What an adaptation learned, as a file of its own.

use translearn_weights::{Match, StateDict};

use crate::load;
use crate::{DeepError, Network, Parameter, Role};

impl Network {
    /// What learns: tensors of adapters, those of layers that are not frozen (the head, the biases of `bitfit`), and
    /// the statistics of batch normalisation that is not frozen. With the pretrained weights this is the whole network;
    /// it is the same whether the adapters are merged or not.
    ///
    /// # Errors
    /// [`DeepError::Torch`] and [`DeepError::Weights`].
    pub fn adapter_state(&self) -> Result<StateDict, DeepError> {
        load::state_of(self.name(), self.changing())
    }

    /// Takes over what [`Network::adapter_state`] gave of a network that was built, loaded and adapted alike.
    ///
    /// # Errors
    /// [`DeepError::OtherAdapter`] when names or shapes differ, [`DeepError::Merged`]. Nothing is changed then.
    pub fn load_adapter(&mut self, file: &StateDict) -> Result<(), DeepError> {
        self.refuse_merged("an adapter is loaded")?;
        let shapes = self.changing().map(load::name_and_shape);
        let found = Match::new(shapes, file);
        if !found.is_complete() || !found.unexpected.is_empty() {
            return Err(DeepError::OtherAdapter {
                network: self.name().to_owned(),
                report: found.to_string(),
            });
        }
        self.take_over(&found, file)
    }

    /// What differs from the pretrained network after training.
    fn changing(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        let all = self.parameters.iter();
        let all = all.map(|(name, parameter)| (name.as_str(), parameter));
        all.filter(|(name, parameter)| match parameter.role {
            Role::Weight => parameter.tensor.requires_grad(),
            Role::Buffer => self.gathers(name),
        })
    }

    /// Whether the layer of these statistics learns: its factor does, which is made first.
    fn gathers(&self, buffer: &str) -> bool {
        let layer = |name: &str| name.rsplit_once('.').map(|(layer, _)| layer.to_owned());
        let of = layer(buffer);
        let factor = self.base().find(|(name, _)| layer(name) == of);
        factor.is_some_and(|(_, p)| p.role == Role::Weight && p.tensor.requires_grad())
    }
}
