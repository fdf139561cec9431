//! Joint class proportions and optimal transport.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, MethodInfo, Outputs, ParamInfo, ParamRange,
    PlainModel, Trace, TransferError, TransferProblem, What, setters, transfer_method,
};
use translearn_transport::{
    ClassProportions, CostScale, GroundCost, ProportionedPlans, cost_matrix,
};

use super::{carried, fit_carried, keep_known, label_columns};
use crate::instance::{logistic, weighted_learner, weighting_needs};

/// Parameters of joint class proportions and optimal transport (JCPOT): finds the shares of the classes in the target with
/// which all sources are cheapest to transport onto it, carries their labels there along the plans, then fits a learner on
/// the target.
///
/// *Setting.* Classes in one or more sources; none needed in the target (target labels that are known stay as they are).
/// *When.* A class looks the same in every domain, but its share differs: a plan that gives all source rows the same mass,
/// as [`LabelPropagation`](crate::LabelPropagation) has it, would send rows of a class that is rarer in the target to other
/// classes.
///
/// # Formula
///
/// $$\min_{h,\, P^{(k)}} \frac1K \sum_{k=1}^K \sum_{ij} C^{(k)}_{ij} P^{(k)}_{ij} + \varepsilon \sum_{ij} P^{(k)}_{ij}
///   (\ln P^{(k)}_{ij} - 1), \qquad \hat y_{jc} = \frac{1}{K} \sum_k n_t \sum_{i \text{ of class } c} P^{(k)}_{ij}$$
///
/// over plans that give each target row the mass `1 / n_t` and row `i` of class `c` in source `k` the mass `h_c / n_kc`, with
/// `n_kc` rows of the class there. `C` holds squared Euclidean distances divided by their median over all sources. The
/// learner gets target row `j` once for each class, weighted by `ŷ_jc`.
///
/// The series `target-prior` of the trace has `h`.
///
/// # Steps
///
/// [`ClassProportions`] finds `h` and the plans by Bregman's projections.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `regularization` | 0.1 | (0, ∞) | `ε`, in medians of the cost |
/// | `tolerance` | 1e-6 | (0, ∞) | error in the masses, as a share of them, at which the projections end |
/// | `max_iterations` | 10000 | integer ≥ 1 | pairs of projections |
///
/// # Shapes and cost
///
/// Sources `n_k x d`, target `n_t x d`; O(n_t d Σ n_k) and O(n_t Σ n_k) an iteration.
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::Unsupported`] for real-valued labels, and where a source lacks a class
/// that another has; [`TransferError::NotConverged`] when the projections run out of iterations.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::Jcpot;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ridge;
///
/// // Half of the source is of class 1, and a quarter of the target.
/// let source = DatasetBase::new(array![[0.0], [1.0], [8.0], [9.0]], array![0, 0, 1, 1]);
/// let target = DatasetBase::from(array![[0.0], [0.2], [0.9], [8.5]]);
/// let model = Jcpot::params().learner(Ridge::params()).fit_transfer(&source, &target)?;
/// assert_eq!(model.predict(target.records())?, array![0, 0, 0, 1]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Redko, Courty, Flamary, Tuia, *Optimal Transport for Multi-source Domain Adaptation under Target Shift*, AISTATS 2019,
/// arXiv:1803.04899.
///
/// *Where we differ.* `h` is the minimum of the problem, see [`ClassProportions`]; the paper labels the rows at hand, the
/// learner for new rows is ours; POT divides the labels by the masses of the sources' rows rather than by those of the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JcpotParams {
    regularization: f64,
    tolerance: f64,
    max_iterations: usize,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for JcpotParams {
    fn default() -> Self {
        Self {
            regularization: 0.1,
            tolerance: 1e-6,
            max_iterations: 10_000,
            learner: logistic(),
        }
    }
}

setters!(JcpotParams {
    /// Sets the weight of the entropy.
    regularization: f64,
    /// Sets the error in the masses at which the projections end.
    tolerance: f64,
    /// Sets how many pairs of projections there may be.
    max_iterations: usize,
});

weighted_learner!(JcpotParams);

impl JcpotParams {
    /// The shares of the classes in the target, and the plan of each source that has labels.
    pub(super) fn transport(
        &self,
        problem: &TransferProblem,
    ) -> Result<ProportionedPlans, TransferError> {
        // Without any label there is an error that says so.
        let pooled = problem.source()?;
        pooled.labels.classes(INFO.name)?;
        let target = problem.target_features();
        let ground = GroundCost::SquaredEuclidean;
        let all = cost_matrix(&pooled.features, target, ground, CostScale::Median)?;
        let (mut costs, mut classes, mut first) = (Vec::new(), Vec::new(), 0);
        for source in problem.labelled_sources() {
            let codes = source.labels.classes(INFO.name)?.to_vec();
            let rows = first..first + codes.len();
            first = rows.end;
            costs.push(all.slice(ndarray::s![rows, ..]).to_owned());
            classes.push(codes);
        }
        let masses = Array1::from_elem(target.n_rows(), 1.0 / target.n_rows() as f64);
        ClassProportions::new(self.regularization)
            .tolerance(self.tolerance)
            .max_iterations(self.max_iterations)
            .solve(&costs, &classes, &masses)
    }

    /// The mean over the sources of what their plans bring.
    pub(super) fn propagate(
        problem: &TransferProblem,
        plans: &[Array2<f64>],
    ) -> Result<Array2<f64>, TransferError> {
        let shape = (problem.target_features().n_rows(), problem.n_classes());
        let mut found = Array2::zeros(shape);
        for (source, plan) in problem.labelled_sources().zip(plans) {
            found += &carried(plan, &label_columns(&source.labels, problem.n_classes()))?;
        }
        found /= plans.len() as f64;
        keep_known(problem, &mut found);
        Ok(found)
    }

    fn fit_model(&self, problem: &TransferProblem, seed: u64) -> Result<Fitted, TransferError> {
        let solved = self.transport(problem)?;
        let found = Self::propagate(problem, &solved.plans)?;
        let predictor = fit_carried(&self.learner, problem, &found, seed)?;
        let mut prior = solved.proportions.to_vec();
        prior.resize(problem.n_classes(), 0.0);
        Ok(Fitted {
            model: Box::new(PlainModel::new(predictor)),
            trace: Trace {
                series: [("target-prior".to_owned(), prior)].into(),
                ..Trace::default()
            },
        })
    }
}

crate::method_name!(Jcpot => JcpotParams, "Joint class proportions and optimal transport");

transfer_method!(JcpotParams, INFO, |method, problem, seed| {
    method.fit_model(problem, seed)
});

impl<TT> AcceptsTarget<TT> for JcpotParams {}

static INFO: MethodInfo = MethodInfo {
    name: "jcpot",
    title: "Joint class proportions and optimal transport (JCPOT)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Classification, true),
    parameters: &[
        ParamInfo {
            name: "regularization",
            default: "0.1",
            range: ParamRange::Positive,
            doc: "Weight of the entropy of the plans, in medians of the cost.",
        },
        ParamInfo {
            name: "tolerance",
            default: "1e-6",
            range: ParamRange::Positive,
            doc: "Error in the masses, as a share of them, at which the projections end.",
        },
        ParamInfo {
            name: "max_iterations",
            default: "10000",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Pairs of projections.",
        },
    ],
    exemptions: &[],
    reference: "Redko, Courty, Flamary, Tuia. Optimal Transport for Multi-source Domain Adaptation under Target Shift. AISTATS 2019. arXiv:1803.04899",
};
