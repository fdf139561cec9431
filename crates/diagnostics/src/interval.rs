//! Intervals that say how far a number can be trusted.

use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

use crate::check::check_share;

/// From where to where a number may lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a number lies within, the ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The interval of Clopper and Pearson for a share: of independent rows, `hits` of `rows` were seen.
///
/// *When.* For error rates on rows that nothing was fitted to. It holds the true share with a chance of at least
/// `confidence` for any number of rows, at the price of being wider than it has to be for few.
///
/// The lower end is the share `p` with `P(X ≥ hits) = (1 − confidence) / 2` for the binomial count `X` of `rows` draws, the
/// upper end that with `P(X ≤ hits) = (1 − confidence) / 2`; 0 for no hit, and 1 where all are.
///
/// O(rows) for each of 60 halvings.
///
/// # Errors
/// [`TransferError::Empty`] without rows, [`TransferError::InvalidParameter`] for more hits than rows and for a confidence
/// outside `(0, 1)`.
///
/// # Source
/// Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*, Biometrika 26(4),
/// 1934, doi:10.1093/biomet/26.4.404.
///
/// ```
/// use translearn_diagnostics::interval::clopper_pearson;
///
/// // No hit of ten: (1 − p)¹⁰ = 0.025 at the upper end.
/// let interval = clopper_pearson(0, 10, 0.95)?;
/// assert_eq!(interval.low, 0.0);
/// assert!((interval.high - (1.0 - 0.025_f64.powf(0.1))).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn clopper_pearson(
    hits: usize,
    rows: usize,
    confidence: f64,
) -> Result<Interval, TransferError> {
    check_confidence(confidence)?;
    let missed = 0.5 * (1.0 - confidence);
    Ok(Interval {
        low: 1.0 - upper_limit(rows.saturating_sub(hits), rows, missed)?,
        high: upper_limit(hits, rows, missed)?,
    })
}

/// The share that is exceeded with a chance of at most `missed`: the upper end alone.
pub(crate) fn upper_limit(hits: usize, rows: usize, missed: f64) -> Result<f64, TransferError> {
    if rows == 0 {
        return Err(TransferError::Empty {
            what: "the sample of which a share is taken".to_owned(),
            needed: 1,
        });
    }
    if hits > rows {
        return Err(TransferError::InvalidParameter {
            name: "hits".to_owned(),
            value: hits.to_string(),
            range: format!("integer from 0 to the number of rows, {rows}"),
        });
    }
    if hits == rows {
        return Ok(1.0);
    }
    // Logarithms of the binomial coefficients: the numbers themselves overflow from about a thousand rows.
    let n = rows as f64;
    let mut coefficients = Vec::with_capacity(hits + 1);
    let mut coefficient = 0.0;
    for hit in 0..=hits {
        coefficients.push(coefficient);
        coefficient += ((n - hit as f64) / (hit as f64 + 1.0)).ln();
    }
    let at_most_hits = |share: f64| -> f64 {
        let (hit, miss) = (share.ln(), (-share).ln_1p());
        let term = |(count, coefficient): (usize, &f64)| {
            let count = count as f64;
            let hits = if count > 0.0 { count * hit } else { 0.0 };
            (coefficient + hits + (n - count) * miss).exp()
        };
        coefficients.iter().enumerate().map(term).sum()
    };
    let (mut low, mut high) = (hits as f64 / n, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if at_most_hits(middle) > missed {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(high)
}

/// The interval between percentiles of numbers from resampled rows.
///
/// *When.* For what has no interval of its own, where there are some twenty rows or more: it is too narrow for few.
///
/// With the numbers in order, `x₀ ≤ … ≤ x_{B−1}`, an end is the number at the place `p (B − 1)` for the share
/// `p = (1 − confidence) / 2` or `1 − p`, and between two places the one on the line through both.
///
/// O(B log B).
///
/// # Errors
/// [`TransferError::Empty`] without a number, [`TransferError::NotFinite`], [`TransferError::InvalidParameter`] for a confidence
/// outside `(0, 1)`.
///
/// # Source
/// Efron, Tibshirani, *An Introduction to the Bootstrap*, Chapman & Hall, 1993, chapter 13.
///
/// ```
/// use translearn_diagnostics::interval::percentile;
///
/// let interval = percentile(vec![4.0, 0.0, 2.0, 1.0], 0.5)?;
/// assert_eq!((interval.low, interval.high), (0.75, 2.5));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn percentile(mut resampled: Vec<f64>, confidence: f64) -> Result<Interval, TransferError> {
    check_confidence(confidence)?;
    let what = "the resampled numbers";
    if resampled.is_empty() {
        return Err(TransferError::Empty {
            what: what.to_owned(),
            needed: 1,
        });
    }
    if let Some(row) = resampled.iter().position(|number| !number.is_finite()) {
        return Err(TransferError::NotFinite {
            what: what.to_owned(),
            row,
            column: 0,
            value: resampled[row].to_string(),
        });
    }
    resampled.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * (resampled.len() - 1) as f64;
        let (below, above) = (
            resampled[place.floor() as usize],
            resampled[place.ceil() as usize],
        );
        below + (above - below) * place.fract()
    };
    let missed = 0.5 * (1.0 - confidence);
    Ok(Interval {
        low: quantile(missed),
        high: quantile(1.0 - missed),
    })
}

/// The interval of a mean over random splits of the same rows: of Nadeau and Bengio.
///
/// *When.* For what was found on the held-out rows of several splits. Rows are shared between them, so that what is found
/// varies less from split to split than it would from one sample to another; the interval is wider by that. With a share of 0, for
/// numbers that have no rows in common, it is Student's.
///
/// With the mean `x̄` and variance `s²` (over `J − 1`) of J splits that hold out a share `q`, and Student's quantile `t` of
/// `J − 1` degrees of freedom, it is
///
/// $$\bar x \pm t \sqrt{\Bigl(\frac 1 J + \frac{q}{1 - q}\Bigr) s^2}$$
///
/// It is exact for none: the correlation between splits is taken to be `q`, which no sample tells.
///
/// O(J).
///
/// # Errors
/// [`TransferError::TooFewRows`] below two splits, [`TransferError::InvalidParameter`] for a share outside `[0, 1)` or a
/// confidence outside `(0, 1)`.
///
/// # Source
/// Nadeau, Bengio, *Inference for the generalization error*, Machine Learning 52(3), 2003, doi:10.1023/A:1024068626366.
///
/// ```
/// use translearn_diagnostics::interval::over_splits;
///
/// // Two splits: the quantile is 12.706, and the variance 1/2.
/// let interval = over_splits(&[1.0, 2.0], 0.5, 0.95)?;
/// assert!((interval.high - (1.5 + 12.706205 * (1.5_f64 * 0.5).sqrt())).abs() < 1e-5);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
pub fn over_splits(
    values: &[f64],
    held_out: f64,
    confidence: f64,
) -> Result<Interval, TransferError> {
    check_confidence(confidence)?;
    if !(0.0..1.0).contains(&held_out) {
        return Err(TransferError::InvalidParameter {
            name: "held_out".to_owned(),
            value: held_out.to_string(),
            range: "[0, 1)".to_owned(),
        });
    }
    if values.len() < 2 {
        return Err(TransferError::TooFewRows {
            what: "what was found over splits".to_owned(),
            rows: values.len(),
            needed: 2,
        });
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let quantile = student_quantile(0.5 * (1.0 - confidence), n - 1.0);
    let half = quantile * ((1.0 / n + held_out / (1.0 - held_out)) * variance).sqrt();
    Ok(Interval {
        low: mean - half,
        high: mean + half,
    })
}

/// What Student's number of `nu` degrees of freedom exceeds with a chance of `p` below 1/2.
pub(crate) fn student_quantile(p: f64, nu: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    let above = |t: f64| student_tail(t, nu) > p;
    while above(high) && high < 1e9 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if above(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The chance that Student's number of whole degrees of freedom is above `t ≥ 0`, by the finite sums of its integral.
fn student_tail(t: f64, nu: f64) -> f64 {
    let angle = (t / nu.sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = nu as u64 % 2 == 1;
    let (mut term, mut sum) = if odd { (cosine, 0.0) } else { (1.0, 0.0) };
    let mut power = if odd { 1.0 } else { 0.0 };
    while power <= nu - 2.0 {
        sum += term;
        term *= cosine * cosine * (power + 1.0) / (power + 2.0);
        power += 2.0;
    }
    let within = if odd {
        2.0 / std::f64::consts::PI * (angle + sine * sum)
    } else {
        sine * sum
    };
    0.5 * (1.0 - within)
}

pub(crate) fn check_confidence(confidence: f64) -> Result<(), TransferError> {
    check_share("confidence", confidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// See the fixture: `scipy.stats.binomtest(hits, rows).proportion_ci(0.95, "exact")`.
    #[test]
    fn the_interval_is_that_of_scipy() {
        let fixture = include_str!("../tests/fixtures/bounds.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let cases = fixture["clopper_pearson"].clone();
        let cases: Vec<(usize, usize, f64, f64)> = serde_json::from_value(cases).unwrap();
        assert!(cases.len() > 5);
        for (hits, rows, low, high) in cases {
            let found = clopper_pearson(hits, rows, 0.95).unwrap();
            assert!(
                (found.low - low).abs() < 1e-10,
                "{hits}/{rows}: {found:?} against {low}"
            );
            assert!(
                (found.high - high).abs() < 1e-10,
                "{hits}/{rows}: {found:?} against {high}"
            );
        }
    }

    /// Over all counts, weighed by their chance: no simulation.
    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        for rows in [1, 2, 7, 40] {
            let intervals: Vec<Interval> = (0..=rows)
                .map(|hits| clopper_pearson(hits, rows, 0.9).unwrap())
                .collect();
            for share in [0.0, 0.003, 0.1, 0.37, 0.5, 0.8, 1.0_f64] {
                let mut chance = 0.0;
                let mut coefficient = 1.0;
                for (hits, interval) in intervals.iter().enumerate() {
                    if interval.contains(share) {
                        let (hits, misses) = (hits as i32, (rows - hits) as i32);
                        chance += coefficient * share.powi(hits) * (1.0 - share).powi(misses);
                    }
                    coefficient *= (rows - hits) as f64 / (hits + 1) as f64;
                }
                assert!(
                    chance >= 0.9 - 1e-12,
                    "{chance} for a share of {share} of {rows}"
                );
            }
        }
    }

    /// Of tables: the 0.975 quantiles.
    #[test]
    fn students_quantiles_are_the_tabled_ones() {
        for (nu, quantile) in [
            (1.0, 12.7062),
            (2.0, 4.30265),
            (3.0, 3.18245),
            (4.0, 2.77645),
            (9.0, 2.26216),
            (30.0, 2.04227),
            (99.0, 1.98422),
        ] {
            let found = student_quantile(0.025, nu);
            assert!((found / quantile - 1.0).abs() < 1e-5, "{nu}: {found}");
        }
    }

    /// scipy.stats.t.interval(0.95, 3, 5, scipy.stats.sem([3, 4, 6, 7])).
    #[test]
    fn over_numbers_without_rows_in_common_it_is_students() {
        let interval = over_splits(&[3.0, 4.0, 6.0, 7.0], 0.0, 0.95).unwrap();
        assert!((interval.low - 2.094837).abs() < 1e-6 && (interval.high - 7.905163).abs() < 1e-6);
    }

    #[test]
    fn percentiles_lie_between_neighbours_and_need_numbers() {
        let of = |numbers: &[f64], confidence| percentile(numbers.to_vec(), confidence);
        let interval = of(&[4.0, 0.0, 2.0, 1.0], 1.0 - 1e-15).unwrap();
        assert!(interval.low < 1e-12 && interval.high > 4.0 - 1e-12);
        assert_eq!(
            of(&[3.0], 0.9).unwrap(),
            Interval {
                low: 3.0,
                high: 3.0
            }
        );
        for numbers in [&[][..], &[1.0, f64::NAN], &[f64::INFINITY]] {
            assert!(of(numbers, 0.9).is_err(), "{numbers:?}");
        }
        assert!(of(&[1.0], 1.0).is_err());
    }

    /// Splits of rows that have nothing to tell, each held out in turn: what is found is a mean over the held-out rows. The
    /// interval holds the truth as often as it says; without the term for the shared rows it would in two of three.
    #[test]
    fn intervals_over_splits_cover_as_often_as_they_say() {
        let (runs, n, held_out) = (400, 40, 10);
        let mut rng = translearn_core::seed::rng(5);
        let (mut covered, mut narrow) = (0, 0);
        for _ in 0..runs {
            let rows: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let of_splits: Vec<f64> = (0..10)
                .map(|_| {
                    let order = rng.permutation(n);
                    let held_out = &order[..held_out];
                    held_out.iter().map(|&row| rows[row]).sum::<f64>() / held_out.len() as f64
                })
                .collect();
            let interval = over_splits(&of_splits, 0.25, 0.95).unwrap();
            covered += usize::from(interval.contains(0.0));
            // The naive interval, by the formula without q.
            let mean = of_splits.iter().sum::<f64>() / 10.0;
            let variance = of_splits.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 9.0;
            narrow += usize::from(mean.abs() <= 2.26216 * (variance / 10.0).sqrt());
            let half = 2.26216 * (variance * (0.1 + 1.0 / 3.0)).sqrt();
            assert!((interval.high - mean - half).abs() < 1e-4 * half);
        }
        println!("{covered} of {runs} covered, {narrow} by the naive interval");
        assert!(covered >= 368 && narrow < 300, "{covered} {narrow}");
    }

    #[test]
    fn what_is_no_split_is_refused() {
        for (values, held_out, confidence) in [
            (vec![1.0], 0.5, 0.9),
            (vec![1.0, 2.0], -0.1, 0.9),
            (vec![1.0, 2.0], 1.0, 0.9),
            (vec![1.0, 2.0], f64::NAN, 0.9),
            (vec![1.0, 2.0], 0.5, 1.0),
        ] {
            assert!(
                over_splits(&values, held_out, confidence).is_err(),
                "{values:?}"
            );
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for (hits, rows, confidence) in [
            (0, 0, 0.9),
            (3, 2, 0.9),
            (1, 2, 0.0),
            (1, 2, 1.0),
            (1, 2, f64::NAN),
        ] {
            assert!(
                clopper_pearson(hits, rows, confidence).is_err(),
                "{hits} {rows} {confidence}"
            );
        }
    }
}
