//! Kernel mean matching.

mod block;
mod bounds;
mod frank_wolfe;
mod product;
mod solver;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use frank_wolfe::{Certified, frank_wolfe};
pub use solver::{QuadraticProgram, Solution};

use std::borrow::Cow;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, Trace, TransferError, TransferProblem, What, fit_reweighted, setters,
    transfer_method,
};

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::{logistic, weighted_learner, weighting_needs};

/// Parameters of kernel mean matching (KMM): source weights that bring the mean of the weighted source onto the mean of
/// the target in the feature space of a kernel.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(X) differs, P(Y | X) does not, and the source covers the target.
///
/// # Formula
///
/// $$\min_\beta\; \tfrac12 \beta^\top K \beta - \kappa^\top \beta \quad \text{s.t.}\quad 0 \le \beta_i \le B,\;
///   \Bigl\lvert \sum_i \beta_i - n_s \Bigr\rvert \le n_s\, \varepsilon$$
///
/// with `K_ij = k(x_i, x_j)` over the source and `κ_i = (n_s / n_t) Σ_j k(x_i, x'_j)` over the target.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `kernel` | `rbf` | `rbf`, `laplacian`, `linear` | the kernel |
/// | `gamma` | `null` | (0, ∞) or `null` | its width; `null`: the median heuristic over both domains |
/// | `bound` | 1000 | (0, ∞) | largest weight `B` |
/// | `epsilon` | `null` | (0, ∞) or `null` | slack of the sum; `null`: (√n_s − 1)/√n_s |
/// | `solver` | `active-set` | `active-set`, `frank-wolfe` | how the program is solved, see below |
/// | `block_size` | `null` | integer ≥ 2 or `null` | most source rows that are matched at a time; `null`: all |
/// | `tolerance` | `null` | (0, ∞) or `null` | what is left when the solver stops; `null`: 1e-7, for `frank-wolfe` 1e-4 |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Solvers and blocks
///
/// `active-set` holds the kernel matrix and stops where the optimality conditions are violated by no more than `tolerance`
/// times `max(1, ‖κ‖_∞)`. `frank-wolfe` never holds it, but computes the columns a step needs anew; it stops where its
/// duality gap, an upper bound of what the objective is above its minimum, is no more than `tolerance` times
/// `n_s max(1, ‖κ‖_∞)`. That takes some hundred steps for 1e-3 and thousands for less, up to 100 000.
///
/// With `block_size` the source is split into `⌈n_s / block_size⌉` blocks whose sizes differ by one row at most, and each
/// block is brought onto the whole target by a program of its own, with its own size for `n_s`. So every row gets a weight,
/// and each block's mean weight lies in `1 ± ε`. Rows take turns in the order of their values, so that every block looks
/// like the source. The price: a block's weights fit its own sample, and are not 1 where the domains are the same rows.
///
/// # Shapes and cost
///
/// One weight per source row. For a block of `n` rows (`n_s` without blocks): O(n (n + n_t) d) for the kernel, 8n² bytes,
/// and O(f³) a step for the `f` weights between their bounds; for `frank-wolfe` O(n² d / bound) a step and O(n) bytes. The
/// target is summed over in pieces. A kernel matrix that exceeds the memory limit is refused. The trace has one value a
/// block in `objective` and in `violation` or `gap`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`], [`TransferError::NotConverged`].
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::Kmm;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-2.0], [-1.0], [0.0], [1.0]], array![0, 1, 0, 1]);
/// let target = DatasetBase::from(array![[0.0], [1.0], [0.9]]);
/// let model = Kmm::params().gamma(1.0).fit_transfer(&source, &target)?;
/// let weights = model.trace().source_weights.clone().unwrap_or_default();
/// assert!(weights[3] > 1.0 && weights[0] < 0.2);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Huang, Smola, Gretton, Borgwardt, Schölkopf, *Correcting Sample Selection Bias by Unlabeled Data*, NIPS 2006.
///
/// Samples of the source that are matched by themselves are those of Chandra, Haque, Khan, Aggarwal, *Efficient
/// Sampling-Based Kernel Mean Matching*, ICDM 2016; steps within a face those of Garber, Meshi, *Linear-Memory and
/// Decomposition-Invariant Linearly Convergent Conditional Gradient Algorithm for Structured Polytopes*, NIPS 2016.
///
/// *Where we differ.* Samples there overlap and may miss a row, and peers that split the source give the rows beyond the
/// last full block no weight; here blocks hold every row once. Peers stop Frank-Wolfe steps when the objective hardly
/// changes; here the gap decides. The target is never split (as by Miao, Farahat, Kamel, *Ensemble Kernel Mean
/// Matching*, ICDM 2015, doi:10.1109/ICDM.2015.127): of it only a sum is needed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KmmParams {
    kernel: MeanKernel,
    gamma: Option<f64>,
    bound: f64,
    epsilon: Option<f64>,
    solver: MeanSolver,
    block_size: Option<usize>,
    tolerance: Option<f64>,
    flatten: f64,
    clip: Option<f64>,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

/// The kernel whose means are matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeanKernel {
    /// `exp(-γ‖x - y‖²)`: matches all moments.
    #[default]
    Rbf,
    /// `exp(-γ‖x - y‖₁)`: matches all moments.
    Laplacian,
    /// `xᵀ y`: matches the means.
    Linear,
}

/// How the quadratic program is solved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeanSolver {
    /// To its optimality conditions, with the kernel matrix in memory.
    #[default]
    ActiveSet,
    /// To a duality gap, with a few columns of the kernel matrix at a time.
    FrankWolfe,
}

impl Default for KmmParams {
    fn default() -> Self {
        Self {
            kernel: MeanKernel::Rbf,
            gamma: None,
            bound: 1000.0,
            epsilon: None,
            solver: MeanSolver::ActiveSet,
            block_size: None,
            tolerance: None,
            flatten: 1.0,
            clip: None,
            learner: logistic(),
        }
    }
}

setters!(KmmParams {
    /// Sets the kernel.
    kernel: MeanKernel,
    /// Sets the width of the kernel.
    gamma: Some(f64),
    /// Sets the largest weight.
    bound: f64,
    /// Sets the slack of the sum of the weights.
    epsilon: Some(f64),
    /// Sets how the program is solved.
    solver: MeanSolver,
    /// Sets the most source rows that are matched at a time.
    block_size: Some(usize),
    /// Sets the largest relative violation of the optimality conditions, or the largest relative duality gap.
    tolerance: Some(f64),
});

impl KmmParams {
    /// The quadratic program of a problem, all source rows in one block.
    ///
    /// # Errors
    /// [`TransferError::DenseTooLarge`] when the kernel matrix of the source exceeds the memory limit.
    pub fn program(&self, problem: &TransferProblem) -> Result<QuadraticProgram, TransferError> {
        let source = problem.source()?.features;
        let kernel = self.resolved(problem, &source)?;
        self.block(&kernel, Cow::Borrowed(&source), problem)?
            .program()
    }
}

ratio_builders!(KmmParams);
weighted_learner!(KmmParams);

impl SourceWeighter for KmmParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let source = problem.source()?.features;
        let kernel = self.resolved(problem, &source)?;
        let mut weights = Array1::zeros(source.n_rows());
        let (mut objectives, mut left) = (Vec::new(), Vec::new());
        // One after another, so that one kernel matrix is in memory at a time.
        let blocks = self.blocks(&source);
        for rows in &blocks {
            let features = match blocks.len() {
                1 => Cow::Borrowed(source.as_ref()),
                _ => Cow::Owned(source.select_rows(rows)),
            };
            let block = self.block(&kernel, features, problem)?;
            let (of_block, objective, rest) = self.solve(&block)?;
            for (&row, weight) in rows.iter().zip(of_block) {
                weights[row] = weight;
            }
            objectives.push(objective);
            left.push(rest);
        }
        let certificate = match self.solver {
            MeanSolver::ActiveSet => "violation",
            MeanSolver::FrankWolfe => "gap",
        };
        let series = [
            ("objective".to_owned(), objectives),
            (certificate.to_owned(), left),
        ];
        let trace = Trace {
            series: series.into(),
            ..Trace::default()
        };
        Ok(SourceWeights {
            weights: self.tempered(weights),
            trace,
        })
    }
}

crate::method_name!(Kmm => KmmParams, "Kernel mean matching");

transfer_method!(KmmParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for KmmParams {}

static INFO: MethodInfo = MethodInfo {
    name: "kmm",
    title: "Kernel mean matching",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        ParamInfo {
            name: "kernel",
            default: "\"rbf\"",
            range: ParamRange::Choice(&["rbf", "laplacian", "linear"]),
            doc: "The kernel whose means are matched.",
        },
        ParamInfo {
            name: "gamma",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Width of the kernel; null: the median heuristic over both domains.",
        },
        ParamInfo {
            name: "bound",
            default: "1000.0",
            range: ParamRange::Positive,
            doc: "Largest weight.",
        },
        ParamInfo {
            name: "epsilon",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Slack of the sum of the weights, relative to the number of source rows; null: (√n − 1)/√n.",
        },
        ParamInfo {
            name: "solver",
            default: "\"active-set\"",
            range: ParamRange::Choice(&["active-set", "frank-wolfe"]),
            doc: "How the program is solved: with the kernel matrix, or with a few of its columns at a time.",
        },
        ParamInfo {
            name: "block_size",
            default: "null",
            range: ParamRange::IntegerOrAuto {
                low: 2,
                high: u64::MAX,
            },
            doc: "Most source rows that are matched to the target at a time; null: all.",
        },
        ParamInfo {
            name: "tolerance",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Largest relative violation of the optimality conditions, or relative duality gap; null: 1e-7, for \
                  frank-wolfe 1e-4.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Huang, Smola, Gretton, Borgwardt, Schölkopf. Correcting Sample Selection Bias by Unlabeled Data. NIPS 2006",
};
