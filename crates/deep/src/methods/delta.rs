//! DELTA: feature maps kept near those of the start.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::channels::{Maps, feature_map_distance};
use super::declare::{
    EXEMPTIONS, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, at_least, network, parameter,
    real, regularised,
};
use super::recipe::Seen;
use super::tuning::Regulariser;
use crate::train::Losses;
use crate::{DeepError, Network, Pass};

/// DELTA: fine-tuning of a network whose feature maps stay near those of its start, the nearer the more a channel counts for
/// the task.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, when labelled images are few. `l2_sp` keeps the weights near the
/// first ones; this keeps what they do, so that weights may move far where the maps that matter do not change.
///
/// ```text
/// minimise  (what fine-tune minimises)  +  lambda/2 · 1/n Σᵢ Σ_l c_l/p_l Σ_j w_lj ‖F_lj(xᵢ) − F⁰_lj(xᵢ)‖²
/// ```
///
/// over the batch of the source, with the map `F_lj` of channel `j` of the layer `l`, which has `c_l` channels of `p_l` places,
/// and `F⁰` of the network as it was loaded: [`feature_map_distance`]. The importance `w_l` sums to 1 over the channels:
///
/// ```text
/// w_l = softmax(z_l / 5),   z_l: the rise of the mean loss where the channel is zero, standardised over the layer
/// ```
///
/// found before training on `importance_rows` images, with a head that was trained alone for `probe_epochs`. With `lambda` 0 the
/// model is that of `fine-tune`, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `lambda` | 0.5 | ≥ 0 | weight of the maps |
/// | `layers` | `null` | layers with spaces between, null | where they are compared; null: the last maps of each size, or the backbone's features where there are no maps of two sizes |
/// | `importance_rows` | 64 | integer ≥ 0 | source images that tell the channels' importance; 0: all count alike |
/// | `probe_epochs` | 10 | integer ≥ 1 | epochs of the head alone, before |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// *Cost.* That of `fine-tune` and a forward pass of the first network a step; before, `probe_epochs` rounds and a forward
/// pass over `importance_rows` images for each channel of each of the layers.
///
/// # Errors
/// As `fine-tune`; [`TransferError::Backend`](translearn_core::TransferError::Backend) for a name that is no layer, with the
/// nearest.
///
/// *Where we differ.* A channel is zero where the map is compared, while the authors zero the filter that makes it, before
/// normalisation. Distances are means over the batch, where theirs are sums: their weight 0.01 at 48 images is 0.48 here.
/// The head has the weight decay of the learner. Standardised and divided by 5, as in the authors' code; the paper says neither.
///
/// Source: Li, Xiong, Wang, Rao, Liu, Huan, *DELTA: Deep Learning Transfer using Feature Map with Attention for Convolutional
/// Networks*, ICLR 2019, arXiv:1901.09229.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeltaParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    lambda: f64,
    layers: Option<String>,
    importance_rows: usize,
    probe_epochs: u64,
    pretrained_rate: f64,
    target_weight: f64,
}

impl Default for DeltaParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            lambda: 0.5,
            layers: None,
            importance_rows: 64,
            probe_epochs: 10,
            pretrained_rate: 0.1,
            target_weight: 1.0,
        }
    }
}

regularised!(DeltaParams);

setters!(DeltaParams {
    /// Sets the weight of the maps.
    lambda: f64,
    /// Sets how many images tell the channels' importance.
    importance_rows: usize,
});

impl DeltaParams {
    /// Sets where the maps are compared.
    #[must_use]
    pub fn layers(mut self, layers: impl Into<String>) -> Self {
        self.layers = Some(layers.into());
        self
    }
}

static INFO: MethodInfo = MethodInfo {
    name: "delta",
    title: "DELTA: feature maps with attention",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "lambda",
            "0.5",
            real(f64::INFINITY),
            "Weight of the feature maps.",
        ),
        parameter(
            "layers",
            "null",
            ParamRange::TextOrAuto,
            "Where they are compared, with spaces between; null: the last maps of each size.",
        ),
        parameter(
            "importance_rows",
            "64",
            at_least(0),
            "Source images that tell the channels' importance; 0: all count alike.",
        ),
        parameter(
            "probe_epochs",
            "10",
            at_least(1),
            "Epochs of the head alone, before.",
        ),
        PRETRAINED_RATE,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Li, Xiong, Wang, Rao, Liu, Huan. DELTA: Deep Learning Transfer using Feature Map with Attention for Convolutional Networks. ICLR 2019. arXiv:1901.09229",
};

transfer_method!(DeltaParams, INFO, |method, problem, seed| {
    method.regularised().fit(problem, seed, |tuning, _| {
        if method.lambda == 0.0 {
            return Ok(None);
        }
        // It starts where the network that learns starts, and stays.
        let start = tuning.recipe.network()?;
        let maps = Maps::find(tuning.recipe, &start, method.layers.as_deref())?;
        let maps = match method.importance_rows {
            0 => maps,
            rows => maps.weighed(tuning, &start, method.probe_epochs, rows)?,
        };
        Ok(Some(Behaviour {
            start,
            maps,
            lambda: method.lambda,
        }))
    })
});

struct Behaviour {
    start: Network,
    maps: Maps,
    lambda: f64,
}

impl Regulariser for Behaviour {
    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        Ok(pass.tap(self.maps.layers()))
    }

    fn add(&self, losses: Losses, seen: &Seen, pass: &mut Pass) -> Result<Losses, DeepError> {
        let layers: Vec<&str> = self.maps.layers().collect();
        let before = self.start.outputs_of(&seen.images, &layers)?;
        let mut losses = losses;
        for (map, then) in self.maps.iter().zip(&before) {
            let now = pass
                .taken(&map.layer)
                .ok_or_else(|| DeepError::unknown("output of layer", &map.layer, []))?;
            let distance = feature_map_distance(&now, then, &map.importance)?;
            losses = losses.with("feature maps", self.lambda, distance);
        }
        Ok(losses)
    }
}
