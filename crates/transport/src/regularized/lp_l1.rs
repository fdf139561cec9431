//! Entropic transport with a concave penalty on the classes that a column takes from.

use ndarray::{Array1, Array2};
use translearn_core::{TransferError, setters};

use super::{Classes, relative_entropy};
use crate::check::{check_positive, check_problem};
use crate::sinkhorn::Sinkhorn;

/// The power of the penalty, `p` of the paper.
const POWER: f64 = 0.5;
/// What is added below the root, as a share of the mass, so that it has a slope at 0.
const FLOOR: f64 = 1e-3;

/// Entropic transport in which each column should take its mass from rows of one class: domain adaptation with an `ℓ_p
/// ℓ_1` penalty, `p = ½`.
///
/// *When.* Rows of the source have classes. The penalty is concave: it separates classes more sharply than that of
/// [`GroupLasso`](crate::GroupLasso), and the plan is a stationary point rather than surely the best one.
///
/// # Formula
///
/// $$\min_P \sum_{ij} C_{ij} P_{ij} + \varepsilon\, \mathrm{KL}(P \,\|\, a b^\top) +
///   \eta \sum_j \sum_c \Bigl(\sum_{i \in I_c} P_{ij} + \delta\Bigr)^{1/2}
///   \quad\text{s.t.}\quad P \mathbf 1 = a,\; P^\top \mathbf 1 = b$$
///
/// with `I_c` the rows of class `c` and `δ` a thousandth of the mass.
///
/// # Steps
///
/// Majorisation and minimisation: the roots are replaced by their tangents, which lie above them; [`Sinkhorn`] solves
/// for the costs `C_ij + ½ η (Σ_{k ∈ class of i} P_kj + δ)^(−½)`; repeat. The objective never rises.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `sinkhorn` | – | balanced | the inner solver with `ε`; has to converge |
/// | `eta` | – | (0, ∞) | `η`, in units of the cost |
/// | `iterations` | 10 | 1, 2, … | runs of the inner solver, the first without the penalty |
///
/// # Shapes and cost
///
/// `cost` is `n x m`, one class per row; `iterations` runs of [`Sinkhorn`].
///
/// # Errors
///
/// As [`Sinkhorn`], and [`TransferError::NotConverged`] when it does not converge.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{LpL1, Sinkhorn};
///
/// // Both columns lie between the classes 0, 0, 1, 1.
/// let cost = array![[1.0, 1.2], [1.1, 1.0], [1.0, 1.1], [1.2, 1.0]];
/// let (quarter, half) = (array![0.25, 0.25, 0.25, 0.25], array![0.5, 0.5]);
/// let solved = LpL1::new(Sinkhorn::new(0.1), 1.0).solve(&cost, &[0, 0, 1, 1], &quarter, &half)?;
/// let of_class_0 = solved.plan[[0, 0]] + solved.plan[[1, 0]];
/// assert!(of_class_0 > 0.45 || of_class_0 < 0.05);
/// assert!(solved.objectives.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Courty, Flamary, Tuia, *Domain Adaptation with Regularized Optimal Transport*, ECML PKDD 2014,
/// doi:10.1007/978-3-662-44848-9_18.
///
/// *Where we differ.* `δ` is 0.001 in POT, for masses that add up to 1; here it goes with the mass.
#[derive(Debug, Clone, PartialEq)]
pub struct LpL1 {
    sinkhorn: Sinkhorn,
    eta: f64,
    iterations: usize,
}

/// A plan of [`LpL1`].
#[derive(Debug, Clone, PartialEq)]
pub struct LpL1Plan {
    /// `P`, `n x m`.
    pub plan: Array2<f64>,
    /// The objective after each run of the inner solver: it never rises.
    pub objectives: Vec<f64>,
}

setters!(LpL1 {
    /// Sets how often the inner solver runs.
    iterations: usize,
});

impl LpL1 {
    /// Default parameters for an inner solver and a weight of the classes.
    pub fn new(sinkhorn: Sinkhorn, eta: f64) -> Self {
        Self {
            sinkhorn,
            eta,
            iterations: 10,
        }
    }

    /// Solves for rows of the given classes.
    ///
    /// # Errors
    /// See [`LpL1`].
    pub fn solve(
        &self,
        cost: &Array2<f64>,
        classes: &[usize],
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<LpL1Plan, TransferError> {
        check_problem(cost, a, b)?;
        check_positive("eta", self.eta)?;
        self.sinkhorn.check_balanced("lp-l1")?;
        if self.iterations == 0 {
            return Err(TransferError::InvalidParameter {
                name: "iterations".to_owned(),
                value: "0".to_owned(),
                range: "1, 2, …".to_owned(),
            });
        }
        let classes = Classes::new(classes, cost.nrows())?;
        let floor = FLOOR * a.sum();
        let mut majorised = cost.clone();
        let mut objectives = Vec::with_capacity(self.iterations);
        loop {
            let plan = self.sinkhorn.solve(&majorised, a, b)?.converged()?.plan;
            let sums = classes.sums(b.len(), |i, j| plan[[i, j]]) + floor;
            let entropy = self.sinkhorn.regularization() * relative_entropy(&plan, a, b);
            let penalty = self.eta * sums.mapv(|sum| sum.powf(POWER)).sum();
            objectives.push((cost * &plan).sum() + entropy + penalty);
            if objectives.len() == self.iterations {
                return Ok(LpL1Plan { plan, objectives });
            }
            for ((i, j), entry) in majorised.indexed_iter_mut() {
                let sum = sums[[classes.codes[i], j]];
                *entry = cost[[i, j]] + self.eta * POWER * sum.powf(POWER - 1.0);
            }
        }
    }
}
