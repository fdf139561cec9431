//! Balanced distribution adaptation.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, Family, FitAlign, MethodInfo, Outputs, ParamInfo,
    ParamRange, TransferError, TransferProblem, What, fit_aligned, setters, transfer_method,
};

use super::{
    components::{ComponentKernel, ComponentProblem},
    discrepancy::Discrepancy,
    map_needs,
    rounds::{ComponentRounds, N_ITERATIONS},
};

/// Parameters of balanced distribution adaptation (BDA): transfer components as [JDA](super::JdaParams) has them, with
/// a balance between bringing the domain means together and bringing the class means together; and, where the shares of
/// the classes differ between the domains, with class means weighted by them (W-BDA).
///
/// *Setting.* Classes in the source; none needed in the target (known target labels are used as they are). *When.* It
/// is known, or can be tried, which differs more: P(X), or P(X | Y). `weighted` for classes of unequal size.
///
/// # Formula
///
/// $$M = (1 - \mu)\, s\, e e^\top + \mu \sum_c e_c e_c^\top$$
///
/// with `e` as in [TCA](super::TcaParams). For a class `c` that occurs in source and predicted target,
///
/// | `weighted` | `e_c` on source rows of `c` | on target rows of `c` | `s` |
/// |---|---|---|---|
/// | `false` | `1/n_s^c` | `-1/n_t^c` | number `C` of classes |
/// | `true` | `√p_s(c) / n_s^c` | `-√p_t(c) / n_t^c` | 1 |
///
/// with the shares `p_s(c) = n_s^c / n_s` and `p_t(c) = n_t^c / n_t`. `M` is divided by its Frobenius norm. `s` makes
/// the one marginal term weigh as much as the `C` terms of the classes, or as their shares, which sum to 1: so `mu =
/// 0.5` without weights is JDA, and `mu = 0` is TCA.
///
/// # Steps
///
/// 1. `M` from the marginal term alone.
/// 2. Solve `Fᵀ H F a = φ (Fᵀ M F + λ I) a` for the `k` largest `φ`, columns to unit length.
/// 3. Fit the learner on the mapped source, predict the mapped target, make `M` anew, go on with 2.
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
/// | `mu` | 0.5 | \[0, 1\] | balance: 0 for the domain means alone, 1 for the class means alone |
/// | `weighted` | `false` | | class means weighted by the shares of the classes |
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
/// use translearn_classical::feature::Bda;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Bda::params().n_components(2).mu(0.8).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Wang, Chen, Hao, Feng, Shen, *Balanced Distribution Adaptation for Transfer Learning*, ICDM 2017,
/// doi:10.1109/ICDM.2017.150. The paper has no factor `s`; the authors' code has `C`, as that of JDA does. The code
/// differs in three more points that are not followed: it multiplies the target entries alone by `p_t(c) / p_s(c)`,
/// fixes `mu = 1` for the weighted form, and (in MATLAB) carries `M` of one round into the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BdaParams {
    n_components: usize,
    lambda: f64,
    kernel: ComponentKernel,
    gamma: Option<f64>,
    n_features: usize,
    normalize: bool,
    mu: f64,
    weighted: bool,
    n_iterations: usize,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for BdaParams {
    fn default() -> Self {
        Self {
            n_components: 30,
            lambda: 1.0,
            kernel: ComponentKernel::Linear,
            gamma: None,
            n_features: 300,
            normalize: true,
            mu: 0.5,
            weighted: false,
            n_iterations: 10,
            learner: super::nearest(),
        }
    }
}

super::component_builders!(BdaParams);

setters!(BdaParams {
    /// Sets the balance: 0 for the domain means alone, 1 for the class means alone.
    mu: f64,
    /// Sets whether class means are weighted by the shares of the classes.
    weighted: bool,
    /// Sets the number of rounds.
    n_iterations: usize,
});

impl FitAlign for BdaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let classes = source.labels.classes(INFO.name)?;
        let (target, n_classes) = (problem.target_features(), problem.n_classes());
        let components = ComponentProblem::new(&source.features, target, self.design(), seed)?;
        let balanced = |predicted: Option<&Array1<usize>>| match predicted {
            None => Discrepancy::marginal(classes.len(), target.n_rows(), 1.0),
            Some(predicted) => {
                Discrepancy::balanced(classes, predicted, n_classes, self.mu, self.weighted)
            }
        };
        let rounds = ComponentRounds {
            owner: INFO.name,
            learner: &self.learner,
            lambda: self.lambda,
            n_components: self.n_components,
            n_iterations: self.n_iterations,
        };
        rounds.run(problem, &components, balanced, seed)
    }
}

crate::method_name!(Bda => BdaParams, "Balanced distribution adaptation");

transfer_method!(BdaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for BdaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "bda",
    title: "Balanced distribution adaptation",
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
        ParamInfo {
            name: "mu",
            default: "0.5",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Balance: 0 for the domain means alone, 1 for the class means alone.",
        },
        ParamInfo {
            name: "weighted",
            default: "false",
            range: ParamRange::Flag,
            doc: "Class means weighted by the shares of the classes.",
        },
        N_ITERATIONS,
    ],
    exemptions: &[],
    reference: "Wang, Chen, Hao, Feng, Shen. Balanced Distribution Adaptation for Transfer Learning. ICDM 2017. doi:10.1109/ICDM.2017.150",
};
