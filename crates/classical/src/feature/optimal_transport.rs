//! Optimal transport for domain adaptation.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, Alignment, BaseLearner, DomainMap, Family, Features, FitAlign, Labels,
    MethodInfo, Outputs, ParamInfo, ParamRange, TransferError, TransferProblem, What,
    distance::nearest, fit_aligned, setters, transfer_method,
};
use translearn_transport::{
    CostScale, GroundCost, GroupLasso, LpL1, Sinkhorn, barycentric_map, cost_matrix, emd,
    map_out_of_sample,
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
/// 1. The plan, as `plan` says: `exact` has neither entropy nor `Ω`, `sinkhorn` no `Ω`; `group-lasso` and `lp-l1` keep the
///    classes of the source apart.
/// 2. The barycentric map of the source rows; rows that are alike share the mean of their images. Any other row of the source
///    moves as its nearest row of the fit does.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `plan` | `exact` | `exact`, `sinkhorn`, `group-lasso`, `lp-l1` | the solver |
/// | `regularization` | 0.1 | (0, ∞) | `ε`, in medians of the cost; unused by `exact` |
/// | `eta` | 0.1 | (0, ∞) | weight `η` of the classes, for `group-lasso` and `lp-l1` |
/// | `max_iterations` | 10000 | integer ≥ 1 | of Sinkhorn's algorithm |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; O(n_s n_t d) and the solver, see [`translearn_transport`]. The plan is `n_s x n_t`.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`], [`TransferError::NotConverged`] when Sinkhorn's algorithm runs out of iterations, and
/// [`TransferError::Unsupported`] for a plan that needs classes where labels are values.
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
/// Optimal Transport*, SIAM Journal on Imaging Sciences 7(3), 2014, doi:10.1137/130929886 (rows out of the sample).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimalTransportParams {
    plan: TransportPlan,
    regularization: f64,
    eta: f64,
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
}

/// Error in the masses, as a share of them, at which Sinkhorn's algorithm stops.
const TOLERANCE: f64 = 1e-6;

impl Default for OptimalTransportParams {
    fn default() -> Self {
        Self {
            plan: TransportPlan::Exact,
            regularization: 0.1,
            eta: 0.1,
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
    /// Sets the weight of the classes.
    eta: f64,
    /// Sets how many iterations Sinkhorn's algorithm may take.
    max_iterations: usize,
    /// Sets the base learner.
    learner: impl Into<BaseLearner>,
});

impl OptimalTransportParams {
    /// The plan between two samples of equal masses.
    ///
    /// # Errors
    /// As the solver.
    pub fn transport(
        &self,
        source: &Features,
        labels: &Labels,
        target: &Features,
    ) -> Result<Array2<f64>, TransferError> {
        let cost = cost_matrix(
            source,
            target,
            GroundCost::SquaredEuclidean,
            CostScale::Median,
        )?;
        let masses = |rows: usize| Array1::from_elem(rows, 1.0 / rows as f64);
        let (a, b) = (masses(cost.nrows()), masses(cost.ncols()));
        let sinkhorn = Sinkhorn::new(self.regularization)
            .tolerance(TOLERANCE)
            .max_iterations(self.max_iterations)
            .epsilon_scaling(true);
        Ok(match self.plan {
            TransportPlan::Exact => emd(&cost, &a, &b)?.plan.dense(),
            TransportPlan::Sinkhorn => sinkhorn.solve(&cost, &a, &b)?.converged()?.plan,
            TransportPlan::GroupLasso => {
                let solver = GroupLasso::new(sinkhorn, self.eta);
                solver.solve(&cost, &classes(labels)?, &a, &b)?.plan
            }
            TransportPlan::LpL1 => {
                let solver = LpL1::new(sinkhorn, self.eta);
                solver.solve(&cost, &classes(labels)?, &a, &b)?.plan
            }
        })
    }
}

fn classes(labels: &Labels) -> Result<Vec<usize>, TransferError> {
    Ok(labels.classes("optimal-transport")?.to_vec())
}

impl FitAlign for OptimalTransportParams {
    fn fit_align(&self, problem: &TransferProblem, _seed: u64) -> Result<Alignment, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let plan = self.transport(&source.features, &source.labels, target)?;
        let rows = source.features.dense()?.into_owned();
        let images = barycentric_map(&plan, &rows, &*target.dense()?)?;
        let mapped = shared_images(&source.features, images)?;
        Ok(OptimalTransport {
            source: rows,
            mapped,
        }
        .into())
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
            range: ParamRange::Choice(&["exact", "sinkhorn", "group-lasso", "lp-l1"]),
            doc: "The solver: exact, with an entropy, or with an entropy and the classes of the source kept apart.",
        },
        ParamInfo {
            name: "regularization",
            default: "0.1",
            range: ParamRange::Positive,
            doc: "Weight of the entropy, in medians of the cost; unused by the exact plan.",
        },
        ParamInfo {
            name: "eta",
            default: "0.1",
            range: ParamRange::Positive,
            doc: "Weight of the classes, for group-lasso and lp-l1.",
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

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use translearn_core::{FitTransfer, distance::squared_distances, seed};

    use super::*;

    fn normal(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut rng = seed::rng(seed);
        Array2::from_shape_simple_fn((n, d), || rng.normal())
    }

    fn fitted(
        params: &OptimalTransportParams,
        source: &Array2<f64>,
        labels: &Array1<usize>,
        target: &Array2<f64>,
    ) -> Result<Alignment, TransferError> {
        let source = linfa::DatasetBase::new(source.clone(), labels.clone());
        let target = linfa::DatasetBase::from(target.clone());
        params.fit_align(&TransferProblem::new(&source, &target)?, 0)
    }

    proptest! {
        /// As many rows on both sides: every source row lands on a target row, each of them taken once, at the least cost.
        #[test]
        fn the_exact_plan_is_the_best_assignment(n in 1_usize..6, seed in 0_u64..10_000) {
            let (source, target) = (normal(n, 2, seed), normal(n, 2, seed + 1));
            let labels = Array1::zeros(n);
            let map = fitted(&OptimalTransportParams::default(), &source, &labels, &target).unwrap().map;
            let mapped = map.map_source(&source.clone().into()).unwrap();
            let cost = squared_distances(&source.clone().into(), &target.clone().into()).unwrap();
            let mut best = (f64::INFINITY, Vec::new());
            permutations(n, &mut Vec::new(), &mut |order| {
                let sum: f64 = order.iter().enumerate().map(|(i, &j)| cost[[i, j]]).sum();
                if sum < best.0 {
                    best = (sum, order.to_vec());
                }
            });
            let expected = target.select(Axis(0), &best.1);
            let worst = (&*mapped.dense().unwrap() - &expected).fold(0.0_f64, |worst, v| worst.max(v.abs()));
            prop_assert!(worst < 1e-9, "{worst}");
        }

        /// The image is the mean of the target under the plan, entry by entry, whichever plan.
        #[test]
        fn images_are_means_of_the_target_under_the_plan(seed in 0_u64..1000, which in 0_usize..4) {
            let plan = [TransportPlan::Exact, TransportPlan::Sinkhorn, TransportPlan::GroupLasso, TransportPlan::LpL1][which];
            let params = OptimalTransportParams::default().plan(plan).regularization(0.5);
            let (source, target) = (normal(7, 3, seed), normal(5, 3, seed + 1));
            let labels = Array1::from_shape_fn(7, |row| row % 2);
            let plan = params
                .transport(&source.clone().into(), &labels.clone().into(), &target.clone().into())
                .unwrap();
            for (row, sent) in plan.rows().into_iter().enumerate() {
                prop_assert!((sent.sum() - 1.0 / 7.0).abs() < 1e-6, "row {}: {}", row, sent.sum());
            }
            let map = fitted(&params, &source, &labels, &target).unwrap().map;
            let mapped = map.map_source(&source.into()).unwrap();
            for ((i, k), image) in mapped.dense().unwrap().indexed_iter() {
                let (mut above, mut below) = (0.0, 0.0);
                for j in 0..5 {
                    above += plan[[i, j]] * target[[j, k]];
                    below += plan[[i, j]];
                }
                prop_assert!((image - above / below).abs() < 1e-9);
            }
        }
    }

    fn permutations(n: usize, taken: &mut Vec<usize>, see: &mut impl FnMut(&[usize])) {
        if taken.len() == n {
            see(taken);
            return;
        }
        for next in 0..n {
            if !taken.contains(&next) {
                taken.push(next);
                permutations(n, taken, see);
                taken.pop();
            }
        }
    }

    /// Each plan that keeps classes apart has less of what it is to make small than the plan without.
    #[test]
    fn classes_are_kept_apart_where_that_is_asked_for() {
        let (source, target) = (normal(40, 2, 3), normal(30, 2, 4));
        let labels = Array1::from_shape_fn(40, |row| row % 2);
        let terms = |plan, exponent: i32| {
            let params = OptimalTransportParams::default().plan(plan).eta(10.0);
            let plan = params
                .transport(
                    &source.clone().into(),
                    &labels.clone().into(),
                    &target.clone().into(),
                )
                .unwrap();
            let of_class = |column: ndarray::ArrayView1<'_, f64>, class: usize| -> f64 {
                column
                    .iter()
                    .skip(class)
                    .step_by(2)
                    .map(|p| p.powi(exponent))
                    .sum()
            };
            let columns = plan.columns().into_iter();
            columns
                .map(|column| of_class(column, 0).sqrt() + of_class(column, 1).sqrt())
                .sum::<f64>()
        };
        // The group lasso: the root of a sum of squares; the other: the root of a sum.
        for (plan, exponent) in [(TransportPlan::GroupLasso, 2), (TransportPlan::LpL1, 1)] {
            let (with, without) = (
                terms(plan, exponent),
                terms(TransportPlan::Sinkhorn, exponent),
            );
            assert!(with < 0.98 * without, "{plan:?}: {with} and {without}");
        }
    }

    #[test]
    fn rows_that_are_alike_go_to_one_place() {
        let source = array![[0.0], [0.0], [5.0]];
        let target = array![[0.0], [1.0], [6.0]];
        let map = fitted(
            &OptimalTransportParams::default(),
            &source,
            &array![0, 1, 1],
            &target,
        )
        .unwrap()
        .map;
        // A row of the fit, one beside it, and rows of the target.
        let mapped = map
            .map_source(&array![[0.0], [0.25], [5.0]].into())
            .unwrap();
        assert_eq!(*mapped.dense().unwrap(), array![[0.5], [0.75], [6.0]]);
        assert_eq!(
            *map.map_target(&target.clone().into())
                .unwrap()
                .dense()
                .unwrap(),
            target
        );
    }

    #[test]
    fn classes_of_real_labels_cannot_be_kept_apart() {
        let source = linfa::DatasetBase::new(normal(6, 2, 1), Array1::linspace(0.0, 1.0, 6));
        let target = linfa::DatasetBase::from(normal(6, 2, 2));
        let fit = |plan| {
            OptimalTransportParams::default()
                .plan(plan)
                .fit_transfer(&source, &target)
        };
        assert!(fit(TransportPlan::Exact).is_ok());
        let error = fit(TransportPlan::GroupLasso).unwrap_err().to_string();
        assert!(
            error.contains("optimal-transport") && error.contains("class"),
            "{error}"
        );
    }
}
