//! Learning without forgetting.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, network, parameter, real,
    regularised,
};
use super::old_head::OldHead;
use super::recipe::{Recipe, Seen};
use super::tuning::Regulariser;
use crate::train::{Group, Losses};
use crate::{DeepError, Network, Pass, knowledge_distillation};

/// Learning without forgetting: fine-tuning of a network that goes on giving, of the new images, what it gave of them before.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, where the images that the weights were trained on are not at
/// hand and what they taught should be kept: the old classes' outputs hold the features where they serve both. The nearer
/// the new images are to the old ones, the more of it is kept.
///
/// ```text
/// minimise  (what fine-tune minimises)  +  lambda · T² / n Σᵢ KL(softmax(o₀(xᵢ) / T) ‖ softmax(o(xᵢ) / T))
/// ```
///
/// over the batch of the source, with the logits `o` of the old head above the layers that learn and `o₀` of the network as it
/// was published: [`knowledge_distillation`]. With `lambda` 0 the model is that of `fine-tune`, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the new head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts, with their own classifier of any number of classes; null: the published weights of the backbone |
/// | `lambda` | 1 | ≥ 0 | weight of the old outputs |
/// | `temperature` | 2 | > 0 | `T` |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded, the old head among it |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// The fitted model predicts the new classes; the old head is not kept.
///
/// *Cost.* That of `fine-tune` and a forward pass of the published network a step, which takes its memory once more.
///
/// # Errors
/// As `fine-tune`; [`TransferError::Backend`](translearn_core::TransferError::Backend) for weights without a classifier.
///
/// *Where we differ.* The outputs `o₀` are those of the image as it was augmented, not of the image once for all. The authors
/// train the new head alone first, which is `lp-ft` of `fine-tune` and left out here; they minimise the cross-entropy, which
/// differs by a constant, without the factor `T²`.
///
/// Source: Li, Hoiem, *Learning without Forgetting*, IEEE TPAMI 40(12), 2018, doi:10.1109/TPAMI.2017.2773081; defaults are
/// the authors'.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LwfParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    lambda: f64,
    temperature: f64,
    pretrained_rate: f64,
    target_weight: f64,
}

impl Default for LwfParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            lambda: 1.0,
            temperature: 2.0,
            pretrained_rate: 0.1,
            target_weight: 1.0,
        }
    }
}

regularised!(LwfParams);

setters!(LwfParams {
    /// Sets the weight of the old outputs.
    lambda: f64,
    /// Sets how much the old outputs are softened.
    temperature: f64,
});

static INFO: MethodInfo = MethodInfo {
    name: "lwf",
    title: "Learning without forgetting (LwF)",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "lambda",
            "1.0",
            real(f64::INFINITY),
            "Weight of the old outputs.",
        ),
        parameter(
            "temperature",
            "2.0",
            ParamRange::Positive,
            "How much they are softened.",
        ),
        PRETRAINED_RATE,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Li, Hoiem. Learning without Forgetting. IEEE TPAMI 40(12), 2018. doi:10.1109/TPAMI.2017.2773081",
};

transfer_method!(LwfParams, INFO, |method, problem, seed| {
    method.regularised().fit(problem, seed, |tuning, network| {
        if method.lambda == 0.0 {
            return Ok(None);
        }
        let original = tuning.recipe.original()?;
        Ok(Some(Memory {
            head: OldHead::of(network, &original)?,
            original,
            lambda: method.lambda,
            temperature: method.temperature,
        }))
    })
});

/// The network as it was.
struct Memory {
    original: Network,
    head: OldHead,
    lambda: f64,
    temperature: f64,
}

impl Regulariser for Memory {
    fn groups(&self, recipe: &Recipe, pretrained_rate: f64) -> Result<Vec<Group>, DeepError> {
        Ok(vec![self.head.group(recipe, pretrained_rate)?])
    }

    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        self.head.widen(pass)
    }

    fn add(&self, losses: Losses, seen: &Seen, _: &mut Pass) -> Result<Losses, DeepError> {
        let before = tch::no_grad(|| self.original.forward(&seen.images, &mut Pass::eval()))?;
        let now = seen.beside()?;
        let loss = knowledge_distillation(now, &before, self.temperature)?;
        Ok(losses.with("old outputs", self.lambda, loss))
    }
}
