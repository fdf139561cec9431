//! Scores from what a source model says of target rows, in the source's classes.

use ndarray::{Array1, Array2};
use translearn_core::{Labels, TransferError};

use super::{check_lengths, without_gaps};

/// What a source model says of target rows: a probability for each class of the *source*, `n x Z`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceProbabilities(Array2<f64>);

impl SourceProbabilities {
    /// Rows of probabilities.
    ///
    /// # Errors
    /// [`TransferError::NotFinite`], and [`TransferError::Unsupported`] for a row that is below 0 somewhere or whose sum
    /// differs from 1 by more than 1e-3 (single precision over thousands of classes stays within).
    pub fn new(probabilities: Array2<f64>) -> Result<Self, TransferError> {
        for (row, of_row) in probabilities.outer_iter().enumerate() {
            let sum = of_row.sum();
            // False for NaN, too.
            if !(of_row.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() <= 1e-3) {
                return Err(TransferError::Unsupported {
                    method: "a score from a source model's probabilities".to_owned(),
                    needs: "rows of numbers that are not below 0 and have the sum 1".to_owned(),
                    has: format!("row {row} with the sum {sum}"),
                });
            }
        }
        Ok(Self(probabilities))
    }

    /// The class of the largest probability of each row.
    pub fn classes(&self) -> SourceClasses {
        SourceClasses(translearn_core::argmax_rows(&self.0))
    }
}

/// What a source model calls target rows: codes of the *source's* classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceClasses(Array1<usize>);

impl SourceClasses {
    /// One code a row.
    pub fn new(classes: Array1<usize>) -> Self {
        Self(classes)
    }
}

/// LEEP: the log-likelihood, per row, of the target's classes if they are drawn by what goes with the source's.
///
/// $$\mathrm{LEEP} = \frac1n \sum_i \ln \sum_z \hat P(y_i \mid z)\, \theta_i(z), \qquad
///   \hat P(y \mid z) = \frac{\sum_{i: y_i = y} \theta_i(z)}{\sum_i \theta_i(z)}$$
///
/// with the source model's probabilities `θ`. At most 0, and at least minus the entropy of the target's classes, which a model
/// gets that says the same of every row (`P̂(y | z)` is a step of expectation and maximisation from there).
///
/// O(n Z).
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::Empty`], and [`TransferError::Unsupported`] for labels of values.
///
/// # Source
/// Nguyen, Hassner, Seeger, Archambeau, *LEEP: a new measure to evaluate transferability of learned representations*, ICML
/// 2020.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Labels;
/// use translearn_diagnostics::transferability::{SourceProbabilities, leep};
///
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// let sure = SourceProbabilities::new(array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])?;
/// assert_eq!(leep(&sure, &labels)?, 0.0);
/// let idle = SourceProbabilities::new(array![[0.3, 0.7], [0.3, 0.7], [0.3, 0.7], [0.3, 0.7]])?;
/// assert!((leep(&idle, &labels)? + 2.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn leep(source: &SourceProbabilities, labels: &Labels) -> Result<f64, TransferError> {
    let theta = &source.0;
    let (classes, n_classes) = checked(theta.nrows(), labels)?;
    let mut joint = Array2::<f64>::zeros((n_classes, theta.ncols()));
    for (row, &class) in theta.outer_iter().zip(&classes) {
        let mut of_class = joint.row_mut(class);
        of_class += &row;
    }
    // A class of the source that no row has any chance of takes part in no sum.
    let totals = joint
        .sum_axis(ndarray::Axis(0))
        .mapv(|v| if v > 0.0 { v } else { 1.0 });
    let given = joint / &totals;
    let logarithms = theta
        .outer_iter()
        .zip(&classes)
        .map(|(row, &class)| row.dot(&given.row(class)).ln());
    Ok(logarithms.sum::<f64>() / classes.len() as f64)
}

/// NCE: minus the entropy, in nats, that the target's classes keep once the source's are known.
///
/// $$\mathrm{NCE} = -H(Y \mid Z) = \sum_{y, z} \hat P(y, z) \ln \frac{\hat P(y, z)}{\hat P(z)}$$
///
/// over the shares `P̂` of rows with the label `y` that the source model calls `z`. Of a model that is sure of every row it is
/// [`leep`].
///
/// O(n).
///
/// # Errors
/// As [`leep`].
///
/// # Source
/// Tran, Nguyen, Hassner, *Transferability and hardness of supervised classification tasks*, ICCV 2019,
/// doi:10.1109/ICCV.2019.00148.
///
/// ```
/// use ndarray::array;
/// use translearn_core::Labels;
/// use translearn_diagnostics::transferability::{SourceClasses, nce};
///
/// let labels = Labels::Classes(array![0, 0, 1, 1]);
/// // The source's class 7 says 0; its class 2 leaves one bit over half the rows.
/// let score = nce(&SourceClasses::new(array![7, 2, 2, 2]), &labels)?;
/// let third = 1.0_f64 / 3.0;
/// let kept = -(third * third.ln() + 2.0 * third * (2.0 * third).ln());
/// assert!((score + 0.75 * kept).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn nce(source: &SourceClasses, labels: &Labels) -> Result<f64, TransferError> {
    let (classes, n_classes) = checked(source.0.len(), labels)?;
    let (source, n_source) = without_gaps(&Labels::Classes(source.0.clone()))?;
    let mut counts = Array2::<f64>::zeros((n_classes, n_source));
    for (&class, &source) in classes.iter().zip(&source) {
        counts[[class, source]] += 1.0;
    }
    let totals = counts.sum_axis(ndarray::Axis(0));
    let shares = &counts / &totals;
    let terms = counts
        .iter()
        .zip(&shares)
        .filter(|(count, _)| **count > 0.0);
    Ok(terms.map(|(count, share)| count * share.ln()).sum::<f64>() / classes.len() as f64)
}

fn checked(rows: usize, labels: &Labels) -> Result<(Vec<usize>, usize), TransferError> {
    check_lengths("the source model's answers", rows, labels)?;
    if rows == 0 {
        return Err(TransferError::Empty {
            what: "the target".to_owned(),
            needed: 1,
        });
    }
    without_gaps(labels)
}
