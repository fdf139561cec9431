//! Divergences between distributions by the ratio of their densities.

use serde::{Deserialize, Serialize};
use translearn_core::{BaseLearner, Features, TransferError, setters};
use translearn_learners::Logistic;

use super::held_out::HeldOut;
use super::relabel::{Pair, p_value};
use super::{N_PERMUTATIONS, TestResult};

/// A divergence of the target from the source, in nats, from an estimate of the ratio of their densities, with a permutation
/// test.
///
/// *When.* To say how much of the target the source lacks in the terms of bounds and of importance weights: `kl` is what a
/// code for the source wastes on the target, `pearson` with `alpha = 0` half the variance of the importance weights. With the
/// default `alpha` it is half the variance of the weights against the mixture, which are at most `1 / alpha`.
///
/// # Formula
///
/// With a ratio `r(x)` of the target's density to the source's, the divergence is at least
///
/// | `kind` | bound | effect |
/// |---|---|---|
/// | `kl` | `E_T ln r + 1 − E_S r` | `1 − e^{−KL}` |
/// | `reverse-kl` | `−E_S ln r + 1 − E_T 1/r` | `1 − e^{−KL}` |
/// | `jensen-shannon` | `ln 2 + ½ E_T ln (r / (1 + r)) + ½ E_S ln (1 / (1 + r))` | `JS / ln 2` |
/// | `pearson` | `E_T r_a − a/2 E_T r_a² − (1−a)/2 E_S r_a² − ½`, `r_a = r / (a r + 1 − a)` | `2 PE / (1/a − 1)` |
///
/// with equality where `r` is the ratio. `pearson` is half the χ² divergence of the target from a mixture with a share `a =
/// alpha` of it; for `alpha = 0` its effect is `2 PE / (1 + 2 PE)`. An effect below 0 is taken for 0.
///
/// # Steps
///
/// 1. A learner with probabilities `p` of the target, fitted on half of the rows of each domain, gives
///    `r(x) = p(x) / (1 − p(x)) · m / n` for its `m` source and `n` target rows; probabilities are held within 1e-12 of 0 and 1.
/// 2. The bound is taken over the other half, so that an estimate that learned noise makes it smaller, not larger: its mean
///    over samples is at most the divergence.
/// 3. The rows of that half are relabelled.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `kind` | `jensen-shannon` | see above | the divergence |
/// | `alpha` | 0.1 | [0, 1) | share of the target in the mixture of `pearson` |
/// | `learner` | logistic regression | a classifier with probabilities | what estimates the ratio |
/// | `n_permutations` | 1000 | integer ≥ 1 | relabellings `B` |
///
/// # Shapes and cost
///
/// One fit, and O(N B) for N rows.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotFinite`], [`TransferError::NotVectors`],
/// [`TransferError::TooFewRows`] below four rows a domain, [`TransferError::InvalidParameter`],
/// [`TransferError::Unsupported`] for a learner without probabilities, and those of the learner.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use translearn_core::{Features, seed};
/// use translearn_diagnostics::shift::{Divergence, DivergenceKind};
///
/// let mut rng = seed::rng(1);
/// let mut sample = |shift: f64| Features::from(Array2::from_shape_simple_fn((1000, 1), || shift + rng.normal()));
/// let (source, target) = (sample(0.0), sample(1.0));
/// let found = Divergence::default().kind(DivergenceKind::Kl).test(&source, &target, 0)?;
/// // Of normal distributions one apart: ½.
/// assert!((found.statistic - 0.5).abs() < 0.1 && found.p_value < 0.002);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Nguyen, Wainwright, Jordan, *Estimating divergence functionals and the likelihood ratio by convex risk minimization*, IEEE
/// Transactions on Information Theory 56(11), 2010, doi:10.1109/TIT.2010.2068870; the relative divergence: Yamada, Suzuki,
/// Kanamori, Hachiya, Sugiyama, Neural Computation 25(5), 2013, doi:10.1162/NECO_a_00442.
///
/// *Where we differ.* The papers take the bound over the rows that the ratio was fitted on, which overstates it.
#[derive(Debug, Clone)]
pub struct Divergence {
    kind: DivergenceKind,
    alpha: f64,
    learner: BaseLearner,
    n_permutations: usize,
}

/// Which divergence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DivergenceKind {
    /// Kullback's and Leibler's, of the target from the source.
    Kl,
    /// The same of the source from the target.
    ReverseKl,
    /// The mean of those of both from their even mixture; at most ln 2.
    #[default]
    JensenShannon,
    /// Half the χ² divergence of the target from a mixture of both.
    Pearson,
}

impl Default for Divergence {
    fn default() -> Self {
        Self {
            kind: DivergenceKind::JensenShannon,
            alpha: 0.1,
            learner: Logistic::params().into(),
            n_permutations: N_PERMUTATIONS,
        }
    }
}

setters!(Divergence {
    /// Sets the divergence.
    kind: DivergenceKind,
    /// Sets the share of the target in the mixture of `pearson`.
    alpha: f64,
    /// Sets what estimates the ratio.
    learner: impl Into<BaseLearner>,
    /// Sets the number of relabellings.
    n_permutations: usize,
});

impl Divergence {
    /// Tests whether two samples are from one distribution; the seed draws the halves and the relabellings, and is the
    /// learner's.
    ///
    /// # Errors
    /// See the type.
    pub fn test(
        &self,
        source: &Features,
        target: &Features,
        seed: u64,
    ) -> Result<TestResult, TransferError> {
        super::check_permutations(self.n_permutations)?;
        if !(0.0..1.0).contains(&self.alpha) {
            return Err(TransferError::InvalidParameter {
                name: "alpha".to_owned(),
                value: self.alpha.to_string(),
                range: "[0, 1)".to_owned(),
            });
        }
        let pair = Pair::new(source, target)?;
        let held_out = HeldOut::new(&self.learner, &pair, seed)?;
        let (sizes, ratios) = (held_out.sizes, held_out.ratios(&self.learner)?);
        let terms = Terms::new(self.kind, self.alpha, &ratios);
        let observed: Vec<usize> = (0..sizes.source).collect();
        let statistic = terms.bound(&observed);
        let relabelled: Vec<f64> = (0..self.n_permutations)
            .map(|number| terms.bound(&sizes.relabelled(seed, number)))
            .collect();
        let effect = match self.kind {
            DivergenceKind::Kl | DivergenceKind::ReverseKl => 1.0 - (-statistic).exp(),
            DivergenceKind::JensenShannon => statistic / std::f64::consts::LN_2,
            DivergenceKind::Pearson if self.alpha > 0.0 => {
                2.0 * statistic / (1.0 / self.alpha - 1.0)
            }
            DivergenceKind::Pearson => {
                let squares = 2.0 * statistic.max(0.0);
                squares / (1.0 + squares)
            }
        };
        let name = match self.kind {
            DivergenceKind::Kl => "KL divergence",
            DivergenceKind::ReverseKl => "reverse KL divergence",
            DivergenceKind::JensenShannon => "Jensen-Shannon divergence",
            DivergenceKind::Pearson => "relative Pearson divergence",
        };
        Ok(TestResult {
            test: format!("{name}, {}", self.learner.info().name),
            statistic,
            p_value: p_value(statistic, &relabelled, terms.scale(&observed)),
            // What rounding leaves of nothing is nothing.
            effect: if statistic > 1e-12 * (1.0 + statistic.abs()) {
                effect.clamp(0.0, 1.0)
            } else {
                0.0
            },
            n_source: pair.source.n_rows(),
            n_target: pair.target.n_rows(),
        })
    }
}

/// A bound as a constant, a mean over the source's rows and one over the target's.
pub(super) struct Terms {
    constant: f64,
    /// What each row adds where it is of the source.
    of_source: Vec<f64>,
    /// What it adds where it is of the target.
    of_target: Vec<f64>,
}

impl Terms {
    pub(super) fn new(kind: DivergenceKind, alpha: f64, ratios: &[f64]) -> Self {
        let of = |term: &dyn Fn(f64) -> f64| ratios.iter().map(|&r| term(r)).collect();
        match kind {
            DivergenceKind::Kl => Self {
                constant: 1.0,
                of_source: of(&|r| -r),
                of_target: of(&f64::ln),
            },
            DivergenceKind::ReverseKl => Self {
                constant: 1.0,
                of_source: of(&|r| -r.ln()),
                of_target: of(&|r| -1.0 / r),
            },
            DivergenceKind::JensenShannon => Self {
                constant: std::f64::consts::LN_2,
                of_source: of(&|r| -0.5 * r.ln_1p()),
                of_target: of(&|r| -0.5 * r.recip().ln_1p()),
            },
            DivergenceKind::Pearson => {
                let relative = |r: f64| r / (alpha * r + 1.0 - alpha);
                Self {
                    constant: -0.5,
                    of_source: of(&|r| -0.5 * (1.0 - alpha) * relative(r).powi(2)),
                    of_target: of(&|r| relative(r) - 0.5 * alpha * relative(r).powi(2)),
                }
            }
        }
    }

    /// The bound where these rows are the source's, and all others the target's.
    pub(super) fn bound(&self, source: &[usize]) -> f64 {
        let (of_source, of_target) = self.means(source, |term| term);
        self.constant + of_source + of_target
    }

    /// How large the numbers are that this bound sums.
    fn scale(&self, source: &[usize]) -> f64 {
        let (of_source, of_target) = self.means(source, f64::abs);
        1.0 + of_source + of_target
    }

    /// The means of what the source's rows add and of what all others add, each put through a function.
    ///
    /// Each row counts in its own role: what it would add in the other one may be larger by twelve orders, and would leave
    /// nothing of a sum from which it is taken again.
    fn means(&self, source: &[usize], of: impl Fn(f64) -> f64) -> (f64, f64) {
        let mut taken = vec![false; self.of_source.len()];
        source.iter().for_each(|&row| taken[row] = true);
        let (mut of_source, mut of_target) = (0.0, 0.0);
        for (row, &is_source) in taken.iter().enumerate() {
            if is_source {
                of_source += of(self.of_source[row]);
            } else {
                of_target += of(self.of_target[row]);
            }
        }
        let n_target = taken.len() - source.len();
        (of_source / source.len() as f64, of_target / n_target as f64)
    }
}
