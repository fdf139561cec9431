//! Transfer joint matching.

mod matching;
#[cfg(test)]
mod tests;

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, Family, FitAlign, MethodInfo, Outputs, ParamInfo,
    ParamRange, Trace, TransferError, TransferProblem, What, fit_aligned, linalg::unit_columns,
    setters, transfer_method,
};

use super::{
    components::{ComponentKernel, DualRows},
    discrepancy::Discrepancy,
    map_needs,
};
use matching::Matching;

/// Parameters of transfer joint matching (TJM): transfer components as [TCA](super::TcaParams) has them that also choose
/// among the source's rows: a penalty on the length of each row of coefficients, not on its square, lets the rows that
/// the components can do without lose their weight in them altogether.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* P(X)
/// differs, so much that some source rows have no counterpart in the target.
///
/// # Formula
///
/// With `K`, `H` and `M = e eᵀ / ‖e eᵀ‖_F` of TCA, and `A` with a row `a_i` for each row of both domains,
///
/// $$\min_A\; \operatorname{tr}(A^\top K M K A) + \lambda \Bigl(\sum_{i \in s} \|a_i\| + \sum_{i \in t} \|a_i\|^2\Bigr)
///   \quad\text{where}\quad A^\top K H K A = I, \qquad Z = K A$$
///
/// # Steps
///
/// 1. `G = I`.
/// 2. `(K M K + λ G) A = K H K A Φ` for the `k` smallest `Φ`, with `Aᵀ K H K A = I`.
/// 3. `G_ii = 1 / (2‖a_i‖)` on source rows, and 1 on target rows; go on with 2.
///
/// No round makes the objective larger: with this `G`, `tr(Aᵀ G A)` bounds it from above and touches it at the present `A`.
/// The trace holds it, under `objective`, a value a round. The rounds end early when it has settled to 12 digits, or when so
/// many rows have gone that those left have no `k` components. Last, each column of `A` is scaled to unit
/// length.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 30 | integer ≥ 1 | number `k` of components, at most the rank of the centred data |
/// | `lambda` | 1 | (0, ∞) | weight of the penalty |
/// | `kernel` | `linear` | `linear`, `rbf`, `nystroem`, `fourier` | the kernel of `K` |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the Gaussian kernel; `null`: the median heuristic |
/// | `n_features` | 300 | integer ≥ 1 | rows that `nystroem` draws, frequencies that `fourier` draws |
/// | `normalize` | `true` | | rows to unit length before the fit and after the map |
/// | `n_iterations` | 10 | integer ≥ 1 | rounds |
///
/// # Shapes and cost
///
/// `K = Φ Φᵀ` with `Φ` of `r` columns: `d` (`linear`), `n` (`rbf`), `n_features` at most (`nystroem`, `fourier`). A round
/// costs O(n r² + r³), memory is O(n r), new rows cost O(d k) or O(r d + r k).
///
/// # Errors
///
/// As TCA.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Tjm;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Tjm::params().n_components(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Long, Wang, Ding, Sun, Yu, *Transfer Joint Matching for Unsupervised Domain Adaptation*, CVPR 2014,
/// doi:10.1109/CVPR.2014.183.
///
/// *Where we differ.* The paper gives a row that has become zero the penalty 0, which frees it again, and the public MATLAB
/// adds a small number to `‖a_i‖`; here the inverse of `G` is what is kept, so a row that is zero stays so. The MATLAB
/// code has no factor ½ in `G` and takes `A` as `eigs` scales it, so its objective may rise; here `G` is made of the `A` that
/// the constraint asks for. A later version of that code adds the class means of JDA to `M`, which the paper does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TjmParams {
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

impl Default for TjmParams {
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

super::component_builders!(TjmParams);

setters!(TjmParams {
    /// Sets the number of rounds.
    n_iterations: usize,
});

impl FitAlign for TjmParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = &problem.source()?.features;
        let target = problem.target_features();
        let rows = DualRows::of(source, target, self.design(), seed)?;
        let e = Discrepancy::marginal(source.n_rows(), target.n_rows(), 1.0).indicators();
        let matching = Matching::new(rows.phi(), &e, source.n_rows(), self.lambda)?;
        let (most, k) = (matching.spread.ncols(), self.n_components);
        let none = || TransferError::InvalidParameter {
            name: "n_components".to_owned(),
            value: k.to_string(),
            range: format!("integer in [1, {most}] (the rank of the centred data)"),
        };
        if k == 0 || k > most {
            return Err(none());
        }
        let equal = Array1::ones(rows.phi().nrows());
        let mut a = matching.components(&equal, k)?.ok_or_else(none)?;
        let mut objectives = vec![matching.objective(&a)?];
        for _ in 1..self.n_iterations {
            let Some(next) = matching.components(&matching.inverse_penalties(&a), k)? else {
                break;
            };
            let before = objectives.last().copied().unwrap_or_default();
            let objective = matching.objective(&next)?;
            if before - objective <= SETTLED * before {
                break;
            }
            a = next;
            objectives.push(objective);
        }
        unit_columns(&mut a);
        Ok(Alignment {
            map: Box::new(rows.components(&a)?),
            trace: Trace {
                series: [("objective".to_owned(), objectives)].into(),
                ..Trace::default()
            },
        })
    }
}

/// Relative fall of the objective at which the rounds end.
const SETTLED: f64 = 1e-12;

crate::method_name!(Tjm => TjmParams, "Transfer joint matching");

transfer_method!(TjmParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for TjmParams {}

static INFO: MethodInfo = MethodInfo {
    name: "tjm",
    title: "Transfer joint matching",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        super::N_COMPONENTS,
        super::LAMBDA,
        ParamInfo {
            name: "kernel",
            default: "\"linear\"",
            range: ParamRange::Choice(&["linear", "rbf", "nystroem", "fourier"]),
            doc: "The linear kernel, the Gaussian kernel, or that from a sample of rows or of frequencies.",
        },
        super::GAMMA,
        super::N_FEATURES,
        super::NORMALIZE,
        ParamInfo {
            name: "n_iterations",
            default: "10",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Rounds of solving and weighing the rows anew.",
        },
    ],
    exemptions: &[],
    reference: "Long, Wang, Ding, Sun, Yu. Transfer Joint Matching for Unsupervised Domain Adaptation. CVPR 2014. doi:10.1109/CVPR.2014.183",
};
