//! Instance transfer: weigh the source rows so that they stand for the target, then fit a learner that uses weights.

use std::fmt::Debug;

use ndarray::{Array1, Axis, concatenate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    AcceptsTarget, BaseLearner, Family, Features, Fitted, HonorsSampleWeights, Learner,
    LearnerNeed, MethodInfo, Needs, Outputs, Prediction, Predictor, Sample, Trace, TransferError,
    TransferMethod, TransferModel, TransferProblem, What,
};

/// Weighs source rows. The author of a density-ratio method implements this.
pub trait SourceWeighter: Debug + Send + Sync {
    /// A weight per labelled source row, in the order of [`TransferProblem::source`]; any scale.
    ///
    /// # Errors
    /// [`TransferError`].
    fn source_weights(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<SourceWeights, TransferError>;
}

/// Weights of the source rows and how they came about.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceWeights {
    /// One weight per labelled source row.
    pub weights: Array1<f64>,
    /// Named series of the fit (`objective`, …).
    pub trace: Trace,
}

impl From<Array1<f64>> for SourceWeights {
    fn from(weights: Array1<f64>) -> Self {
        Self {
            weights,
            trace: Trace::default(),
        }
    }
}

/// A learner as it was fitted, without any map: the model of instance methods and baselines.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlainModel {
    predictor: Box<dyn Predictor>,
}

impl PlainModel {
    /// A fitted learner.
    pub fn new(predictor: Box<dyn Predictor>) -> Self {
        Self { predictor }
    }
}

#[typetag::serde]
impl TransferModel for PlainModel {
    fn predict(&self, target: &Features) -> Result<Prediction, TransferError> {
        self.predictor.predict(target)
    }
}

/// Weights scaled to mean 1, so that the penalty of a learner keeps its meaning. The one place where transfer methods
/// normalise.
///
/// # Errors
/// [`TransferError::InvalidWeight`] when a weight is negative or not finite, or all are 0.
pub fn mean_one(weights: &Array1<f64>) -> Result<Array1<f64>, TransferError> {
    let wrong = weights.iter().position(|&w| !(w.is_finite() && w >= 0.0));
    let sum = weights.sum();
    let row = wrong.or((sum <= 0.0 || !sum.is_finite()).then_some(0));
    if let Some(row) = row {
        let value = weights
            .get(row)
            .map_or_else(|| "none".to_owned(), ToString::to_string);
        return Err(TransferError::InvalidWeight { row, value });
    }
    Ok(weights * (weights.len() as f64 / sum))
}

/// Weighs the source, then fits the learner on the weighted source rows (mean weight 1) and, where there are any, the
/// labelled target rows with weight 1 each. Instance methods call this from [`TransferMethod::fit_checked`].
///
/// # Errors
/// As the weighter's and the learner's fit.
pub fn fit_reweighted(
    weighter: &dyn SourceWeighter,
    learner: &BaseLearner,
    problem: &TransferProblem,
    seed: u64,
) -> Result<Fitted, TransferError> {
    let SourceWeights { weights, mut trace } =
        weighter.source_weights(problem, crate::seed::derive(seed, &["weights"]))?;
    let mut weights = mean_one(&weights)?;
    trace.source_weights = Some(weights.clone());
    let source = problem.source()?;
    let (mut features, mut labels) = (source.features, source.labels);
    if let Some(target) = problem.target_labelled() {
        features = std::borrow::Cow::Owned(features.stack(&target.features)?);
        labels = std::borrow::Cow::Owned(labels.join(&target.labels)?);
        let ones = Array1::ones(target.labels.len());
        weights = join(&weights, &ones);
    }
    let sample = Sample::new(&features, &labels, problem.n_classes())?.with_weights(&weights)?;
    let predictor = learner.fit_boxed(&sample, crate::seed::derive(seed, &["learner"]))?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(predictor)),
        trace,
    })
}

#[expect(clippy::expect_used, reason = "two vectors always concatenate")]
fn join(a: &Array1<f64>, b: &Array1<f64>) -> Array1<f64> {
    concatenate(Axis(0), &[a.view(), b.view()]).expect("two vectors")
}

/// Any weighter around any learner that uses weights, for a method that is being tried out and not registered.
#[derive(Debug, Clone)]
pub struct Reweighted<W> {
    weighter: W,
    learner: BaseLearner,
}

impl<W: SourceWeighter> Reweighted<W> {
    /// A weighter and a learner; one that ignores weights does not compile.
    pub fn new<L: Learner + HonorsSampleWeights + 'static>(weighter: W, learner: L) -> Self {
        Self {
            weighter,
            learner: learner.into(),
        }
    }
}

impl<W: SourceWeighter> TransferMethod for Reweighted<W> {
    fn info(&self) -> &'static MethodInfo {
        &MethodInfo {
            name: "reweighted",
            title: "Source weights around a learner",
            family: Family::Instance,
            what: What::Instances,
            needs: Needs {
                target_labels: false,
                same_features: true,
                outputs: Outputs::Both,
                sparse: true,
                images: false,
                learner: LearnerNeed::Weighted,
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
        fit_reweighted(&self.weighter, &self.learner, problem, seed)
    }
}

impl<W: SourceWeighter, TT> AcceptsTarget<TT> for Reweighted<W> {}
