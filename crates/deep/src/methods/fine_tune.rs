//! Fine-tuning: a network that was trained on another task goes on learning on this one.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use translearn_core::{BaseLearner, Family, MethodInfo, ParamRange, What, transfer_method};

use super::declare::{EXEMPTIONS, NEEDS, TARGET_WEIGHT, network, parameter, real};
use super::domains::Domains;
use super::learner::NetworkParams;
use super::recipe::{Fit, Recipe};
use crate::adapters::{AdapterSpec, Bitfit, Ia3, LowRank};
use crate::freeze::covers;
use crate::network::copy_of;
use crate::train::{Examples, Group};
use crate::{DeepError, Freeze, Network, Role};

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
/// | `learner` | `network` | `network` | the network and its training; its `rate` is that of what is new: the head, and the tensors of adapters |
/// | `weights` | `null` | published weights, a file, `"random"`, null | where it starts; null: the published weights of the backbone |
/// | `strategy` | `"all"` | `"all"`, `"head"`, `"lp-ft"`, `"gradual"`, `"lora"`, `"dora"`, `"ia3"`, `"bitfit"` | what learns: [`Strategy`] |
/// | `pretrained_rate` | 0.1 | > 0 | factor of the rate for what was loaded; in the second part of `lp-ft` for the head, too |
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

impl FineTuneParams {
    /// Sets the network and its training.
    #[must_use]
    pub fn learner(mut self, learner: NetworkParams) -> Self {
        self.learner = learner.into();
        self
    }

    /// Sets where it starts.
    #[must_use]
    pub fn weights(mut self, weights: impl Into<String>) -> Self {
        self.weights = Some(weights.into());
        self
    }

    /// Sets what learns.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Freezes what comes before this layer.
    #[must_use]
    pub fn freeze_before(mut self, layer: impl Into<String>) -> Self {
        self.freeze_before = Some(layer.into());
        self
    }

    /// Sets the pull towards the weights it started from.
    #[must_use]
    pub fn l2_sp(mut self, weight: f64) -> Self {
        self.l2_sp = weight;
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

    /// What learns: what is new at `new` times the rate, each group of layers below at its own.
    fn groups(
        &self,
        recipe: &Recipe,
        network: &Network,
        new: f64,
    ) -> Result<Vec<Group>, DeepError> {
        let head = network.head();
        let original = pretrained_tensors(network);
        let is_new = |name: &str| !original.iter().any(|known| known == name);
        let mut groups = vec![recipe.group(head, network, is_new, new)?];
        let layers = network.layer_groups();
        let below: Vec<&Vec<String>> = layers
            .iter()
            .rev()
            .filter(|names| names.iter().any(|name| !is_new(name)))
            .collect();
        let decay = if self.l2_sp > 0.0 {
            0.0
        } else {
            recipe.params.weight_decay
        };
        let epochs = recipe.params.epochs;
        for (depth, names) in below.iter().enumerate() {
            let keep = |name: &str| !is_new(name) && names.iter().any(|known| known == name);
            let factor = self.pretrained_rate * self.layer_decay.powi(depth as i32);
            let name = names
                .first()
                .map_or("", |name| name.split('.').next().unwrap_or(name));
            let mut group =
                recipe.group_with(format!("{name} {depth}"), network, keep, factor, decay)?;
            if self.strategy == Strategy::Gradual {
                // The last group joins with enough epochs left to learn.
                let joins = (depth as u64 + 1) * epochs / (below.len() as u64 + 1);
                group = group.from_epoch(joins);
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn fit_phase(
        &self,
        recipe: &Recipe,
        network: &Network,
        domains: &Domains,
        phase: Phase,
    ) -> Result<(), DeepError> {
        let pull = Pull::new(self.l2_sp, network, &pretrained_tensors(network))?;
        let labelled = domains.target_examples(recipe)?;
        let target = labelled.as_ref().map(|_| (1, self.target_weight));
        let others = labelled.iter();
        let fit = Fit {
            name: phase.name,
            epochs: phase.epochs,
            groups: self.groups(recipe, network, phase.new)?,
            source: &domains.source,
            others: others
                .map(|examples| ("target labelled", examples as &dyn Examples))
                .collect(),
        };
        recipe.train(network, fit, |step| {
            let losses = recipe.task(network, step, &mut step.pass("source"), target)?;
            match &pull {
                None => Ok(losses),
                Some(pull) => Ok(losses.with("l2-sp", 1.0, pull.loss()?)),
            }
        })
    }
}

/// The names of what was loaded: the weights below the head, those of adapters apart.
fn pretrained_tensors(network: &Network) -> Vec<String> {
    let head = network.head();
    let own = network
        .base()
        .filter(|(name, parameter)| parameter.role == Role::Weight && !covers(head, name));
    own.map(|(name, _)| name.to_owned()).collect()
}

/// A part of a fine-tuning.
struct Phase {
    name: &'static str,
    epochs: u64,
    /// Factor of the rate for what is new.
    new: f64,
}

/// The pull towards the weights that a network started from.
struct Pull {
    weight: f64,
    /// Tensors that learn, with their first values.
    tensors: Vec<(Tensor, Tensor)>,
}

impl Pull {
    /// `None` for a weight of 0 and where nothing that was loaded learns.
    fn new(weight: f64, network: &Network, names: &[String]) -> Result<Option<Self>, DeepError> {
        if weight == 0.0 {
            return Ok(None);
        }
        let learned = names
            .iter()
            .filter_map(|name| network.parameters().get(name));
        let tensors = learned
            .map(|parameter| &parameter.tensor)
            .filter(|tensor| tensor.requires_grad())
            .map(|tensor| Ok((tensor.shallow_clone(), copy_of(tensor)?)))
            .collect::<Result<Vec<_>, DeepError>>()?;
        Ok(Some(Self { weight, tensors }).filter(|pull| !pull.tensors.is_empty()))
    }

    /// `weight / 2 Σ ‖θ − θ₀‖²`.
    fn loss(&self) -> Result<Tensor, DeepError> {
        let squares = self
            .tensors
            .iter()
            .map(|(now, then)| now.f_sub(then)?.f_square()?.f_sum(Kind::Float))
            .collect::<Result<Vec<_>, _>>()?;
        let sum = Tensor::f_stack(&squares, 0)?.f_sum(Kind::Float)?;
        Ok(sum.f_mul_scalar(0.5 * self.weight)?)
    }
}

static INFO: MethodInfo = MethodInfo {
    name: "fine-tune",
    title: "Fine-tuning of a pretrained network",
    family: Family::Parameter,
    what: What::Parameters,
    needs: NEEDS,
    parameters: &[
        parameter(
            "weights",
            "null",
            ParamRange::WeightsOrAuto,
            "Where it starts; null: the published weights of the backbone.",
        ),
        parameter(
            "strategy",
            "\"all\"",
            ParamRange::Choice(&[
                "all", "head", "lp-ft", "gradual", "lora", "dora", "ia3", "bitfit",
            ]),
            "What learns.",
        ),
        parameter(
            "pretrained_rate",
            "0.1",
            ParamRange::Positive,
            "Factor of the rate for what was loaded.",
        ),
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
            ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
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
        parameter(
            "l2_sp",
            "0.0",
            real(f64::INFINITY),
            "Pull towards the weights it started from, in place of weight decay.",
        ),
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
    let train = |network: &Network, name, epochs, new| {
        let phase = Phase { name, epochs, new };
        method.fit_phase(&recipe, network, &domains, phase)
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
