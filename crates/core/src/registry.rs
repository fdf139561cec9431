//! Registries of methods and learners: what is registered is run, tested, benchmarked and documented.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    BaseLearner, FitSample, LearnerInfo, MethodEntry, RegisteredMethod, TransferError,
    TransferMethod, nearest_name,
};

/// A learner as the registry holds it.
#[derive(Debug, Clone, Copy)]
pub struct LearnerEntry {
    /// What the learner declares.
    pub info: &'static LearnerInfo,
    build: fn(Map<String, Value>) -> Result<BaseLearner, TransferError>,
}

impl LearnerEntry {
    /// The entry of a learner.
    pub const fn of<P: FitSample + Default + Serialize + DeserializeOwned>() -> Self {
        Self {
            info: P::INFO,
            build: build_learner::<P>,
        }
    }

    /// Builds the learner; what is not given keeps its default.
    ///
    /// # Errors
    /// [`TransferError::UnknownParameter`] or [`TransferError::InvalidParameter`].
    pub fn build(&self, params: Map<String, Value>) -> Result<BaseLearner, TransferError> {
        (self.build)(params)
    }
}

fn build_learner<P: FitSample + DeserializeOwned>(
    params: Map<String, Value>,
) -> Result<BaseLearner, TransferError> {
    let learner: P = crate::params::read_params(P::INFO.name, P::INFO.parameters, params)?;
    Ok(learner.into())
}

/// The methods and learners that can be named in a spec.
///
/// A method of your own joins the others with [`Registry::with`]; it is then run against them without editing this
/// workspace.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    methods: Vec<MethodEntry>,
    learners: Vec<LearnerEntry>,
}

impl Registry {
    /// A registry of these methods and learners.
    pub fn new(methods: Vec<MethodEntry>, learners: Vec<LearnerEntry>) -> Self {
        Self { methods, learners }
    }

    /// The same registry with one more method; a method of the same name is replaced.
    #[must_use]
    pub fn with<M: RegisteredMethod>(mut self) -> Self {
        self.methods.retain(|entry| entry.info.name != M::INFO.name);
        self.methods.push(MethodEntry::of::<M>());
        self
    }

    /// The same registry with one more learner; a learner of the same name is replaced.
    #[must_use]
    pub fn with_learner<P: FitSample + Default + Serialize + DeserializeOwned>(mut self) -> Self {
        self.learners
            .retain(|entry| entry.info.name != P::INFO.name);
        self.learners.push(LearnerEntry::of::<P>());
        self
    }

    /// The methods, in order of registration.
    pub fn methods(&self) -> &[MethodEntry] {
        &self.methods
    }

    /// The learners, in order of registration.
    pub fn learners(&self) -> &[LearnerEntry] {
        &self.learners
    }

    /// The method of this name.
    ///
    /// # Errors
    /// [`TransferError::UnknownName`] with the nearest known name.
    pub fn method(&self, name: &str) -> Result<&MethodEntry, TransferError> {
        self.methods
            .iter()
            .find(|entry| entry.info.name == name)
            .ok_or_else(|| {
                unknown(
                    "method",
                    name,
                    self.methods.iter().map(|entry| entry.info.name),
                )
            })
    }

    /// The learner of this name.
    ///
    /// # Errors
    /// [`TransferError::UnknownName`] with the nearest known name.
    pub fn learner(&self, name: &str) -> Result<&LearnerEntry, TransferError> {
        self.learners
            .iter()
            .find(|entry| entry.info.name == name)
            .ok_or_else(|| {
                unknown(
                    "learner",
                    name,
                    self.learners.iter().map(|entry| entry.info.name),
                )
            })
    }

    /// Builds a method by name, with a base learner by name where one is given.
    ///
    /// # Errors
    /// [`TransferError`] for unknown names and parameters.
    pub fn build(
        &self,
        method: &str,
        params: Map<String, Value>,
        learner: Option<(&str, Map<String, Value>)>,
    ) -> Result<Box<dyn TransferMethod>, TransferError> {
        let learner = learner
            .map(|(name, params)| self.learner(name)?.build(params))
            .transpose()?;
        self.method(method)?.build(params, learner)
    }
}

fn unknown<'a>(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> TransferError {
    TransferError::UnknownName {
        kind: kind.to_owned(),
        name: name.to_owned(),
        nearest: nearest_name(name, known.clone()),
        known: known.map(str::to_owned).collect(),
    }
}
