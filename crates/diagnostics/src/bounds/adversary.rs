//! The search for what differs most between two samples, and how far it can be a matter of chance.

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError, seed};

use super::hypothesis::equal_masses;
use crate::check::check_count;

/// How rich the regions are among which the one is sought that differs most between the domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Their Vapnik-Chervonenkis dimension.
    VcDimension(usize),
    /// Their empirical Rademacher complexity, from the mean over so many draws of signs. With the chance `δ / 3` of three terms,
    /// that mean of K draws for n rows is short by more than `√(2 ln(3/δ) / (n K))`: each of its `n K` signs moves it by at most
    /// `2 / (n K)`, so that McDiarmid's inequality holds. The deviation has this term.
    ///
    /// The adversary has to fit each draw, and what it fails to find makes the complexity smaller than it is, which no term
    /// covers. Signs go by the order of the rows: rows in another order get other draws.
    Rademacher(usize),
}

impl Complexity {
    pub(super) fn check(self) -> Result<(), TransferError> {
        let (name, number) = match self {
            Self::VcDimension(number) => ("vc_dimension", number),
            Self::Rademacher(number) => ("rademacher", number),
        };
        check_count(name, number, 1)
    }

    /// By how much the share of any region can differ to one side from its share of the rows, but for a chance of `missed`.
    pub(super) fn deviation(
        self,
        rows: &Features,
        adversary: &impl Adversary,
        missed: f64,
        seed: u64,
    ) -> Result<f64, TransferError> {
        let n = rows.n_rows() as f64;
        let deviation = match self {
            Self::VcDimension(dimension) => vc_deviation(dimension, n, missed),
            Self::Rademacher(n_draws) => {
                let complexity = rademacher(rows, n_draws, adversary, seed)?;
                2.0 * complexity + (3.0 + 4.0 / (n_draws as f64).sqrt()) * third(n, missed)
            }
        };
        // Shares are never further apart.
        Ok(deviation.min(1.0))
    }
}

/// `√(2 D ln(e n / D) / n) + √(ln(1/δ) / 2n)`.
fn vc_deviation(dimension: usize, n: f64, missed: f64) -> f64 {
    let dimension = dimension as f64;
    if n < dimension {
        return 1.0;
    }
    let growth = 2.0 * dimension * (1.0 + (n / dimension).ln()) / n;
    growth.sqrt() + ((1.0 / missed).ln() / (2.0 * n)).sqrt()
}

/// `√(ln(3/δ) / 2n)`: the supremum, the complexity of the rows and its mean over K draws of signs fail with a third of the
/// chance each. The first is off by once, the second by twice this; the third by `√(2 ln(3/δ) / (n K))`, which counts twice and
/// is `4 / √K` times this.
fn third(n: f64, missed: f64) -> f64 {
    ((3.0 / missed).ln() / (2.0 * n)).sqrt()
}

/// Finds regions of the space.
pub(super) trait Adversary: Sync {
    /// A region that holds the wanted rows and not the others, as far as the adversary can: which rows are in it.
    fn region(
        &self,
        rows: &Features,
        wanted: &[bool],
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Vec<bool>, TransferError>;
}

/// By how much more of the target than of the source lies in the region that was found.
pub(super) fn difference_found(
    source: &Features,
    target: &Features,
    adversary: &impl Adversary,
    seed: u64,
) -> Result<f64, TransferError> {
    let (m, n) = (source.n_rows(), target.n_rows());
    let wanted: Vec<bool> = (0..m + n).map(|row| row >= m).collect();
    let rows = source.stack(target)?;
    let found = adversary.region(&rows, &wanted, &equal_masses(m, n), seed)?;
    let share =
        |rows: &[bool]| rows.iter().filter(|&&inside| inside).count() as f64 / rows.len() as f64;
    let (of_source, of_target) = found.split_at(m);
    Ok(share(of_target) - share(of_source))
}

/// `E_σ sup_g (1/n) Σ σ_i g(x_i)` over regions `g`, with what the adversary finds in place of the largest. No region at all
/// is one of them, and so is all of the space.
fn rademacher(
    rows: &Features,
    n_draws: usize,
    adversary: &impl Adversary,
    seed: u64,
) -> Result<f64, TransferError> {
    let n = rows.n_rows();
    let of_draw = |draw: usize| -> Result<f64, TransferError> {
        let seed = seed::derive(seed, &["signs", &draw.to_string()]);
        let mut rng = seed::rng(seed);
        let wanted: Vec<bool> = (0..n).map(|_| rng.below(2) == 1).collect();
        let n_wanted = wanted.iter().filter(|&&wanted| wanted).count();
        let of_all = n_wanted as f64 - (n - n_wanted) as f64;
        if n_wanted == 0 || n_wanted == n {
            return Ok(of_all.max(0.0) / n as f64);
        }
        let found = adversary.region(rows, &wanted, &Array1::ones(n), seed)?;
        let sign = |wanted: bool| if wanted { 1.0 } else { -1.0 };
        let inside = found.iter().zip(&wanted).filter(|(inside, _)| **inside);
        let sum: f64 = inside.map(|(_, &wanted)| sign(wanted)).sum();
        Ok(sum.max(of_all).max(0.0) / n as f64)
    };
    let draws: Vec<f64> = (0..n_draws)
        .into_par_iter()
        .map(of_draw)
        .collect::<Result<_, _>>()?;
    Ok(draws.iter().sum::<f64>() / n_draws as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All intervals of a line: the run of rows with the largest sum of signed weights.
    struct Intervals;

    impl Adversary for Intervals {
        fn region(
            &self,
            rows: &Features,
            wanted: &[bool],
            weights: &Array1<f64>,
            _: u64,
        ) -> Result<Vec<bool>, TransferError> {
            let order = rows.rows_by_value();
            let (mut best, mut sum, mut start) = ((0.0, 0..0), 0.0, 0);
            for (place, &row) in order.iter().enumerate() {
                if sum <= 0.0 {
                    (sum, start) = (0.0, place);
                }
                sum += if wanted[row] {
                    weights[row]
                } else {
                    -weights[row]
                };
                if sum > best.0 {
                    best = (sum, start..place + 1);
                }
            }
            let mut inside = vec![false; order.len()];
            order[best.1].iter().for_each(|&row| inside[row] = true);
            Ok(inside)
        }
    }

    fn line(n: usize, rng: &mut seed::Rng) -> Features {
        ndarray::Array2::from_shape_simple_fn((n, 1), || rng.normal()).into()
    }

    proptest! {
        /// `E sup` over all 2ⁿ signs of few rows, against the mean over draws.
        #[test]
        fn the_complexity_is_the_mean_over_signs(n in 2_usize..7, seed: u64) {
            let rows = line(n, &mut seed::rng(seed));
            let mut values: Vec<f64> = rows.dense().unwrap().iter().copied().collect();
            values.sort_by(f64::total_cmp);
            // On a line the largest sum over an interval is the largest run of the signs in order.
            let mut mean = 0.0;
            for signs in 0..1_u32 << n {
                let sign = |row: usize| if signs >> row & 1 == 1 { 1.0 } else { -1.0 };
                let runs = (0..n).flat_map(|start| (start..n).map(move |end| (start, end)));
                let sums = runs.map(|(start, end)| (start..=end).map(sign).sum::<f64>());
                mean += sums.fold(0.0_f64, f64::max) / n as f64 / f64::from(1 << n);
            }
            let found = rademacher(&rows, 4000, &Intervals, seed).unwrap();
            // A draw lies in [0, 1]: 4000 of them are within five deviations of at most 1/2.
            prop_assert!((found - mean).abs() < 5.0 * 0.5 / 4000_f64.sqrt(), "{found} {mean}");
        }
    }

    /// One draw of signs is short of their mean in half of 400 runs; the deviation is so in a third of its chance at most.
    #[test]
    fn the_deviation_covers_the_draws_of_signs() {
        let (n, missed) = (100, 0.5);
        let rows = line(n, &mut seed::rng(6));
        let complexity = rademacher(&rows, 4000, &Intervals, 7).unwrap();
        let of_all_signs = 2.0 * complexity + 3.0 * third(n as f64, missed);
        assert!(of_all_signs < 1.0);
        let of_draw =
            |run: u64| Complexity::Rademacher(1).deviation(&rows, &Intervals, missed, run);
        let short = (0..400).filter(|&run| of_draw(run).unwrap() < of_all_signs);
        let short = short.count();
        // A chance of at most 1/6 in 400 runs: 82 are short with a chance below 1/40.
        assert!(short <= 82, "{short}");
    }

    /// In 400 samples, the share of every interval of a line stays within the deviation.
    #[test]
    fn the_deviation_holds_for_all_regions_at_once() {
        for complexity in [Complexity::VcDimension(2), Complexity::Rademacher(10)] {
            let mut rng = seed::rng(5);
            let mut exceeded = 0;
            for run in 0..400 {
                let n = 120;
                let mut x: Vec<f64> = (0..n).map(|_| rng.uniform()).collect();
                let rows: Features =
                    ndarray::Array2::from_shape_fn((n, 1), |(row, _)| x[row]).into();
                let deviation = complexity.deviation(&rows, &Intervals, 0.1, run).unwrap();
                x.sort_by(f64::total_cmp);
                // The largest excess of a uniform share is between two neighbouring rows or more, open at both ends.
                let ends: Vec<f64> = [0.0].into_iter().chain(x).chain([1.0]).collect();
                let pairs = (0..ends.len()).flat_map(|i| (i + 1..ends.len()).map(move |j| (i, j)));
                let largest = pairs.map(|(i, j)| ends[j] - ends[i] - (j - i - 1) as f64 / n as f64);
                exceeded += usize::from(largest.fold(0.0_f64, f64::max) > deviation);
                assert!(deviation < 1.0);
            }
            // A chance of at most 1/10 in 400 runs: 52 are exceeded with a chance below 1/40.
            assert!(exceeded <= 52, "{complexity:?}: {exceeded}");
        }
    }
}
