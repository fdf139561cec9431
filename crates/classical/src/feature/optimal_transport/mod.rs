//! Optimal transport for domain adaptation.

#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, Labels,
    MethodInfo, Outputs, ParamInfo, ParamRange, Trace, TransferError, TransferProblem, What,
    distance::nearest, fit_aligned, setters, transfer_method,
};
use translearn_transport::{
    CostScale, GroundCost, GroupLasso, Laplace, LpL1, RegularizedPlan, Sinkhorn, barycentric_map,
    cost_matrix, emd, map_out_of_sample, partial_emd,
};

use super::map_needs;

/// Parameters of optimal transport for domain adaptation (OT-DA): moves the source onto the target at the least cost, then
/// fits any learner on it. The target stays as it is.
///
/// *Setting.* Labels in the source; none needed in the target (labelled target rows join the learner's fit). *When.* The
/// target is the source moved or bent, with about the same share of each class.
///
/// # Formula
///
/// $$P = \arg\min_P \sum_{ij} C_{ij} P_{ij} + \varepsilon\, \mathrm{KL}(P \,\|\, a b^\top) + \eta\, \Omega(P),
///   \qquad x_i \mapsto \hat x_i = \frac{\sum_j P_{ij}\, y_j}{\sum_j P_{ij}}, \quad x_T \mapsto x_T$$
///
/// over plans that give each source row the mass `a_i = 1 / n_s` and each target row `b_j = 1 / n_t`; `C` holds squared
/// Euclidean distances divided by their median.
///
/// # Steps
///
/// 1. The plan, as `plan` says, see below.
/// 2. The barycentric map of the source rows; rows that are alike share the mean of their images. Any other row of the source
///    moves as its nearest row of the fit does. A row that sends nothing stays where it is.
///
/// # Plans
///
/// | plan | what it minimises | solver |
/// |---|---|---|
/// | `exact` | the cost alone | [`emd`] |
/// | `sinkhorn` | cost and entropy | [`Sinkhorn`] |
/// | `group-lasso`, `lp-l1` | cost, entropy and an `Ω` that keeps the classes of the source apart | [`GroupLasso`], [`LpL1`] |
/// | `laplace` | cost and an `Ω` that keeps neighbours together, on both sides; no entropy | [`Laplace`] |
/// | `unbalanced` | cost and entropy; `ρ KL(P 1 ‖ a) + ρ KL(Pᵀ 1 ‖ b)` in place of the masses | [`Sinkhorn`] |
/// | `partial` | the cost of moving the share `m` of the mass; rows that are far from everything stay behind | [`partial_emd`] |
///
/// The solvers of `group-lasso` and `laplace` end after 200 and 100 steps where their gap is not closed before: the trace holds
/// under `gap` by how much, in medians of the cost, the objective can be above its minimum. That of `lp-l1`, whose objective
/// has several minima, makes 10 steps; the trace holds `objective` after each.
///
/// The last two are for a target that has classes in other shares than the source, or lacks some: the other plans would send
/// rows of a class that there is too much of to other classes.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `plan` | `exact` | `exact`, `sinkhorn`, `group-lasso`, `lp-l1`, `laplace`, `unbalanced`, `partial` | the solver |
/// | `regularization` | 0.1 | (0, ∞) | `ε`, in medians of the cost, for plans with an entropy |
/// | `eta` | 0.1 | (0, ∞) | weight `η` of `Ω`, for `group-lasso`, `lp-l1` and `laplace` |
/// | `n_neighbors` | 3 | integer ≥ 1 | neighbours of each row, for `laplace` |
/// | `relaxation` | 1 | (0, ∞) | `ρ`, in medians of the cost, for `unbalanced` |
/// | `mass` | 0.9 | \[0.001, 1\] | share `m` of the mass that is moved, for `partial` |
/// | `max_iterations` | 10000 | integer ≥ 1 | of Sinkhorn's algorithm |
///
/// A parameter that the plan has no use for is checked for its range and changes nothing.
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; O(n_s n_t d) and the solver, see [`translearn_transport`]. The plan is `n_s x n_t`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotConverged`] when Sinkhorn's algorithm runs out of iterations,
/// [`TransferError::Unsupported`] for a plan that needs classes where labels are values, and
/// [`TransferError::TooFewRows`] for `laplace` on a side of no more rows than neighbours.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::feature::OptimalTransport;
/// use translearn_core::FitTransfer;
///
/// // The target is the source, moved by 5: its row of class 0 lies where class 1 of the source does.
/// let source = DatasetBase::new(array![[0.0], [1.0], [5.0], [6.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[5.0], [6.0], [10.0], [11.0]]);
/// let model = OptimalTransport::params().fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 1, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Courty, Flamary, Tuia, Rakotomamonjy, *Optimal Transport for Domain Adaptation*, IEEE Transactions on Pattern Analysis and
/// Machine Intelligence 39(9), 2017, doi:10.1109/TPAMI.2016.2615921; Ferradans, Papadakis, Peyré, Aujol, *Regularized Discrete
/// Optimal Transport*, SIAM Journal on Imaging Sciences 7(3), 2014, doi:10.1137/130929886 (rows out of the sample). The
/// solvers name the sources of the other plans.
///
/// *Where we differ.* POT regularises `laplace` in the units of the features; here their unit is the root of the median
/// cost, so that `η` means the same for all of them. POT moves rows that send nothing to 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimalTransportParams {
    plan: TransportPlan,
    regularization: f64,
    eta: f64,
    n_neighbors: usize,
    relaxation: f64,
    mass: f64,
    max_iterations: usize,
    #[serde(skip, default = "super::nearest")]
    learner: BaseLearner,
}

/// How the source is matched to the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportPlan {
    /// The cheapest plan.
    #[default]
    Exact,
    /// With an entropy.
    Sinkhorn,
    /// With an entropy and a group lasso over the classes of the source.
    GroupLasso,
    /// With an entropy and a concave penalty on the classes of the source.
    LpL1,
    /// With neighbours kept together on both sides.
    Laplace,
    /// With an entropy, and masses that need not be met exactly.
    Unbalanced,
    /// The cheapest plan that moves a part of the mass.
    Partial,
}

/// Error in the masses, as a share of them, at which Sinkhorn's algorithm stops.
const TOLERANCE: f64 = 1e-6;

impl Default for OptimalTransportParams {
    fn default() -> Self {
        Self {
            plan: TransportPlan::Exact,
            regularization: 0.1,
            eta: 0.1,
            n_neighbors: 3,
            relaxation: 1.0,
            mass: 0.9,
            max_iterations: 10_000,
            learner: super::nearest(),
        }
    }
}

setters!(OptimalTransportParams {
    /// Sets how the source is matched to the target.
    plan: TransportPlan,
    /// Sets the weight of the entropy.
    regularization: f64,
    /// Sets the weight of the classes, or of neighbours.
    eta: f64,
    /// Sets how many neighbours of each row are kept together.
    n_neighbors: usize,
    /// Sets what it costs not to meet the masses.
    relaxation: f64,
    /// Sets the share of the mass that a partial plan moves.
    mass: f64,
    /// Sets how many iterations Sinkhorn's algorithm may take.
    max_iterations: usize,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl OptimalTransportParams {
    /// The plan between two samples of mass 1 each.
    ///
    /// # Errors
    /// As the solver.
    pub fn transport(
        &self,
        source: &Features,
        labels: &Labels,
        target: &Features,
    ) -> Result<Array2<f64>, TransferError> {
        Ok(self.solve(source, labels, target)?.plan)
    }

    fn solve(
        &self,
        source: &Features,
        labels: &Labels,
        target: &Features,
    ) -> Result<Solved, TransferError> {
        let ground = GroundCost::SquaredEuclidean;
        let mut cost = cost_matrix(source, target, ground, CostScale::One)?;
        let unit = CostScale::Median.unit(&cost);
        cost /= unit;
        let masses = |rows: usize| Array1::from_elem(rows, 1.0 / rows as f64);
        let (a, b) = (masses(cost.nrows()), masses(cost.ncols()));
        let sinkhorn = sinkhorn(self.regularization, self.max_iterations);
        Ok(match self.plan {
            TransportPlan::Exact => emd(&cost, &a, &b)?.plan.dense().into(),
            TransportPlan::Sinkhorn => sinkhorn.solve(&cost, &a, &b)?.converged()?.plan.into(),
            TransportPlan::GroupLasso => {
                let solver = GroupLasso::new(sinkhorn, self.eta);
                let solved = solver.solve(&cost, &classes(labels)?, &a, &b)?;
                Solved::within(solved)
            }
            TransportPlan::LpL1 => {
                let solver = LpL1::new(sinkhorn, self.eta);
                let solved = solver.solve(&cost, &classes(labels)?, &a, &b)?;
                Solved {
                    plan: solved.plan,
                    series: Some(("objective", solved.objectives)),
                }
            }
            TransportPlan::Laplace => {
                let rows = |x: &Features| Ok::<_, TransferError>(&*x.dense()? / unit.sqrt());
                let solver = Laplace::new(self.eta).n_neighbors(self.n_neighbors);
                let solved = solver.solve(&cost, &rows(source)?, &rows(target)?, &a, &b)?;
                Solved::within(solved)
            }
            TransportPlan::Unbalanced => {
                let solver = sinkhorn.relaxation(self.relaxation);
                solver.solve(&cost, &a, &b)?.converged()?.plan.into()
            }
            TransportPlan::Partial => {
                // The masses add up to 1 but for rounding.
                let mass = self.mass.min(a.sum()).min(b.sum());
                partial_emd(&cost, &a, &b, mass)?.plan.dense().into()
            }
        })
    }
}

/// A plan, and what the trace holds of its solver.
struct Solved {
    plan: Array2<f64>,
    series: Option<(&'static str, Vec<f64>)>,
}

impl From<Array2<f64>> for Solved {
    fn from(plan: Array2<f64>) -> Self {
        Self { plan, series: None }
    }
}

impl Solved {
    /// Of a descent that may have ended before its gap was closed.
    fn within(solved: RegularizedPlan) -> Self {
        Self {
            plan: solved.plan,
            series: Some(("gap", vec![solved.gap])),
        }
    }
}

/// Sinkhorn's algorithm as the methods of this crate use it.
pub(crate) fn sinkhorn(regularization: f64, max_iterations: usize) -> Sinkhorn {
    Sinkhorn::new(regularization)
        .tolerance(TOLERANCE)
        .max_iterations(max_iterations)
        .epsilon_scaling(true)
}

fn classes(labels: &Labels) -> Result<Vec<usize>, TransferError> {
    Ok(labels.classes("optimal-transport")?.to_vec())
}

impl FitAlign for OptimalTransportParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let Solved { plan, series } = self.solve(&source.features, &source.labels, target)?;
        let rows = source.features.dense()?.into_owned();
        let images = barycentric_map(&plan, &rows, &*target.dense()?)?;
        let mapped = shared_images(&source.features, images)?;
        let named = |(name, values): (&str, _)| (name.to_owned(), values);
        Ok(Alignment {
            map: Box::new(OptimalTransport {
                source: rows,
                mapped,
            }),
            trace: Trace {
                series: series.into_iter().map(named).collect(),
                ..Trace::default()
            },
        })
    }
}

/// The mean image of all rows that are alike: a plan may send them to different places, a map cannot.
pub(crate) fn shared_images(
    rows: &Features,
    mut images: Array2<f64>,
) -> Result<Array2<f64>, TransferError> {
    let first_alike = nearest(rows, rows, 1)?.indices.remove_axis(Axis(1));
    let mut counts = vec![0.0; images.nrows()];
    for (row, &first) in first_alike.iter().enumerate() {
        counts[first] += 1.0;
        if row != first {
            let image = images.row(row).to_owned();
            images.row_mut(first).scaled_add(1.0, &image);
        }
    }
    for (row, &first) in first_alike.iter().enumerate() {
        let shared = if row == first {
            &images.row(first) / counts[first]
        } else {
            images.row(first).to_owned()
        };
        images.row_mut(row).assign(&shared);
    }
    Ok(images)
}

transfer_method!(OptimalTransportParams, INFO, |method, problem, seed| {
    fit_aligned(method, &method.learner, problem, seed)
});

impl<TT> AcceptsTarget<TT> for OptimalTransportParams {}

static INFO: MethodInfo = MethodInfo {
    name: "optimal-transport",
    title: "Optimal transport",
    family: Family::Feature,
    what: What::Features,
    needs: map_needs(Outputs::Both),
    parameters: &[
        ParamInfo {
            name: "plan",
            default: "\"exact\"",
            range: ParamRange::Choice(&[
                "exact",
                "sinkhorn",
                "group-lasso",
                "lp-l1",
                "laplace",
                "unbalanced",
                "partial",
            ]),
            doc: "The solver: exact, with an entropy, with classes kept apart or neighbours together, with masses relaxed, or of a part.",
        },
        ParamInfo {
            name: "regularization",
            default: "0.1",
            range: ParamRange::Positive,
            doc: "Weight of the entropy, in medians of the cost, for plans that have one.",
        },
        ParamInfo {
            name: "eta",
            default: "0.1",
            range: ParamRange::Positive,
            doc: "Weight of the classes, for group-lasso and lp-l1, or of neighbours, for laplace.",
        },
        ParamInfo {
            name: "n_neighbors",
            default: "3",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Neighbours of each row that laplace keeps together.",
        },
        ParamInfo {
            name: "relaxation",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "What it costs not to meet the masses, in medians of the cost, for unbalanced.",
        },
        ParamInfo {
            name: "mass",
            default: "0.9",
            range: ParamRange::Real {
                low: 1e-3,
                high: 1.0,
            },
            doc: "Share of the mass that partial moves.",
        },
        ParamInfo {
            name: "max_iterations",
            default: "10000",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Iterations of Sinkhorn's algorithm.",
        },
    ],
    exemptions: &[],
    reference: "Courty, Flamary, Tuia, Rakotomamonjy. Optimal Transport for Domain Adaptation. IEEE TPAMI 39(9), 2017. doi:10.1109/TPAMI.2016.2615921",
};

/// Source rows and where they went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimalTransport {
    source: Array2<f64>,
    mapped: Array2<f64>,
}

impl OptimalTransport {
    /// Default parameters.
    pub fn params() -> OptimalTransportParams {
        OptimalTransportParams::default()
    }

    /// Where the source rows of the fit went (`n_s x d`).
    pub fn mapped(&self) -> &Array2<f64> {
        &self.mapped
    }
}

#[typetag::serde(name = "optimal-transport")]
impl DomainMap for OptimalTransport {
    fn map_source(&self, source: &Features) -> Result<Features, TransferError> {
        translearn_core::check_prediction_rows(source, self.source.ncols())?;
        Ok(map_out_of_sample(&*source.dense()?, &self.source, &self.mapped)?.into())
    }

    fn map_target(&self, target: &Features) -> Result<Features, TransferError> {
        translearn_core::check_prediction_rows(target, self.source.ncols())?;
        Ok(target.clone())
    }
}
