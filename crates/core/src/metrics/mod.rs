//! Metrics of predictions, with optional sample weights.
//!
//! | metric | scores | better | value |
//! |---|---|---|---|
//! | [`accuracy`] | classes | higher | share of rows called rightly |
//! | [`balanced_accuracy`] | classes | higher | mean recall over the true classes |
//! | [`macro_f1`], [`micro_f1`] | classes | higher | F1 averaged over classes, or over their counts |
//! | [`auroc`] | scores | higher | area under the ROC curve, one class against the rest |
//! | [`log_loss`], [`brier`] | probabilities | lower | proper scores |
//! | [`ece`] | probabilities | lower | expected calibration error, 15 bins |
//! | [`rmse`], [`mae`] | values | lower | root mean squared, mean absolute error |
//! | [`r2`], [`explained_variance`] | values | higher | `1 - Σe²/Σ(y-ȳ)²`, `1 - Var(e)/Var(y)` |
//!
//! Classes are codes from 0; scores are `n x C`, a column per class. A weight of 2 is the row twice, a weight of 0 is no
//! row. Where a metric has no value (one class, constant truth, scores that are no probabilities) the answer is a
//! [`MetricError`], never NaN. Values agree with scikit-learn's where both are defined.
//!
//! ```
//! use ndarray::array;
//! use translearn_core::metrics::{accuracy, macro_f1};
//!
//! let (truth, predicted) = (array![0, 0, 0, 1], array![0, 0, 0, 0]);
//! assert_eq!(accuracy(truth.view(), predicted.view(), None)?, 0.75);
//! assert!((macro_f1(truth.view(), predicted.view(), None)? - 3.0 / 7.0).abs() < 1e-15);
//! # Ok::<(), translearn_core::metrics::MetricError>(())
//! ```

mod classification;
mod error;
mod metric;
mod regression;
mod scores;
#[cfg(test)]
mod tests;
mod weights;

pub use classification::{accuracy, balanced_accuracy, confusion_matrix, macro_f1, micro_f1};
pub use error::MetricError;
pub use metric::Metric;
pub use regression::{explained_variance, mae, r2, rmse};
pub use scores::{auroc, brier, ece, log_loss};
