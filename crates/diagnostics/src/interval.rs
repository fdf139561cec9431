//! Intervals that say how far a number can be trusted.

use serde::{Deserialize, Serialize};
use translearn_core::TransferError;

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

/// The middle of resampled numbers, interpolated between neighbours; NaN without any.
pub(crate) fn percentile(mut resampled: Vec<f64>, confidence: f64) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * resampled.len().saturating_sub(1) as f64;
        let at = |place: f64| resampled.get(place as usize).copied().unwrap_or(f64::NAN);
        let (below, above) = (at(place.floor()), at(place.ceil()));
        below + (above - below) * place.fract()
    };
    let missed = 0.5 * (1.0 - confidence);
    Interval {
        low: quantile(missed),
        high: quantile(1.0 - missed),
    }
}

pub(crate) fn check_confidence(confidence: f64) -> Result<(), TransferError> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(TransferError::InvalidParameter {
        name: "confidence".to_owned(),
        value: confidence.to_string(),
        range: "(0, 1)".to_owned(),
    })
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
