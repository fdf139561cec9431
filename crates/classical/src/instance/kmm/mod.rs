//! Kernel mean matching.

mod solver;
#[cfg(test)]
mod tests;

pub use solver::{QuadraticProgram, Solution};

use ndarray::Axis;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, Trace, TransferError, TransferProblem, What, fit_reweighted, kernel::Kernel,
    setters, transfer_method,
};

use super::ratio::{RATIO_PARAMETERS, ratio_builders};
use super::{check_kernel_memory, logistic, weighted_learner, weighting_needs};

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
/// | `tolerance` | 1e-7 | (0, ∞) | largest relative violation of the optimality conditions |
/// | `flatten` | 1 | [0, 1] | exponent of the weights |
/// | `clip` | `null` | (0, ∞) or `null` | largest weight, in multiples of the mean weight |
///
/// # Shapes and cost
///
/// One weight per source row. O(n_s² d + n_s n_t d) for the kernel, then O(f³) a step for the `f` weights between their
/// bounds. All rows are used; a source whose kernel matrix exceeds the memory limit is refused.
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
/// *Where we differ.* The quadratic program is solved to its optimality conditions, whereas Frank-Wolfe solvers stop at a
/// visibly worse objective; nothing is split into blocks that lose rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KmmParams {
    kernel: MeanKernel,
    gamma: Option<f64>,
    bound: f64,
    epsilon: Option<f64>,
    tolerance: f64,
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

impl Default for KmmParams {
    fn default() -> Self {
        Self {
            kernel: MeanKernel::Rbf,
            gamma: None,
            bound: 1000.0,
            epsilon: None,
            tolerance: 1e-7,
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
    /// Sets the largest relative violation of the optimality conditions.
    tolerance: f64,
});

impl KmmParams {
    /// The quadratic program of a problem.
    ///
    /// # Errors
    /// [`TransferError::DenseTooLarge`] when the kernel matrix of the source exceeds the memory limit.
    pub fn program(&self, problem: &TransferProblem) -> Result<QuadraticProgram, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let (n_source, n_target) = (source.features.n_rows(), target.n_rows());
        check_kernel_memory("the kernel matrix of kmm", n_source, n_source.max(n_target))?;
        let kernel = match self.kernel {
            MeanKernel::Rbf => Kernel::Rbf { gamma: self.gamma },
            MeanKernel::Laplacian => Kernel::Laplacian { gamma: self.gamma },
            MeanKernel::Linear => Kernel::Linear,
        };
        let kernel = kernel.resolve(&[&source.features, target])?;
        let ratio = n_source as f64 / n_target as f64;
        let linear = kernel.matrix(&source.features, target)?.sum_axis(Axis(1)) * ratio;
        let n = n_source as f64;
        let epsilon = self.epsilon.unwrap_or((n.sqrt() - 1.0) / n.sqrt());
        Ok(QuadraticProgram {
            quadratic: kernel.gram(&source.features)?,
            linear,
            upper: self.bound,
            sum: ((n * (1.0 - epsilon)).max(0.0), n * (1.0 + epsilon)),
        })
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
        let solution = self.program(problem)?.solve(self.tolerance)?;
        let series = [
            ("objective".to_owned(), vec![solution.objective]),
            ("violation".to_owned(), vec![solution.violation]),
        ];
        let trace = Trace {
            series: series.into(),
            ..Trace::default()
        };
        Ok(SourceWeights {
            weights: self.tempered(solution.weights),
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
            name: "tolerance",
            default: "1e-7",
            range: ParamRange::Positive,
            doc: "Largest relative violation of the optimality conditions.",
        },
        RATIO_PARAMETERS[0],
        RATIO_PARAMETERS[1],
    ],
    exemptions: &[],
    reference: "Huang, Smola, Gretton, Borgwardt, Schölkopf. Correcting Sample Selection Bias by Unlabeled Data. NIPS 2006",
};
