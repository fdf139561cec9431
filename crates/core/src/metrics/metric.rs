//! Metrics by name.

use std::fmt;
use std::str::FromStr;

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{
    MetricError, accuracy, auroc, balanced_accuracy, brier, ece, explained_variance, log_loss,
    macro_f1, mae, micro_f1, r2, rmse,
};
use crate::{Labels, Prediction, Scores, nearest_name};

/// A metric, as specs and results name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// [`accuracy`].
    Accuracy,
    /// [`balanced_accuracy`].
    BalancedAccuracy,
    /// [`macro_f1`].
    MacroF1,
    /// [`micro_f1`].
    MicroF1,
    /// [`auroc`].
    Auroc,
    /// [`log_loss`].
    LogLoss,
    /// [`brier`].
    Brier,
    /// [`ece`].
    Ece,
    /// [`rmse`].
    Rmse,
    /// [`mae`].
    Mae,
    /// [`r2`].
    R2,
    /// [`explained_variance`].
    ExplainedVariance,
}

impl Metric {
    /// All metrics: of classes, of scores, of values.
    pub const ALL: [Self; 12] = [
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::MacroF1,
        Self::MicroF1,
        Self::Auroc,
        Self::LogLoss,
        Self::Brier,
        Self::Ece,
        Self::Rmse,
        Self::Mae,
        Self::R2,
        Self::ExplainedVariance,
    ];

    /// Its name in specs and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MacroF1 => "macro_f1",
            Self::MicroF1 => "micro_f1",
            Self::Auroc => "auroc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::Ece => "ece",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
            Self::ExplainedVariance => "explained_variance",
        }
    }

    /// Whether a larger value is a better one; the others are errors and losses.
    pub fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Self::LogLoss | Self::Brier | Self::Ece | Self::Rmse | Self::Mae
        )
    }

    /// Whether it scores classes; the others score real values.
    pub fn is_classification(self) -> bool {
        !matches!(
            self,
            Self::Rmse | Self::Mae | Self::R2 | Self::ExplainedVariance
        )
    }

    /// Whether it needs a score per class, of any scale.
    pub fn needs_scores(self) -> bool {
        self == Self::Auroc || self.needs_probabilities()
    }

    /// Whether the scores per class must be probabilities.
    pub fn needs_probabilities(self) -> bool {
        matches!(self, Self::LogLoss | Self::Brier | Self::Ece)
    }

    /// The value of this metric for a prediction, with an optional weight per row.
    ///
    /// # Errors
    /// [`MetricError::WrongOutput`] when labels and prediction are of another kind than the metric, or lack the scores
    /// it needs; and as the function of that name.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_core::{Labels, Prediction, metrics::Metric};
    ///
    /// let metric: Metric = "log_loss".parse()?;
    /// let prediction = Prediction::from_probabilities(array![[0.5, 0.5]]);
    /// let loss = metric.evaluate(&Labels::Classes(array![1]), &prediction, None)?;
    /// assert!((loss - 2.0_f64.ln()).abs() < 1e-15);
    /// # Ok::<(), translearn_core::metrics::MetricError>(())
    /// ```
    pub fn evaluate(
        self,
        truth: &Labels,
        prediction: &Prediction,
        weights: Option<ArrayView1<'_, f64>>,
    ) -> Result<f64, MetricError> {
        if self.needs_scores() {
            let Labels::Classes(truth) = truth else {
                return Err(self.wrong("class labels", "real-valued true labels"));
            };
            let scores = self.scores(prediction)?;
            let function = match self {
                Self::Auroc => auroc,
                Self::LogLoss => log_loss,
                Self::Brier => brier,
                _ => ece,
            };
            return function(truth.view(), scores, weights);
        }
        match (truth, &prediction.labels) {
            (Labels::Classes(truth), Labels::Classes(predicted)) if self.is_classification() => {
                let function = match self {
                    Self::BalancedAccuracy => balanced_accuracy,
                    Self::MacroF1 => macro_f1,
                    Self::MicroF1 => micro_f1,
                    _ => accuracy,
                };
                function(truth.view(), predicted.view(), weights)
            }
            (Labels::Values(truth), Labels::Values(predicted)) if !self.is_classification() => {
                let function = match self {
                    Self::Rmse => rmse,
                    Self::Mae => mae,
                    Self::R2 => r2,
                    _ => explained_variance,
                };
                function(truth.view(), predicted.view(), weights)
            }
            (Labels::Classes(_), Labels::Classes(_)) => Err(self.wrong("real values", "classes")),
            (Labels::Values(_), Labels::Values(_)) => Err(self.wrong("classes", "real values")),
            (Labels::Classes(_), Labels::Values(_)) => Err(self.wrong(
                "truth and prediction of one kind",
                "true classes and predicted values",
            )),
            (Labels::Values(_), Labels::Classes(_)) => Err(self.wrong(
                "truth and prediction of one kind",
                "true values and predicted classes",
            )),
        }
    }

    fn scores(self, prediction: &Prediction) -> Result<ArrayView2<'_, f64>, MetricError> {
        match &prediction.scores {
            Some(Scores::Probabilities(scores)) => Ok(scores.view()),
            Some(Scores::Decision(scores)) if !self.needs_probabilities() => Ok(scores.view()),
            Some(Scores::Decision(_)) => Err(self.wrong("probabilities", "decision values")),
            None => Err(self.wrong("a score per class", "predicted labels only")),
        }
    }

    fn wrong(self, needs: &'static str, has: &'static str) -> MetricError {
        MetricError::WrongOutput {
            metric: self.name(),
            needs,
            has,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.name() == name)
            .ok_or_else(|| MetricError::UnknownMetric {
                name: name.to_owned(),
                nearest: nearest_name(name, Self::ALL.map(Self::name)),
            })
    }
}
