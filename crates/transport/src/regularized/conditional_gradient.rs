//! Descent towards plans that are cheapest for a linear model of the objective.

use ndarray::Array2;
use translearn_core::TransferError;

use crate::sinkhorn::Status;

/// A plan with what it is away from the best at most.
#[derive(Debug, Clone, PartialEq)]
pub struct RegularizedPlan {
    /// `P`, `n x m`.
    pub plan: Array2<f64>,
    /// The objective.
    pub objective: f64,
    /// The objective is above its minimum by no more than this.
    pub gap: f64,
    /// Steps done.
    pub iterations: usize,
    /// Whether the gap came down to the tolerance.
    pub status: Status,
}

/// A convex objective over plans.
pub(super) trait Objective {
    /// The objective at a plan.
    fn value(&self, plan: &Array2<f64>) -> f64;

    /// The plan that minimises the model of the objective around a plan, and by how much the model falls: since the
    /// objective is convex and nowhere below its model, no plan can be better by more.
    fn model_minimum(&self, plan: &Array2<f64>) -> Result<(Array2<f64>, f64), TransferError>;

    /// The best length in `[0, 1]` of a step from a plan.
    fn step_length(&self, plan: &Array2<f64>, direction: &Array2<f64>) -> f64;
}

/// Steps until the gap is at most `tolerance`, or `max_iterations` are done.
pub(super) fn conditional_gradient(
    objective: &impl Objective,
    start: Array2<f64>,
    tolerance: f64,
    max_iterations: usize,
) -> Result<RegularizedPlan, TransferError> {
    let mut plan = start;
    let mut iterations = 0;
    loop {
        let (towards, gap) = objective.model_minimum(&plan)?;
        // Also when the gap is below 0 by rounding.
        let converged = gap <= tolerance;
        if converged || iterations == max_iterations {
            return Ok(RegularizedPlan {
                objective: objective.value(&plan),
                plan,
                gap: gap.max(0.0),
                iterations,
                status: if converged {
                    Status::Converged
                } else {
                    Status::IterationLimit
                },
            });
        }
        let direction = towards - &plan;
        let length = objective.step_length(&plan, &direction);
        plan.scaled_add(length, &direction);
        // Rounding of a full step may go below 0.
        plan.mapv_inplace(|mass| mass.max(0.0));
        iterations += 1;
    }
}
