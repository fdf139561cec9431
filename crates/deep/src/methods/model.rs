//! What the methods here fit: a network, and how images come to it.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::Array2;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tch::{Device, Kind, Tensor};
use translearn_core::{Features, Prediction, Predictor, TransferError, TransferModel};
use translearn_weights::StateDict;

use crate::train::{Examples, ImageExamples, Pick};
use crate::{DeepError, Network, Pass, Transform, backbones};

/// A fitted network that predicts the classes of images.
///
/// It can be saved and loaded; the file holds the tensors, and loads without the weights it was made from.
#[derive(Debug)]
pub struct NetworkModel {
    backbone: String,
    n_classes: usize,
    transform: Transform,
    batch_size: usize,
    threads: i32,
    /// Its layers may be used by one thread at a time.
    network: Mutex<Network>,
}

impl NetworkModel {
    pub(super) fn new(
        network: Network,
        n_classes: usize,
        transform: Transform,
        batch_size: usize,
        threads: i32,
    ) -> Self {
        Self {
            backbone: network.name().to_owned(),
            n_classes,
            transform,
            batch_size,
            threads,
            network: Mutex::new(network),
        }
    }

    /// The network.
    pub fn into_network(self) -> Network {
        self.network
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn probabilities(&self, features: &Features) -> Result<Array2<f64>, TransferError> {
        let Some(images) = features.images() else {
            return Err(TransferError::ImagesAndVectors {
                images: "the training sample of the model".to_owned(),
                vectors: "the rows to predict".to_owned(),
            });
        };
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        tch::set_num_threads(self.threads);
        let examples = ImageExamples::new(images.clone(), self.transform.clone(), network.device());
        let logits = logits(&network, &examples, self.batch_size)?;
        let mut all = Array2::zeros((images.n_rows(), self.n_classes));
        let values = logits
            .f_softmax(-1, Kind::Double)
            .and_then(|p| p.f_to_device(Device::Cpu)?.f_flatten(0, -1))
            .map_err(DeepError::from)?;
        let values = Vec::<f64>::try_from(values).map_err(|e| DeepError::torch(&e.to_string()))?;
        for (to, from) in all.iter_mut().zip(values) {
            *to = from;
        }
        Ok(all)
    }
}

/// The outputs of a network for all examples, which are not augmented.
pub(super) fn logits(
    network: &Network,
    examples: &dyn Examples,
    batch_size: usize,
) -> Result<Tensor, DeepError> {
    let rows: Vec<usize> = (0..examples.len()).collect();
    let batches = rows.chunks(batch_size).map(|rows| {
        let batch = examples.batch(&Pick::plain(rows.iter().copied()))?;
        tch::no_grad(|| network.forward(&batch.x, &mut Pass::eval()))
    });
    let batches = batches.collect::<Result<Vec<_>, DeepError>>()?;
    if batches.is_empty() {
        return Ok(Tensor::f_zeros([0, 1], (Kind::Float, Device::Cpu))?);
    }
    Ok(Tensor::f_cat(&batches, 0)?)
}

#[typetag::serde(name = "network")]
impl Predictor for NetworkModel {
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError> {
        Ok(Prediction::from_probabilities(
            self.probabilities(features)?,
        ))
    }
}

#[typetag::serde(name = "network")]
impl TransferModel for NetworkModel {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        Predictor::predict(self, target)
    }
}

/// How it stands in a file.
#[derive(Serialize, Deserialize)]
struct Saved {
    backbone: String,
    n_classes: usize,
    transform: Transform,
    batch_size: usize,
    threads: i32,
    /// safetensors, in base64.
    tensors: String,
}

impl Serialize for NetworkModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let state = network.state().map_err(serde::ser::Error::custom)?;
        Saved {
            backbone: self.backbone.clone(),
            n_classes: self.n_classes,
            transform: self.transform.clone(),
            batch_size: self.batch_size,
            threads: self.threads,
            tensors: STANDARD.encode(state.to_safetensors()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NetworkModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        saved.load().map_err(serde::de::Error::custom)
    }
}

impl Saved {
    fn load(self) -> Result<NetworkModel, DeepError> {
        let bytes = STANDARD
            .decode(&self.tensors)
            .map_err(|error| DeepError::torch(&format!("the tensors are no base64: {error}")))?;
        let file = StateDict::from_bytes(&bytes, "a saved model")?;
        let n_classes = i64::try_from(self.n_classes).unwrap_or(i64::MAX);
        let device = crate::default_device()?;
        let mut network = backbones::find(&self.backbone)?.build(n_classes, device, 0)?;
        network.load_whole(&file)?;
        Ok(NetworkModel::new(
            network,
            self.n_classes,
            self.transform,
            self.batch_size.max(1),
            self.threads.max(1),
        ))
    }
}
