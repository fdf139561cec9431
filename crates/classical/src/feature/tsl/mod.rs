//! Transfer subspace learning.

mod descent;
mod objective;
#[cfg(test)]
mod tests;

use ndarray::{Array2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, MethodInfo,
    Outputs, ParamInfo, ParamRange, Trace, TransferError, TransferProblem, What, fit_aligned,
    kernel::Kernel,
    linalg::{eigh, gram, matmul, orthonormalize, svd_thin},
    seed::{derive, rng},
    setters, transfer_method,
};

use super::{
    components::centred, map_needs, projection::check_components, scatter::LabelScatter, times,
};
use descent::{Descent, Limits, descend};
use objective::{Criterion, Divergence, Objective};

/// Parameters of transfer subspace learning (TSL): a projection of both domains under which a criterion of subspace
/// learning is good and the two samples have nearly one density.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows count for the criterion, and join
/// the learner's fit). *When.* There are directions in which the domains agree as distributions, beyond their means.
///
/// # Formula
///
/// $$\min_{U^\top U = I} F(U) + \lambda\, D(U), \qquad
///   D(U) = (\pi / \gamma)^{k/2} \int \bigl(p_S(z) - p_T(z)\bigr)^2\, dz$$
///
/// with the kernel density estimates `p_S` and `p_T` of the projected rows `Uᵀx` of each domain, of Gaussians with the
/// covariance `I / 4γ`. The integral is the Bregman divergence of the square. The product of two such Gaussians
/// integrates to one of twice the covariance, so
///
/// $$D(U) = \sum_{ij} w_i w_j \exp\bigl(-\gamma\, \|U^\top (x_i - x_j)\|^2\bigr), \qquad
///   w = (1/n_s, \dots, -1/n_t, \dots)$$
///
/// over the rows of both domains. `D` lies between 0 and 2, `F` between 0 and 1, and neither depends on the unit of the
/// data:
///
/// | `objective` | `F(U)` | what it is |
/// |---|---|---|
/// | `fisher` | `tr(Uᵀ S_w U) / tr(Uᵀ (S_w + S_b) U)` | the share of the scatter that is within classes |
/// | `pca` | `1 - tr(Uᵀ (S_w + S_b) U) / tr(S_w + S_b)` | the share of the scatter that is lost |
///
/// with the scatter of the labelled rows within classes and between them, `S_w = Σ_i (x_i - m_c)(x_i - m_c)ᵀ` and
/// `S_b = Σ_c n_c (m_c - m)(m_c - m)ᵀ`. Where labels are values, `S_b` is the scatter of what least squares predicts of
/// the rows by the label, and `S_w` that of the rest. `fisher` is 1 in a direction in which labelled rows do not differ.
///
/// # Steps
///
/// 1. Starts: the `k` best directions of `F` by themselves, `S_w v = φ (S_w + S_b) v` for `fisher`, and `n_starts - 1`
///    subspaces that are drawn.
/// 2. From each, steps of the quasi-Newton method with limited memory, on the manifold of subspaces: the gradient is
///    `(I - U Uᵀ)` times the derivative, a step goes from `U` along a direction of that form and is made orthonormal
///    again. It is halved until the objective falls by enough, so that it never rises, and doubled where it falls ever
///    faster.
/// 3. The best of the ends; the first, where others are no better. `F` and `D` depend on the span of `U` alone, so its
///    columns are turned to the principal axes of the mapped rows.
///
/// The objective has local minima. The trace holds, for the start that was taken, `objective` and `gradient-norm`
/// before and after each step, which says how far from stationary the end is; and `ends`, the objective that each start
/// led to.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `n_components` | `null` | integer ≥ 1 or `null` | size `k` of the subspace, at most the rank of the centred data; `null`: one less than there are classes, 1 for values |
/// | `objective` | `fisher` | `fisher`, `pca` | the criterion `F` |
/// | `lambda` | 1 | \[0, ∞) | weight of the divergence |
/// | `gamma` | `null` | (0, ∞) or `null` | width of the densities; `null`: the median heuristic on the `k` leading principal components of all rows |
/// | `n_starts` | 4 | integer ≥ 1 | starts |
/// | `max_iterations` | 200 | integer ≥ 1 | steps from each |
/// | `tolerance` | 1e-6 | (0, ∞) | norm of the gradient at which they end |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`, `n` rows in all, mapped rows have `k` columns. The subspace lies in the span of
/// the centred rows, of dimension `r ≤ min(d, n - 1)`: O(n d min(n, d) + r³) once, O(n² k + n r k + r² k) a step and
/// start. Memory is O(n (d + 1024)): the kernel matrix is made by blocks of rows.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`] when `n_components` exceeds the rank,
/// [`TransferError::Unsupported`] where labelled rows, or the principal components of all, do not differ.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::Tsl;
/// use translearn_core::{FitTransfer, TransferProblem};
///
/// // The first column tells the classes apart best, but has moved in the target; the second has not.
/// let source = DatasetBase::new(array![[0.0, 0.0], [0.2, 1.2], [4.0, 3.0], [4.2, 4.2]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[8.0, 0.3], [8.2, 1.0], [12.0, 3.1], [12.2, 4.0]]);
/// let params = Tsl::params();
/// let model = params.fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
///
/// let map = params.subspace(&TransferProblem::new(&source, &target)?, 0)?.0;
/// assert!(map.directions()[[1, 0]].abs() > 0.99);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Si, Tao, Geng, *Bregman Divergence-Based Regularization for Transfer Subspace Learning*, IEEE Transactions on
/// Knowledge and Data Engineering 22(7), 2010, doi:10.1109/TKDE.2009.126.
///
/// *Where we differ.* Both densities have one fixed covariance, so that `D` is 0 just for equal samples, and the factor
/// `(π/γ)^(k/2)` is left to `λ`. Fisher's criterion is bounded: the ratio of `S_w` to `S_b` grows without bound where
/// class means agree, and no `λ` would outweigh it. The criteria that need a graph are left out. skada 0.6.0 takes
/// distances where the Gaussian has their squares, and leaves the normalisation of each density away; its `flda` makes
/// the scatter of class means small, which Fisher's criterion makes large; its default keeps all directions, which
/// turns the data and nothing else. So its figures are no reference for this method.
///
/// On the subspace shift of `simulated-shifts` the class means agree on the one line on which the domains do, so that
/// Fisher's criterion is against it: with `lambda` of 1 or 10 accuracy is 14 %, with 100 it is 79 %, where no line gives
/// more and source-only gives 22 %.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TslParams {
    n_components: Option<usize>,
    objective: TslObjective,
    lambda: f64,
    gamma: Option<f64>,
    n_starts: usize,
    max_iterations: usize,
    tolerance: f64,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

/// The criterion of a subspace by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TslObjective {
    /// That of Fisher's discriminant: classes far apart, each close together.
    #[default]
    Fisher,
    /// That of principal components: much of the variance.
    Pca,
}

impl Default for TslParams {
    fn default() -> Self {
        Self {
            n_components: None,
            objective: TslObjective::Fisher,
            lambda: 1.0,
            gamma: None,
            n_starts: 4,
            max_iterations: 200,
            tolerance: 1e-6,
            learner: super::nearest(),
        }
    }
}

setters!(TslParams {
    /// Sets the size of the subspace.
    n_components: Some(usize),
    /// Sets the criterion of the subspace by itself.
    objective: TslObjective,
    /// Sets the weight of the divergence.
    lambda: f64,
    /// Sets the width of the densities.
    gamma: Some(f64),
    /// Sets from how many subspaces the search begins.
    n_starts: usize,
    /// Sets how many steps there may be from each.
    max_iterations: usize,
    /// Sets the norm of the gradient at which they end.
    tolerance: f64,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

/// What an end has to be below the best so far to be taken in its place: two ways to one minimum differ by less.
const BETTER: f64 = 1e-9;

impl TslParams {
    /// The projection for a problem, and how it was found.
    ///
    /// # Errors
    /// As the fit.
    pub fn subspace(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<(Tsl, Trace), TransferError> {
        let source = problem.source()?;
        let (target, known) = (problem.target_features(), problem.target_task());
        let rows = centred(&*source.features.stack(target)?.dense()?);
        let svd = svd_thin(&rows)?;
        let rank = svd.rank();
        let k = self
            .n_components
            .unwrap_or_else(|| problem.n_classes().saturating_sub(1).clamp(1, rank.max(1)));
        check_components(k, rank, "the rank of the centred data")?;
        let basis = svd.v.slice(s![.., ..rank]).to_owned();
        let x = matmul(&rows, &basis)?;

        let n_source = source.labels.len();
        let of_target = known.rows.iter().map(|row| n_source + row);
        let labelled: Vec<usize> = (0..n_source).chain(of_target).collect();
        let labels = source.labels.join(&known.labels)?;
        let scatter =
            LabelScatter::new(&x.select(Axis(0), &labelled), &labels, problem.n_classes());
        let leading = Features::Dense(x.slice(s![.., ..k]).to_owned());
        let kernel = Kernel::Rbf { gamma: self.gamma }.resolve(&[&leading])?;
        let objective = Objective {
            criterion: self.criterion(&scatter, k)?,
            divergence: Divergence {
                rows: x,
                n_source,
                gamma: kernel.gamma().unwrap_or(1.0),
            },
            lambda: self.lambda,
        };

        let (descent, ends) = self.best(&objective, &basis, k, seed)?;
        let z = matmul(&objective.divergence.rows, &descent.subspace)?;
        let (_, axes) = eigh(&gram(&z))?.largest(k)?;
        let directions = matmul(&basis, &matmul(&descent.subspace, &axes)?)?;
        let series = [
            ("objective".to_owned(), descent.values),
            ("gradient-norm".to_owned(), descent.gradient_norms),
            ("ends".to_owned(), ends),
        ];
        let trace = Trace {
            series: series.into(),
            ..Trace::default()
        };
        Ok((Tsl { directions }, trace))
    }

    fn criterion(&self, scatter: &LabelScatter, k: usize) -> Result<Criterion, TransferError> {
        if scatter.total().diag().sum() <= 0.0 {
            return Err(TransferError::Unsupported {
                method: INFO.name.to_owned(),
                needs: "labelled rows that differ".to_owned(),
                has: "rows that are all alike".to_owned(),
            });
        }
        Ok(match self.objective {
            TslObjective::Fisher => Criterion::fisher(scatter),
            TslObjective::Pca => Criterion::principal(scatter, k),
        })
    }

    /// The best descent of those from all starts, and what each came to. Subspaces are drawn in the space of the
    /// features, so that they do not depend on the `basis` in which they are written.
    fn best(
        &self,
        objective: &Objective,
        basis: &Array2<f64>,
        k: usize,
        seed: u64,
    ) -> Result<(Descent, Vec<f64>), TransferError> {
        let limits = Limits {
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
        };
        let start = |index: usize| {
            if index == 0 {
                return objective.criterion.leading(k);
            }
            let mut rng = rng(derive(seed, &["start", &index.to_string()]));
            let drawn = Array2::from_shape_simple_fn((basis.nrows(), k), || rng.normal());
            orthonormalize(&matmul(&basis.t(), &drawn)?)
        };
        let descents: Vec<Descent> = (0..self.n_starts)
            .into_par_iter()
            .map(|index| descend(|u| objective.at(u), start(index)?, limits))
            .collect::<Result<_, TransferError>>()?;
        let ends = descents.iter().map(Descent::value).collect();
        let best = descents.into_iter().reduce(|best, other| {
            match other.value() < best.value() - BETTER {
                true => other,
                false => best,
            }
        });
        #[expect(clippy::expect_used, reason = "`n_starts` is at least 1")]
        Ok((best.expect("a start"), ends))
    }
}

impl FitAlign for TslParams {
    fn fit_align(&self, problem: &TransferProblem, seed: u64) -> Result<Alignment, TransferError> {
        let (map, trace) = self.subspace(problem, seed)?;
        Ok(Alignment {
            map: Box::new(map),
            trace,
        })
    }
}

transfer_method!(TslParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for TslParams {}

static INFO: MethodInfo = MethodInfo {
    name: "tsl",
    title: "Transfer subspace learning",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        ParamInfo {
            name: "n_components",
            default: "null",
            range: ParamRange::IntegerOrAuto {
                low: 1,
                high: u64::MAX,
            },
            doc: "Size of the subspace; null: one less than there are classes, 1 for values.",
        },
        ParamInfo {
            name: "objective",
            default: "\"fisher\"",
            range: ParamRange::Choice(&["fisher", "pca"]),
            doc: "The criterion of the subspace by itself: that of Fisher's discriminant or of principal components.",
        },
        ParamInfo {
            name: "lambda",
            default: "1.0",
            range: ParamRange::Real {
                low: 0.0,
                high: f64::INFINITY,
            },
            doc: "Weight of the divergence between the densities of the domains.",
        },
        ParamInfo {
            name: "gamma",
            default: "null",
            range: ParamRange::PositiveOrAuto,
            doc: "Width of the densities; null: the median heuristic on the leading principal components.",
        },
        ParamInfo {
            name: "n_starts",
            default: "4",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Subspaces from which the search begins: the criterion's own, and others that are drawn.",
        },
        ParamInfo {
            name: "max_iterations",
            default: "200",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Steps from each start.",
        },
        ParamInfo {
            name: "tolerance",
            default: "1e-6",
            range: ParamRange::Positive,
            doc: "Norm of the gradient at which the steps end.",
        },
    ],
    exemptions: &[],
    reference: "Si, Tao, Geng. Bregman Divergence-Based Regularization for Transfer Subspace Learning. IEEE TKDE 22(7), 2010. doi:10.1109/TKDE.2009.126",
};

/// A fitted projection of both domains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tsl {
    directions: Array2<f64>,
}

impl Tsl {
    /// Default parameters.
    pub fn params() -> TslParams {
        TslParams::default()
    }

    /// `U` (`d x k`), orthonormal columns, by falling variance of the mapped rows.
    pub fn directions(&self) -> &Array2<f64> {
        &self.directions
    }
}

#[typetag::serde(name = "tsl")]
impl DomainMap for Tsl {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        times(source, &self.directions)
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        times(target, &self.directions)
    }
}
