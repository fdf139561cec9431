//! How well a score ranks.

use translearn_core::TransferError;

/// Kendall's τ between scores and what was reached, with more weight on the pairs at the top of what was reached: 1 for one
/// order, −1 for the reverse, about 0 for none.
///
/// $$\tau_w = \frac{\langle s, a \rangle}{\sqrt{\langle s, s \rangle \langle a, a \rangle}}, \qquad
///   \langle x, y \rangle = \sum_{i < j} \Bigl(\frac{1}{1 + r_i} + \frac{1}{1 + r_j}\Bigr)
///   \operatorname{sgn}(x_i - x_j) \operatorname{sgn}(y_i - y_j)$$
///
/// averaged over the rank `r`, from 0 at the top, by the scores and by what was reached; equal values rank by the other
/// list, then by place. This is what comparisons of transferability scores report.
///
/// O(n²).
///
/// # Errors
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::TooFewRows`] below two, and
/// [`TransferError::Unsupported`] for a list of equal values, which has no order.
///
/// # Source
/// Vigna, *A weighted correlation index for rankings with ties*, WWW 2015, doi:10.1145/2736277.2741088; as
/// `scipy.stats.weightedtau` at its defaults.
///
/// ```
/// use translearn_diagnostics::transferability::weighted_kendall;
///
/// let reached = [0.9, 0.8, 0.7, 0.6];
/// assert_eq!(weighted_kendall(&[4.0, 3.0, 2.0, 1.0], &reached)?, 1.0);
/// // Changing places costs more at the top.
/// assert!(weighted_kendall(&[3.0, 4.0, 2.0, 1.0], &reached)? < weighted_kendall(&[4.0, 3.0, 1.0, 2.0], &reached)?);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn weighted_kendall(scores: &[f64], reached: &[f64]) -> Result<f64, TransferError> {
    if scores.len() != reached.len() {
        return Err(TransferError::LengthMismatch {
            left: "the scores".to_owned(),
            left_len: scores.len(),
            right: "what was reached".to_owned(),
            right_len: reached.len(),
        });
    }
    if scores.len() < 2 {
        return Err(TransferError::TooFewRows {
            what: "a ranking".to_owned(),
            rows: scores.len(),
            needed: 2,
        });
    }
    for (values, what) in [(scores, "the scores"), (reached, "what was reached")] {
        if let Some(row) = values.iter().position(|value| value.is_nan()) {
            return Err(TransferError::NotFinite {
                what: what.to_owned(),
                row,
                column: 0,
                value: f64::NAN.to_string(),
            });
        }
        if values.iter().all(|value| *value == values[0]) {
            return Err(TransferError::Unsupported {
                method: "Kendall's τ".to_owned(),
                needs: "values that differ".to_owned(),
                has: format!("{} equal values as {what}", values.len()),
            });
        }
    }
    let by = |first: &[f64], second: &[f64]| {
        let ranks = ranks(first, second);
        let weight = |i: usize| 1.0 / (1.0 + ranks[i] as f64);
        let product = |x: &[f64], y: &[f64]| {
            let mut sum = 0.0;
            for i in 0..x.len() {
                for j in 0..i {
                    sum += (weight(i) + weight(j)) * sign(x[i], x[j]) * sign(y[i], y[j]);
                }
            }
            sum
        };
        product(scores, reached) / (product(scores, scores) * product(reached, reached)).sqrt()
    };
    Ok(0.5 * (by(scores, reached) + by(reached, scores)))
}

fn sign(a: f64, b: f64) -> f64 {
    f64::from(i8::from(a > b) - i8::from(a < b))
}

/// Places in descending order of `first`, then of `second`, then from the last.
fn ranks(first: &[f64], second: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..first.len()).rev().collect();
    order.sort_by(|&a, &b| {
        first[b]
            .total_cmp(&first[a])
            .then(second[b].total_cmp(&second[a]))
    });
    let mut ranks = vec![0; first.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank;
    }
    ranks
}

/// Places in ascending order, from 1; equal values share the mean of theirs.
pub(crate) fn middle_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = before as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&at| ranks[at] = mean);
        before += equal.len();
    }
    ranks
}
