//! Where a learning curve ends.

use serde::{Deserialize, Serialize};

use crate::golden_section::golden_section;

/// The power law `a − b n^{−c}` of a score in the number of labelled rows, the larger the better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// `a`, where the curve ends.
    pub asymptote: f64,
    /// `b`, what is missing with one row.
    pub missing: f64,
    /// `c`, how fast it is made up.
    pub rate: f64,
}

/// The rates that are tried first; at either end a curve looks straight, or has ended before it began.
const RATES: (f64, f64) = (0.05, 4.0);
const N_RATES: usize = 24;

impl PowerLaw {
    /// The least squares fit to points with at least one row, where they tell one: of four points or more, a curve that
    /// rises, with the best rate within [0.05, 4].
    pub fn fit(sizes: &[usize], scores: &[f64]) -> Option<Self> {
        let points: Vec<(f64, f64)> = sizes
            .iter()
            .zip(scores)
            .filter(|(size, _)| **size > 0)
            .map(|(&size, &score)| (size as f64, score))
            .collect();
        if points.len() < 4 {
            return None;
        }
        let ratio = (RATES.1 / RATES.0).powf(1.0 / (N_RATES - 1) as f64);
        let rate = |step: usize| RATES.0 * ratio.powi(step as i32);
        let errors: Vec<f64> = (0..N_RATES).map(|step| at(rate(step), &points).1).collect();
        let best = (0..N_RATES).min_by(|&i, &j| errors[i].total_cmp(&errors[j]))?;
        if best == 0 || best == N_RATES - 1 {
            return None;
        }
        let neighbours = (rate(best - 1), rate(best + 1));
        let (best, _) = golden_section(|rate| -at(rate, &points).1, neighbours, 32);
        let (law, _) = at(best, &points);
        (law.missing > 0.0).then_some(law)
    }

    /// The score that the law says with some labelled rows.
    pub fn score(&self, n_labelled: f64) -> f64 {
        self.asymptote - self.missing * n_labelled.powf(-self.rate)
    }
}

/// The best `a` and `b` for a rate, and the sum of squares that is left.
fn at(rate: f64, points: &[(f64, f64)]) -> (PowerLaw, f64) {
    let n = points.len() as f64;
    // Scaled to 1 at the smallest size, so that no power is lost.
    let smallest = points
        .iter()
        .map(|point| point.0)
        .fold(f64::INFINITY, f64::min);
    let powers: Vec<f64> = points
        .iter()
        .map(|&(size, _)| (size / smallest).powf(-rate))
        .collect();
    let scores = || points.iter().map(|point| point.1);
    let mean_power = powers.iter().sum::<f64>() / n;
    let mean_score = scores().sum::<f64>() / n;
    let (mut products, mut squares) = (0.0, 0.0);
    for (power, score) in powers.iter().zip(scores()) {
        let centred = power - mean_power;
        products += centred * (score - mean_score);
        squares += centred * centred;
    }
    let slope = if squares > 0.0 {
        products / squares
    } else {
        0.0
    };
    let intercept = mean_score - slope * mean_power;
    let left = |(power, score): (&f64, f64)| (score - intercept - slope * power).powi(2);
    let left = powers.iter().zip(scores()).map(left).sum();
    let law = PowerLaw {
        asymptote: intercept,
        missing: -slope * smallest.powf(rate),
        rate,
    };
    (law, left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What follows a law is given back, and no law near by fits noisy points better.
        #[test]
        fn the_law_is_the_least_squares_one(a in 0.5_f64..1.0, b in 0.2_f64..2.0, c in 0.2_f64..2.0, wave in 0.0_f64..0.003) {
            let sizes = [2, 4, 8, 16, 32, 64];
            let truth = PowerLaw { asymptote: a, missing: b, rate: c };
            let exact: Vec<f64> = sizes.iter().map(|&n| truth.score(n as f64)).collect();
            let found = PowerLaw::fit(&sizes, &exact).unwrap();
            prop_assert!((found.asymptote - a).abs() < 1e-5 && (found.missing - b).abs() < 1e-4 && (found.rate - c).abs() < 1e-4, "{found:?}");
            let noisy: Vec<f64> = exact.iter().enumerate().map(|(i, y)| y + if i % 2 == 0 { wave } else { -wave }).collect();
            let left = |law: &PowerLaw| sizes.iter().zip(&noisy).map(|(&n, y)| (y - law.score(n as f64)).powi(2)).sum::<f64>();
            if let Some(found) = PowerLaw::fit(&sizes, &noisy) {
                prop_assert!(left(&found) <= left(&truth) + 1e-12);
                for (da, db, dc) in [(1e-3, 0.0, 0.0), (0.0, 1e-3, 0.0), (0.0, 0.0, 1e-3)] {
                    for sign in [-1.0, 1.0] {
                        let near = PowerLaw { asymptote: found.asymptote + sign * da, missing: found.missing + sign * db, rate: found.rate + sign * dc };
                        prop_assert!(left(&found) <= left(&near) + 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn a_curve_that_tells_no_end_has_none() {
        let sizes = [1, 2, 4, 8, 16];
        // A line in the logarithm, a flat one, a falling one, and three points.
        assert_eq!(PowerLaw::fit(&sizes, &[0.1, 0.2, 0.3, 0.4, 0.5]), None);
        assert_eq!(PowerLaw::fit(&sizes, &[0.5; 5]), None);
        assert_eq!(PowerLaw::fit(&sizes, &[0.9, 0.7, 0.6, 0.55, 0.53]), None);
        assert_eq!(PowerLaw::fit(&[0, 1, 2, 4], &[0.1, 0.5, 0.7, 0.8]), None);
    }
}
