//! Bi-tuning.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::contrast::{Keys, Settings};
use super::declare::{
    EXEMPTIONS, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, network, parameter, real,
    regularised,
};

/// Bi-tuning: fine-tuning that contrasts each image with images of its own and of other classes, before the head and in a
/// projection beside it.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, for weights that were trained without labels or by contrast above
/// all: cross-entropy alone looks at the new labels and lets go of how images lie to each other.
///
/// ```text
/// minimise  (what fine-tune minimises)  +  lambda (L_z + L_h)
/// L_z = 1/n Σᵢ contrast(zᵢ · z, own key and keys of the class yᵢ)       z = projector(h) / ‖·‖
/// L_h = 1/n Σᵢ contrast(w_{yᵢ} · h, hᵢ itself and keys of the class yᵢ)   h = (features, 1) / ‖·‖,  w = (head's weights, bias) / ‖·‖
/// contrast(s, P) = − 1/|P| Σ_{k ∈ P} log (exp(s_k / τ) / Σ_l exp(s_l / τ))
/// ```
///
/// over the batch of the source: [`contrast`](crate::methods::contrast). Keys are the `h` and `z` of a second network, whose
/// weights are an average of those of the first and which gathers no gradient; the last `keys` of each class are kept. Of an
/// image that was mixed, the class is the one with the larger share. With `lambda` 0 the model is that of `fine-tune`, bit for
/// bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `lambda` | 1 | ≥ 0 | weight of both contrasts |
/// | `keys` | 40 | integer in [1, 65 536] | keys kept of each class |
/// | `momentum` | 0.999 | [0, 1] | share of the second network's weights that stays in a step |
/// | `temperature` | 0.07 | > 0 | `τ` |
/// | `projection` | 128 | integer in [1, 65 536] | width of `z` |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded, and for the projector |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// The fitted model predicts by the head; projector and second network are not kept.
///
/// *Cost.* That of `fine-tune`, a forward pass of the second network a step, which takes the memory of the network once more,
/// and `O(n c keys d)` for `c` classes and features of width `d`.
///
/// # Errors
/// As `fine-tune`; [`TransferError::Backend`](translearn_core::TransferError::Backend) for a head that is not one matrix above
/// the backbone's features.
///
/// *Where we differ.* The key of an image is that of the image as it was augmented for the first network, where the authors
/// augment it once more. Keys begin with none, where theirs begin with random ones. The second network averages statistics of
/// normalisation as it does weights, and uses them. `L_h` teaches the head, too, whose gradient their code leaves out.
///
/// Source: Zhong, Wang, Kou, Wang, Long, *Bi-tuning of Pre-trained Representations*, 2020, arXiv:2011.06182; defaults are those
/// of the authors' library.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BiTuningParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    lambda: f64,
    keys: usize,
    momentum: f64,
    temperature: f64,
    projection: i64,
    pretrained_rate: f64,
    target_weight: f64,
}

impl Default for BiTuningParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            lambda: 1.0,
            keys: 40,
            momentum: 0.999,
            temperature: 0.07,
            projection: 128,
            pretrained_rate: 0.1,
            target_weight: 1.0,
        }
    }
}

regularised!(BiTuningParams);

setters!(BiTuningParams {
    /// Sets the weight of both contrasts.
    lambda: f64,
    /// Sets how many keys of each class are kept.
    keys: usize,
    /// Sets the temperature of the contrasts.
    temperature: f64,
});

/// A count that is not absurd.
const COUNT: ParamRange = ParamRange::Integer {
    low: 1,
    high: 65_536,
};

static INFO: MethodInfo = MethodInfo {
    name: "bi-tuning",
    title: "Bi-tuning",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "lambda",
            "1.0",
            real(f64::INFINITY),
            "Weight of both contrasts.",
        ),
        parameter("keys", "40", COUNT, "Keys kept of each class."),
        parameter(
            "momentum",
            "0.999",
            real(1.0),
            "Share of the second network's weights that stays in a step.",
        ),
        parameter(
            "temperature",
            "0.07",
            ParamRange::Positive,
            "Temperature of the contrasts.",
        ),
        parameter("projection", "128", COUNT, "Width of the projection."),
        PRETRAINED_RATE,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Zhong, Wang, Kou, Wang, Long. Bi-tuning of Pre-trained Representations. 2020. arXiv:2011.06182",
};

transfer_method!(BiTuningParams, INFO, |method, problem, seed| {
    method.regularised().fit(problem, seed, |tuning, network| {
        if method.lambda == 0.0 {
            return Ok(None);
        }
        let settings = Settings {
            most: method.keys,
            momentum: method.momentum,
            temperature: method.temperature,
            projection: method.projection,
            lambda: method.lambda,
        };
        Ok(Some(Keys::new(tuning.recipe, network, settings)?))
    })
});
