//! Two predictions of the same held-out rows.

use ndarray::Array1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{Labels, TransferError, seed, setters};

use super::Verdict;
use super::losses::PairedLosses;
use crate::check::check_count;
use crate::interval::{Interval, check_confidence, percentile};
use crate::multiplicity::holm;

/// How much a method gains over a baseline on rows that neither was fitted to: interval, p-value, verdict.
///
/// *When.* After the fact, where held-out labels are at hand: whether there was negative transfer. Before it, see
/// [`TransferGate`](super::TransferGate).
///
/// # Formula
///
/// Of classes, the gain is the difference of the accuracies; of values, the difference of the root mean squared errors as a
/// share of the larger one,
///
/// $$g = \frac{R_0 - R_1}{\max(R_0, R_1)}$$
///
/// for the baseline's error `R₀` and the method's `R₁`. Both are positive where the method is better and change sign where
/// the two change places.
///
/// The interval holds the middle of the gains over resampled rows, which are drawn for both predictions at once. It is
/// approximate, and too narrow below about twenty rows (of five it holds the gain hardly more than every second time), and it is not
/// corrected for the number of methods or classes; the p-value and the verdict are exact for any number of rows. The p-value
/// is that of the hypothesis that method and baseline could change places on every single row: the share of the `2ⁿ` choices
/// of signs for which `|Σᵢ ± (ℓ₀ᵢ − ℓ₁ᵢ)|` is at least `|Σᵢ (ℓ₀ᵢ − ℓ₁ᵢ)|`, with a row's losses `ℓ`. Of classes that is
/// McNemar's exact test, twice the binomial tail of the rows that one of both has right alone; of values, `n_permutations`
/// choices of signs are drawn. Several methods against one baseline are corrected by
/// [`holm`](crate::multiplicity::holm).
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `confidence` | 0.95 | (0, 1) | meant chance of the interval to hold the gain; a verdict is one at level `1 − confidence` |
/// | `n_resamples` | 2000 | integer ≥ 1 | resamples of the rows |
/// | `n_permutations` | 9999 | integer ≥ 1 | choices of signs |
///
/// # Shapes and cost
///
/// O(n (`n_resamples` + `n_permutations`)) for n rows and each method.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`] for predictions of another number of rows, [`TransferError::Empty`] for no row,
/// [`TransferError::Unsupported`] for classes beside values, [`TransferError::NotFinite`], and
/// [`TransferError::InvalidParameter`] outside the ranges above.
///
/// # Example
///
/// ```
/// use ndarray::Array1;
/// use translearn_core::Labels;
/// use translearn_diagnostics::negative::{PairedComparison, Verdict};
///
/// let rows = |right: usize| Labels::Classes(Array1::from_shape_fn(100, |row| usize::from(row < right)));
/// let truth = Labels::Classes(Array1::ones(100));
/// let gap = PairedComparison::default().compare(&truth, &rows(80), &rows(70), 0)?;
/// // Ten rows that the baseline alone has right: 2 · 2⁻¹⁰.
/// assert!((gap.gain + 0.1).abs() < 1e-12 && (gap.p_value - 2.0_f64.powi(-9)).abs() < 1e-12);
/// assert_eq!(gap.verdict, Verdict::DoNotTransfer);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// McNemar, *Note on the sampling error of the difference between correlated proportions*, Psychometrika 12(2), 1947,
/// doi:10.1007/BF02295996; Dietterich, *Approximate statistical tests for comparing supervised classification learning
/// algorithms*, Neural Computation 10(7), 1998, doi:10.1162/089976698300017197.
///
/// *Where we differ.* McNemar's χ² with one degree of freedom is a limit; the exact test needs none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairedComparison {
    confidence: f64,
    n_resamples: usize,
    n_permutations: usize,
}

impl Default for PairedComparison {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            n_resamples: 2000,
            n_permutations: 9999,
        }
    }
}

setters!(PairedComparison {
    /// Sets the confidence of interval and verdict.
    confidence: f64,
    /// Sets the number of resamples.
    n_resamples: usize,
    /// Sets the number of drawn signs.
    n_permutations: usize,
});

/// What a method gains over a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferGap {
    /// The gain: negative where the method is worse.
    pub gain: f64,
    /// Where it lies with the confidence asked for.
    pub interval: Interval,
    /// How likely a gain at least as far from 0 is where the two could change places; corrected for the number of methods
    /// or classes that were compared together.
    pub p_value: f64,
    /// What it comes to.
    pub verdict: Verdict,
    /// The baseline's accuracy, or root mean squared error.
    pub baseline: f64,
    /// The method's.
    pub method: f64,
    /// Rows compared.
    pub n_rows: usize,
    /// Rows on which the method is better.
    pub n_better: usize,
    /// Rows on which it is worse.
    pub n_worse: usize,
}

impl PairedComparison {
    /// Compares a method with a baseline; the seed draws resamples and signs.
    ///
    /// # Errors
    /// See the type.
    pub fn compare(
        &self,
        truth: &Labels,
        baseline: &Labels,
        method: &Labels,
        seed: u64,
    ) -> Result<TransferGap, TransferError> {
        self.check()?;
        self.gap(&PairedLosses::new(truth, baseline, method)?, seed)
    }

    /// Compares several methods with one baseline on the same rows, in their order; p-values and verdicts are corrected for
    /// their number.
    ///
    /// # Errors
    /// See the type.
    pub fn compare_all(
        &self,
        truth: &Labels,
        baseline: &Labels,
        methods: &[Labels],
        seed: u64,
    ) -> Result<Vec<TransferGap>, TransferError> {
        self.check()?;
        let gaps = methods
            .iter()
            .map(|method| self.gap(&PairedLosses::new(truth, baseline, method)?, seed))
            .collect::<Result<_, TransferError>>()?;
        Ok(self.together(gaps))
    }

    /// Compares a method with a baseline on the rows of each class that has some: what it gains on a class is how much more
    /// of its rows are found. P-values and verdicts are corrected for the number of classes.
    ///
    /// # Errors
    /// See the type, and [`TransferError::Unsupported`] for values.
    pub fn by_class(
        &self,
        truth: &Labels,
        baseline: &Labels,
        method: &Labels,
        seed: u64,
    ) -> Result<Vec<(usize, TransferGap)>, TransferError> {
        self.check()?;
        let losses = PairedLosses::new(truth, baseline, method)?;
        let codes = truth.classes("a comparison by class")?;
        let mut classes = codes.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let of_class = |&class: &usize| {
            let rows: Vec<usize> = (0..codes.len())
                .filter(|&row| codes[row] == class)
                .collect();
            self.gap(
                &losses.select(&rows),
                seed::derive(seed, &[&class.to_string()]),
            )
        };
        let gaps = classes.iter().map(of_class).collect::<Result<_, _>>()?;
        Ok(classes.into_iter().zip(self.together(gaps)).collect())
    }

    fn check(&self) -> Result<(), TransferError> {
        check_confidence(self.confidence)?;
        check_count("n_resamples", self.n_resamples, 1)?;
        check_count("n_permutations", self.n_permutations, 1)
    }

    fn gap(&self, losses: &PairedLosses, seed: u64) -> Result<TransferGap, TransferError> {
        let saved = losses.saved();
        let p_value = p_value(&saved, self.n_permutations, seed);
        let (baseline, method) = losses.scores();
        let gain = losses.gain();
        Ok(TransferGap {
            gain,
            interval: self.interval(losses, seed)?,
            p_value,
            verdict: self.verdict(gain, p_value),
            baseline,
            method,
            n_rows: losses.len(),
            n_better: saved.iter().filter(|&&saved| saved > 0.0).count(),
            n_worse: saved.iter().filter(|&&saved| saved < 0.0).count(),
        })
    }

    fn verdict(&self, gain: f64, p_value: f64) -> Verdict {
        if p_value > 1.0 - self.confidence {
            Verdict::Undecided
        } else if gain > 0.0 {
            Verdict::Transfer
        } else {
            Verdict::DoNotTransfer
        }
    }

    fn together(&self, mut gaps: Vec<TransferGap>) -> Vec<TransferGap> {
        let p_values: Vec<f64> = gaps.iter().map(|gap| gap.p_value).collect();
        for (gap, p_value) in gaps.iter_mut().zip(holm(&p_values)) {
            gap.p_value = p_value;
            gap.verdict = self.verdict(gap.gain, p_value);
        }
        gaps
    }

    fn interval(&self, losses: &PairedLosses, seed: u64) -> Result<Interval, TransferError> {
        let n = losses.len();
        let resampled = (0..self.n_resamples)
            .into_par_iter()
            .map(|resample| {
                let mut rng = seed::rng(seed::derive(seed, &["resample", &resample.to_string()]));
                let mut counts = vec![0.0; n];
                for _ in 0..n {
                    counts[rng.below(n)] += 1.0;
                }
                losses.gain_of(&counts)
            })
            .collect();
        percentile(resampled, self.confidence)
    }
}

/// The p-value of the signs of what is saved on each row.
fn p_value(saved: &Array1<f64>, n_permutations: usize, seed: u64) -> f64 {
    if saved.iter().all(|&saved| matches!(saved, -1.0 | 0.0 | 1.0)) {
        let better = saved.iter().filter(|&&saved| saved > 0.0).count();
        let worse = saved.iter().filter(|&&saved| saved < 0.0).count();
        return mcnemar(better, worse);
    }
    let observed = saved.sum().abs() * (1.0 - 1e-12);
    let as_far = (0..n_permutations)
        .into_par_iter()
        .filter(|draw| {
            let mut rng = seed::rng(seed::derive(seed, &["signs", &draw.to_string()]));
            let mut signs = 0;
            let mut sum = 0.0;
            for (row, saved) in saved.iter().enumerate() {
                if row % 64 == 0 {
                    signs = rng.next_u64();
                }
                sum += if signs >> (row % 64) & 1 == 1 {
                    *saved
                } else {
                    -saved
                };
            }
            sum.abs() >= observed
        })
        .count();
    (1 + as_far) as f64 / (1 + n_permutations) as f64
}

/// McNemar's exact test: `min(1, 2 P(X ≤ min(b, c)))` for a binomial count `X` of `b + c` fair draws.
fn mcnemar(better: usize, worse: usize) -> f64 {
    let n = (better + worse) as f64;
    // The logarithm of the chance of each count: the chances themselves underflow from a thousand rows on.
    let mut log_chance = -n * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for count in 0..=better.min(worse) {
        tail += log_chance.exp();
        log_chance += ((n - count as f64) / (count as f64 + 1.0)).ln();
    }
    (2.0 * tail).min(1.0)
}
