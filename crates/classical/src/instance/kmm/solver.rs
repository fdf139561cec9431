//! A convex quadratic program over a box and a band: accelerated projected gradients to find the active bounds, damped
//! Newton steps on the free weights to finish.

use ndarray::{Array1, Array2, Axis};
use translearn_core::{TransferError, linalg::cholesky};

use super::Bounds;

/// `min ½βᵀKβ − κᵀβ` within bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticProgram {
    /// `K`, `n x n`, symmetric and positive semi-definite.
    pub quadratic: Array2<f64>,
    /// `κ`, length `n`.
    pub linear: Array1<f64>,
    /// What `β` has to satisfy.
    pub bounds: Bounds,
}

/// A point that satisfies the optimality conditions up to the tolerance asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// `β`.
    pub weights: Array1<f64>,
    /// `½βᵀKβ − κᵀβ`.
    pub objective: f64,
    /// `‖β − P(β − ∇)‖_∞ / max(1, ‖κ‖_∞)` with the projection `P` onto the feasible set: 0 exactly at an optimum.
    pub violation: f64,
}

/// Where the iteration stands: the point and its gradient `Kβ − κ`.
struct State {
    weights: Array1<f64>,
    gradient: Array1<f64>,
}

const GRADIENT_STEPS: usize = 50;
const ROUNDS: usize = 200;
const HALVINGS: usize = 12;

impl QuadraticProgram {
    /// `½βᵀKβ − κᵀβ`.
    pub fn objective(&self, weights: &Array1<f64>) -> f64 {
        0.5 * weights.dot(&self.quadratic.dot(weights)) - self.linear.dot(weights)
    }

    /// How far a point is from satisfying the optimality conditions, see [`Solution::violation`].
    pub fn violation(&self, weights: &Array1<f64>) -> f64 {
        self.violation_at(&self.state(weights.clone()))
    }

    /// Solves to a relative violation of at most `tolerance`, starting from weights of 1.
    ///
    /// # Errors
    /// [`TransferError::NotConverged`] with the violation that was left, [`TransferError::InvalidParameter`] when no
    /// point satisfies both kinds of bounds.
    pub fn solve(&self, tolerance: f64) -> Result<Solution, TransferError> {
        let n = self.linear.len();
        self.bounds.check(n)?;
        let mut state = self.state(self.bounds.project(&Array1::ones(n)));
        let mut damping = 1e-3;
        for _ in 0..ROUNDS {
            if self.violation_at(&state) <= tolerance {
                return Ok(self.solution(state.weights));
            }
            state = self.gradient_steps(state, GRADIENT_STEPS, tolerance);
            for _ in 0..4 {
                if self.violation_at(&state) <= tolerance {
                    return Ok(self.solution(state.weights));
                }
                match self.newton_step(&state, damping)? {
                    Some(next) => {
                        state = next;
                        damping = (damping * 0.1).max(1e-13);
                    }
                    None => {
                        damping = (damping * 100.0).min(1.0);
                        break;
                    }
                }
            }
        }
        Err(TransferError::NotConverged {
            what: "the quadratic program of kmm".to_owned(),
            iterations: ROUNDS,
            residual: self.violation_at(&state),
            tolerance,
        })
    }

    fn state(&self, weights: Array1<f64>) -> State {
        let gradient = self.quadratic.dot(&weights) - &self.linear;
        State { weights, gradient }
    }

    fn solution(&self, weights: Array1<f64>) -> Solution {
        let violation = self.violation(&weights);
        Solution {
            objective: self.objective(&weights),
            weights,
            violation,
        }
    }

    fn violation_at(&self, state: &State) -> f64 {
        let moved = self.bounds.project(&(&state.weights - &state.gradient)) - &state.weights;
        let scale = self.linear.fold(1.0_f64, |a, &b| a.max(b.abs()));
        moved.fold(0.0_f64, |a, &b| a.max(b.abs())) / scale
    }

    /// Accelerated projected gradients (Beck & Teboulle) that start over whenever the objective would rise.
    fn gradient_steps(&self, start: State, steps: usize, tolerance: f64) -> State {
        // The largest absolute row sum bounds the largest eigenvalue.
        let rows = self
            .quadratic
            .axis_iter(Axis(0))
            .map(|row| row.iter().map(|v| v.abs()).sum());
        let lipschitz: f64 = rows.fold(f64::MIN_POSITIVE, f64::max);
        let (mut best, mut momentum) = (start, 1.0_f64);
        let mut extrapolated = self.state(best.weights.clone());
        for _ in 0..steps {
            let next = self
                .bounds
                .project(&(&extrapolated.weights - &(&extrapolated.gradient / lipschitz)));
            let next = self.state(next);
            let step = &next.weights - &best.weights;
            // The change of the objective, exact for a quadratic.
            let common = self.sum_multiplier(&best);
            let change = self.along(&((&best.gradient + &next.gradient) * 0.5), &step, common);
            if change > 0.0 {
                if momentum == 1.0 {
                    break;
                }
                momentum = 1.0;
                extrapolated = State {
                    weights: best.weights.clone(),
                    gradient: best.gradient.clone(),
                };
                continue;
            }
            let faster = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
            let along = (momentum - 1.0) / faster;
            extrapolated = State {
                weights: &next.weights + &(&step * along),
                gradient: &next.gradient + &((&next.gradient - &best.gradient) * along),
            };
            momentum = faster;
            best = next;
            if self.violation_at(&best) <= tolerance {
                break;
            }
        }
        best
    }

    /// A damped Newton step on the weights that are free to move, projected and shortened until it helps; `None` when it
    /// does not.
    fn newton_step(&self, state: &State, damping: f64) -> Result<Option<State>, TransferError> {
        let State { weights, gradient } = state;
        let multiplier = self.sum_multiplier(state);
        let reduced = gradient - multiplier.unwrap_or(0.0);
        let edge = 1e-12 * self.bounds.upper.min(1.0);
        let free: Vec<usize> = (0..weights.len())
            .filter(|&i| {
                !(weights[i] <= edge && reduced[i] >= 0.0
                    || weights[i] >= self.bounds.upper - edge && reduced[i] <= 0.0)
            })
            .collect();
        if free.is_empty() {
            return Ok(None);
        }
        let mut k = self.quadratic.select(Axis(0), &free).select(Axis(1), &free);
        let mean_diagonal = k.diag().mean().unwrap_or(1.0);
        k.diag_mut().mapv_inplace(|v| v + damping * mean_diagonal);
        let factor = cholesky(&k)?;
        let mut direction = -factor.solve_vector(&reduced.select(Axis(0), &free))?;
        if multiplier.is_some() {
            // Keep the sum where it is.
            let ones = factor.solve_vector(&Array1::ones(free.len()))?;
            direction = &direction - &(&ones * (direction.sum() / ones.sum()));
        }
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let mut trial = weights.clone();
            for (&i, &d) in free.iter().zip(&direction) {
                trial[i] += length * d;
            }
            let trial = self.bounds.project(&trial);
            let step = &trial - weights;
            let curvature = self.quadratic.dot(&step);
            let slope = self.along(gradient, &step, multiplier);
            if slope + 0.5 * step.dot(&curvature) < 1e-4 * slope && slope < 0.0 {
                return Ok(Some(self.state(trial)));
            }
            length *= 0.5;
        }
        Ok(None)
    }

    /// `∇ᵀ step`. Where the sum is held and the step keeps it up to rounding, the multiplier's part of the gradient adds
    /// nothing but that rounding, and is left out.
    fn along(&self, gradient: &Array1<f64>, step: &Array1<f64>, multiplier: Option<f64>) -> f64 {
        let keeps_sum = step.sum().abs() <= 1e-12 * (1.0 + self.bounds.sum.1.abs());
        let common = multiplier.filter(|_| keeps_sum).unwrap_or(0.0);
        gradient
            .iter()
            .zip(step)
            .map(|(g, s)| (g - common) * s)
            .sum()
    }

    /// The multiplier of the sum when it lies on one of its bounds and is pushed against it.
    fn sum_multiplier(&self, State { weights, gradient }: &State) -> Option<f64> {
        let sum = weights.sum();
        let slack = 1e-9 * (1.0 + sum.abs());
        let inner: Vec<f64> = weights
            .iter()
            .zip(gradient)
            .filter(|&(&w, _)| w > 0.0 && w < self.bounds.upper)
            .map(|(_, &g)| g)
            .collect();
        if inner.is_empty() {
            return None;
        }
        let mean = inner.iter().sum::<f64>() / inner.len() as f64;
        let at_lower = sum <= self.bounds.sum.0 + slack && mean > 0.0;
        let at_upper = sum >= self.bounds.sum.1 - slack && mean < 0.0;
        (at_lower || at_upper).then_some(mean)
    }
}
