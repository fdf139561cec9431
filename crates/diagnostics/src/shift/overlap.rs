//! How much of the target the source covers.

use serde::{Deserialize, Serialize};
use translearn_core::{
    BaseLearner, Features, TransferError, distance::nearest, effective_sample_size, setters,
};
use translearn_learners::Logistic;

use super::held_out::{Halves, HeldOut};
use super::relabel::{Pair, Sizes, area_test};
use super::{N_PERMUTATIONS, TestResult};
use crate::check::{check_count, check_share};
use crate::multiplicity::benjamini_hochberg;

/// Whether the source covers the target: which target rows lie where the source has none, and how many rows of the source
/// are left once they are weighted for the target.
///
/// *When.* Before rows of the source are weighted, and before a model of the source is asked about the target: outside of the
/// source it extrapolates. Columns in different units should be standardised first.
///
/// # Formula
///
/// With the distance `s(x)` to the `k`-th nearest row of one half of the source, and the rows `c` of the other half,
///
/// $$p_j = \frac{1 + \#\{c : s(x_c) \ge s(x'_j)\}}{1 + \#\{c\}}, \qquad
///   \mathrm{ESS} = \frac{\bigl(\sum_c r(x_c)\bigr)^2}{\#\{c\} \sum_c r(x_c)^2}$$
///
/// with the ratio `r` of the target's density to the source's by a learner that has not seen the rows `c`.
///
/// A target row from the source's distribution has `p_j ≤ α` with a chance of at most `α`, whatever that distribution.
/// `outside` lists the rows whose `p_j`, adjusted after Benjamini and Hochberg, is at most `level`: of them a share of at most
/// `level` is expected to be inside. That takes `1 / level` rows `c` for each target row that shall be found among as many
/// that shall not. The test is whether target rows lie farther than the rows `c`: its statistic is how often one does,
/// relabelled; its effect `2 AUC − 1`, 0 where it is below.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `k` | 5 | integer ≥ 1 | the neighbour whose distance counts |
/// | `level` | 0.05 | (0, 1) | share of `outside` that may be inside |
/// | `learner` | logistic regression | a classifier with probabilities | what estimates the ratio |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// One fit, O(N² d) for the distances and O(N B) for N rows.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below four rows a domain or `2 k` rows of the source, [`TransferError::Unsupported`] for a
/// learner without probabilities, [`TransferError::InvalidParameter`], and those of the learner.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::shift::Overlap;
///
/// let mut rng = seed::rng(1);
/// let source = Features::from(Array2::from_shape_simple_fn((200, 2), || rng.normal()));
/// // Of ten target rows the first three lie outside.
/// let target = Array2::from_shape_fn((10, 2), |(row, _)| 0.5 * rng.normal() + if row < 3 { 9.0 } else { 0.0 });
/// let found = Overlap::default().test(&source, &target.into(), 0)?;
/// assert_eq!(found.outside, [0, 1, 2]);
/// assert!(found.effective_share > 0.0 && found.effective_share < 1.0);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Bates, Candès, Lei, Romano, Sesia, *Testing for outliers with conformal p-values*, Annals of Statistics 51(1), 2023,
/// doi:10.1214/22-AOS2244, which shows that the adjustment holds for them; the effective sample size: Kong, Liu, Wong,
/// *Sequential imputations and Bayesian missing data problems*, JASA 89, 1994, doi:10.1080/01621459.1994.10476469.
#[derive(Debug, Clone)]
pub struct Overlap {
    k: usize,
    level: f64,
    learner: BaseLearner,
    n_permutations: usize,
}

impl Default for Overlap {
    fn default() -> Self {
        Self {
            k: 5,
            level: 0.05,
            learner: Logistic::params().into(),
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(Overlap {
    /// Sets the neighbour whose distance counts.
    k: usize,
    /// Sets the share of `outside` that may be inside.
    level: f64,
    /// Sets what estimates the ratio.
    learner: impl Into<BaseLearner>,
    /// Sets the number of relabellings.
    n_permutations: usize,
});

/// What was found about the overlap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverlapResult {
    /// Whether target rows lie farther from the source than its own.
    pub test: TestResult,
    /// Of each target row, in its place: how likely a row of the source lies as far.
    pub p_values: Vec<f64>,
    /// Target rows outside of the source, ascending.
    pub outside: Vec<usize>,
    /// The effective sample size of the source weighted for the target, as a share of its rows: 1 for equal weights.
    pub effective_share: f64,
}

impl Overlap {
    /// Tests whether the source covers the target; the seed draws halves and relabellings, and is the learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<OverlapResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        check_count("k", self.k, 1)?;
        check_share("level", self.level)?;
        let pair = Pair::new(source, target)?;
        let halves = Halves::new(&pair.source, "the source", seed)?;
        let far = |rows: &Features| -> Result<Vec<f64>, TransferError> {
            let near = nearest(rows, &halves.train, self.k)?;
            Ok(near.squared_distances.column(self.k - 1).to_vec())
        };
        let (of_source, of_target) = (far(&halves.held_out)?, far(target)?);
        let sizes = Sizes {
            source: of_source.len(),
            target: of_target.len(),
        };
        let mut ascending = of_source.clone();
        ascending.sort_by(f64::total_cmp);
        let p_values: Vec<f64> = (of_target.iter())
            .map(|far| {
                let nearer = ascending.partition_point(|other| other < far);
                (1 + sizes.source - nearer) as f64 / (1 + sizes.source) as f64
            })
            .collect();
        let outside = benjamini_hochberg(&p_values)
            .into_iter()
            .enumerate()
            .filter(|&(_, p)| p <= self.level)
            .map(|(row, _)| row)
            .collect();
        let mut scores = [of_source, of_target].concat();
        // Relabelling knows rows by their places: those of the target by value.
        scores[sizes.source..].sort_by(f64::total_cmp);
        let (statistic, p_value) = area_test(&scores, sizes, self.n_permutations, seed);
        let held_out = HeldOut::new(&self.learner, &pair, seed)?;
        let mut weights = held_out.ratios(&self.learner)?;
        weights.truncate(held_out.sizes.source);
        let share = effective_sample_size(&weights.into()) / held_out.sizes.source as f64;
        Ok(OverlapResult {
            test: TestResult {
                test: format!("distance to the source, k = {}", self.k),
                statistic,
                p_value,
                effect: (2.0 * statistic - 1.0).max(0.0),
                n_source: pair.source.n_rows(),
                n_target: sizes.target,
            },
            p_values,
            outside,
            effective_share: share,
        })
    }
}
