//! Transfer methods: what they declare, what they are given and what they return.

use std::{collections::BTreeMap, fmt::Debug};

use ndarray::Array1;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    BaseLearner, Domain, Features, LabelSpace, Outputs, ParamInfo, Prediction, TransferError,
    TransferProblem, What,
};

/// What there is to know about a method before it is built. The experiment runner, the conformance tests and the
/// documentation are generated from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MethodInfo {
    /// Its name in specs.
    pub name: &'static str,
    /// Its name in prose.
    pub title: &'static str,
    /// The family it is filed under.
    pub family: Family,
    /// What it carries over.
    pub what: What,
    /// What it needs of a problem.
    pub needs: Needs,
    /// Its parameters.
    pub parameters: &'static [ParamInfo],
    /// Laws it does not keep, each with the reason; it claims all others.
    pub exemptions: &'static [(Law, &'static str)],
    /// The source: authors, title, year, DOI.
    pub reference: &'static str,
}

/// The families methods are filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// No transfer, or no thought: the rows every table must have.
    Baseline,
    /// Reweights or selects source examples.
    Instance,
    /// Changes the features so that source and target agree.
    Feature,
    /// Carries over parameters or priors.
    Parameter,
    /// Carries over relations.
    Relational,
}

/// What a method needs of a problem. A mismatch is an error before any work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Some target labels.
    pub target_labels: bool,
    /// Source and target with the same features.
    pub same_features: bool,
    /// The kinds of labels it serves.
    pub outputs: Outputs,
    /// Whether sparse features are used as they are (otherwise made dense under a limit).
    pub sparse: bool,
    /// Whether images are taken as they are (otherwise a problem with images is refused).
    pub images: bool,
    /// The base learner it wraps.
    pub learner: LearnerNeed,
}

/// The base learner a method wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnerNeed {
    /// None.
    None,
    /// Any learner.
    Any,
    /// One that really uses sample weights.
    Weighted,
    /// The base learner `network`, which trains a network: its parameters say which.
    Network,
}

/// Laws the conformance tests run over every method that claims them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// Where source and target are the same sample, there is nothing to transfer: a row is predicted the same as a row of
    /// either domain ([`TransferModel::predict`] and [`TransferModel::predict_source`] agree), every source weight is 1,
    /// and classes that the learner tells apart without the method it tells apart with it.
    IdenticalDomains,
    /// The order of the rows changes nothing.
    RowPermutation,
    /// The names of the classes change nothing.
    LabelRenaming,
    /// A target label that is not part of the problem changes nothing.
    TargetLabelBlind,
    /// The same seed gives the same bits on any number of threads.
    SeedDeterminism,
    /// A model that was saved and loaded predicts the same.
    SaveLoad,
    /// One row alone is predicted as it is within a batch.
    SingleRow,
    /// More features than rows are no obstacle.
    WideData,
    /// A constant column is no obstacle.
    ConstantColumn,
    /// A class that is missing from the source is no obstacle.
    MissingClass,
}

impl Law {
    /// All laws.
    pub const ALL: [Self; 10] = [
        Self::IdenticalDomains,
        Self::RowPermutation,
        Self::LabelRenaming,
        Self::TargetLabelBlind,
        Self::SeedDeterminism,
        Self::SaveLoad,
        Self::SingleRow,
        Self::WideData,
        Self::ConstantColumn,
        Self::MissingClass,
    ];
}

impl MethodInfo {
    /// Whether the method claims a law.
    pub fn claims(&self, law: Law) -> bool {
        self.exemptions.iter().all(|&(exempt, _)| exempt != law)
    }

    /// Refuses a problem that lacks what the method needs.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`], [`TransferError::FeatureMismatch`] or [`TransferError::ImagesAndVectors`] that
    /// names both sides.
    pub fn check(&self, problem: &TransferProblem) -> Result<(), TransferError> {
        let unsupported = |needs: &str, has: &str| {
            Err(TransferError::Unsupported {
                method: self.name.to_owned(),
                needs: needs.to_owned(),
                has: has.to_owned(),
            })
        };
        let mut domains = problem.sources().iter().map(|(source, _)| source);
        let images = |domain: &Domain| domain.features.is_images();
        if !self.needs.images && (domains.any(images) || images(problem.target_domain())) {
            return unsupported("vectors", IMAGES);
        }
        if self.needs.target_labels && problem.target_labelled().is_none() {
            return unsupported("labelled target rows", "none");
        }
        if self.needs.same_features {
            problem.check_same_features()?;
        }
        match (self.needs.outputs, problem.label_space()) {
            (Outputs::Classification, LabelSpace::Real) => {
                return unsupported("class labels", "real-valued labels");
            }
            (Outputs::Regression, LabelSpace::Classes(_)) => {
                return unsupported("real-valued labels", "class labels");
            }
            _ => {}
        }
        for (source, task) in problem.sources() {
            if task.space != *problem.label_space() {
                return unsupported(
                    "one label space",
                    &format!(
                        "another in {} than in {}",
                        source.name,
                        problem.target_domain().name
                    ),
                );
            }
        }
        Ok(())
    }
}

/// A transfer method with its parameters set, object-safe: what the registry holds and the runner runs.
pub trait TransferMethod: Debug + Send + Sync {
    /// What the method declares.
    fn info(&self) -> &'static MethodInfo;

    /// The parameters as set.
    fn params(&self) -> Map<String, Value>;

    /// The base learner it wraps, when it wraps one.
    fn learner(&self) -> Option<&BaseLearner>;

    /// Fits on a problem that [`MethodInfo::check`] has accepted. Call [`TransferMethod::fit`] instead.
    ///
    /// # Errors
    /// [`TransferError`].
    fn fit_checked(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError>;

    /// Checks needs and parameters, then fits. The same seed gives the same bits on any number of threads.
    ///
    /// # Errors
    /// [`TransferError`] for a problem the method cannot serve, parameters outside their range and failures of the fit.
    fn fit(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let info = self.info();
        info.check(problem)?;
        crate::params::check_params(info.name, info.parameters, &self.params())?;
        if let (LearnerNeed::Weighted | LearnerNeed::Network, Some(learner)) =
            (info.needs.learner, self.learner())
        {
            check_learner(info, learner)?;
        }
        self.fit_checked(problem, seed)
    }
}

impl<M: TransferMethod + ?Sized> TransferMethod for Box<M> {
    fn info(&self) -> &'static MethodInfo {
        (**self).info()
    }

    fn params(&self) -> Map<String, Value> {
        (**self).params()
    }

    fn learner(&self) -> Option<&BaseLearner> {
        (**self).learner()
    }

    fn fit_checked(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        (**self).fit_checked(problem, seed)
    }

    fn fit(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        (**self).fit(problem, seed)
    }
}

/// Images in place of vectors, as errors say it.
pub(crate) const IMAGES: &str =
    "images (`features` names the network that turns them into vectors)";

/// The learner that trains a network, by its name in specs.
const NETWORK: &str = "network";

/// Refuses a learner that is not what the method needs.
fn check_learner(method: &MethodInfo, learner: &BaseLearner) -> Result<(), TransferError> {
    let info = learner.info();
    let unsupported = |needs: &str, has: String| {
        Err(TransferError::Unsupported {
            method: method.name.to_owned(),
            needs: needs.to_owned(),
            has,
        })
    };
    match method.needs.learner {
        LearnerNeed::None => unsupported("no base learner", format!("`{}`", info.name)),
        LearnerNeed::Weighted if !info.honors_weights => unsupported(
            "a learner that uses sample weights (or `resampled` around one that does not)",
            format!("`{}`, which ignores them", info.name),
        ),
        LearnerNeed::Network if info.name != NETWORK => unsupported(
            "the base learner `network`, which trains a network,",
            format!("`{}`", info.name),
        ),
        LearnerNeed::Any | LearnerNeed::Weighted | LearnerNeed::Network => Ok(()),
    }
}

/// A fitted transfer model for the target domain.
#[typetag::serde(tag = "model")]
pub trait TransferModel: Debug + Send + Sync {
    /// Predicts rows of the target domain.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width, [`TransferError::NotFinite`] for NaN or infinities.
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError>;

    /// Predicts rows of the source domain, mapped the source's way where the two differ: what cross-validation on the
    /// source scores.
    ///
    /// # Errors
    /// As [`TransferModel::predict`].
    fn predict_source(&self, source: &Features) -> Result<Prediction, TransferError> {
        self.predict(source)
    }
}

/// What a fit returns: the model and how it came about.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    /// The model.
    pub model: Box<dyn TransferModel>,
    /// What happened during the fit.
    pub trace: Trace,
}

/// What happened during a fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The final weight of each labelled source row, in the order of [`TransferProblem::source`].
    pub source_weights: Option<Array1<f64>>,
    /// Named series, one value per round or iteration (`error`, `objective`, …).
    pub series: BTreeMap<String, Vec<f64>>,
}

impl Trace {
    /// Effective sample size (Σw)² / Σw² of the source weights.
    pub fn effective_sample_size(&self) -> Option<f64> {
        self.source_weights.as_ref().map(effective_sample_size)
    }
}

/// Effective sample size (Σw)² / Σw², between 1 and the number of rows; 0 when all weights are 0.
///
/// ```
/// use ndarray::array;
/// use translearn_core::effective_sample_size;
///
/// assert_eq!(effective_sample_size(&array![1.0, 1.0, 0.0, 0.0]), 2.0);
/// ```
pub fn effective_sample_size(weights: &Array1<f64>) -> f64 {
    let squares = weights.dot(weights);
    if squares == 0.0 {
        0.0
    } else {
        weights.sum().powi(2) / squares
    }
}

/// What the author of a registered method implements beside [`TransferMethod`].
pub trait RegisteredMethod:
    TransferMethod + Default + Serialize + DeserializeOwned + 'static
{
    /// What the method declares.
    const INFO: &'static MethodInfo;

    /// Puts a base learner in place of the default one. Called only when [`Needs::learner`] asks for one.
    fn set_learner(&mut self, learner: BaseLearner);
}

/// A method as the registry holds it: its declaration and how to build it from a spec.
#[derive(Debug, Clone, Copy)]
pub struct MethodEntry {
    /// What the method declares.
    pub info: &'static MethodInfo,
    build: BuildMethod,
}

type BuildMethod =
    fn(Map<String, Value>, Option<BaseLearner>) -> Result<Box<dyn TransferMethod>, TransferError>;

impl MethodEntry {
    /// The entry of a method.
    pub const fn of<M: RegisteredMethod>() -> Self {
        Self {
            info: M::INFO,
            build: build::<M>,
        }
    }

    /// Builds the method with parameters and a base learner; what is not given keeps its default.
    ///
    /// # Errors
    /// [`TransferError::UnknownParameter`], [`TransferError::InvalidParameter`], or [`TransferError::Unsupported`] for a
    /// learner the method has no use for.
    pub fn build(
        &self,
        params: Map<String, Value>,
        learner: Option<BaseLearner>,
    ) -> Result<Box<dyn TransferMethod>, TransferError> {
        (self.build)(params, learner)
    }
}

fn build<M: RegisteredMethod>(
    params: Map<String, Value>,
    learner: Option<BaseLearner>,
) -> Result<Box<dyn TransferMethod>, TransferError> {
    let info = M::INFO;
    let mut method: M = crate::params::read_params(info.name, info.parameters, params)?;
    if let Some(learner) = learner {
        check_learner(info, &learner)?;
        method.set_learner(learner);
    }
    Ok(Box::new(method))
}
