//! Networks: named parameters, named layers, and a pass through them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use tch::{Device, Kind, Tensor};
use translearn_core::seed;

use crate::DeepError;
use crate::adapters::Adapted;
use crate::init::Init;
use crate::overrides::{Overrides, Weight};

/// What a tensor of a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is learned.
    Weight,
    /// It is kept beside: the statistics of batch normalisation.
    Buffer,
}

/// A named tensor of a network.
#[derive(Debug)]
pub struct Parameter {
    /// The tensor; layers hold the same memory.
    pub tensor: Tensor,
    /// What it is for.
    pub role: Role,
}

/// The named tensors of a network, in the order in which its layers were made.
pub type Parameters = IndexMap<String, Parameter>;

/// The values of a tensor as they are now, without its gradients.
pub(crate) fn copy_of(tensor: &Tensor) -> Result<Tensor, DeepError> {
    let mut copy = tensor.f_detach()?.f_empty_like()?;
    tch::no_grad(|| copy.f_copy_(tensor))?;
    Ok(copy)
}

/// Something between input and output.
pub trait Layer: fmt::Debug + Send {
    /// The output for a batch.
    ///
    /// # Errors
    /// [`DeepError`] when libtorch refuses the shapes or runs out of memory.
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError>;

    /// The output for a batch that the caller needs no longer: a layer may free it early or write its output over it, where
    /// nobody else holds it.
    ///
    /// # Errors
    /// As [`Layer::forward`].
    fn consume(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        self.forward(&x, pass)
    }
}

/// A layer under its full name, at which its output can be taken.
#[derive(Debug)]
pub struct Named {
    name: String,
    layer: Box<dyn Layer>,
}

impl Named {
    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layer's output, kept where the pass asks for it.
    ///
    /// # Errors
    /// As [`Layer::forward`].
    pub fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let y = self.layer.forward(x, pass)?;
        self.finish(y, pass)
    }

    /// As [`Named::forward`], for a batch that the caller needs no longer.
    ///
    /// # Errors
    /// As [`Layer::consume`].
    pub fn consume(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let y = self.layer.consume(x, pass)?;
        self.finish(y, pass)
    }

    /// What stands behind the layer, and what is kept of it.
    fn finish(&self, y: Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let y = pass.through(&self.name, y)?;
        pass.keep(&self.name, &y);
        Ok(y)
    }
}

/// One way through a network: whether it learns, and which outputs to keep.
#[derive(Debug)]
pub struct Pass {
    train: bool,
    rng: seed::Rng,
    taps: BTreeMap<String, Option<Tensor>>,
    batch_share: Option<f64>,
    pub(crate) overrides: Overrides,
}

impl Pass {
    /// A pass that only looks: statistics stay, nothing is dropped.
    pub fn eval() -> Self {
        Self {
            train: false,
            rng: seed::rng(0),
            taps: BTreeMap::new(),
            batch_share: None,
            overrides: Overrides::default(),
        }
    }

    /// A pass that learns; what it drops is drawn from `seed`.
    pub fn train(seed: u64) -> Self {
        Self {
            train: true,
            rng: seed::rng(seed),
            taps: BTreeMap::new(),
            batch_share: None,
            overrides: Overrides::default(),
        }
    }

    /// Keeps the outputs of these layers.
    #[must_use]
    pub fn tap<S: Into<String>>(mut self, layers: impl IntoIterator<Item = S>) -> Self {
        self.taps
            .extend(layers.into_iter().map(|name| (name.into(), None)));
        self
    }

    /// Lets each channel of a batch normalisation that learns be normalised by the statistics of the batch with probability
    /// `share`, by those gathered so far else: StochNorm ([`StochNormParams`](crate::methods::StochNormParams)).
    ///
    /// # Errors
    /// [`DeepError::InvalidParameter`] for anything but a probability.
    pub fn stochastic_norm(mut self, share: f64) -> Result<Self, DeepError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(DeepError::InvalidParameter {
                name: "share",
                value: share.to_string(),
                range: "from 0 to 1".to_owned(),
            });
        }
        self.batch_share = Some(share);
        Ok(self)
    }

    /// The probability that a channel is normalised by its batch, where that is left to chance.
    pub(crate) fn batch_share(&self) -> Option<f64> {
        self.batch_share
    }

    /// Whether it learns.
    pub fn is_train(&self) -> bool {
        self.train
    }

    /// The output kept of a layer.
    pub fn taken(&mut self, layer: &str) -> Option<Tensor> {
        self.taps.get_mut(layer)?.take()
    }

    /// Numbers for what is dropped.
    pub(crate) fn rng(&mut self) -> &mut seed::Rng {
        &mut self.rng
    }

    fn keep(&mut self, name: &str, output: &Tensor) {
        if let Some(kept) = self.taps.get_mut(name) {
            *kept = Some(output.shallow_clone());
        }
    }
}

/// A place in a network under construction: layers made here get names below its own.
#[derive(Debug, Clone)]
pub struct Scope {
    name: String,
    shared: Rc<RefCell<Shared>>,
}

#[derive(Debug)]
struct Shared {
    parameters: Parameters,
    layers: Vec<String>,
    device: Device,
    seed: u64,
}

impl Scope {
    /// The place of the whole network.
    pub fn root(device: Device, seed: u64) -> Self {
        let shared = Shared {
            parameters: Parameters::new(),
            layers: Vec::new(),
            device,
            seed,
        };
        Self {
            name: String::new(),
            shared: Rc::new(RefCell::new(shared)),
        }
    }

    /// The place `name` below this one.
    #[must_use]
    pub fn enter(&self, name: impl fmt::Display) -> Self {
        Self {
            name: self.join(&name.to_string()),
            shared: Rc::clone(&self.shared),
        }
    }

    /// The full name of something here.
    fn join(&self, name: &str) -> String {
        if self.name.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.name)
        }
    }

    /// Its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A layer under the name of this place.
    pub fn layer(&self, layer: impl Layer + 'static) -> Named {
        self.shared.borrow_mut().layers.push(self.name.clone());
        Named {
            name: self.name.clone(),
            layer: Box::new(layer),
        }
    }

    /// A learned tensor. Its first values depend on the seed of the network and its own name alone.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn weight(&self, name: &str, shape: &[i64], init: Init) -> Result<Weight, DeepError> {
        let tensor = self.tensor(name, shape, init)?.set_requires_grad(true);
        self.insert(name, &tensor, Role::Weight);
        Ok(Weight::new(&self.join(name), tensor))
    }

    /// A tensor that is kept beside the learned ones.
    ///
    /// # Errors
    /// [`DeepError::OutOfMemory`].
    pub fn buffer(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, DeepError> {
        let tensor = self.tensor(name, shape, init)?;
        self.insert(name, &tensor, Role::Buffer);
        Ok(tensor)
    }

    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, DeepError> {
        let (seed, device) = {
            let shared = self.shared.borrow();
            (shared.seed, shared.device)
        };
        init.tensor(shape, seed::derive(seed, &[&self.join(name)]))?
            .f_to_device(device)
            .map_err(DeepError::from)
    }

    fn insert(&self, name: &str, tensor: &Tensor, role: Role) {
        let parameter = Parameter {
            tensor: tensor.shallow_clone(),
            role,
        };
        let clash = self
            .shared
            .borrow_mut()
            .parameters
            .insert(self.join(name), parameter);
        debug_assert!(clash.is_none(), "two tensors are named {}", self.join(name));
    }

    fn finish(&self) -> (Parameters, Vec<String>, Device) {
        let mut shared = self.shared.borrow_mut();
        (
            std::mem::take(&mut shared.parameters),
            std::mem::take(&mut shared.layers),
            shared.device,
        )
    }
}

/// What a network takes: `channels x height x width` images, or rows of a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputShape {
    /// Images of this many channels and at least this many pixels a side; the size it was made for stands first.
    Image {
        /// Channels.
        channels: i64,
        /// Height and width it was made for.
        size: i64,
        /// Least height and width.
        least: i64,
    },
    /// Rows of this width.
    Rows {
        /// The width.
        width: i64,
    },
}

impl InputShape {
    /// The shape of a batch of this many at the size the network was made for.
    pub fn batch(self, rows: i64) -> Vec<i64> {
        match self {
            Self::Image { channels, size, .. } => vec![rows, channels, size, size],
            Self::Rows { width } => vec![rows, width],
        }
    }

    fn fits(self, shape: &[i64]) -> bool {
        match (self, shape) {
            (
                Self::Image {
                    channels, least, ..
                },
                &[_, c, h, w],
            ) => c == channels && h >= least && w >= least,
            (Self::Rows { width }, &[_, w]) => w == width,
            _ => false,
        }
    }
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image {
                channels, least, ..
            } => write!(f, "[n, {channels}, h, w] with h, w ≥ {least}"),
            Self::Rows { width } => write!(f, "[n, {width}]"),
        }
    }
}

/// A network: named parameters and the layers that use them.
#[derive(Debug)]
pub struct Network {
    name: String,
    input: InputShape,
    pub(crate) parameters: Parameters,
    layers: Vec<String>,
    device: Device,
    root: Box<dyn Layer>,
    pub(crate) adapted: Adapted,
}

impl Network {
    /// Makes a network from the layers that `build` lays out.
    ///
    /// # Errors
    /// What `build` returns.
    pub fn build<L: Layer + 'static>(
        name: impl Into<String>,
        input: InputShape,
        device: Device,
        seed: u64,
        build: impl FnOnce(&Scope) -> Result<L, DeepError>,
    ) -> Result<Self, DeepError> {
        let scope = Scope::root(device, seed);
        let root = Box::new(build(&scope)?);
        let (parameters, layers, device) = scope.finish();
        Ok(Self {
            name: name.into(),
            input,
            adapted: Adapted::new(parameters.len()),
            parameters,
            layers,
            device,
            root,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it takes.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Its named tensors; those of adapters stand last.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Number of learned numbers.
    pub fn n_parameters(&self) -> usize {
        self.parameters
            .values()
            .filter(|p| p.role == Role::Weight)
            .map(|p| p.tensor.numel())
            .sum()
    }

    /// Full names of the layers whose output can be taken, in the order in which they were made.
    pub fn layers(&self) -> &[String] {
        &self.layers
    }

    /// The output for a batch.
    ///
    /// # Errors
    /// [`DeepError::InputShape`], [`DeepError::InputKind`], and [`DeepError::OutOfMemory`] with the size of the batch.
    pub fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, DeepError> {
        let shape = x.size();
        if !self.input.fits(&shape) {
            return Err(DeepError::InputShape {
                network: self.name.clone(),
                expected: self.input.to_string(),
                found: shape,
            });
        }
        if !matches!(x.kind(), Kind::Float | Kind::BFloat16 | Kind::Double) {
            return Err(DeepError::InputKind {
                network: self.name.clone(),
                expected: Kind::Float,
                found: x.kind(),
            });
        }
        let rows = usize::try_from(shape[0]).unwrap_or(0);
        let prepared = self.adapted.prepare(pass);
        let output = prepared.and_then(|()| self.root.forward(x, pass));
        // What adapters made holds memory and belongs to this network alone.
        pass.overrides = Overrides::default();
        output.map_err(|error| error.in_batch(rows))
    }

    /// The name of the layer that has the last tensors: the classifier, in every backbone here.
    pub fn head(&self) -> &str {
        let last = self.base().next_back();
        let name = last.and_then(|(name, _)| name.rsplit_once('.'));
        name.map_or("", |(layer, _)| layer)
    }

    /// Refuses a name that is no layer.
    pub(crate) fn check_layer(&self, layer: &str) -> Result<(), DeepError> {
        if self.layers.iter().any(|known| known == layer) {
            return Ok(());
        }
        let known = self.layers.iter().map(String::as_str);
        Err(DeepError::unknown("layer", layer, known))
    }

    /// The outputs of named layers for a batch, without gradients.
    ///
    /// # Errors
    /// [`DeepError::Unknown`] for a name that is no layer, and as [`Network::forward`].
    pub fn outputs_of(&self, x: &Tensor, layers: &[&str]) -> Result<Vec<Tensor>, DeepError> {
        for &layer in layers {
            self.check_layer(layer)?;
        }
        let mut pass = Pass::eval().tap(layers.iter().copied());
        let _output = tch::no_grad(|| self.forward(x, &mut pass))?;
        layers
            .iter()
            .map(|&layer| {
                pass.taken(layer)
                    .ok_or_else(|| DeepError::unknown("output of layer", layer, []))
            })
            .collect()
    }
}
