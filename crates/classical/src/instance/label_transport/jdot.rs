//! Joint distribution optimal transport.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use translearn_core::{
    AcceptsTarget, BaseLearner, Family, Fitted, Labels, MethodInfo, Outputs, ParamInfo, ParamRange,
    PlainModel, Prediction, Predictor, Trace, TransferError, TransferProblem, What, setters,
    transfer_method,
};
use translearn_transport::{CostScale, GroundCost, cost_matrix};

use super::{REGULARIZATION, carried, coupling, fit_carried, keep_known, label_columns};
use crate::instance::{logistic, shares::class_shares, weighted_learner, weighting_needs};

/// Probabilities below count as this much, so that a wrong answer that is sure of itself has a finite cost.
const LEAST_PROBABILITY: f64 = 1e-6;

/// Parameters of joint distribution optimal transport (JDOT): finds the plan and the model of the target that fit each other
/// best, where a source row and a target row match when both their features and the label of the one and the prediction of
/// the other are close.
///
/// *Setting.* Labels in the source; none needed in the target (target labels that are known stand in place of predictions).
/// *When.* Features and labels shift together, in a way that a map of the features alone would not find: so in regression.
///
/// # Formula
///
/// $$\min_{f,\, P} \sum_{ij} P_{ij} \bigl(\alpha\, C_{ij} + L(y_i, f(x_j))\bigr) + \lambda\, \Omega(f)$$
///
/// over plans that give each source row the mass `1 / n_s` and each target row `1 / n_t`. `C` holds squared Euclidean
/// distances divided by their median. `L` is `(y − f)² / Var(y)`, with the variance of the source labels, or `−ln p_y` for
/// classes, with the probabilities that the learner gives (of decision values the logistic functions,
/// scaled to sum 1). `Ω` is what the learner penalises.
///
/// # Steps
///
/// 1. The plan for `α C` alone.
/// 2. The learner is fitted on the target. For values, `Σ_ij P_ij (y_i − f(x_j))²` is `Σ_j (ŷ_j − f(x_j))² / n_t` and a
///    constant, with `ŷ_j = n_t Σ_i P_ij y_i`. For classes row `j` stands once for each class, with the weight
///    `n_t Σ_(i of the class) P_ij`.
/// 3. The plan for the costs under the new predictions; repeat from 2. It ends early when the plan does not change.
///
/// A learner that minimises `L` and its penalty (`ridge` for values, `logistic` for classes) makes both steps minimisations
/// of one objective, which never rises; there are finitely many exact plans, so it ends. With others nothing is promised.
///
/// The series `objective` of the trace has `Σ P (α C + L)` after each round.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `alpha` | 1 | (0, ∞) | weight of the features against the labels |
/// | `regularization` | `null` | (0, ∞) or `null` | weight of an entropy of the plan; `null`: none, the exact plan |
/// | `n_iterations` | 10 | integer ≥ 1 | rounds |
///
/// # Shapes and cost
///
/// Source `n_s x d`, target `n_t x d`; O(n_s n_t d) once; each round costs a fit, O(n_s n_t) and the solver, see
/// [`emd`](translearn_transport::emd()) and [`Sinkhorn`](translearn_transport::Sinkhorn).
///
/// # Errors
///
/// [`TransferError::FeatureMismatch`]; [`TransferError::NotConverged`] when Sinkhorn's algorithm runs out of iterations.
///
/// # Example
///
/// ```
/// use linfa::DatasetBase;
/// use ndarray::array;
/// use translearn_classical::Jdot;
/// use translearn_core::FitTransfer;
/// use translearn_learners::Ridge;
///
/// // y = x in the source; the target is twice as wide.
/// let source = DatasetBase::new(array![[0.0], [1.0], [2.0], [3.0]], array![0.0, 1.0, 2.0, 3.0]);
/// let target = DatasetBase::from(array![[0.0], [2.0], [4.0], [6.0]]);
/// let model = Jdot::params().learner(Ridge::params().lambda(0.0)).fit_transfer(&source, &target)?;
/// let predicted: ndarray::Array1<f64> = model.predict(&array![[5.0]])?;
/// assert!((predicted[0] - 2.5).abs() < 1e-9);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Courty, Flamary, Habrard, Rakotomamonjy, *Joint Distribution Optimal Transportation for Domain Adaptation*, NIPS 2017,
/// arXiv:1705.08848.
///
/// *Where we differ.* The paper divides `C` by its largest entry, its code by the median, and neither divides `L`: here both
/// have a unit, so that `α` means the same for labels of any scale. The loss of classes is the cross-entropy, as in skada,
/// where the paper has a squared hinge; probabilities below 1e-6 count as 1e-6.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JdotParams {
    alpha: f64,
    regularization: Option<f64>,
    n_iterations: usize,
    #[serde(skip, default = "logistic")]
    learner: BaseLearner,
}

impl Default for JdotParams {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            regularization: None,
            n_iterations: 10,
            learner: logistic(),
        }
    }
}

setters!(JdotParams {
    /// Sets the weight of the features against the labels.
    alpha: f64,
    /// Sets the weight of the entropy.
    regularization: Some(f64),
    /// Sets the number of rounds.
    n_iterations: usize,
});

weighted_learner!(JdotParams);

/// A plan and a model of the target that fit each other.
#[derive(Debug)]
pub struct JointTransport {
    /// The model.
    pub predictor: Box<dyn Predictor>,
    /// The plan, `n_s x n_t`.
    pub plan: Array2<f64>,
    /// `α C + L` under the predictions of the model, `n_s x n_t`.
    pub cost: Array2<f64>,
    /// `Σ P (α C + L)` after each round.
    pub objectives: Vec<f64>,
}

impl JdotParams {
    /// The plan and the model.
    ///
    /// # Errors
    /// As the fit.
    pub fn solve(
        &self,
        problem: &TransferProblem,
        seed: u64,
    ) -> Result<JointTransport, TransferError> {
        let source = problem.source()?;
        let target = problem.target_features();
        let ground = GroundCost::SquaredEuclidean;
        let mut of_features = cost_matrix(&source.features, target, ground, CostScale::Median)?;
        of_features *= self.alpha;
        let labels = label_columns(&source.labels, problem.n_classes());
        let loss = Loss::of(&source.labels);
        // Known labels count from the beginning: of the other rows nothing is predicted yet.
        let mut start = Array2::zeros((target.n_rows(), labels.ncols()));
        keep_known(problem, &mut start);
        let mut cost = of_features.clone();
        loss.add_to(
            &mut cost,
            &start,
            problem.target_task().rows.iter().copied(),
        );
        let mut plan = coupling(&cost, self.regularization)?;
        let mut objectives = Vec::new();
        loop {
            let mut found = carried(&plan, &labels)?;
            keep_known(problem, &mut found);
            let predictor = fit_carried(&self.learner, problem, &found, seed)?;
            let mut answers = answers(&predictor.predict(target)?, problem.n_classes())?;
            keep_known(problem, &mut answers);
            cost.assign(&of_features);
            loss.add_to(&mut cost, &answers, 0..target.n_rows());
            objectives.push((&plan * &cost).sum());
            let next = match objectives.len() < self.n_iterations {
                true => coupling(&cost, self.regularization)?,
                false => plan.clone(),
            };
            if next == plan {
                return Ok(JointTransport {
                    predictor,
                    plan,
                    cost,
                    objectives,
                });
            }
            plan = next;
        }
    }
}

/// Predictions as a table: shares of the classes, or one column of values.
fn answers(prediction: &Prediction, n_classes: usize) -> Result<Array2<f64>, TransferError> {
    match &prediction.labels {
        Labels::Classes(_) => class_shares(prediction, n_classes),
        Labels::Values(_) => Ok(label_columns(&prediction.labels, n_classes)),
    }
}

/// What it costs to predict for a label of the source.
enum Loss<'a> {
    /// Cross-entropy.
    Classes(&'a Array1<usize>),
    /// Squares in units of the variance.
    Values(&'a Array1<f64>, f64),
}

impl<'a> Loss<'a> {
    fn of(labels: &'a Labels) -> Self {
        match labels {
            Labels::Classes(codes) => Self::Classes(codes),
            Labels::Values(values) => {
                let variance = values.var(0.0);
                Self::Values(values, if variance > 0.0 { variance } else { 1.0 })
            }
        }
    }

    /// Adds `L(y_i, answer_j)` to the costs of the target rows `columns`.
    fn add_to(
        &self,
        cost: &mut Array2<f64>,
        answers: &Array2<f64>,
        columns: impl Iterator<Item = usize>,
    ) {
        for j in columns {
            let answer = answers.row(j);
            let mut column = cost.column_mut(j);
            match self {
                Self::Classes(codes) => {
                    let losses = answer.mapv(|share| -share.max(LEAST_PROBABILITY).ln());
                    for (cost, &class) in column.iter_mut().zip(*codes) {
                        *cost += losses[class];
                    }
                }
                Self::Values(values, variance) => {
                    for (cost, value) in column.iter_mut().zip(*values) {
                        *cost += (value - answer[0]).powi(2) / variance;
                    }
                }
            }
        }
    }
}

crate::method_name!(Jdot => JdotParams, "Joint distribution optimal transport");

transfer_method!(JdotParams, INFO, |method, problem, seed| {
    let joint = method.solve(problem, seed)?;
    Ok(Fitted {
        model: Box::new(PlainModel::new(joint.predictor)),
        trace: Trace {
            series: [("objective".to_owned(), joint.objectives)].into(),
            ..Trace::default()
        },
    })
});

impl<TT> AcceptsTarget<TT> for JdotParams {}

static INFO: MethodInfo = MethodInfo {
    name: "jdot",
    title: "Joint distribution optimal transport (JDOT)",
    family: Family::Instance,
    what: What::Instances,
    needs: weighting_needs(false, Outputs::Both, true),
    parameters: &[
        ParamInfo {
            name: "alpha",
            default: "1.0",
            range: ParamRange::Positive,
            doc: "Weight of the distance of features against the loss of labels.",
        },
        REGULARIZATION,
        ParamInfo {
            name: "n_iterations",
            default: "10",
            range: ParamRange::Integer {
                low: 1,
                high: u64::MAX,
            },
            doc: "Rounds of matching and fitting; they end early when the plan repeats.",
        },
    ],
    exemptions: &[],
    reference: "Courty, Flamary, Habrard, Rakotomamonjy. Joint Distribution Optimal Transportation for Domain Adaptation. NIPS 2017. arXiv:1705.08848",
};
