//! A published classifier as it is.

use serde::{Deserialize, Serialize};
use translearn_core::{BaseLearner, Family, MethodInfo, ParamRange, What, transfer_method};

use super::declare::{EXEMPTIONS, NEEDS, network, parameter};
use super::learner::NetworkParams;
use super::recipe::Recipe;

/// A published classifier applied to the target as it is: nothing is learned.
///
/// *When.* The weights were trained for the very classes of the task, in the same order (classes of a task are in the order
/// of their names): what they are worth before anything is done, and a check that a file of weights was read right.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | its `backbone`, `image_size`, `batch_size` and `threads`; the rest plays no part |
/// | `weights` | `null` | published weights, a file or null | null: the published weights of the backbone; `id/file` names one of several files that hold them |
///
/// *Cost.* A forward pass for each row.
///
/// # Errors
/// [`TransferError::Backend`](translearn_core::TransferError::Backend) for weights with another number of classes, naming
/// both.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainedParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
}

impl Default for PretrainedParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
        }
    }
}

impl PretrainedParams {
    /// Sets the network.
    #[must_use]
    pub fn learner(mut self, learner: NetworkParams) -> Self {
        self.learner = learner.into();
        self
    }

    /// Sets the weights.
    #[must_use]
    pub fn weights(mut self, weights: impl Into<String>) -> Self {
        self.weights = Some(weights.into());
        self
    }
}

static INFO: MethodInfo = MethodInfo {
    name: "pretrained",
    title: "A published classifier as it is",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[parameter(
        "weights",
        "null",
        ParamRange::WeightsOrAuto,
        "Its weights; null: the published ones of the backbone.",
    )],
    exemptions: EXEMPTIONS,
    reference: "",
};

transfer_method!(PretrainedParams, INFO, |method, problem, seed| {
    let params = NetworkParams::of(&method.learner)?;
    let weights = params.weights_or_published(method.weights.as_deref(), INFO.name)?;
    let recipe = Recipe::beside_baseline(params, &weights, problem, seed)?;
    let network = recipe.whole_network()?;
    Ok(recipe.fitted(network))
});
