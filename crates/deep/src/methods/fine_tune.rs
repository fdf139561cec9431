//! Fine-tuning: a network that was trained on another task goes on learning on this one.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Family, MethodInfo, ParamRange, What, setters, transfer_method,
};

use super::declare::{
    EXEMPTIONS, L2_SP, NEEDS, PRETRAINED, PRETRAINED_RATE, TARGET_WEIGHT, at_least, network,
    parameter, tuning_builders,
};
use super::domains::Domains;
use super::learner::NetworkParams;
use super::recipe::Recipe;
use super::tuning::{Phase, Tuning};
use crate::adapters::{AdapterSpec, Bitfit, Ia3, LowRank};
use crate::{Freeze, Network};

/// What learns when a network is fine-tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Everything.
    #[default]
    All,
    /// The new head alone, on features that stay.
    Head,
    /// First the head, then everything: the features are not torn by a head that knows nothing yet.
    LpFt,
    /// From the head down: another group of layers joins every so many epochs.
    Gradual,
    /// The head, and a product of low rank added to every other layer's weights.
    Lora,
    /// As `lora`, with the length of each row of the weights apart.
    Dora,
    /// The head, and a factor for each output of every other layer.
    Ia3,
    /// The head and the biases.
    Bitfit,
}

/// Fine-tuning: the layers of a network that was trained on another task are where this one starts.
///
/// *When.* Few labelled images, and published weights of a network that was trained on many: the first layers of almost
/// every network serve almost every task, and the last ones the nearer the tasks are. With some tens of images `head` or
/// the adapters, which have little to overfit with; with some hundreds `lp-ft` or `all`. Compare with `source-only` on the
/// same learner, which learns from first values, and with a linear learner on the features.
///
/// ```text
/// minimise  mean_S H(y, f(x))  +  target_weight · mean_{T labelled} H(y, f(x))  [ + l2_sp/2 Σ_{below the head} ‖θ − θ₀‖² ]
/// ```
///
/// from `θ₀`, the weights below the head; the head is drawn anew for the classes of the task.
///
/// | parameter | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of the new head |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `strategy` | `"all"` | `"all"`, `"head"`, `"lp-ft"`, `"gradual"`, `"lora"`, `"dora"`, `"ia3"`, `"bitfit"` | what learns: [`Strategy`] |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded and the adapters' tensors; in the second part of `lp-ft` for the head, too |
/// | `layer_decay` | 1 | [0.001, 1] | factor of the rate from each group of layers to the one below |
/// | `freeze_before` | `null` | a layer or null | what comes before this layer stays as it is (`all`, `lp-ft`, `gradual`; the others freeze all that was loaded) |
/// | `probe_epochs` | 10 | integer ≥ 1 | epochs of the head alone, before the others (`lp-ft`) |
/// | `rank` | 8 | integer ≥ 1 | of the products (`lora`, `dora`) |
/// | `alpha` | 16 | > 0 | they are scaled by `alpha / rank` (`lora`, `dora`) |
/// | `l2_sp` | 0 | ≥ 0 | pull towards `θ₀`, in place of the weight decay of those layers |
/// | `target_weight` | 1 | ≥ 0 | weight of the loss on labelled target rows |
///
/// Layers that are frozen keep their statistics of batch normalisation, too. Adapters are merged into the weights at the
/// end, so that the model costs what the network costs.
///
/// *Rates of adapters.* A step of `lora` at the rate `η` moves a weight as a step of gradient descent at `(alpha / rank)² AᵀA η`
/// would, and `AᵀA` begins with `rank` eigenvalues near 1/3: at the defaults as much as training the weight itself at `4/3 η`.
/// So adapters have the rate of what was loaded. At that of a head, 0.01, neither they nor the weights themselves can be
/// trained beside frozen batch normalisation: of 244 ants and bees, not augmented, MobileNet v1 0.25 with ImageNet's weights
/// tells, after 20 epochs, 74.6 % of the images it was trained on with `lora` at 0.01 (loss 0.56), 50.4 % (0.69) with all but
/// batch normalisation at 0.01, and 99.6 % (0.04) with `lora` at 0.001 below a head at 0.01.
///
/// *Cost.* That of the learner; what is frozen needs no gradients, and `lp-ft` adds `probe_epochs` rounds.
///
/// # Errors
/// [`TransferError::Backend`](translearn_core::TransferError::Backend) for weights of another backbone and names that are no layer, with the nearest.
///
/// Source: Yosinski, Clune, Bengio, Lipson, *How transferable are features in deep neural networks?*, NIPS 2014
/// (freezing); Kumar, Raghunathan, Jones, Ma, Liang, *Fine-Tuning can Distort Pretrained Features and Underperform
/// Out-of-Distribution*, ICLR 2022 (`lp-ft`); Howard, Ruder, ACL 2018, doi:10.18653/v1/P18-1031 (`gradual`, `layer_decay`); Li, Grandvalet,
/// Davoine, *Explicit Inductive Bias for Transfer Learning with Convolutional Networks*, ICML 2018 (`l2_sp`); the adapters'
/// own stand in [`adapters`](crate::adapters).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuneParams {
    #[serde(skip, default = "network")]
    learner: BaseLearner,
    weights: Option<String>,
    strategy: Strategy,
    pretrained_rate: f64,
    layer_decay: f64,
    freeze_before: Option<String>,
    probe_epochs: u64,
    rank: i64,
    alpha: f64,
    l2_sp: f64,
    target_weight: f64,
}

impl Default for FineTuneParams {
    fn default() -> Self {
        Self {
            learner: network(),
            weights: None,
            strategy: Strategy::All,
            pretrained_rate: 0.1,
            layer_decay: 1.0,
            freeze_before: None,
            probe_epochs: 10,
            rank: 8,
            alpha: 16.0,
            l2_sp: 0.0,
            target_weight: 1.0,
        }
    }
}

tuning_builders!(FineTuneParams);

setters!(FineTuneParams {
    /// Sets what learns.
    strategy: Strategy,
    /// Sets the pull towards the weights it started from.
    l2_sp: f64,
});

impl FineTuneParams {
    /// Freezes what comes before this layer.
    #[must_use]
    pub fn freeze_before(mut self, layer: impl Into<String>) -> Self {
        self.freeze_before = Some(layer.into());
        self
    }

    fn adapter(&self) -> Option<AdapterSpec> {
        let low_rank = || LowRank {
            rank: self.rank,
            alpha: self.alpha,
            ..LowRank::default()
        };
        match self.strategy {
            Strategy::Lora => Some(AdapterSpec::Lora(low_rank())),
            Strategy::Dora => Some(AdapterSpec::Dora(low_rank())),
            Strategy::Ia3 => Some(AdapterSpec::Ia3(Ia3::default())),
            Strategy::Bitfit => Some(AdapterSpec::Bitfit(Bitfit::default())),
            Strategy::All | Strategy::Head | Strategy::LpFt | Strategy::Gradual => None,
        }
    }
}

static INFO: MethodInfo = MethodInfo {
    name: "fine-tune",
    title: "Fine-tuning of a pretrained network",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        PRETRAINED,
        parameter(
            "strategy",
            "\"all\"",
            ParamRange::Choice(&[
                "all", "head", "lp-ft", "gradual", "lora", "dora", "ia3", "bitfit",
            ]),
            "What learns.",
        ),
        PRETRAINED_RATE,
        parameter(
            "layer_decay",
            "1.0",
            ParamRange::Real {
                low: 1e-3,
                high: 1.0,
            },
            "Factor of the rate from each group of layers to the one below.",
        ),
        parameter(
            "freeze_before",
            "null",
            ParamRange::TextOrAuto,
            "What comes before this layer stays as it is (all, lp-ft, gradual); null: nothing.",
        ),
        parameter(
            "probe_epochs",
            "10",
            at_least(1),
            "Epochs of the head alone (lp-ft).",
        ),
        parameter(
            "rank",
            "8",
            ParamRange::Integer { low: 1, high: 4096 },
            "Rank of the products (lora, dora).",
        ),
        parameter(
            "alpha",
            "16.0",
            ParamRange::Positive,
            "The products are scaled by alpha / rank (lora, dora).",
        ),
        L2_SP,
        TARGET_WEIGHT,
    ],
    exemptions: EXEMPTIONS,
    reference: "Yosinski, Clune, Bengio, Lipson. How transferable are features in deep neural networks? NIPS 2014; Kumar, Raghunathan, Jones, Ma, Liang. Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution. ICLR 2022",
};

transfer_method!(FineTuneParams, INFO, |method, problem, seed| {
    let params = NetworkParams::of(&method.learner)?;
    let weights = params.weights_or_published(method.weights.as_deref(), INFO.name)?;
    let epochs = params.epochs;
    let recipe = Recipe::beside_baseline(params, &weights, problem, seed)?;
    let domains = Domains::of(problem, INFO.name)?;
    let mut network = recipe.network()?;
    let head = Freeze::AllBut(vec![network.head().to_owned()]);
    let rest = method
        .freeze_before
        .clone()
        .map_or(Freeze::Nothing, Freeze::Before);
    let tuning = Tuning {
        recipe: &recipe,
        domains: &domains,
        pretrained_rate: method.pretrained_rate,
        layer_decay: method.layer_decay,
        gradual: method.strategy == Strategy::Gradual,
        l2_sp: method.l2_sp,
        target_weight: method.target_weight,
    };
    let train = |network: &Network, name, epochs, new| {
        let phase = Phase { name, epochs, new };
        tuning.train(network, &phase, None)
    };
    match method.strategy {
        Strategy::All | Strategy::Gradual => {
            network.freeze(&rest)?;
            train(&network, "network", epochs, 1.0)?;
        }
        Strategy::Head => {
            network.freeze(&head)?;
            train(&network, "network", epochs, 1.0)?;
        }
        Strategy::LpFt => {
            network.freeze(&head)?;
            train(&network, "probe", method.probe_epochs, 1.0)?;
            network.freeze(&rest)?;
            train(&network, "network", epochs, method.pretrained_rate)?;
        }
        Strategy::Lora | Strategy::Dora | Strategy::Ia3 | Strategy::Bitfit => {
            if let Some(adapter) = method.adapter() {
                network.adapt(&adapter, recipe.seed(&["adapter"]))?;
            }
            train(&network, "network", epochs, 1.0)?;
            network.merge()?;
        }
    }
    Ok(recipe.fitted(network))
});
