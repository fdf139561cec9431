//! Stochastic normalisation.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, TransferError, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, network, parameter, regularised,
};
use super::recipe::Seen;
use super::tuning::Regulariser;
use crate::train::Losses;
use crate::{DeepError, Parameter, Pass, Role};

/// StochNorm: fine-tuning in which chance decides whether a channel is normalised by its batch or by the statistics that came
/// with the weights and move slowly.
///
/// *Setting and when.* As `fine-tune` with `strategy = "all"`, for a network with batch normalisation, when labelled images are
/// few: statistics of small batches of few images are soon known by heart, while those of the weights were gathered over many
/// images and hold the network near what it was, without a term in the loss.
///
/// ```text
/// y_j = γ_j (x_j − m_j) / √(v_j + ε) + β_j,   (m_j, v_j) = (mean, variance) of the batch     with probability p
///                                                        = those gathered before the batch   else
/// ```
///
/// for each channel `j` of each layer, drawn anew in each step. The batch moves what is gathered in either case; predictions use
/// what was gathered. With `p` 1 the model is that of `fine-tune`, bit for bit.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `p` | 0.5 | [0, 1] | probability of the batch's statistics |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// *Cost.* That of `fine-tune`, and each normalisation twice.
///
/// # Errors
/// As `fine-tune`; [`TransferError::Unsupported`] for a network without batch
/// normalisation.
///
/// *Where we differ.* Labelled target rows are normalised by their batch. The gradient takes the gathered statistics as they
/// were before the batch, as it should; the authors' code lets the batch move them in between.
///
/// Source: Kou, You, Long, Wang, *Stochastic Normalization*, NeurIPS 2020; `p` is the authors'.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StochNormParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    p: f64,
    pretrained_rate: f64,
    target_weight: f64,
}

impl Default for StochNormParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            p: 0.5,
            pretrained_rate: 0.1,
            target_weight: 1.0,
        }
    }
}

regularised!(StochNormParams);

setters!(StochNormParams {
    /// Sets the probability of the batch's statistics.
    p: f64,
});

static INFO: MethodInfo = MethodInfo {
    name: "stoch-norm",
    title: "Stochastic normalisation (StochNorm)",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "p",
            "0.5",
            ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            "Probability of the batch's statistics.",
        ),
        PRETRAINED_RATE,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Kou, You, Long, Wang. Stochastic Normalization. NeurIPS 2020",
};

transfer_method!(StochNormParams, INFO, |method, problem, seed| {
    method.regularised().fit(problem, seed, |_, network| {
        let gathers = |parameter: &Parameter| parameter.role == Role::Buffer;
        if !network.parameters().values().any(gathers) {
            return Err(TransferError::Unsupported {
                method: INFO.name.to_owned(),
                needs: "batch normalisation".to_owned(),
                has: format!("none in {}", network.name()),
            }
            .into());
        }
        Ok((method.p < 1.0).then_some(Chance { p: method.p }))
    })
});

struct Chance {
    p: f64,
}

impl Regulariser for Chance {
    fn pass(&self, pass: Pass) -> Result<Pass, DeepError> {
        pass.stochastic_norm(self.p)
    }

    fn add(&self, losses: Losses, _: &Seen, _: &mut Pass) -> Result<Losses, DeepError> {
        Ok(losses)
    }
}
