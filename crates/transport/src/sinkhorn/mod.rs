//! Entropic optimal transport, balanced and unbalanced.

mod kernel;
mod log_domain;
mod problem;
#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2};
use translearn_core::{TransferError, setters};

use crate::check::{check_balanced, check_positive, check_problem};
use kernel::Scaled;
use problem::{Potentials, Problem};

/// Each step of ε-scaling divides the regularisation by this.
const SCALING_FACTOR: f64 = 4.0;
/// What a step of ε-scaling but the last has to reach, as a share of the mass, and the iterations it may take.
const COARSE: (f64, usize) = (1e-2, 100);

/// Sinkhorn's algorithm: optimal transport with an entropy that makes the plan smooth and the solver fast.
///
/// *When.* More points than [`emd`](crate::emd()) takes, or a plan that varies smoothly with the data. With
/// [`relaxation`](Self::relaxation), masses need not be met exactly, nor their sums agree (unbalanced transport).
///
/// # Formula
///
/// $$\min_{P \ge 0} \sum_{ij} C_{ij} P_{ij} + \varepsilon\, \mathrm{KL}(P \,\|\, a b^\top)
///   \quad\text{s.t.}\quad P \mathbf 1 = a,\; P^\top \mathbf 1 = b$$
///
/// with `KL(p ‖ q) = Σ p ln(p / q) − p + q`. The plan is `P_ij = a_i b_j exp((f_i + g_j − C_ij) / ε)`. It is also that
/// of `Σ C P + ε Σ P (ln P − 1)`, the form with the entropy of `P` alone: for given masses the two differ by a
/// constant. Where a side is relaxed by `ρ`, its constraint is replaced by `ρ KL(P 1 ‖ a)`, likewise for `b`.
///
/// # Steps
///
/// `f_i ← −λ ε ln Σ_j b_j exp((g_j − C_ij) / ε)`, then `g` likewise from `f`, with `λ = 1`, or `ρ / (ρ + ε)` where a
/// side is relaxed. They are taken as scalings of the kernel `exp((f_i + g_j − C_ij) / ε)`, which is read once an
/// iteration, by blocks of rows that stay in the cache. When a scaling leaves its range, the kernel absorbs them all
/// (Schmitzer), and one iteration is done on the potentials. So any `ε` that `C / ε` can be formed with works.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `regularization` | – | (0, ∞) | `ε`, in units of the cost |
/// | `max_iterations` | 1000 | 1, 2, … | iterations before it stops without having converged |
/// | `tolerance` | 1e-9 | (0, ∞) | error at which it stops, as a share of the mass |
/// | `epsilon_scaling` | false | true, false | whether `ε` comes down to its value by factors of 4 from the range of the costs |
/// | `row_relaxation`, `column_relaxation` | none | (0, ∞) or none | `ρ` of either side |
///
/// # Shapes and cost
///
/// `cost` is `n x m`, `a` has `n` entries, `b` has `m`; O(n m) an iteration, and as much memory as the costs take. Work
/// is spread over blocks of rows; the bits do not depend on the number of threads.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::InvalidWeight`], [`TransferError::NotFinite`],
/// [`TransferError::InvalidParameter`], and [`TransferError::UnequalMass`] unless a side is relaxed. Iterations that
/// run out are no error: [`EntropicPlan::status`] says so, and [`EntropicPlan::converged`] makes one of it.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{Sinkhorn, Status};
///
/// let cost = array![[0.0, 1.0], [1.0, 0.0]];
/// let half = array![0.5, 0.5];
/// let solved = Sinkhorn::new(1.0).solve(&cost, &half, &half)?;
/// assert_eq!(solved.status, Status::Converged);
/// // By symmetry P = [[p, q], [q, p]] with p / q = e.
/// let p = 0.5 / (1.0 + (-1.0_f64).exp());
/// assert!((solved.plan[[0, 0]] - p).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Cuturi, *Sinkhorn Distances: Lightspeed Computation of Optimal Transport*, NIPS 2013; Schmitzer, *Stabilized Sparse
/// Scaling Algorithms for Entropy Regularized Transport Problems*, SIAM Journal on Scientific Computing 41(3), 2019,
/// doi:10.1137/16M1106018; Chizat, Peyré, Schmitzer, Vialard, *Scaling algorithms for unbalanced optimal transport
/// problems*, Mathematics of Computation 87, 2018, doi:10.1090/mcom/3303 (relaxed masses).
///
/// *Where we differ.* POT's potentials are `f_i + ε ln a_i` and `g_j + ε ln b_j`: its plan has no masses beside the
/// exponential. Here they stay finite for rows and columns without mass.
#[derive(Debug, Clone, PartialEq)]
pub struct Sinkhorn {
    regularization: f64,
    max_iterations: usize,
    tolerance: f64,
    epsilon_scaling: bool,
    row_relaxation: Option<f64>,
    column_relaxation: Option<f64>,
}

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The error came down to the tolerance.
    Converged,
    /// The iterations ran out before.
    IterationLimit,
}

/// The plan of [`Sinkhorn`], with its potentials and how far it got.
#[derive(Debug, Clone, PartialEq)]
pub struct EntropicPlan {
    /// `P`, `n x m`.
    pub plan: Array2<f64>,
    /// `f`, length `n`.
    pub row_potentials: Array1<f64>,
    /// `g`, length `m`.
    pub column_potentials: Array1<f64>,
    /// Whether the error came down to the tolerance.
    pub status: Status,
    /// Iterations done.
    pub iterations: usize,
    /// `Σ_i |a_i − Σ_j P_ij| / Σ_i a_i`; the masses of the columns are met. Where a side is relaxed, the mean change of
    /// the scalings of the rows in the last iteration, with weights `a`.
    pub error: f64,
    tolerance: f64,
}

impl EntropicPlan {
    /// The plan if it converged, an error with what was left if not.
    ///
    /// # Errors
    /// [`TransferError::NotConverged`].
    pub fn converged(self) -> Result<Self, TransferError> {
        match self.status {
            Status::Converged => Ok(self),
            Status::IterationLimit => Err(TransferError::NotConverged {
                what: "Sinkhorn's algorithm".to_owned(),
                iterations: self.iterations,
                residual: self.error,
                tolerance: self.tolerance,
            }),
        }
    }
}

/// Where an iteration stands.
struct Progress {
    iterations: usize,
    error: f64,
}

setters!(Sinkhorn {
    /// Sets how many iterations there may be.
    max_iterations: usize,
    /// Sets the error at which it stops, as a share of the mass.
    tolerance: f64,
    /// Sets whether `ε` comes down to its value in steps: fewer iterations where it is small.
    epsilon_scaling: bool,
    /// Relaxes the masses of the rows by `ρ`.
    row_relaxation: Some(f64),
    /// Relaxes the masses of the columns by `ρ`.
    column_relaxation: Some(f64),
});

impl Sinkhorn {
    /// Default parameters for a regularisation.
    pub fn new(regularization: f64) -> Self {
        Self {
            regularization,
            max_iterations: 1000,
            tolerance: 1e-9,
            epsilon_scaling: false,
            row_relaxation: None,
            column_relaxation: None,
        }
    }

    /// Relaxes the masses of both sides by `ρ`.
    #[must_use]
    pub fn relaxation(self, rho: f64) -> Self {
        self.row_relaxation(rho).column_relaxation(rho)
    }

    /// Solves by scalings of a kernel.
    ///
    /// # Errors
    /// See [`Sinkhorn`].
    pub fn solve(
        &self,
        cost: &Array2<f64>,
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<EntropicPlan, TransferError> {
        let problem = self.problem(cost, a, b)?;
        let mut potentials = problem.first_potentials();
        let mut scaled = Scaled::new(a.len(), b.len());
        let mut progress = Progress::new();
        let steps = self.schedule(&problem);
        let last = steps.len() - 1;
        for (step, &epsilon) in steps.iter().enumerate() {
            let (tolerance, limit) = if step == last {
                (self.tolerance, self.max_iterations)
            } else {
                // One iteration is kept for the last step, so that the columns are met.
                (
                    COARSE.0.max(self.tolerance),
                    (self.max_iterations - 1).min(progress.iterations + COARSE.1),
                )
            };
            scaled.fill(&problem, epsilon, &potentials);
            progress.error = f64::INFINITY;
            // The first error says nothing: the columns are not met yet.
            let mut columns_met = false;
            while progress.iterations < limit && progress.error > tolerance {
                progress.iterations += 1;
                match scaled.iterate(&problem, epsilon, &potentials) {
                    Some(error) if columns_met => progress.error = error / problem.mass(),
                    Some(_) => columns_met = true,
                    None => {
                        scaled.absorb(epsilon, &mut potentials);
                        let before = potentials.f.clone();
                        log_domain::iterate(&problem, epsilon, &mut potentials);
                        // Where masses are relaxed, the kernel of a row that is far from everything may stay out of range.
                        if columns_met {
                            let error = change(&before, &potentials.f, &problem.a, epsilon);
                            progress.error = error / problem.mass();
                        }
                        scaled.fill(&problem, epsilon, &potentials);
                        columns_met = true;
                    }
                }
            }
            scaled.absorb(epsilon, &mut potentials);
        }
        let plan = scaled.into_plan(&problem);
        Ok(self.finish(&problem, plan, potentials, &progress))
    }

    /// Solves by iterations on the potentials alone: many times slower than [`Sinkhorn::solve`], and the measure of it.
    ///
    /// # Errors
    /// See [`Sinkhorn`].
    pub fn solve_in_log_domain(
        &self,
        cost: &Array2<f64>,
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<EntropicPlan, TransferError> {
        let problem = self.problem(cost, a, b)?;
        let epsilon = self.regularization;
        let mut potentials = problem.first_potentials();
        let mut progress = Progress::new();
        while progress.iterations < self.max_iterations && progress.error > self.tolerance {
            let before = potentials.f.clone();
            log_domain::iterate(&problem, epsilon, &mut potentials);
            progress.iterations += 1;
            if progress.iterations > 1 {
                let error = change(&before, &potentials.f, &problem.a, epsilon);
                progress.error = error / problem.mass();
            }
        }
        let mut scaled = Scaled::new(a.len(), b.len());
        scaled.fill(&problem, epsilon, &potentials);
        let plan = scaled.into_plan(&problem);
        Ok(self.finish(&problem, plan, potentials, &progress))
    }

    fn problem<'a>(
        &self,
        cost: &'a Array2<f64>,
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<Problem<'a>, TransferError> {
        check_problem(cost, a, b)?;
        check_positive("regularization", self.regularization)?;
        check_positive("tolerance", self.tolerance)?;
        for (name, relaxation) in [
            ("row_relaxation", self.row_relaxation),
            ("column_relaxation", self.column_relaxation),
        ] {
            if let Some(rho) = relaxation {
                check_positive(name, rho)?;
            }
        }
        if self.max_iterations == 0 {
            return Err(TransferError::InvalidParameter {
                name: "max_iterations".to_owned(),
                value: "0".to_owned(),
                range: "1, 2, …".to_owned(),
            });
        }
        if self.is_balanced() {
            check_balanced(a, b)?;
        }
        Ok(Problem::new(
            cost.as_standard_layout(),
            a.to_vec(),
            b.to_vec(),
            self.row_relaxation,
            self.column_relaxation,
        ))
    }

    pub(crate) fn regularization(&self) -> f64 {
        self.regularization
    }

    /// Refuses relaxed masses where a solver built on this one has none.
    pub(crate) fn check_balanced(&self, solver: &str) -> Result<(), TransferError> {
        if self.is_balanced() {
            return Ok(());
        }
        Err(TransferError::Unsupported {
            method: solver.to_owned(),
            needs: "an inner solver that meets all masses".to_owned(),
            has: "one with relaxed masses".to_owned(),
        })
    }

    fn is_balanced(&self) -> bool {
        self.row_relaxation.is_none() && self.column_relaxation.is_none()
    }

    /// The regularisations, the last one being that asked for.
    fn schedule(&self, problem: &Problem<'_>) -> Vec<f64> {
        let mut steps = vec![self.regularization];
        if self.epsilon_scaling {
            let range = problem.range();
            let mut epsilon = self.regularization * SCALING_FACTOR;
            while epsilon < range {
                steps.push(epsilon);
                epsilon *= SCALING_FACTOR;
            }
            steps.reverse();
        }
        steps
    }

    fn finish(
        &self,
        problem: &Problem<'_>,
        plan: Array2<f64>,
        Potentials { f, g }: Potentials,
        progress: &Progress,
    ) -> EntropicPlan {
        let error = if self.is_balanced() {
            let rows = plan.rows().into_iter().zip(&problem.a);
            rows.map(|(row, a)| (row.sum() - a).abs()).sum::<f64>() / problem.mass()
        } else {
            progress.error
        };
        EntropicPlan {
            plan,
            row_potentials: f.into(),
            column_potentials: g.into(),
            status: if progress.error <= self.tolerance {
                Status::Converged
            } else {
                Status::IterationLimit
            },
            iterations: progress.iterations,
            error,
            tolerance: self.tolerance,
        }
    }
}

/// By how much the masses of rows were wrong, judged by what their potentials changed by.
fn change(before: &[f64], after: &[f64], masses: &[f64], epsilon: f64) -> f64 {
    let changes = before.iter().zip(after).zip(masses);
    changes
        .map(|((before, after), mass)| mass * ((before - after) / epsilon).exp_m1().abs())
        .sum()
}

impl Progress {
    fn new() -> Self {
        Self {
            iterations: 0,
            error: f64::INFINITY,
        }
    }
}
