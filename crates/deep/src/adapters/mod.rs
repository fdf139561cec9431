//! Parameter-efficient adaptation: a frozen network and a few learned numbers beside it.
//!
//! *When*: a large pretrained network, few labelled rows, or many tasks that share one network. An optimiser then keeps
//! state for the few learned numbers alone, and a task is a small file beside the common weights.
//!
//! | kind | learned beside the head | merges |
//! |---|---|---|
//! | [`lora`](AdapterSpec::Lora) | a product of low rank added to weights | yes |
//! | [`dora`](AdapterSpec::Dora) | the same, and the length of each row of the weights | yes |
//! | [`ia3`](AdapterSpec::Ia3) | a factor for each output of a layer | yes |
//! | [`bitfit`](AdapterSpec::Bitfit) | the biases that are there | nothing to merge |
//! | [`bottleneck`](AdapterSpec::Bottleneck) | a narrow perceptron behind a layer | no |
//! | [`prompt`](AdapterSpec::Prompt) | tokens among those of a transformer | no |
//!
//! [`Network::adapt`] adds them, [`Network::merge`] folds them into the weights and [`Network::unmerge`] takes them out
//! again, [`Network::adapter_state`] and [`Network::load_adapter`] write and read what is learned.
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//! use translearn_deep::adapters::LowRank;
//! use translearn_deep::{AdapterSpec, Pass, backbones};
//!
//! let mlp = backbones::find("mlp")?;
//! let mut network = mlp.build(10, Device::Cpu, 0)?;
//! let rows = Tensor::ones([2, 256], (Kind::Float, Device::Cpu));
//! let before = network.forward(&rows, &mut Pass::eval())?;
//!
//! let all = network.n_learned();
//! network.adapt(&AdapterSpec::Lora(LowRank { rank: 4, ..LowRank::default() }), 1)?;
//! // Two layers of 256 x 256, and the head, which learns as a whole.
//! assert_eq!(network.n_learned(), 2 * 4 * (256 + 256) + 10 * 256 + 10);
//! assert!(network.n_learned() < all / 10);
//! // It begins where the network was.
//! assert_eq!(network.forward(&rows, &mut Pass::eval())?, before);
//! # Ok::<(), translearn_deep::DeepError>(())
//! ```
//!
//! Adapters can be stacked: `adapt` may be called again with another kind. In a pass each begins with what those before
//! it made.

mod bottleneck;
mod ia3;
mod low_rank;
mod merge;
mod prompt;
mod spec;
mod state;
mod targets;

use std::fmt;

use tch::{Device, Tensor};
use translearn_core::seed;

pub use spec::{AdapterSpec, Bitfit, Bottleneck, Ia3, LowRank, Prompt, RankScaling};

use crate::freeze::covers;
use crate::init::Init;
use crate::{DeepError, Network, Parameter, Pass, Role, Weight};

/// Learned tensors that change what a network computes.
pub(crate) trait Adapter: fmt::Debug + Send {
    /// Its name in specs.
    fn kind(&self) -> &'static str;

    /// What it learns.
    fn tensors(&self) -> Vec<&Weight>;

    /// Puts what it makes of the weights into a pass, or itself behind a layer.
    fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError>;
}

/// The adapters of a network.
#[derive(Debug)]
pub(crate) struct Adapted {
    /// How many tensors the network has without them.
    base: usize,
    adapters: Vec<Box<dyn Adapter>>,
    /// While they are merged, the weights as they were.
    kept: Option<Vec<(String, Tensor)>>,
}

impl Adapted {
    pub(crate) fn new(base: usize) -> Self {
        Self {
            base,
            adapters: Vec::new(),
            kept: None,
        }
    }

    /// Puts the work of every adapter into a pass, unless it is in the weights already.
    pub(crate) fn prepare(&self, pass: &mut Pass) -> Result<(), DeepError> {
        if self.kept.is_some() {
            return Ok(());
        }
        self.adapters
            .iter()
            .try_for_each(|adapter| adapter.prepare(pass))
    }
}

/// Where the tensors of new adapters come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker {
    device: Device,
    seed: u64,
}

impl Maker {
    /// A learned tensor; its first values depend on the seed and its name alone.
    fn learned(self, name: &str, shape: &[i64], init: Init) -> Result<Weight, DeepError> {
        let tensor = init
            .tensor(shape, seed::derive(self.seed, &[name]))?
            .f_to_device(self.device)?;
        self.learned_from(name, &tensor)
    }

    /// A learned tensor with these first values.
    fn learned_from(self, name: &str, values: &Tensor) -> Result<Weight, DeepError> {
        let tensor = values.f_detach()?.f_set_requires_grad(true)?;
        Ok(Weight::new(name, tensor))
    }
}

impl Network {
    /// Adds adapters, and freezes every weight of the network but those of the head, where the spec asks for that
    /// (`train-head`) and the head has no adapter.
    ///
    /// Load pretrained weights first: `dora` begins with their lengths. First values depend on the seed and the names
    /// of the tensors alone. Tensors of adapters are listed by [`Network::parameters`] as `<layer>.lora_A`,
    /// `<layer>.ia3`, …
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`], [`DeepError::Unknown`] for a target that matches nothing,
    /// [`DeepError::NothingToAdapt`], [`DeepError::NotTokens`], [`DeepError::AdaptedTwice`], [`DeepError::Merged`],
    /// [`DeepError::OutOfMemory`]. Nothing is changed then.
    pub fn adapt(&mut self, spec: &AdapterSpec, seed: u64) -> Result<(), DeepError> {
        self.refuse_merged("other adapters are added")?;
        let device = self.device();
        let adapters = self.adapters(spec, Maker { device, seed })?;
        let tensors: Vec<Weight> = adapters
            .iter()
            .flat_map(|adapter| adapter.tensors())
            .cloned()
            .collect();
        let mut names: Vec<&str> = tensors.iter().map(Weight::name).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        let there = || {
            names
                .iter()
                .find(|name| self.parameters.contains_key(**name))
        };
        if let Some(name) = twice.map(|pair| &pair[0]).or_else(there) {
            return Err(DeepError::AdaptedTwice {
                tensor: (*name).to_owned(),
            });
        }
        let head = self.head();
        let train_head =
            spec.train_head() && !tensors.iter().any(|tensor| covers(head, tensor.name()));
        let biases = matches!(spec, AdapterSpec::Bitfit(_));
        self.let_learn(|_, name| {
            (train_head && covers(head, name)) || (biases && targets::is_bias(name))
        })?;
        for tensor in tensors {
            let parameter = Parameter {
                tensor: tensor.tensor().shallow_clone(),
                role: Role::Weight,
            };
            self.parameters.insert(tensor.name().to_owned(), parameter);
        }
        self.adapted.adapters.extend(adapters);
        Ok(())
    }

    /// The tensors that the network has without adapters, in the order in which they were made.
    pub(crate) fn base(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&str, &Parameter)> + ExactSizeIterator {
        let own = self.parameters.iter().take(self.adapted.base);
        own.map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// Refuses what must not happen to weights that hold more than their own.
    pub(crate) fn refuse_merged(&self, before: &'static str) -> Result<(), DeepError> {
        if self.is_merged() {
            return Err(DeepError::Merged { before });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
