//! Target shift by matching mean embeddings.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, MethodInfo, Outputs, ParamInfo, ParamRange, SourceWeighter,
    SourceWeights, TransferError, TransferProblem, What, check_dense_memory, fit_reweighted,
    kernel::Kernel, setters, transfer_method,
};

use super::Classes;
use crate::instance::kmm::{Bounds, QuadraticProgram};
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of target shift by mean embeddings (MMD-TarS): the shares of the classes under which the means of the
/// source's classes in the feature space of a kernel add up to the mean of the target.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit with weight 1).
/// *When.* P(Y) differs, P(X | Y) does not; no learner is asked, so none has to be good.
///
/// # Formula
///
/// $$\min_q\; \Bigl\lVert \sum_c q_c\, \hat\mu_{X \mid c} - \hat\mu_T \Bigr\rVert^2 \quad \text{over}\quad q \ge 0,\;
///   \sum_c q_c = 1$$
///
/// with the means of `φ(x)`, `φ(x)ᵀφ(y) = exp(−γ‖x − y‖²)`, over the source rows of class `c` and over the target. A
/// source row of class `c` weighs `q_c / π_c`, `π` the shares in the source.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `gamma` | `null` | (0, ∞) or `null` | width of the kernel; `null`: the median heuristic over both domains |
/// | `tolerance` | 1e-9 | (0, ∞) | largest violation of the optimality conditions |
///
/// # Shapes and cost
///
/// One weight per class. O(n_s (n_s + n_t) d) for the kernel. The trace holds `class-weight` and `target-prior`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::DenseTooLarge`], [`TransferError::NotConverged`],
/// [`TransferError::Unsupported`] where no two rows differ and no width is given.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::instance::MmdTargetShift;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[-1.0], [-1.0], [1.0], [1.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[-1.0], [1.0], [1.0], [1.0]]);
/// let model = MmdTargetShift::params().fit_transfer(&source, &target)?;
/// assert!((model.trace().series["target-prior"][1] - 0.75).abs() < 1e-6);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Zhang, Schölkopf, Muandet, Wang, *Domain Adaptation under Target and Conditional Shift*, ICML 2013, section 3.
///
/// *Where we differ.* The paper smooths over labels with a kernel of theirs, which classes do not need, and bounds
/// weights by 10 and their sum within a band; here the shares have sum 1. skada follows the paper in that, so its shares
/// have another sum and are about as far from these as that is from 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MmdTargetShiftParams {
    gamma: Option<f64>,
    tolerance: f64,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for MmdTargetShiftParams {
    fn default() -> Self {
        Self {
            gamma: None,
            tolerance: 1e-9,
            learner: logistic(),
        }
    }
}

setters!(MmdTargetShiftParams {
    /// Sets the width of the kernel.
    gamma: Some(f64),
    /// Sets the largest violation of the optimality conditions.
    tolerance: f64,
});

weighted_learner!(MmdTargetShiftParams);

impl SourceWeighter for MmdTargetShiftParams {
    fn source_weights(
        &self,
        problem: &TransferProblem,
        _seed: u64,
    ) -> Result<SourceWeights, TransferError> {
        let classes = Classes::of(problem, INFO.name)?;
        let source = problem.source()?.features;
        let target = problem.target_features();
        let columns = source.n_rows().max(target.n_rows());
        check_dense_memory("the kernel matrix", source.n_rows(), columns, 1)?;
        let kernel = Kernel::Rbf { gamma: self.gamma }.resolve(&[&source, target])?;
        // The mean over a class: a product with this.
        let mut means = Array2::zeros((classes.of_row.len(), classes.present.len()));
        for (row, &class) in classes.of_row.iter().enumerate() {
            means[[row, class]] = 1.0 / (classes.prior[class] * classes.of_row.len() as f64);
        }
        let within = means.t().dot(&kernel.gram(&source)?.dot(&means));
        let across: Array1<f64> =
            kernel.matrix(&source, target)?.sum_axis(Axis(1)) / target.n_rows() as f64;
        let program = QuadraticProgram {
            quadratic: (&within + &within.t()) * 0.5,
            linear: means.t().dot(&across),
            bounds: Bounds {
                upper: 1.0,
                sum: (1.0, 1.0),
            },
        };
        let shares = program.solve(self.tolerance)?.weights;
        Ok(classes.weights(&(shares / &classes.prior), problem.n_classes()))
    }
}

crate::method_name!(MmdTargetShift => MmdTargetShiftParams, "Target shift by mean embeddings (MMD-TarS)");

transfer_method!(MmdTargetShiftParams, INFO, |method, problem, seed| {
    fit_reweighted(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for MmdTargetShiftParams {}

static INFO: MethodInfo = MethodInfo {
    name: "mmd-target-shift",
    title: "Target shift by mean embeddings (MMD-TarS)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[
        ParamInfo {
            name: "gamma",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Width of the kernel; null: the median heuristic over both domains.",
        },
        ParamInfo {
            name: "tolerance",
            default: "1e-9",
            range: ParamRange::Positive,
            doc: "Largest violation of the optimality conditions.",
        },
    ],
    exemptions: &[],
    reference: "Zhang, Schölkopf, Muandet, Wang. Domain Adaptation under Target and Conditional Shift. ICML 2013",
};
