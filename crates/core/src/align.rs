//! Feature transfer: learn a map that brings source and target together, then fit any learner on the mapped rows.

use std::{borrow::Cow, fmt::Debug};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    AcceptsTarget, BaseLearner, Family, Features, Fitted, Labelled, LearnerNeed, MethodInfo, Needs,
    Outputs, Prediction, Predictor, Sample, Trace, TransferError, TransferMethod, TransferModel,
    TransferProblem, What,
};

/// Learns a map between domains. The author of a feature method implements this.
pub trait FitAlign: Debug + Send + Sync {
    /// Fits the map.
    ///
    /// # Errors
    /// [`TransferError`].
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError>;
}

/// A fitted map and how it came about.
#[derive(Debug)]
pub struct Alignment {
    /// The map.
    pub map: Box<dyn DomainMap>,
    /// What happened during the fit.
    pub trace: Trace,
}

impl<M: DomainMap + 'static> From<M> for Alignment {
    fn from(map: M) -> Self {
        Self {
            map: Box::new(map),
            trace: Trace::default(),
        }
    }
}

/// A fitted map that takes rows of either domain into one space.
#[typetag::serde(tag = "map")]
pub trait DomainMap: Debug + Send + Sync {
    /// Maps rows of the source.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width.
    fn map_source(&self, source: &Features) -> Result<Features, TransferError>;

    /// Maps rows of the source at `index` of [`TransferProblem::sources`]: to be given by a map that tells sources apart.
    ///
    /// # Errors
    /// As [`DomainMap::map_source`].
    fn map_source_at(&self, _index: usize, source: &Features) -> Result<Features, TransferError> {
        self.map_source(source)
    }

    /// Maps rows of the target, those of the fit or new ones.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] for another width.
    fn map_target(&self, target: &Features) -> Result<Features, TransferError>;
}

/// A map followed by a learner fitted on mapped rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct AlignedModel {
    map: Box<dyn DomainMap>,
    predictor: Box<dyn Predictor>,
}

impl AlignedModel {
    /// The map.
    pub fn map(&self) -> &dyn DomainMap {
        &*self.map
    }

    /// The learner fitted on mapped rows.
    pub fn predictor(&self) -> &dyn Predictor {
        &*self.predictor
    }
}

#[typetag::serde]
impl TransferModel for AlignedModel {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        self.predictor.predict(&self.map.map_target(target)?)
    }

    fn predict_source(&self, source: &Features) -> Result<Prediction, TransferError> {
        self.predictor.predict(&self.map.map_source(source)?)
    }
}

/// Fits the map, then the learner on the mapped labelled source rows and, where there are any, the mapped labelled
/// target rows. Feature methods call this from [`TransferMethod::fit_checked`].
///
/// # Errors
/// As the map's and the learner's fit.
pub fn fit_aligned(
    align: &dyn FitAlign,
    learner: &BaseLearner,
    problem: &TransferProblem,
    seed: u64,
) -> Result<Fitted, TransferError> {
    let Alignment { map, trace } =
        align.fit_align(problem, crate::seed::derive(seed, &["align"]))?;
    let Labelled {
        mut features,
        mut labels,
    } = problem.source_mapped(|index, rows| Ok(Cow::Owned(map.map_source_at(index, &rows)?)))?;
    if let Some(target) = problem.target_labelled() {
        features = Cow::Owned(features.stack(&map.map_target(&target.features)?)?);
        labels = Cow::Owned(labels.join(&target.labels)?);
    }
    let sample = Sample::new(&features, &labels, problem.n_classes())?;
    let predictor = learner.fit_boxed(&sample, crate::seed::derive(seed, &["learner"]))?;
    Ok(Fitted {
        model: Box::new(AlignedModel { map, predictor }),
        trace,
    })
}

/// Any map around any learner, for a method that is being tried out and not registered.
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Axis, array};
/// use serde::{Deserialize, Serialize};
/// use translearn_core::*;
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Shift(ndarray::Array1<f64>);
///
/// #[typetag::serde]
/// impl DomainMap for Shift {
///     fn map_source(&self, x: &Features) -> Result<Features, TransferError> {
///         Ok((x.dense()?.into_owned() + &self.0).into())
///     }
///     fn map_target(&self, x: &Features) -> Result<Features, TransferError> {
///         Ok(x.clone())
///     }
/// }
///
/// #[derive(Debug)]
/// struct MeanShift;
///
/// impl FitAlign for MeanShift {
///     fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
///         let source = problem.source()?.features.dense()?.mean_axis(Axis(0)).unwrap_or_default();
///         let target = problem.target_features().dense()?.mean_axis(Axis(0)).unwrap_or_default();
///         Ok(Shift(target - source).into())
///     }
/// }
///
/// let source = DatasetBase::new(array![[0.0], [2.0]], array![0, 1]);
/// let target = DatasetBase::from(array![[10.0], [12.0]]);
/// let alignment = MeanShift.fit_align(&TransferProblem::new(&source, &target)?, 0)?;
/// let moved = alignment.map.map_source(&Features::from(array![[0.0]]))?;
/// assert_eq!(moved, Features::from(array![[10.0]]));
/// # Ok::<(), TransferError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Aligned<A> {
    align: A,
    learner: BaseLearner,
}

impl<A: FitAlign> Aligned<A> {
    /// A map and a learner.
    pub fn new(align: A, learner: impl Into<BaseLearner>) -> Self {
        Self {
            align,
            learner: learner.into(),
        }
    }
}

impl<A: FitAlign> TransferMethod for Aligned<A> {
    fn info(&self) -> &'static MethodInfo {
        &MethodInfo {
            name: "aligned",
            title: "A feature map around a learner",
            family: Family::Feature,
            what: What::Features,
            needs: Needs {
                target_labels: false,
                same_features: false,
                outputs: Outputs::Both,
                sparse: true,
                images: false,
                learner: LearnerNeed::Any,
            },
            parameters: &[],
            exemptions: &[],
            reference: "",
        }
    }

    fn params(&self) -> Map<String, Value> {
        Map::new()
    }

    fn learner(&self) -> Option<&BaseLearner> {
        Some(&self.learner)
    }

    fn fit_checked(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        fit_aligned(&self.align, &self.learner, problem, seed)
    }
}

impl<A: FitAlign, TT> AcceptsTarget<TT> for Aligned<A> {}
