//! Fine-tuning as `fine-tune` and what regularises it have it: the rates of the head and of what is below it, the pull towards
//! the first weights, and one way of training.

use tch::{Kind, Tensor};
use translearn_core::{BaseLearner, Fitted, TransferError, TransferProblem};

use super::domains::Domains;
use super::learner::NetworkParams;
use super::recipe::{Fit, Recipe, Seen};
use crate::freeze::covers;
use crate::network::copy_of;
use crate::train::{Examples, Group, Losses};
use crate::{DeepError, Network, Pass, Role};

/// What is added to the loss of a fine-tuning. It looks at the batch of the source, not at labelled target rows.
pub(super) trait Regulariser {
    /// What learns beside the network.
    fn groups(&self, _recipe: &Recipe, _pretrained_rate: f64) -> Result<Vec<Group>, DeepError> {
        Ok(Vec::new())
    }

    /// The pass over the batch, told what the regulariser needs of it.
    fn pass(&self, pass: Pass) -> Result<Pass, DeepError>;

    /// The losses of a step and what is added, from what was seen in that pass.
    fn add(&self, losses: Losses, seen: &Seen, pass: &mut Pass) -> Result<Losses, DeepError>;
}

/// A fine-tuning: where it learns from, and how fast what.
pub(super) struct Tuning<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) domains: &'a Domains,
    /// Factor of the rate below the head: for what was loaded and what adapters add to it.
    pub(super) pretrained_rate: f64,
    /// Factor of the rate from each group of layers to the one below.
    pub(super) layer_decay: f64,
    /// Whether one group of layers joins after the other.
    pub(super) gradual: bool,
    /// Weight of the pull towards the first weights.
    pub(super) l2_sp: f64,
    /// Weight of the loss on labelled target rows.
    pub(super) target_weight: f64,
}

/// A part of a fine-tuning.
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) epochs: u64,
    /// Factor of the rate for the head.
    pub(super) new: f64,
}

impl Tuning<'_> {
    /// Trains what is not frozen.
    pub(super) fn train(
        &self,
        network: &Network,
        phase: &Phase,
        regulariser: Option<&dyn Regulariser>,
    ) -> Result<(), DeepError> {
        let recipe = self.recipe;
        let pull = Pull::new(self.l2_sp, network)?;
        let labelled = self.domains.target_examples(recipe)?;
        let target = labelled.as_ref().map(|_| (1, self.target_weight));
        let decay = match pull {
            None => recipe.params.weight_decay,
            Some(_) => 0.0,
        };
        let mut groups = self.groups(network, phase.new, decay)?;
        if let Some(regulariser) = regulariser {
            groups.extend(regulariser.groups(recipe, self.pretrained_rate)?);
        }
        let others = labelled.iter();
        let fit = Fit {
            name: phase.name,
            epochs: phase.epochs,
            groups,
            source: &self.domains.source,
            others: others
                .map(|examples| ("target labelled", examples as &dyn Examples))
                .collect(),
        };
        recipe.train(network, fit, |step| {
            let mut pass = step.pass("source");
            if let Some(regulariser) = regulariser {
                pass = regulariser.pass(pass)?;
            }
            let (mut losses, seen) = recipe.task(network, step, &mut pass, target)?;
            if let Some(regulariser) = regulariser {
                losses = regulariser.add(losses, &seen, &mut pass)?;
            }
            match &pull {
                None => Ok(losses),
                Some(pull) => Ok(losses.with("l2-sp", 1.0, pull.loss()?)),
            }
        })
    }

    /// What learns: the head at `new` times the rate; each group of layers below at its own, with its adapters, for what
    /// they learn is a change of what was loaded.
    fn groups(&self, network: &Network, new: f64, decay: f64) -> Result<Vec<Group>, DeepError> {
        let recipe = self.recipe;
        let head = network.head();
        let is_below = |name: &str| !covers(head, name);
        let mut groups = vec![recipe.group(head, network, |name| covers(head, name), new)?];
        let layers = network.layer_groups();
        let below: Vec<&Vec<String>> = layers
            .iter()
            .rev()
            .filter(|names| names.iter().any(|name| is_below(name)))
            .collect();
        let epochs = recipe.params.epochs;
        for (depth, names) in below.iter().enumerate() {
            let keep = |name: &str| is_below(name) && names.iter().any(|known| known == name);
            let factor = self.pretrained_rate * self.layer_decay.powi(depth as i32);
            let name = names
                .first()
                .map_or("", |name| name.split('.').next().unwrap_or(name));
            let mut group =
                recipe.group_with(format!("{name} {depth}"), network, keep, factor, decay)?;
            if self.gradual {
                // The last group joins with enough epochs left to learn.
                let joins = (depth as u64 + 1) * epochs / (below.len() as u64 + 1);
                group = group.from_epoch(joins);
            }
            groups.push(group);
        }
        Ok(groups)
    }
}

/// The pull towards the weights that a network started from.
struct Pull {
    weight: f64,
    /// Tensors that learn, with their first values.
    tensors: Vec<(Tensor, Tensor)>,
}

impl Pull {
    /// `None` for a weight of 0 and where nothing that was loaded learns.
    fn new(weight: f64, network: &Network) -> Result<Option<Self>, DeepError> {
        if weight == 0.0 {
            return Ok(None);
        }
        let head = network.head();
        let loaded = network
            .base()
            .filter(|(name, parameter)| parameter.role == Role::Weight && !covers(head, name));
        let tensors = loaded
            .map(|(_, parameter)| &parameter.tensor)
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

/// What a fine-tuning of all layers with a regulariser is told.
pub(super) struct Regularised<'a> {
    pub(super) name: &'static str,
    pub(super) learner: &'a BaseLearner,
    pub(super) weights: Option<&'a str>,
    pub(super) pretrained_rate: f64,
    pub(super) l2_sp: f64,
    pub(super) target_weight: f64,
}

impl Regularised<'_> {
    /// Fine-tunes all layers as `fine-tune` does, with what `make` adds to the loss; with `None` it is `fine-tune`.
    pub(super) fn fit<R: Regulariser>(
        self,
        problem: &TransferProblem,
        seed: u64,
        make: impl FnOnce(&Tuning<'_>, &Network) -> Result<Option<R>, DeepError>,
    ) -> Result<Fitted, TransferError> {
        let params = NetworkParams::of(self.learner)?;
        let weights = params.weights_or_published(self.weights, self.name)?;
        let epochs = params.epochs;
        let recipe = Recipe::beside_baseline(params, &weights, problem, seed)?;
        let domains = Domains::of(problem, self.name)?;
        let network = recipe.network()?;
        let tuning = Tuning {
            recipe: &recipe,
            domains: &domains,
            pretrained_rate: self.pretrained_rate,
            layer_decay: 1.0,
            gradual: false,
            l2_sp: self.l2_sp,
            target_weight: self.target_weight,
        };
        let regulariser = make(&tuning, &network)?;
        let regulariser = regulariser.as_ref().map(|r| r as &dyn Regulariser);
        let phase = Phase {
            name: "network",
            epochs,
            new: 1.0,
        };
        tuning.train(&network, &phase, regulariser)?;
        Ok(recipe.fitted(network))
    }
}
