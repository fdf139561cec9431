//! Weights from files into networks.

use tch::{Kind, Tensor};
use translearn_weights::{DType, Match, RawTensor, StateDict};

use crate::{DeepError, Network, Parameter};

/// The counter of batches that PyTorch keeps beside its statistics; nothing here uses it.
const COUNTER: &str = "num_batches_tracked";

impl Network {
    /// Takes over every tensor of a file that has the name and the shape of one of the network's, and reports the
    /// others. A network whose head has another number of classes keeps its own head.
    ///
    /// # Errors
    /// [`DeepError::NothingLoaded`] when no tensor fits; [`DeepError::Merged`]; [`DeepError::Torch`].
    pub fn load(&mut self, file: &StateDict) -> Result<Match, DeepError> {
        self.refuse_merged("weights are loaded")?;
        let expected = self.parameters().iter();
        let expected = expected.map(|(name, parameter)| name_and_shape((name, parameter)));
        let mut found = Match::new(expected, file);
        found.unexpected.retain(|name| !name.ends_with(COUNTER));
        if found.loaded.is_empty() {
            return Err(DeepError::NothingLoaded {
                network: self.name().to_owned(),
                report: found.to_string(),
            });
        }
        self.take_over(&found, file)?;
        Ok(found)
    }

    /// Copies the tensors of a file that fit.
    pub(crate) fn take_over(&self, found: &Match, file: &StateDict) -> Result<(), DeepError> {
        for (name, raw) in found.tensors(file) {
            if let Some(parameter) = self.parameters().get(name) {
                let value = tensor(raw)?;
                let mut to = parameter.tensor.shallow_clone();
                tch::no_grad(|| to.f_copy_(&value))?;
            }
        }
        Ok(())
    }

    /// As [`Network::load`], for a file that has to hold the whole network.
    ///
    /// # Errors
    /// [`DeepError::PartlyLoaded`] with the report when a tensor is missing or has another shape.
    pub fn load_whole(&mut self, file: &StateDict) -> Result<Match, DeepError> {
        let found = self.load(file)?;
        if found.is_complete() {
            return Ok(found);
        }
        Err(DeepError::PartlyLoaded {
            network: self.name().to_owned(),
            report: found.to_string(),
        })
    }

    /// The tensors of the network as they would be written to a file, with those of adapters unless they are merged.
    ///
    /// # Errors
    /// [`DeepError::Torch`] and [`DeepError::Weights`].
    pub fn state(&self) -> Result<StateDict, DeepError> {
        let all = self.parameters().iter();
        let all = all.map(|(name, parameter)| (name.as_str(), parameter));
        let n = if self.is_merged() {
            self.base().len()
        } else {
            self.parameters().len()
        };
        state_of(self.name(), all.take(n))
    }
}

/// Named tensors as they would be written to a file.
pub(crate) fn state_of<'a>(
    origin: &str,
    parameters: impl Iterator<Item = (&'a str, &'a Parameter)>,
) -> Result<StateDict, DeepError> {
    let mut tensors = Vec::new();
    for (name, parameter) in parameters {
        let flat = parameter
            .tensor
            .f_detach()?
            .f_to_kind(Kind::Float)?
            .f_to_device(tch::Device::Cpu)?
            .f_flatten(0, -1)?;
        let values = Vec::<f32>::try_from(flat).map_err(|e| DeepError::torch(&e.to_string()))?;
        let (name, shape) = name_and_shape((name, parameter));
        tensors.push((name, RawTensor::from_f32(shape, &values)?));
    }
    Ok(StateDict::from_tensors(origin, tensors)?)
}

/// What a file has to hold for a tensor.
pub(crate) fn name_and_shape((name, parameter): (&str, &Parameter)) -> (String, Vec<usize>) {
    let shape = parameter.tensor.size();
    let shape = shape.iter().map(|&n| usize::try_from(n).unwrap_or(0));
    (name.to_owned(), shape.collect())
}

/// A tensor on the CPU, of the kind that the file has.
fn tensor(raw: &RawTensor) -> Result<Tensor, DeepError> {
    let kind = match raw.dtype() {
        DType::F16 => Kind::Half,
        DType::BF16 => Kind::BFloat16,
        DType::F32 => Kind::Float,
        DType::F64 => Kind::Double,
        DType::I8 => Kind::Int8,
        DType::I16 => Kind::Int16,
        DType::I32 => Kind::Int,
        DType::I64 => Kind::Int64,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
    };
    let shape: Vec<i64> = raw.shape().iter().map(|&n| n as i64).collect();
    Ok(Tensor::f_from_data_size(raw.data(), &shape, kind)?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::backbones;

    #[test]
    fn a_network_takes_over_anothers_weights_and_keeps_a_head_of_another_size() {
        let mlp = backbones::find("mlp").unwrap();
        let first = mlp.build(10, Device::Cpu, 1).unwrap();
        let saved = first.state().unwrap();
        let mut same = mlp.build(10, Device::Cpu, 2).unwrap();
        assert_ne!(same.state().unwrap(), saved);
        same.load_whole(&saved).unwrap();
        assert_eq!(same.state().unwrap(), saved);

        let mut other = mlp.build(3, Device::Cpu, 3).unwrap();
        let head = other.parameters()["fc3.weight"].tensor.copy();
        let found = other.load(&saved).unwrap();
        assert_eq!(found.loaded.len(), 4);
        assert_eq!(found.misshapen.len(), 2);
        assert_eq!(other.parameters()["fc3.weight"].tensor, head);
        assert_eq!(
            other.parameters()["fc1.weight"].tensor,
            first.parameters()["fc1.weight"].tensor
        );
        let error = other.load_whole(&saved).unwrap_err().to_string();
        assert!(
            error.contains("fc3.weight: expected 3x256, found 10x256"),
            "{error}"
        );
    }

    #[test]
    fn a_file_of_another_network_is_refused() {
        let raw = RawTensor::from_f32(vec![1], &[0.0]).unwrap();
        let file = StateDict::from_tensors("x", [("a.weight".to_owned(), raw)]).unwrap();
        let mut network = backbones::find("mlp")
            .unwrap()
            .build(10, Device::Cpu, 0)
            .unwrap();
        let error = network.load(&file).unwrap_err().to_string();
        assert!(
            error.contains("none of its tensors fits") && error.contains("fc1.weight"),
            "{error}"
        );
    }
}
