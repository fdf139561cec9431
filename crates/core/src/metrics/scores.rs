//! Metrics of scores per class: ranking and probabilities.

use ndarray::{ArrayView1, ArrayView2};

use super::MetricError;
use super::weights::{Weights, same_length};

/// How far a row of probabilities may be from a sum of 1, and an entry from `[0, 1]`: the rounding of `f32`.
const PROBABILITY_TOLERANCE: f64 = 1e-5;

/// Number of bins of [`ece`].
const ECE_BINS: usize = 15;

fn check<'a>(
    metric: &'static str,
    truth: ArrayView1<'_, usize>,
    scores: ArrayView2<'_, f64>,
    weights: Option<ArrayView1<'a, f64>>,
) -> Result<Weights<'a>, MetricError> {
    same_length(("the truth", truth.len()), ("the scores", scores.nrows()))?;
    let weights = Weights::new(truth.len(), weights)?;
    let n_classes = scores.ncols();
    if n_classes < 2 {
        return Err(MetricError::TooFewColumns {
            metric,
            columns: n_classes,
        });
    }
    if let Some((row, &class)) = truth.indexed_iter().find(|&(_, &class)| class >= n_classes) {
        return Err(MetricError::UnknownClass {
            what: "the truth",
            row,
            class,
            n_classes,
        });
    }
    Ok(weights)
}

fn check_probabilities(
    metric: &'static str,
    probabilities: ArrayView2<'_, f64>,
) -> Result<(), MetricError> {
    let range = -PROBABILITY_TOLERANCE..=1.0 + PROBABILITY_TOLERANCE;
    for (row, entries) in probabilities.outer_iter().enumerate() {
        if let Some((class, value)) = entries.indexed_iter().find(|&(_, p)| !range.contains(p)) {
            return Err(MetricError::NotAProbability {
                metric,
                row,
                class,
                value: value.to_string(),
            });
        }
        let sum = entries.sum();
        if (sum - 1.0).abs() > PROBABILITY_TOLERANCE {
            return Err(MetricError::RowSum { metric, row, sum });
        }
    }
    Ok(())
}

/// The area under the ROC curve: the chance that a row of the class scores above a row of another class, ties half.
///
/// With two columns, class 1 against class 0 by the scores of column 1. With more, the unweighted mean over the
/// classes, each against the rest by its own column; classes that no row (of positive weight) has are left out, where
/// scikit-learn refuses them. Scores may be of any scale, infinities included. Costs `O(C n log n)`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::LengthMismatch`], [`MetricError::InvalidWeight`],
/// [`MetricError::UnknownClass`], [`MetricError::TooFewColumns`], [`MetricError::NotFinite`] for NaN, and
/// [`MetricError::SingleClass`] when all rows are of one class.
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::auroc;
///
/// let scores = array![[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]];
/// assert_eq!(auroc(array![0, 0, 1, 1].view(), scores.view(), None)?, 0.75);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn auroc(
    truth: ArrayView1<'_, usize>,
    scores: ArrayView2<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check("auroc", truth, scores, weights)?;
    if let Some(((row, _), value)) = scores.indexed_iter().find(|(_, score)| score.is_nan()) {
        return Err(MetricError::NotFinite {
            what: "the scores",
            row,
            value: value.to_string(),
        });
    }
    let classes = if scores.ncols() == 2 {
        1..2
    } else {
        0..scores.ncols()
    };
    let (mut sum, mut count) = (0.0, 0);
    for class in classes {
        if let Some(area) = area(scores.column(class), |row| truth[row] == class, &weights) {
            sum += area;
            count += 1;
        }
    }
    if count == 0 {
        let first = (0..truth.len())
            .find(|&row| weights.get(row) > 0.0)
            .unwrap_or(0);
        return Err(MetricError::SingleClass {
            metric: "auroc",
            class: truth[first],
        });
    }
    Ok(sum / f64::from(count))
}

/// The area of one class against the rest; `None` when either side has no weight.
fn area(
    scores: ArrayView1<'_, f64>,
    is_positive: impl Fn(usize) -> bool,
    weights: &Weights<'_>,
) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut positives, mut area) = (0.0, 0.0, 0.0);
    // `==` joins what `total_cmp` tells apart: 0 and -0.
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let (mut tied_positives, mut tied_negatives) = (0.0, 0.0);
        for &row in tied {
            if is_positive(row) {
                tied_positives += weights.get(row);
            } else {
                tied_negatives += weights.get(row);
            }
        }
        area += tied_positives * (below + 0.5 * tied_negatives);
        below += tied_negatives;
        positives += tied_positives;
    }
    (positives > 0.0 && below > 0.0).then(|| area / positives / below)
}

/// Cross-entropy `-Σ w ln p_y / Σ w` of the probabilities given to the true classes, which are clipped to `[ε, 1 - ε]`,
/// `ε = 2⁻⁵²`, as scikit-learn does.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::LengthMismatch`], [`MetricError::InvalidWeight`],
/// [`MetricError::UnknownClass`], [`MetricError::TooFewColumns`]; [`MetricError::NotAProbability`] and
/// [`MetricError::RowSum`] for rows that are further than 1e-5 from being probabilities.
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::log_loss;
///
/// let loss = log_loss(array![0, 1].view(), array![[0.5, 0.5], [0.75, 0.25]].view(), None)?;
/// assert!((loss - 0.5 * (2.0_f64.ln() + 4.0_f64.ln())).abs() < 1e-15);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn log_loss(
    truth: ArrayView1<'_, usize>,
    probabilities: ArrayView2<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check("log_loss", truth, probabilities, weights)?;
    check_probabilities("log_loss", probabilities)?;
    let clip = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    Ok(weights.mean(|row| -clip(probabilities[(row, truth[row])]).ln()))
}

/// The Brier score: the mean of `(p_1 - [y = 1])²` for two classes, in `[0, 1]`, and of `Σ_c (p_c - [y = c])²` for
/// more, in `[0, 2]`; scikit-learn's convention.
///
/// # Errors
/// As [`log_loss`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::brier;
///
/// assert_eq!(brier(array![1].view(), array![[0.5, 0.5]].view(), None)?, 0.25);
/// assert_eq!(brier(array![1].view(), array![[0.5, 0.5, 0.0]].view(), None)?, 0.5);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn brier(
    truth: ArrayView1<'_, usize>,
    probabilities: ArrayView2<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check("brier", truth, probabilities, weights)?;
    check_probabilities("brier", probabilities)?;
    let share = if probabilities.ncols() == 2 { 0.5 } else { 1.0 };
    Ok(weights.mean(|row| {
        let squares = probabilities
            .row(row)
            .indexed_iter()
            .map(|(class, p)| {
                let hit = f64::from(u8::from(class == truth[row]));
                (p - hit) * (p - hit)
            })
            .sum::<f64>();
        share * squares
    }))
}

/// The expected calibration error: how far confidence, the largest probability of a row, is from accuracy.
///
/// Rows are sorted by confidence into 15 bins of equal width, `((b - 1)/15, b/15]`; the result is
/// `Σ_b W_b / W |accuracy_b - confidence_b|` with weighted means in each bin. The predicted class is the first of
/// largest probability. (Guo et al., ICML 2017, arXiv:1706.04599, with their number of bins.)
///
/// # Errors
/// As [`log_loss`].
///
/// ```
/// use ndarray::array;
/// use translearn_core::metrics::ece;
///
/// let probabilities = array![[0.75, 0.25], [0.75, 0.25]];
/// assert_eq!(ece(array![0, 1].view(), probabilities.view(), None)?, 0.25);
/// # Ok::<(), translearn_core::metrics::MetricError>(())
/// ```
pub fn ece(
    truth: ArrayView1<'_, usize>,
    probabilities: ArrayView2<'_, f64>,
    weights: Option<ArrayView1<'_, f64>>,
) -> Result<f64, MetricError> {
    let weights = check("ece", truth, probabilities, weights)?;
    check_probabilities("ece", probabilities)?;
    // `Σ w (hit - confidence)` per bin is `W_b (accuracy_b - confidence_b)`.
    let (mut gaps, mut total) = ([0.0; ECE_BINS], 0.0);
    for (row, entries) in probabilities.outer_iter().enumerate() {
        let (mut predicted, mut confidence) = (0, entries[0]);
        for (class, &p) in entries.indexed_iter() {
            if p > confidence {
                (predicted, confidence) = (class, p);
            }
        }
        let bin = (confidence * ECE_BINS as f64).ceil() as usize;
        let hit = f64::from(u8::from(predicted == truth[row]));
        gaps[bin.clamp(1, ECE_BINS) - 1] += weights.get(row) * (hit - confidence);
        total += weights.get(row);
    }
    Ok(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / total)
}
