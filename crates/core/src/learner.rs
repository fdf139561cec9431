//! Base learners: what they are given, what they return, and whether they really use sample weights.

use std::{fmt::Debug, ops::Deref, sync::Arc};

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::method::IMAGES;
use crate::refit::{FromScratch, Refit};
use crate::{Features, Labels, ParamInfo, TransferError};

/// What a learner is fitted on: rows, labels and, where given, a weight per row.
///
/// Weights are used as they are given: weight 2 is the row twice, weight 0 is no row. Nothing here normalises them.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    features: &'a Features,
    labels: &'a Labels,
    n_classes: usize,
    weights: Option<ArrayView1<'a, f64>>,
}

impl<'a> Sample<'a> {
    /// Rows and labels, unweighted. `n_classes` is the size of the label space, which may be larger than the number of
    /// classes that occur (0 for regression).
    ///
    /// # Errors
    /// [`TransferError`] when there is no row, lengths differ, a feature or label is not finite, or a class lies outside
    /// the label space.
    pub fn new(
        features: &'a Features,
        labels: &'a Labels,
        n_classes: usize,
    ) -> Result<Self, TransferError> {
        if features.n_rows() == 0 {
            return Err(TransferError::Empty {
                what: "the training sample".to_owned(),
                needed: 1,
            });
        }
        if features.n_rows() != labels.len() {
            return Err(TransferError::LengthMismatch {
                left: "the features".to_owned(),
                left_len: features.n_rows(),
                right: "the labels".to_owned(),
                right_len: labels.len(),
            });
        }
        features.check_finite("the training features")?;
        match labels {
            Labels::Classes(codes) => {
                if let Some((row, &class)) = codes.indexed_iter().find(|&(_, &c)| c >= n_classes) {
                    return Err(TransferError::UnknownClass {
                        what: "the training labels".to_owned(),
                        row,
                        class,
                        n_classes,
                    });
                }
            }
            Labels::Values(values) => {
                if let Some((row, value)) = values.indexed_iter().find(|(_, v)| !v.is_finite()) {
                    return Err(TransferError::NotFinite {
                        what: "the training labels".to_owned(),
                        row,
                        column: 0,
                        value: value.to_string(),
                    });
                }
            }
        }
        Ok(Self {
            features,
            labels,
            n_classes,
            weights: None,
        })
    }

    /// The same rows with a weight each.
    ///
    /// # Errors
    /// [`TransferError::LengthMismatch`], or [`TransferError::InvalidWeight`] when a weight is negative or not finite
    /// or all are 0.
    pub fn with_weights<'b>(self, weights: &'b Array1<f64>) -> Result<Sample<'b>, TransferError>
    where
        'a: 'b,
    {
        if weights.len() != self.features.n_rows() {
            return Err(TransferError::LengthMismatch {
                left: "the features".to_owned(),
                left_len: self.features.n_rows(),
                right: "the sample weights".to_owned(),
                right_len: weights.len(),
            });
        }
        let wrong = weights.iter().position(|&w| !(w.is_finite() && w >= 0.0));
        let all_zero = weights.iter().all(|&w| w == 0.0).then_some(0);
        if let Some(row) = wrong.or(all_zero) {
            return Err(TransferError::InvalidWeight {
                row,
                value: weights[row].to_string(),
            });
        }
        Ok(Sample {
            weights: Some(weights.view()),
            ..self
        })
    }

    /// The rows.
    pub fn features(&self) -> &'a Features {
        self.features
    }

    /// The labels.
    pub fn labels(&self) -> &'a Labels {
        self.labels
    }

    /// Size of the label space; 0 for regression.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.features.n_rows()
    }

    /// The weights, where given.
    pub fn weights(&self) -> Option<ArrayView1<'a, f64>> {
        self.weights
    }

    /// The weight of a row: 1 where none were given.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// All weights as an owned array, ones where none were given.
    pub fn weights_or_ones(&self) -> Array1<f64> {
        self.weights
            .map_or_else(|| Array1::ones(self.n_rows()), |weights| weights.to_owned())
    }

    /// Number of classes that occur with positive weight.
    pub fn n_classes_present(&self) -> usize {
        let Labels::Classes(codes) = self.labels else {
            return 0;
        };
        let mut present = vec![false; self.n_classes];
        for (row, &class) in codes.indexed_iter() {
            present[class] |= self.weight(row) > 0.0;
        }
        present.into_iter().filter(|&p| p).count()
    }
}

/// Scores beside predicted labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scores {
    /// `n x n_classes` probabilities; rows sum to 1.
    Probabilities(Array2<f64>),
    /// `n x n_classes` decision values; the largest wins, the scale has no meaning.
    Decision(Array2<f64>),
}

impl Scores {
    /// The matrix, whatever its scale.
    pub fn matrix(&self) -> &Array2<f64> {
        match self {
            Self::Probabilities(scores) | Self::Decision(scores) => scores,
        }
    }
}

/// Predicted labels, with a score per class where the model has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// One label per row.
    pub labels: Labels,
    /// Scores per row and class.
    pub scores: Option<Scores>,
}

impl Prediction {
    /// Class labels by the largest probability, the lowest class on ties.
    pub fn from_probabilities(probabilities: Array2<f64>) -> Self {
        Self {
            labels: Labels::Classes(argmax_rows(&probabilities)),
            scores: Some(Scores::Probabilities(probabilities)),
        }
    }

    /// Class labels by the largest decision value, the lowest class on ties.
    pub fn from_decision(decision: Array2<f64>) -> Self {
        Self {
            labels: Labels::Classes(argmax_rows(&decision)),
            scores: Some(Scores::Decision(decision)),
        }
    }

    /// Real values.
    pub fn from_values(values: Array1<f64>) -> Self {
        Self {
            labels: Labels::Values(values),
            scores: None,
        }
    }
}

/// Column of the largest entry of each row, the lowest on ties.
pub fn argmax_rows(scores: &Array2<f64>) -> Array1<usize> {
    scores
        .outer_iter()
        .map(|row| {
            let mut best = 0;
            for (column, &value) in row.indexed_iter() {
                if value > row[best] {
                    best = column;
                }
            }
            best
        })
        .collect()
}

/// A fitted base learner.
#[typetag::serde(tag = "predictor")]
pub trait Predictor: Debug + Send + Sync {
    /// Predicts one label per row.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] when the width differs from the training rows,
    /// [`TransferError::NotFinite`] for NaN or infinities.
    fn predict(&self, features: &Features) -> Result<Prediction, TransferError>;
}

/// Refuses rows that a model of vectors was not fitted for: images, another width, NaN or infinities.
///
/// # Errors
/// [`TransferError::ImagesAndVectors`], [`TransferError::FeatureMismatch`] or [`TransferError::NotFinite`].
pub fn check_prediction_rows(features: &Features, n_columns: usize) -> Result<(), TransferError> {
    if features.is_images() {
        return Err(TransferError::ImagesAndVectors {
            images: "the rows to predict".to_owned(),
            vectors: "the training sample of the model".to_owned(),
        });
    }
    if features.n_columns() != n_columns {
        return Err(TransferError::FeatureMismatch {
            left: "the fitted model".to_owned(),
            left_features: n_columns,
            right: "the rows to predict".to_owned(),
            right_features: features.n_columns(),
        });
    }
    features.check_finite("the rows to predict")
}

/// What a learner or method can predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outputs {
    /// Classes only.
    Classification,
    /// Real values only.
    Regression,
    /// Both.
    Both,
}

impl Outputs {
    /// Whether labels of this kind are served.
    pub fn serve(self, labels: &Labels) -> bool {
        match labels {
            Labels::Classes(_) => self != Self::Regression,
            Labels::Values(_) => self != Self::Classification,
        }
    }
}

/// What there is to know about a learner before it is built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LearnerInfo {
    /// Its name in specs.
    pub name: &'static str,
    /// Its name in prose.
    pub title: &'static str,
    /// Whether it uses sample weights.
    pub honors_weights: bool,
    /// Whether it works on sparse rows as they are.
    pub sparse: bool,
    /// Whether it takes images as they are (otherwise a sample of images is refused).
    pub images: bool,
    /// What it predicts.
    pub outputs: Outputs,
    /// Whether its scores are probabilities.
    pub probabilities: bool,
    /// Its parameters.
    pub parameters: &'static [ParamInfo],
    /// The source: paper or textbook, with DOI where there is one.
    pub reference: &'static str,
}

/// A base learner with its parameters set, object-safe: what transfer methods wrap.
pub trait Learner: Debug + Send + Sync {
    /// Name, capabilities and parameters.
    fn info(&self) -> &'static LearnerInfo;

    /// The parameters as set.
    fn params(&self) -> Map<String, Value>;

    /// Fits on a sample. The same seed gives the same bits on any number of threads.
    ///
    /// # Errors
    /// [`TransferError`] for parameters outside their range and samples the learner cannot serve.
    fn fit_boxed(
        &self,
        sample: &Sample<'_>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError>;

    /// Makes ready to fit the same rows again and again under other weights, as boosting does: work on the rows alone is
    /// done once. Each fit gives what [`Learner::fit_boxed`] gives.
    ///
    /// # Errors
    /// As [`Learner::fit_boxed`].
    fn refit<'a>(&'a self, sample: &Sample<'a>) -> Result<Box<dyn Refit + 'a>, TransferError> {
        Ok(Box::new(FromScratch::new(self, sample)))
    }
}

/// What the author of a learner implements; [`Learner`] follows from it.
pub trait FitSample: Debug + Clone + Send + Sync + Serialize + 'static {
    /// The fitted model.
    type Model: Predictor + 'static;

    /// Name, capabilities and parameters.
    const INFO: &'static LearnerInfo;

    /// Fits on a sample that has been checked already, as have the parameters: its labels are of a kind the learner
    /// serves, and its rows are images only if [`LearnerInfo::images`] says that it takes them.
    ///
    /// # Errors
    /// [`TransferError`] for samples the learner cannot serve.
    fn fit_checked(&self, sample: &Sample<'_>, seed: u64) -> Result<Self::Model, TransferError>;

    /// Checks parameters, kind of labels and kind of rows, then fits.
    ///
    /// # Errors
    /// As [`FitSample::fit_checked`], [`TransferError::InvalidParameter`] and [`TransferError::Unsupported`].
    fn fit_sample(&self, sample: &Sample<'_>, seed: u64) -> Result<Self::Model, TransferError> {
        crate::params::validate(Self::INFO.name, Self::INFO.parameters, self)?;
        check_outputs(Self::INFO.name, Self::INFO.outputs, sample.labels())?;
        check_rows(Self::INFO, sample.features())?;
        self.fit_checked(sample, seed)
    }

    /// What [`Learner::refit`] does, to be given where part of the work depends on the rows alone.
    ///
    /// # Errors
    /// As [`Learner::refit`].
    fn refit_sample<'a>(
        &'a self,
        sample: &Sample<'a>,
    ) -> Result<Box<dyn Refit + 'a>, TransferError> {
        Ok(Box::new(FromScratch::new(self, sample)))
    }
}

fn check_rows(learner: &LearnerInfo, features: &Features) -> Result<(), TransferError> {
    if features.is_images() && !learner.images {
        return Err(TransferError::Unsupported {
            method: learner.name.to_owned(),
            needs: "vectors".to_owned(),
            has: IMAGES.to_owned(),
        });
    }
    Ok(())
}

pub(crate) fn check_outputs(
    owner: &str,
    outputs: Outputs,
    labels: &Labels,
) -> Result<(), TransferError> {
    match (outputs.serve(labels), labels) {
        (true, _) => Ok(()),
        (false, Labels::Classes(_)) => labels.values(owner).map(|_| ()),
        (false, Labels::Values(_)) => labels.classes(owner).map(|_| ()),
    }
}

impl<P: FitSample> Learner for P {
    fn info(&self) -> &'static LearnerInfo {
        P::INFO
    }

    fn params(&self) -> Map<String, Value> {
        crate::params::write_params(self)
    }

    fn fit_boxed(
        &self,
        sample: &Sample<'_>,
        seed: u64,
    ) -> Result<Box<dyn Predictor>, TransferError> {
        Ok(Box::new(self.fit_sample(sample, seed)?))
    }

    fn refit<'a>(&'a self, sample: &Sample<'a>) -> Result<Box<dyn Refit + 'a>, TransferError> {
        self.refit_sample(sample)
    }
}

/// Marks learners that really use sample weights, so that reweighting over a learner that ignores them does not compile.
///
/// Of linfa's own learners only the decision tree and isotonic regression qualify; the others drop weights silently.
pub trait HonorsSampleWeights {}

/// A base learner as methods hold it: shared, with its concrete type erased.
#[derive(Debug, Clone)]
pub struct BaseLearner(Arc<dyn Learner>);

impl<L: Learner + 'static> From<L> for BaseLearner {
    fn from(learner: L) -> Self {
        Self(Arc::new(learner))
    }
}

impl Deref for BaseLearner {
    type Target = dyn Learner;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
