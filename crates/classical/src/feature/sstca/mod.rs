//! Semi-supervised transfer component analysis.

mod dependence;
#[cfg(test)]
mod tests;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, Family, Features, FitAlign, MethodInfo, Outputs,
    ParamInfo, ParamRange, TransferError, TransferProblem, What, fit_aligned,
    kernel::Kernel,
    linalg::{gram, matmul},
    setters, transfer_method,
};

use super::{
    components::{ComponentKernel, ComponentProblem, normalized},
    discrepancy::Discrepancy,
    graph::Laplacian,
    map_needs,
};
use dependence::dependence;

/// Parameters of semi-supervised transfer component analysis (SSTCA): transfer components as [TCA](super::TcaParams) has
/// them that also depend on the labels and are smooth on the graph of nearest neighbours of both domains.
///
/// *Setting.* Labels in the source, classes or values; none needed in the target (known target labels are used as the
/// source's, and their rows join the learner's fit). *When.* P(X) differs, the directions of largest variance are not those
/// of the labels, and neighbouring rows have like labels.
///
/// # Formula
///
/// With `F`, `H` and `M` of TCA,
///
/// $$F^\top H \tilde K H F\, a = \mu\,\bigl(F^\top (M + \rho\, \mathcal{L}) F + \lambda I\bigr)\, a, \qquad
///   \tilde K = \delta K_{yy} + (1 - \delta) I, \qquad Z = F A$$
///
/// for the `k` largest `μ`; each column of `A` is scaled to unit length. `K_yy` holds, between labelled rows, 1 for equal
/// classes and 0 for others, or `exp(-γ_y (y - y')²)` for values, with `γ_y` by the median heuristic; and 0 for all other
/// rows. `𝓛 = (D - W) / ‖D - W‖_F` with `W_ij = exp(-γ ‖x_i - x_j‖²)` where one of two rows is among the `p` nearest of the
/// other. Both `M` and `𝓛` have Frobenius norm 1, so `rho` weighs them against each other whatever the number of rows.
///
/// `dependence = 0` with `rho = 0` is TCA.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | 30 | integer ≥ 1 | number `k` of components, at most the rank of the data |
/// | `lambda` | 1 | (0, ∞) | weight of the penalty |
/// | `kernel` | `linear` | `linear`, `primal`, `rbf`, `nystroem`, `fourier` | the design `F` |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the Gaussian kernel and of `W`; `null`: the median heuristic |
/// | `n_features` | 300 | integer ≥ 1 | rows that `nystroem` draws, frequencies that `fourier` draws |
/// | `normalize` | `true` | | rows to unit length before the fit and after the map |
/// | `dependence` | 0.5 | \[0, 1\] | share `δ` of the labels against the variance; at 1 there are no more components than classes, less one, that say anything |
/// | `rho` | 1 | \[0, ∞) | weight of the graph |
/// | `n_neighbours` | 10 | integer ≥ 1 | neighbours `p` in the graph; all rows where there are no more |
///
/// # Shapes and cost
///
/// As TCA with `m` columns of `F`, and O(m³) for the pencil; O(n² d) time and O(n p) memory for the neighbours, unless `rho`
/// is 0; for values, O(n² m) time for their kernel, of which 256 rows are held at a time.
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
/// use translearn_classical::feature::Sstca;
/// use translearn_core::FitTransfer;
///
/// let source = DatasetBase::new(array![[0.0, 1.0], [0.2, 1.1], [1.0, 0.1], [1.1, 0.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.1, 1.6], [0.2, 1.4], [1.4, 0.2], [1.2, 0.3]]);
/// let model = Sstca::params().n_components(2).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Pan, Tsang, Kwok, Yang, *Domain Adaptation via Transfer Component Analysis*, IEEE Transactions on Neural Networks
/// 22(2), 2011, doi:10.1109/TNN.2010.2091281, section V.
///
/// *Where we differ.* The paper weighs the graph by `λ / n²` and does not scale `M`; here both have unit norm. Its unsymmetric
/// matrix is solved as the symmetric-definite pencil that it stands for, and columns have unit length, as for TCA. Public
/// Python implementations build `K_yy` of the target's labels also where these are to be predicted; here a row without a
/// label has zeros.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SstcaParams {
    n_components: usize,
    lambda: f64,
    kernel: ComponentKernel,
    gamma: Option<f64>,
    n_features: usize,
    normalize: bool,
    dependence: f64,
    rho: f64,
    n_neighbours: usize,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

impl Default for SstcaParams {
    fn default() -> Self {
        Self {
            n_components: 30,
            lambda: 1.0,
            kernel: ComponentKernel::Linear,
            gamma: None,
            n_features: 300,
            normalize: true,
            dependence: 0.5,
            rho: 1.0,
            n_neighbours: 10,
            learner: super::nearest(),
        }
    }
}

super::component_builders!(SstcaParams);

setters!(SstcaParams {
    /// Sets the share of the labels against the variance.
    dependence: f64,
    /// Sets the weight of the graph.
    rho: f64,
    /// Sets the number of neighbours in the graph.
    n_neighbours: usize,
});

impl FitAlign for SstcaParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let n_source = source.features.n_rows();
        let components = ComponentProblem::new(&source.features, target, self.design(), seed)?;
        let f = components.design_matrix();

        let known = problem.target_task();
        let labels = source.labels.join(&known.labels)?;
        let labelled: Vec<usize> = (0..n_source)
            .chain(known.rows.iter().map(|row| n_source + row))
            .collect();
        let of_labels = dependence(f, &labelled, &labels, problem.n_classes())?;
        let left = of_labels * self.dependence + components.scatter() * (1.0 - self.dependence);

        let e = Discrepancy::marginal(n_source, target.n_rows(), 1.0).indicators();
        let mut right = gram(&matmul(&e.t(), f)?) + Array2::<f64>::eye(f.ncols()) * self.lambda;
        if self.rho > 0.0 {
            let rows = normalized(&source.features.stack(target)?, self.normalize)?.into_owned();
            right += &(self.roughness(&rows.into(), f)? * self.rho);
        }
        let map = components.solve_pencil(&left, &right, self.n_components)?;
        Ok(map.into())
    }
}

impl SstcaParams {
    /// `Fᵀ 𝓛 F`.
    #[expect(clippy::expect_used, reason = "a Gaussian kernel has a width")]
    fn roughness(&self, rows: &Features, f: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
        let kernel = Kernel::Rbf { gamma: self.gamma }.resolve(&[rows])?;
        let gamma = kernel.gamma().expect("a width");
        let laplacian = Laplacian::of_heat(rows, self.n_neighbours, gamma)?;
        let norm = laplacian.frobenius_norm();
        let product = matmul(&f.t(), &laplacian.times(f))?;
        let scale = if norm > 0.0 { 0.5 / norm } else { 0.0 };
        Ok((&product + &product.t()) * scale)
    }
}

crate::method_name!(Sstca => SstcaParams, "Semi-supervised transfer component analysis");

transfer_method!(SstcaParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for SstcaParams {}

static INFO: MethodInfo = MethodInfo {
    name: "sstca",
    title: "Semi-supervised transfer component analysis",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        super::N_COMPONENTS,
        super::LAMBDA,
        super::KERNEL,
        ParamInfo {
            name: "gamma",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Width of the Gaussian kernel and of the weights of the graph; null: the median heuristic.",
        },
        super::N_FEATURES,
        super::NORMALIZE,
        ParamInfo {
            name: "dependence",
            default: "0.5",
            range: ParamRange::Real {
                low: 0.0,
                high: 1.0,
            },
            doc: "Share of the labels against the variance.",
        },
        ParamInfo {
            name: "rho",
            default: "1.0",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Weight of the graph.",
        },
        ParamInfo {
            name: "n_neighbours",
            default: "10",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Neighbours of a row in the graph; all rows where there are no more.",
        },
    ],
    exemptions: &[],
    reference: "Pan, Tsang, Kwok, Yang. Domain Adaptation via Transfer Component Analysis. IEEE TNN 22(2), 2011. doi:10.1109/TNN.2010.2091281",
};
