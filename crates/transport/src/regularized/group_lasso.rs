//! Entropic transport with a group lasso over classes.

use ndarray::{Array1, Array2, Zip};
use translearn_core::{TransferError, setters};

use super::conditional_gradient::{Objective, RegularizedPlan, conditional_gradient};
use super::{Classes, relative_entropy, sum_of_rows};
use crate::check::{check_positive, check_problem};
use crate::sinkhorn::Sinkhorn;

/// Halvings of the interval of step lengths.
const HALVINGS: usize = 30;

/// Entropic transport in which each column should take its mass from rows of one class: domain adaptation with a group
/// lasso.
///
/// *When.* Rows of the source have classes. The term is convex, unlike that of [`LpL1`](crate::LpL1), so the plan is
/// the best one, and [`RegularizedPlan::gap`] proves it.
///
/// # Formula
///
/// $$\min_P \sum_{ij} C_{ij} P_{ij} + \varepsilon\, \mathrm{KL}(P \,\|\, a b^\top) +
///   \eta \sum_j \sum_c \lVert P_{I_c j} \rVert_2 \quad\text{s.t.}\quad P \mathbf 1 = a,\; P^\top \mathbf 1 = b$$
///
/// with `I_c` the rows of class `c`.
///
/// # Steps
///
/// Generalised conditional gradient: the term of the classes is replaced by its tangent, [`Sinkhorn`] finds the plan
/// that is best for it, and the step towards that plan has the length that is best for the objective itself. What the
/// tangent model promises is an upper bound of what is left to gain.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `sinkhorn` | – | balanced | the inner solver with `ε`; has to converge |
/// | `eta` | – | (0, ∞) | `η`, in units of the cost |
/// | `max_iterations` | 200 | 0, 1, … | steps |
/// | `tolerance` | 1e-6 | (0, ∞) | gap at which it stops, as a share of mass times largest cost |
///
/// # Shapes and cost
///
/// `cost` is `n x m`, one class per row; each step costs a run of [`Sinkhorn`] and O(n m).
///
/// # Errors
///
/// As [`Sinkhorn`], and [`TransferError::NotConverged`] when it does not converge.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{GroupLasso, Sinkhorn};
///
/// let cost = array![[1.0, 1.2], [1.1, 1.0], [1.0, 1.1], [1.2, 1.0]];
/// let (quarter, half) = (array![0.25, 0.25, 0.25, 0.25], array![0.5, 0.5]);
/// let solved = GroupLasso::new(Sinkhorn::new(0.1), 0.5).solve(&cost, &[0, 0, 1, 1], &quarter, &half)?;
/// assert!(solved.gap <= 1.2e-6); // no plan is better by more
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Courty, Flamary, Tuia, Rakotomamonjy, *Optimal Transport for Domain Adaptation*, IEEE Transactions on Pattern
/// Analysis and Machine Intelligence 39(9), 2017, doi:10.1109/TPAMI.2016.2615921; Rakotomamonjy, Flamary, Courty,
/// *Generalized conditional gradient: analysis of convergence and applications*, 2015, arXiv:1510.06567.
///
/// *Where we differ.* The length of a step is found where the derivative of the objective is 0, not by halving until it
/// falls enough.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupLasso {
    sinkhorn: Sinkhorn,
    eta: f64,
    max_iterations: usize,
    tolerance: f64,
}

setters!(GroupLasso {
    /// Sets how many steps there may be.
    max_iterations: usize,
    /// Sets the gap at which it stops, as a share of mass times largest cost.
    tolerance: f64,
});

impl GroupLasso {
    /// Default parameters for an inner solver and a weight of the classes.
    pub fn new(sinkhorn: Sinkhorn, eta: f64) -> Self {
        Self {
            sinkhorn,
            eta,
            max_iterations: 200,
            tolerance: 1e-6,
        }
    }

    /// Solves for rows of the given classes.
    ///
    /// # Errors
    /// See [`GroupLasso`].
    pub fn solve(
        &self,
        cost: &Array2<f64>,
        classes: &[usize],
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<RegularizedPlan, TransferError> {
        check_problem(cost, a, b)?;
        check_positive("eta", self.eta)?;
        check_positive("tolerance", self.tolerance)?;
        self.sinkhorn.check_balanced("group lasso")?;
        let objective = Grouped {
            cost,
            classes: Classes::new(classes, cost.nrows())?,
            a,
            b,
            sinkhorn: &self.sinkhorn,
            eta: self.eta,
        };
        let largest = cost.fold(0.0_f64, |largest, cost| largest.max(cost.abs()));
        let start = self.sinkhorn.solve(cost, a, b)?.converged()?.plan;
        let tolerance = self.tolerance * largest * a.sum();
        conditional_gradient(&objective, start, tolerance, self.max_iterations)
    }
}

struct Grouped<'a> {
    cost: &'a Array2<f64>,
    classes: Classes,
    a: &'a Array1<f64>,
    b: &'a Array1<f64>,
    sinkhorn: &'a Sinkhorn,
    eta: f64,
}

impl Grouped<'_> {
    /// `‖P_{I_c j}‖₂` for each class and column.
    fn norms(&self, plan: &Array2<f64>) -> Array2<f64> {
        self.classes
            .sums(self.b.len(), |i, j| plan[[i, j]] * plan[[i, j]])
            .mapv_into(f64::sqrt)
    }
}

impl Objective for Grouped<'_> {
    fn value(&self, plan: &Array2<f64>) -> f64 {
        let entropy = self.sinkhorn.regularization() * relative_entropy(plan, self.a, self.b);
        (self.cost * plan).sum() + entropy + self.eta * self.norms(plan).sum()
    }

    fn model_minimum(&self, plan: &Array2<f64>) -> Result<(Array2<f64>, f64), TransferError> {
        let norms = self.norms(plan);
        let mut tangent = self.cost.clone();
        for ((i, j), entry) in tangent.indexed_iter_mut() {
            let norm = norms[[self.classes.codes[i], j]];
            // At 0 the norm has many tangents; that of slope 0 is one.
            if norm > 0.0 {
                *entry += self.eta * plan[[i, j]] / norm;
            }
        }
        let towards = self
            .sinkhorn
            .solve(&tangent, self.a, self.b)?
            .converged()?
            .plan;
        let linear = Zip::from(&tangent)
            .and(plan)
            .and(&towards)
            .fold(0.0, |sum, t, p, q| sum + t * (p - q));
        let entropies =
            relative_entropy(plan, self.a, self.b) - relative_entropy(&towards, self.a, self.b);
        Ok((towards, linear + self.sinkhorn.regularization() * entropies))
    }

    /// Where the derivative along the step is 0, by bisection: it grows with the length.
    fn step_length(&self, plan: &Array2<f64>, direction: &Array2<f64>) -> f64 {
        let m = self.b.len();
        let linear = (self.cost * direction).sum();
        // ‖P + t D‖² of each group is a polynomial in t.
        let constant = self.classes.sums(m, |i, j| plan[[i, j]] * plan[[i, j]]);
        let mixed = self
            .classes
            .sums(m, |i, j| plan[[i, j]] * direction[[i, j]]);
        let square = self
            .classes
            .sums(m, |i, j| direction[[i, j]] * direction[[i, j]]);
        let slope = |t: f64| {
            let groups = Zip::from(&constant)
                .and(&mixed)
                .and(&square)
                .fold(0.0, |sum, c, x, s| {
                    let norm = (c + t * (2.0 * x + t * s)).max(0.0).sqrt();
                    if norm > 0.0 {
                        sum + (x + t * s) / norm
                    } else {
                        sum
                    }
                });
            let entropy = sum_of_rows(self.a.len(), |i| {
                let mut sum = 0.0;
                for j in 0..m {
                    let d = direction[[i, j]];
                    if d != 0.0 {
                        let mass = (plan[[i, j]] + t * d).max(0.0);
                        sum += d * (mass / (self.a[i] * self.b[j])).ln();
                    }
                }
                sum
            });
            linear + self.sinkhorn.regularization() * entropy + self.eta * groups
        };
        if slope(1.0) <= 0.0 {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if slope(middle) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        0.5 * (low + high)
    }
}
