//! Single columns: which of them differ.

use ndarray::ArrayView1;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{Features, TransferError, setters};

use super::N_PERMUTATIONS;
use super::relabel::{Pair, Sizes, p_value};
use crate::multiplicity::{benjamini_hochberg, holm};

/// Every column by itself: the test of Kolmogorov and Smirnov, or Pearson's χ² for columns of categories, with the number
/// of columns accounted for.
///
/// *When.* To see which columns a shift comes from. What lies only in how columns hang together it does not see.
///
/// # Formula
///
/// $$D = \max_x \lvert F_S(x) - F_T(x) \rvert, \qquad
///   \chi^2 = \sum_{c} \sum_{D \in \{S, T\}} \frac{(O_{Dc} - E_{Dc})^2}{E_{Dc}}$$
///
/// with the empirical distribution functions `F`, and counts `O` of category `c` beside those `E` that the shares of both
/// domains together lead to expect. The effect is `D`, or Cramér's `V = √(χ² / N)`; both lie between 0 and 1.
///
/// # Steps
///
/// 1. The p-value of `D` counts the orders of the two samples that come as far apart, by a recursion over them; equal values
///    are no obstacle. Beyond four million pairs of rows it is the limit, `2 Σ_k (−1)^{k−1} exp(−2 k² D² m n / N)`.
/// 2. That of `χ²` is by relabelling.
/// 3. Both are adjusted for the number of columns: `p_holm` for "any shift at all", `p_false_discovery` for the list of columns.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `categorical` | none | column numbers from 0 | columns whose values are names, not sizes |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings for `χ²` |
///
/// # Shapes and cost
///
/// O(m n) a column, at most four million steps.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below two rows a domain, [`TransferError::DenseTooLarge`], and
/// [`TransferError::InvalidParameter`] for a column that is not there.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::shift::Marginals;
///
/// let mut rng = seed::rng(1);
/// let mut sample = |shift: f64| {
///     Features::from(Array2::from_shape_fn((60, 3), |(_, column)| rng.normal() + if column == 1 { shift } else { 0.0 }))
/// };
/// let (source, target) = (sample(0.0), sample(1.0));
/// let found = Marginals::default().test(&source, &target, 0)?;
/// assert_eq!(found.drivers(0.05), [1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// The exact distribution with equal values: Schröer, Trenkler, *Exact and randomization distributions of
/// Kolmogorov-Smirnov tests two or three samples*, Computational Statistics & Data Analysis 20(2), 1995,
/// doi:10.1016/0167-9473(94)00040-P. Use on shifts, beside others: Rabanser, Günnemann, Lipton, *Failing loudly*, NeurIPS
/// 2019.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marginals {
    categorical: Vec<usize>,
    n_permutations: usize,
}

impl Default for Marginals {
    fn default() -> Self {
        Self {
            categorical: Vec::new(),
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(Marginals {
    /// Sets the columns whose values are names, not sizes.
    categorical: impl Into<Vec<usize>>,
    /// Sets the number of relabellings for `χ²`.
    n_permutations: usize,
});

/// How a column was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnTest {
    /// Kolmogorov and Smirnov.
    KolmogorovSmirnov,
    /// Pearson's χ².
    ChiSquared,
}

/// What was found about a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnShift {
    /// Its number, from 0.
    pub column: usize,
    /// The test.
    pub test: ColumnTest,
    /// `D` or `χ²`.
    pub statistic: f64,
    /// How likely a statistic at least as large is where the column does not shift.
    pub p_value: f64,
    /// The same after Holm: at most `α` finds a column where none shifts with a chance of at most `α`.
    pub p_holm: f64,
    /// The same after Benjamini and Hochberg: of the columns at most `α`, a share of at most `α` is expected to be wrong.
    pub p_false_discovery: f64,
    /// `D` or Cramér's `V`.
    pub effect: f64,
}

/// What was found about all columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarginalShift {
    /// Every column, in its place.
    pub columns: Vec<ColumnShift>,
    /// The least `p_holm`: whether any column shifts.
    pub p_value: f64,
}

impl MarginalShift {
    /// The columns whose `p_false_discovery` is at most `level`, those with the largest effect first.
    pub fn drivers(&self, level: f64) -> Vec<usize> {
        let mut found: Vec<&ColumnShift> = (self.columns.iter())
            .filter(|column| column.p_false_discovery <= level)
            .collect();
        found.sort_by(|a, b| b.effect.total_cmp(&a.effect));
        found.into_iter().map(|column| column.column).collect()
    }
}

impl Marginals {
    /// Tests the columns of two samples; the seed draws the relabellings.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<MarginalShift, TransferError> {
        super::check_permutations(self.n_permutations)?;
        let pair = Pair::new(source, target)?;
        let n_columns = source.n_columns();
        if let Some(column) = self.categorical.iter().find(|&&column| column >= n_columns) {
            return Err(TransferError::InvalidParameter {
                name: "categorical".to_owned(),
                value: column.to_string(),
                range: format!("columns below {n_columns}"),
            });
        }
        let sizes = pair.sizes();
        let (source, target) = (pair.source.dense()?, pair.target.dense()?);
        let mut columns: Vec<ColumnShift> = (0..n_columns)
            .into_par_iter()
            .map(|column| {
                let both = (source.column(column), target.column(column));
                let (test, statistic, p_value, effect) = if self.categorical.contains(&column) {
                    let (statistic, p) = chi_squared(both, sizes, self.n_permutations, seed);
                    let effect = (statistic / sizes.total() as f64).sqrt();
                    (ColumnTest::ChiSquared, statistic, p, effect)
                } else {
                    let (statistic, p) = kolmogorov_smirnov(both, sizes);
                    (ColumnTest::KolmogorovSmirnov, statistic, p, statistic)
                };
                ColumnShift {
                    column,
                    test,
                    statistic,
                    p_value,
                    p_holm: p_value,
                    p_false_discovery: p_value,
                    effect,
                }
            })
            .collect();
        let p: Vec<f64> = columns.iter().map(|column| column.p_value).collect();
        let adjusted = holm(&p).into_iter().zip(benjamini_hochberg(&p));
        for (column, (holm, false_discovery)) in columns.iter_mut().zip(adjusted) {
            column.p_holm = holm;
            column.p_false_discovery = false_discovery;
        }
        let p_value = (columns.iter()).fold(1.0_f64, |least, column| least.min(column.p_holm));
        Ok(MarginalShift { columns, p_value })
    }
}

/// The values of both samples.
pub(super) type Both<'a> = (ArrayView1<'a, f64>, ArrayView1<'a, f64>);

/// Values of both samples in ascending order, each with whether it is of the source.
fn merged((source, target): Both<'_>) -> Vec<(f64, bool)> {
    let of = |values: ArrayView1<'_, f64>, from_source| {
        let values = values.iter().map(|&value| (value, from_source));
        values.collect::<Vec<_>>()
    };
    let mut values = [of(source, true), of(target, false)].concat();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values
}

/// Above so many pairs of rows the p-value is that of the limit.
const EXACT_PAIRS: usize = 4_000_000;

/// `D` and its p-value.
fn kolmogorov_smirnov(both: Both<'_>, sizes: Sizes) -> (f64, f64) {
    let values = merged(both);
    let (m, n) = (sizes.source as i64, sizes.target as i64);
    // Whether no equal value follows, so that the distribution functions can be compared.
    let last: Vec<bool> = (1..=values.len())
        .map(|next| next == values.len() || values[next].0 != values[next - 1].0)
        .collect();
    // m n D, a whole number.
    let (mut i, mut j, mut apart) = (0_i64, 0_i64, 0_i64);
    for (&(_, from_source), &last) in values.iter().zip(&last) {
        *(if from_source { &mut i } else { &mut j }) += 1;
        if last {
            apart = apart.max((i * n - j * m).abs());
        }
    }
    let (rows, pairs) = ((m + n) as f64, (m * n) as f64);
    let distance = apart as f64 / pairs;
    if apart == 0 {
        return (0.0, 1.0);
    }
    if sizes.source.saturating_mul(sizes.target) > EXACT_PAIRS {
        let exponent = -2.0 * distance * distance * pairs / rows;
        let term =
            |k: i32| 2.0 * f64::from(1 - 2 * ((k + 1) % 2)) * (exponent * f64::from(k * k)).exp();
        return (distance, (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0));
    }
    // The chance that a random order of i source and j target values came `apart` on the way: that of its end, or of
    // what the last value was.
    let reaches = |i: i64, j: i64| {
        let place = (i + j) as usize;
        place > 0 && last[place - 1] && (i * n - j * m).abs() >= apart
    };
    let mut chance = vec![0.0_f64; sizes.target + 1];
    for i in 0..=m {
        for j in 0..=n {
            let at = j as usize;
            chance[at] = match (i, j) {
                _ if reaches(i, j) => 1.0,
                (0, 0) => 0.0,
                (0, _) => chance[at - 1],
                (_, 0) => chance[at],
                _ => (i as f64 * chance[at] + j as f64 * chance[at - 1]) / (i + j) as f64,
            };
        }
    }
    (distance, chance[sizes.target])
}

/// `χ²` and its p-value.
pub(super) fn chi_squared(
    (source, target): Both<'_>,
    sizes: Sizes,
    n: usize,
    seed: u64,
) -> (f64, f64) {
    let values: Vec<f64> = source.iter().chain(&target).copied().collect();
    let mut names = values.clone();
    names.sort_by(f64::total_cmp);
    names.dedup();
    let codes: Vec<usize> = values
        .iter()
        .map(|value| names.partition_point(|name| name < value))
        .collect();
    let mut totals = vec![0.0_f64; names.len()];
    codes.iter().for_each(|&code| totals[code] += 1.0);
    let share = sizes.source as f64 / sizes.total() as f64;
    let statistic = |rows: &mut dyn Iterator<Item = usize>| {
        let mut counts = vec![0.0_f64; names.len()];
        rows.for_each(|row| counts[codes[row]] += 1.0);
        // What the source has too much the target has too little.
        let terms = counts.iter().zip(&totals).map(|(count, total)| {
            let excess = (count - share * total).powi(2) / total;
            excess / share + excess / (1.0 - share)
        });
        terms.sum::<f64>()
    };
    let observed = statistic(&mut (0..sizes.source));
    let relabelled: Vec<f64> = (0..n)
        .map(|number| statistic(&mut sizes.relabelled(seed, number).into_iter()))
        .collect();
    let scale = 1.0 + observed;
    (observed, p_value(observed, &relabelled, scale))
}
