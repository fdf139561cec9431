//! Joint distribution adaptation.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, Family, FitAlign, MethodInfo, Outputs, TransferError,
    TransferProblem, What, fit_aligned, setters, transfer_method,
};

use super::{
    components::{ComponentKernel, ComponentProblem},
    discrepancy::{Discrepancy, of_mean},
    map_needs,
    rounds::{ComponentRounds, N_ITERATIONS},
};

/// Parameters of joint distribution adaptation (JDA): transfer components that bring together not only the domain means
/// but the means of every class, with the target's classes predicted and predicted again.
///
/// *Setting.* Classes in the source; none needed in the target (known target labels are used as they are). *When.* Both
/// P(X) and P(Y | X) differ, and the learner is right often enough to begin with.
///
/// # Steps
///
/// 1. `M = C e eᵀ`, with `e` as in [TCA](super::TcaParams) and `C` the number of classes.
/// 2. From the second round on, add `e_c e_cᵀ` for every class that occurs in source and predicted target:
///    `e_c = 1/n_s^c` on its source rows, `-1/n_t^c` on its target rows. Divide `M` by its Frobenius norm.
/// 3. Solve `Fᵀ H F a = μ (Fᵀ M F + λ I) a` for the `k` largest `μ`, columns to unit length.
/// 4. Fit the learner on the mapped source, predict the mapped target, go on with 2.
///
/// The rounds end early when the predictions repeat, because nothing would change from there on.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 30 | integer ≥ 1 | number `k` of components, at most the rank of the data |
/// | `lambda` | 1 | (0, ∞) | weight of the penalty |
/// | `kernel` | `linear` | `linear`, `primal`, `rbf`, `nystroem`, `fourier` | the design `F` |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the Gaussian kernel; `null`: the median heuristic |
/// | `n_features` | 300 | integer ≥ 1 | rows that `nystroem` draws, frequencies that `fourier` draws |
/// | `normalize` | `true` | | rows to unit length before the fit and after the map |
/// | `n_iterations` | 10 | integer ≥ 1 | rounds |
///
/// # Shapes and cost
///
/// As TCA, with one eigenproblem a round. With up to a thousand unknowns, the scatter is decomposed once and a round is left
/// a problem of about `k + 15 C` unknowns, should these be fewer than 0.6 of all: the others' part in a solution is a mixture
/// of a few functions of the eigenvalues times the `C + 1` columns of `M`. Its solutions are checked to solve the whole
/// problem to rounding, which is decomposed where they do not.
///
/// # Errors
///
/// [`TransferError::Unsupported`] for real-valued labels; otherwise as TCA.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Jda;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Jda::params().n_components(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Long, Wang, Ding, Sun, Yu, *Transfer Feature Learning with Joint Distribution Adaptation*, ICCV 2013,
/// doi:10.1109/ICCV.2013.274. The factor `C` and the normalisation of `M` are in the authors' code, not in the paper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JdaParams {
    n_components: usize,
    lambda: f64,
    kernel: ComponentKernel,
    gamma: Option<f64>,
    n_features: usize,
    normalize: bool,
    n_iterations: usize,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for JdaParams {
    fn default() -> Self {
        Self {
            n_components: 30,
            lambda: 1.0,
            kernel: ComponentKernel::Linear,
            gamma: None,
            n_features: 300,
            normalize: true,
            n_iterations: 10,
            learner: super::nearest(),
        }
    }
}

super::component_builders!(JdaParams);

setters!(JdaParams {
    /// Sets the number of rounds.
    n_iterations: usize,
});

impl FitAlign for JdaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let classes = source.labels.classes(INFO.name)?;
        let (target, n_classes) = (problem.target_features(), problem.n_classes());
        let components = ComponentProblem::new(&source.features, target, self.design(), seed)?;
        let marginal = Discrepancy::marginal(classes.len(), target.n_rows(), n_classes as f64);
        let joint = |predicted: Option<&Array1<usize>>| {
            let mut joint = marginal.clone();
            if let Some(predicted) = predicted {
                joint.add_classes(classes, predicted, n_classes, of_mean);
            }
            joint
        };
        let rounds = ComponentRounds {
            owner: INFO.name,
            learner: &self.learner,
            lambda: self.lambda,
            n_components: self.n_components,
            n_iterations: self.n_iterations,
        };
        rounds.run(problem, &components, joint, seed)
    }
}

crate::method_name!(Jda => JdaParams, "Joint distribution adaptation");

transfer_method!(JdaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for JdaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "jda",
    title: "Joint distribution adaptation",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Classification),
    parameters: &[
        super::N_COMPONENTS,
        super::LAMBDA,
        super::KERNEL,
        super::GAMMA,
        super::N_FEATURES,
        super::NORMALIZE,
        N_ITERATIONS,
    ],
    exemptions: &[],
    reference: "Long, Wang, Ding, Sun, Yu. Transfer Feature Learning with Joint Distribution Adaptation. ICCV 2013. doi:10.1109/ICCV.2013.274",
};
