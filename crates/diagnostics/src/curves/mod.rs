//! Learning curves over the number of labelled target rows, and what transfer changes of them.
//!
//! Transfer can show in three places of a curve: a higher start, a higher slope, a higher asymptote. [`LearningCurve::measure`]
//! fits a method at growing numbers of labelled target rows, several times each; [`CurveComparison`] puts two curves that were
//! measured with one seed beside each other:
//!
//! | measure | reads |
//! |---|---|
//! | jumpstart | how much better transfer begins |
//! | slope gain | how much more it gains with each doubling of the labels |
//! | labels and seconds to a threshold | when each reaches a score |
//! | asymptotes | where a power law says that each ends |
//! | area ratio | by which share of the baseline's area transfer is better |
//! | worth of the source | how many labels the source replaces |
//! | crossing | from how many labels on the other one is better |
//!
//! Each has an interval over the repetitions, which says how it changes with the choice of labelled rows from this pool, scored
//! on these held-out rows, and not how it would with others. What is not reached within the numbers that were measured is
//! [`Censored`]: above or below what can be said, not a number.

mod asymptote;
mod bootstrap;
mod comparison;
mod mean_curve;
mod measure;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use translearn_core::{TransferError, metrics::Metric};

use crate::interval::Interval;

pub use asymptote::PowerLaw;
pub use comparison::{
    Asymptote, Censored, CensoredEstimate, ComparedCurves, CurveComparison, Estimate,
};
pub use measure::CurvePlan;

/// Scores of a method at growing numbers of labelled target rows.
///
/// ```
/// use translearn_core::metrics::Metric;
/// use translearn_diagnostics::curves::{CurvePoint, LearningCurve};
///
/// let point = |n_labelled: usize, scores: [f64; 2]| CurvePoint {
///     n_labelled,
///     scores: scores.to_vec(),
///     seconds: vec![0.1, 0.1],
/// };
/// let curve = LearningCurve::new(Metric::Accuracy, vec![point(5, [0.6, 0.7]), point(10, [0.7, 0.9])])?;
/// assert!((curve.means()[1] - 0.8).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct LearningCurve {
    metric: Metric,
    points: Vec<CurvePoint>,
}

/// A curve as it is saved; read back only when it is one.
#[derive(Deserialize)]
struct Stored {
    metric: Metric,
    points: Vec<CurvePoint>,
}

impl TryFrom<Stored> for LearningCurve {
    type Error = TransferError;

    fn try_from(stored: Stored) -> Result<Self, TransferError> {
        Self::new(stored.metric, stored.points)
    }
}

/// Fits with one number of labelled target rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// How many target rows had a label.
    pub n_labelled: usize,
    /// The score of each repetition on the rows that were held out.
    pub scores: Vec<f64>,
    /// The wall time of each fit.
    pub seconds: Vec<f64>,
}

impl LearningCurve {
    /// A curve from its points.
    ///
    /// # Errors
    /// [`TransferError::Empty`] without points or repetitions, [`TransferError::LengthMismatch`] for another number of
    /// repetitions at one point than at another, [`TransferError::InvalidParameter`] for numbers of rows that do not grow,
    /// [`TransferError::NotFinite`].
    pub fn new(metric: Metric, points: Vec<CurvePoint>) -> Result<Self, TransferError> {
        let Some(first) = points.first().filter(|point| !point.scores.is_empty()) else {
            return Err(TransferError::Empty {
                what: "a learning curve".to_owned(),
                needed: 1,
            });
        };
        for (row, point) in points.iter().enumerate() {
            for (column, values) in [&point.scores, &point.seconds].into_iter().enumerate() {
                if values.len() != first.scores.len() {
                    return Err(TransferError::LengthMismatch {
                        left: format!("the curve at {} labelled rows", first.n_labelled),
                        left_len: first.scores.len(),
                        right: format!("the curve at {}", point.n_labelled),
                        right_len: values.len(),
                    });
                }
                if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                    return Err(TransferError::NotFinite {
                        what: "a learning curve".to_owned(),
                        row,
                        column,
                        value: value.to_string(),
                    });
                }
            }
        }
        let sizes: Vec<usize> = points.iter().map(|point| point.n_labelled).collect();
        check_growing("n_labelled", &sizes)?;
        Ok(Self { metric, points })
    }

    /// What scores.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The points, by growing numbers of labelled rows.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    /// Number of repetitions.
    pub fn n_repetitions(&self) -> usize {
        self.points[0].scores.len()
    }

    /// The mean score of each point.
    pub fn means(&self) -> Vec<f64> {
        let mean =
            |point: &CurvePoint| point.scores.iter().sum::<f64>() / point.scores.len() as f64;
        self.points.iter().map(mean).collect()
    }

    /// The interval of each point's mean over the repetitions: what to draw around the curve. The seed draws resamples.
    ///
    /// It holds only given the pool of labelled rows that the repetitions draw from, and the held-out rows: it does not say how
    /// far the mean is from that over other pools. With all labels of the pool every repetition has the same rows, and the
    /// interval of a fit without chance has a width of 0.
    ///
    /// # Errors
    /// [`TransferError::TooFewRows`] for fewer repetitions R than `1 − 2^{1−R} ≥ confidence` needs, the share of intervals of
    /// resampled means that hold the mean at best (six at 0.95), [`TransferError::InvalidParameter`].
    pub fn intervals(&self, confidence: f64, seed: u64) -> Result<Vec<Interval>, TransferError> {
        let resamples = bootstrap::Resamples::new(self.n_repetitions(), 1000, confidence, seed)?;
        let of =
            |point: &CurvePoint| resamples.interval(|drawn| bootstrap::mean(&point.scores, drawn));
        Ok(self.points.iter().map(of).collect())
    }
}

/// Refuses numbers of labelled rows that do not grow.
fn check_growing(name: &str, sizes: &[usize]) -> Result<(), TransferError> {
    let Some(pair) = sizes.windows(2).find(|pair| pair[0] >= pair[1]) else {
        return Ok(());
    };
    Err(TransferError::InvalidParameter {
        name: name.to_owned(),
        value: pair[1].to_string(),
        range: format!("numbers that grow: above {}", pair[0]),
    })
}
