//! The bound of Ben-David and others.

use ndarray::Array1;
use translearn_core::{BaseLearner, Features, Prediction, TransferError, TransferProblem, setters};
use translearn_learners::{Logistic, Tree};

use super::AdaptationBound;
use super::adversary::{Adversary, Complexity};
use super::hypothesis::{refitted, weighs_rows};
use super::terms::Terms;

/// The bound of Ben-David and others: the error on the target is at most the error on the source, half of the HΔH distance of
/// the domains, and the error on both of the best hypothesis.
///
/// **The total is an estimate, which can lie below the true error**, the defaults' above all: a learner stands in for the
/// largest difference over all regions. [`AdaptationBound::is_bound`] is false for it, with any adversary.
///
/// *When.* To see why a source may not do: its own error, domains that are far apart, or no hypothesis that serves both. The
/// last needs target labels, and no adaptation can lower it.
///
/// # Formula
///
/// For every hypothesis `h` of a class H,
///
/// $$\varepsilon_T(h) \le \varepsilon_S(h) + \tfrac12 d_{H \Delta H}(S, T) + \lambda, \qquad
///   \tfrac12 d_{H \Delta H} = \sup_{g \in H \Delta H} \lvert P_S(g) - P_T(g) \rvert, \qquad
///   \lambda = \min_{h \in H} \varepsilon_S(h) + \varepsilon_T(h)$$
///
/// with the regions `g` in which two hypotheses of H differ. Of samples of m and n rows, with the chance `δ` that a limit
/// fails, each supremum is exceeded by at most `Δ_m + Δ_n`, where `Δ_m` by `complexity` is
///
/// | `complexity` | `Δ_m` |
/// |---|---|
/// | `vc-dimension` D, that of HΔH | `√(2 D ln(e m / D) / m) + √(ln(1/δ) / 2m)`, or 1 below D rows |
/// | `rademacher` K | `2 R̂_m + (3 + 4/√K) √(ln(3/δ) / 2m)` with `R̂_m` the mean of `sup_g (1/m) Σ σ_i g(x_i)` over K draws of signs `σ` |
///
/// and is never above 1. The part with `4/√K` is for the draws ([`Complexity::Rademacher`]). For two classes the paper takes
/// twice the dimension of H for that of HΔH.
///
/// # Steps
///
/// 1. The error of the hypothesis on the source rows, with an upper limit of Clopper and Pearson.
/// 2. `adversary` looks for the region that differs most, the domains weighing the same. What it finds is at most the
///    supremum, so that the total is an upper bound of the error only where it finds the best region, for the deviation in each
///    draw of signs, too: give it a class that is at least as rich as HΔH (for cuts of one column, trees of two splits).
/// 3. With two labelled target rows or more, `learner` is fitted on half of the labelled rows of both domains, which weigh the
///    same; its error on the other half is at least λ but for chance, and its upper limit is one of λ.
///
/// The limits fail with equal chances, `1 − confidence` together.
///
/// *Where the defaults fail.* H is of half-spaces, and a tree of depth 5 cannot draw the regions in which two oblique ones
/// differ. Of 20 columns, let `sign(x_1 + … + x_10)` be the class and `sign(x_11 + … + x_20)` the hypothesis, and let the
/// source hold the rows where they agree, the target those where they do not. The region where they differ holds all of the
/// target and nothing of the source, so that the bound is above 1, and the hypothesis is wrong on every target row: its error
/// is 1. Of 40,000 normal rows in each domain the tree finds a divergence of 0.11 in place of 1, and the total is 0.23, below
/// the 0.5 from which it would be vacuous.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `learner` | logistic regression | a classifier that uses weights | H, for λ |
/// | `adversary` | decision tree of depth 5 | a classifier that uses weights | for HΔH, which the default cannot draw: the total can lie below the true error |
/// | `complexity` | `rademacher` 20 | see above | how rich HΔH is; of `rademacher` as far as `adversary` finds |
/// | `confidence` | 0.95 | (0, 1) | of all limits together |
///
/// # Shapes and cost
///
/// A fit of `learner`, and with `rademacher` two fits of `adversary` for each draw, else one.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels and learners that ignore weights,
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`], those of the hypothesis and the learners.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::{Array1, Array2};
/// use translearn_core::{Prediction, TransferProblem};
/// use translearn_diagnostics::bounds::{BenDavid, Complexity};
/// use translearn_learners::Tree;
///
/// // Classes change at 0 in both domains, of which the target lies to the right.
/// let rows = |from: f64| Array2::from_shape_fn((200, 1), |(row, _)| from + row as f64 / 100.0);
/// let class = |x: &Array2<f64>| -> Array1<usize> { x.column(0).mapv(|x| usize::from(x > 0.0)) };
/// let (source, target) = (rows(-1.0), rows(0.005));
/// let known = class(&target).mapv(Some);
/// let problem = TransferProblem::new(
///     &DatasetBase::new(source.clone(), class(&source)), &DatasetBase::new(target, known))?;
/// let bound = BenDavid::default()
///     .learner(Tree::params().max_depth(1))
///     .adversary(Tree::params().max_depth(2))
///     .complexity(Complexity::VcDimension(3))
///     .bound(|rows| Ok(Prediction { labels: class(&*rows.dense()?).into(), scores: None }), &problem, 0)?;
/// assert_eq!(bound.source_error, 0.0);
/// assert!((bound.divergence - 0.505).abs() < 1e-12);           // what lies to the left of the target
/// assert!(!bound.is_bound());                                  // a tree looked for the divergence
/// assert!(bound.is_vacuous());                                 // half apart is too far for two classes, ...
/// assert!(bound.joint_error < Some(0.05));                     // ... though a cut at 0 serves both domains
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Ben-David, Blitzer, Crammer, Kulesza, Pereira, Vaughan, *A theory of learning from different domains*, Machine Learning
/// 79, 2010, doi:10.1007/s10994-009-5152-4; the deviations: Mohri, Rostamizadeh, Talwalkar, *Foundations of Machine
/// Learning*, 2nd edition, 2018, theorem 3.3 and corollary 3.19.
///
/// *Where we differ.* The paper's `4 √((2 d ln 2m + ln 2/δ) / m)` is for samples of one size; the two domains have a
/// deviation each here. The error of a hypothesis that has not seen the rows needs no dimension.
#[derive(Debug, Clone)]
pub struct BenDavid {
    learner: BaseLearner,
    adversary: BaseLearner,
    complexity: Complexity,
    confidence: f64,
}

impl Default for BenDavid {
    fn default() -> Self {
        Self {
            learner: Logistic::params().into(),
            adversary: Tree::params().max_depth(5).into(),
            complexity: Complexity::Rademacher(20),
            confidence: 0.95,
        }
    }
}

setters!(BenDavid {
    /// Sets the class of hypotheses.
    learner: impl Into<BaseLearner>,
    /// Sets the class of regions in which two of them differ.
    adversary: impl Into<BaseLearner>,
    /// Sets how rich these regions are.
    complexity: Complexity,
    /// Sets the confidence of all limits together.
    confidence: f64,
});

impl BenDavid {
    /// The terms for the error on the target of a hypothesis that has seen no row of the problem, whose sum is an estimate of the
    /// bound; the seed draws signs and halves, and is the learners'. The hypothesis answers rows as `|rows| model.predict(rows)`
    /// does.
    ///
    /// # Errors
    /// See the type.
    pub fn bound(
        &self,
        hypothesis: impl Fn(&Features) -> Result<Prediction, TransferError>,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<AdaptationBound, TransferError> {
        let regions = Regions {
            adversary: &self.adversary,
        };
        let terms = Terms {
            learner: &self.learner,
            complexity: self.complexity,
            confidence: self.confidence,
        };
        weighs_rows(&self.adversary)?;
        // The opposite of a region is one, too.
        terms.bound(hypothesis, problem, &regions, f64::abs, seed)
    }
}

/// The regions that a classifier can tell from the rest.
struct Regions<'a> {
    adversary: &'a BaseLearner,
}

impl Adversary for Regions<'_> {
    fn region(
        &self,
        rows: &Features,
        wanted: &[bool],
        weights: &Array1<f64>,
        seed: u64,
    ) -> Result<Vec<bool>, TransferError> {
        let labels = wanted.iter().map(|&wanted| usize::from(wanted)).collect();
        let found = refitted(self.adversary, rows, labels, 2, weights, seed)?;
        Ok(found.iter().map(|&class| class == 1).collect())
    }
}
