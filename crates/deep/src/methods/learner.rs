//! The base learner `network`.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, FitSample, HonorsSampleWeights, LearnerInfo, Outputs, ParamRange, Sample,
    TransferError, setters,
};
use translearn_weights::pretrained;

use super::declare::{at_least, parameter, real};
use super::model::NetworkModel;
use super::recipe::{Labelled, Recipe};
use crate::{DeepError, Transform, backbones};

/// How the rate falls; see [`Schedule`](crate::train::Schedule).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// It stays.
    Constant,
    /// Half a cosine, to 0.
    #[default]
    Cosine,
    /// Up and down again, at PyTorch's constants.
    OneCycle,
    /// The decay of domain-adversarial training, at the paper's constants.
    Dann,
}

/// Which optimiser; see [`Optimizer`](crate::Optimizer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moves {
    /// Gradient descent with momentum 0.9.
    #[default]
    Sgd,
    /// Adam.
    Adam,
    /// AdamW.
    AdamW,
}

/// A network trained on images from first values: what a method that transfers has to beat.
///
/// *When.* As the base learner of the baselines, and as what the methods here train: they take all its parameters and change
/// where it starts, what learns, or what is minimised.
///
/// ```text
/// minimise  1/n Σ wᵢ H(qᵢ, softmax f(xᵢ))     with  Σ wᵢ = n,  q = (1 − s) [y = c] + s/k,  by batches
/// ```
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `backbone` | `"small-cnn"` | a name in [`backbones`](crate::backbones) | the network |
/// | `epochs` | 20 | integer ≥ 1 | rounds over the labelled source rows |
/// | `batch_size` | 32 | integer ≥ 2 | rows of a step |
/// | `optimizer` | `"sgd"` | `"sgd"`, `"adam"`, `"adamw"` | `"sgd"` has momentum 0.9 |
/// | `rate` | 0.01 | > 0 | learning rate |
/// | `weight_decay` | 5e-4 | ≥ 0 | |
/// | `schedule` | `"cosine"` | `"constant"`, `"cosine"`, `"one-cycle"`, `"dann"` | how the rate falls |
/// | `warm_up` | 0 | [0, 0.9] | share of the training over which the rate rises from 0 |
/// | `augment` | `"none"` | `"none"`, `"flip"`, `"imagenet"`, `"cifar"`, `"digits"` | see [`Augmentation::preset`](crate::Augmentation::preset) |
/// | `label_smoothing` | 0 | [0, 0.9] | `s` |
/// | `mixup` | 0 | ≥ 0 | `α` of mixup; 0: none |
/// | `clip_norm` | `null` | > 0 or null | longest gradient |
/// | `ema` | 0 | [0, 0.9999] | decay of averages of the weights; 0: none |
/// | `patience` | `null` | integer ≥ 1 or null | early stopping on a fifth of the labelled source rows, kept aside, classes alike |
/// | `image_size` | `null` | integer ≥ 16 or null | pixels a side; null: those the backbone was made for |
/// | `threads` | 1 | integer in [1, 256] | threads of libtorch; results are the same bits for one number of threads |
///
/// Takes images alone (`n` of any size, resized and cut in the middle when they are predicted), grey or of three channels.
/// Class labels. Weights: the mean loss is weighted, rows of weight 0 are absent. Scores are probabilities. What is random
/// depends on the seed alone.
///
/// *Cost.* `epochs` forward and backward passes over the rows; memory for a batch, and for the network a few times over.
///
/// # Errors
/// [`TransferError::Unsupported`] for vectors and real-valued labels, [`TransferError::TooFewRows`] for `patience` with fewer
/// than five rows, [`TransferError::Backend`] for what libtorch cannot do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkParams {
    pub(super) backbone: String,
    pub(super) epochs: u64,
    pub(super) batch_size: usize,
    pub(super) optimizer: Moves,
    pub(super) rate: f64,
    pub(super) weight_decay: f64,
    pub(super) schedule: Decay,
    pub(super) warm_up: f64,
    pub(super) augment: String,
    pub(super) label_smoothing: f64,
    pub(super) mixup: f64,
    pub(super) clip_norm: Option<f64>,
    pub(super) ema: f64,
    pub(super) patience: Option<u64>,
    pub(super) image_size: Option<i64>,
    pub(super) threads: i32,
}

impl Default for NetworkParams {
    fn default() -> Self {
        Self {
            backbone: "small-cnn".to_owned(),
            epochs: 20,
            batch_size: 32,
            optimizer: Moves::Sgd,
            rate: 0.01,
            weight_decay: 5e-4,
            schedule: Decay::Cosine,
            warm_up: 0.0,
            augment: "none".to_owned(),
            label_smoothing: 0.0,
            mixup: 0.0,
            clip_norm: None,
            ema: 0.0,
            patience: None,
            image_size: None,
            threads: 1,
        }
    }
}

setters!(NetworkParams {
    /// The network.
    backbone: impl Into<String>,
    /// Rounds over the labelled source rows.
    epochs: u64,
    /// Rows of a step.
    batch_size: usize,
    /// How the rate falls.
    schedule: Decay,
    /// A preset of [`Augmentation`](crate::Augmentation).
    augment: impl Into<String>,
    /// Early stopping.
    patience: Some(u64),
    /// Pixels a side.
    image_size: Some(i64),
});

impl NetworkParams {
    /// Optimiser and learning rate.
    #[must_use]
    pub fn optimizer(mut self, optimizer: Moves, rate: f64) -> Self {
        (self.optimizer, self.rate) = (optimizer, rate);
        self
    }

    /// What the shorter side of an image is resized to before the network sees a part of it. Images that were made smaller
    /// before have lost what it could have seen.
    ///
    /// ```
    /// use translearn_deep::methods::NetworkParams;
    ///
    /// let resnet = NetworkParams::default().backbone("resnet18");
    /// assert_eq!(resnet.shorter_side()?, Some(256));
    /// assert_eq!(resnet.image_size(384).shorter_side()?, Some(438));
    /// # Ok::<(), translearn_deep::DeepError>(())
    /// ```
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that is no backbone.
    pub fn shorter_side(&self) -> Result<Option<i64>, DeepError> {
        let backbone = backbones::find(&self.backbone)?;
        Ok(self.sized(&backbone.transform()).resize)
    }

    /// How images come to the network, for the size that is asked for.
    pub(super) fn sized(&self, transform: &Transform) -> Transform {
        match self.image_size {
            None => transform.clone(),
            Some(size) => transform.of_size(size),
        }
    }

    /// The weights that are named, or the published ones of the backbone.
    pub(super) fn weights_or_published(
        &self,
        named: Option<&str>,
        method: &str,
    ) -> Result<String, TransferError> {
        if let Some(weights) = named {
            return Ok(weights.to_owned());
        }
        let published = pretrained::all()
            .iter()
            .find(|known| known.backbone == self.backbone);
        let published = published.map(|known| known.id.clone());
        published.ok_or_else(|| TransferError::Unsupported {
            method: method.to_owned(),
            needs: "`weights` to start from".to_owned(),
            has: format!("no published ones of `{}`", self.backbone),
        })
    }

    /// The parameters of a learner that is `network`; the registry has refused others.
    pub(super) fn of(learner: &BaseLearner) -> Result<Self, TransferError> {
        translearn_core::params::read_params("network", INFO.parameters, learner.params())
    }
}

static INFO: LearnerInfo = LearnerInfo {
    name: "network",
    title: "A network trained on images",
    honors_weights: true,
    sparse: false,
    images: true,
    outputs: Outputs::Classification,
    probabilities: true,
    parameters: &[
        parameter(
            "backbone",
            "\"small-cnn\"",
            ParamRange::Choice(&backbones::NAMES),
            "The network.",
        ),
        parameter(
            "epochs",
            "20",
            at_least(1),
            "Rounds over the labelled source rows.",
        ),
        parameter("batch_size", "32", at_least(2), "Rows of a step."),
        parameter(
            "optimizer",
            "\"sgd\"",
            ParamRange::Choice(&["sgd", "adam", "adamw"]),
            "The optimiser; sgd has momentum 0.9.",
        ),
        parameter("rate", "0.01", ParamRange::Positive, "Learning rate."),
        parameter(
            "weight_decay",
            "0.0005",
            real(f64::INFINITY),
            "Weight decay.",
        ),
        parameter(
            "schedule",
            "\"cosine\"",
            ParamRange::Choice(&["constant", "cosine", "one-cycle", "dann"]),
            "How the rate falls.",
        ),
        parameter(
            "warm_up",
            "0.0",
            real(0.9),
            "Share of the training over which the rate rises from 0.",
        ),
        parameter(
            "augment",
            "\"none\"",
            ParamRange::Choice(&crate::Augmentation::PRESETS),
            "How training images are changed at random.",
        ),
        parameter(
            "label_smoothing",
            "0.0",
            real(0.9),
            "Share of every label that is spread over all classes.",
        ),
        parameter(
            "mixup",
            "0.0",
            real(f64::INFINITY),
            "Alpha of mixup; 0: none.",
        ),
        parameter(
            "clip_norm",
            "null",
            ParamRange::PositiveOrAuto,
            "Longest gradient; null: any.",
        ),
        parameter(
            "ema",
            "0.0",
            real(0.9999),
            "Decay of averages of the weights; 0: none.",
        ),
        parameter(
            "patience",
            "null",
            ParamRange::IntegerOrAuto {
                low: 1,
                high: u64::MAX,
            },
            "Epochs without a better validation before it stops, on a fifth of the labelled source rows; null: all epochs.",
        ),
        parameter(
            "image_size",
            "null",
            ParamRange::IntegerOrAuto {
                low: 16,
                high: 4096,
            },
            "Pixels a side; null: those the backbone was made for.",
        ),
        parameter(
            "threads",
            "1",
            ParamRange::Integer { low: 1, high: 256 },
            "Threads of libtorch; the same number gives the same bits.",
        ),
    ],
    reference: "LeCun, Bottou, Bengio, Haffner 1998, doi:10.1109/5.726791; the networks' own papers stand with their names",
};

impl FitSample for NetworkParams {
    type Model = NetworkModel;

    const INFO: &'static LearnerInfo = &INFO;

    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<NetworkModel, TransferError> {
        let recipe = Recipe::new(self.clone(), crate::RANDOM, sample.n_classes(), seed)?;
        let source = Labelled::of(sample, INFO.name)?;
        let network = recipe.network()?;
        recipe.train_on(&network, &source)?;
        Ok(recipe.model(network))
    }
}

impl HonorsSampleWeights for NetworkParams {}
