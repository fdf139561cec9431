//! Transfer component analysis.

use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, Family, FitAlign, MethodInfo, Outputs, TransferError,
    TransferProblem, What, fit_aligned, transfer_method,
};

use super::{
    components::{ComponentKernel, ComponentProblem},
    discrepancy::Discrepancy,
    map_needs,
};

/// Parameters of transfer component analysis (TCA): projects both domains onto directions that keep the variance of the
/// data and bring the domain means together, then fits any learner there.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* P(X)
/// differs, and a few directions carry both the difference and nothing the labels need.
///
/// # Formula
///
/// With the rows `X` of both domains (`n x d`), the centring matrix `H = I - 11ᵀ/n`, `e = (1/n_s, …, -1/n_t, …)`,
/// `M = e eᵀ / ‖e eᵀ‖_F` and the design `F`,
///
/// $$F^\top H F\, a = \mu\,(F^\top M F + \lambda I)\, a, \qquad Z = F A$$
///
/// for the `k` largest `μ`; each column of `A` is scaled to unit length. `F = X` (`primal`), or the kernel matrix `K`
/// (`linear`, `rbf`). The matrix on the right is positive definite, so the pencil is symmetric-definite: no inverse of a
/// singular matrix, no complex eigenvalue.
///
/// `nystroem` and `fourier` put `K = φ(X) φ(X)ᵀ` in place of the Gaussian kernel matrix, with a map `φ` to `m` numbers
/// ([`KernelMap`](translearn_core::kernel::KernelMap)): Nyström's from `m` rows drawn from both domains, with which `rbf`
/// is met exactly once `m` is all of them, or random Fourier features. With `φ(X) = U S Vᵀ`, `F = φ(X) V S` is `K U`, so the
/// problem is that of `K` and its penalty, in `m` unknowns.
/// gives another sample, as another seed does.
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
///
/// # Shapes and cost
///
/// `linear` and `primal`: O(n d² + d³), new rows O(d k). `rbf`: O(n² d + n³), new rows O(n d). `nystroem` and `fourier`:
/// O(n m (d + m) + m³) and memory for `F` (`n x m`) beside the data, new rows O(m d) and O(m²) more for `nystroem`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::InvalidParameter`] when `n_components` exceeds the rank of `F`.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Tca;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Tca::params().n_components(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Pan, Tsang, Kwok, Yang, *Domain Adaptation via Transfer Component Analysis*, IEEE Transactions on Neural Networks
/// 22(2), 2011, doi:10.1109/TNN.2010.2091281.
///
/// *Where we differ.* The paper's `(K L K + μ I)⁻¹ K H K` is not symmetric; handing it to a symmetric eigensolver, as ADAPT
/// 0.4.5 and skada 0.6.0 do, does not align the domains once the penalty matters. Columns of unit length, not `Aᵀ B A = I`,
/// give the published figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TcaParams {
    n_components: usize,
    lambda: f64,
    kernel: ComponentKernel,
    gamma: Option<f64>,
    n_features: usize,
    normalize: bool,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for TcaParams {
    fn default() -> Self {
        Self {
            n_components: 30,
            lambda: 1.0,
            kernel: ComponentKernel::Linear,
            gamma: None,
            n_features: 300,
            normalize: true,
            learner: super::nearest(),
        }
    }
}

super::component_builders!(TcaParams);

impl FitAlign for TcaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let components = ComponentProblem::new(&source.features, target, self.design(), seed)?;
        let discrepancy = Discrepancy::marginal(source.features.n_rows(), target.n_rows(), 1.0);
        let map = components.solve(&discrepancy.indicators(), self.lambda, self.n_components)?;
        Ok(map.into())
    }
}

crate::method_name!(Tca => TcaParams, "Transfer component analysis");

transfer_method!(TcaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for TcaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "tca",
    title: "Transfer component analysis",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &super::COMPONENT_PARAMETERS,
    exemptions: &[],
    reference: "Pan, Tsang, Kwok, Yang. Domain Adaptation via Transfer Component Analysis. IEEE TNN 22(2), 2011. doi:10.1109/TNN.2010.2091281",
};
