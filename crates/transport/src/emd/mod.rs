//! Exact optimal transport.

mod masses;
mod pricing;
mod simplex;
mod start;
#[cfg(test)]
mod tests;
mod tree;

use ndarray::{Array1, Array2};
use translearn_core::TransferError;

use crate::check::{check_balanced, check_problem};
use crate::plan::SparsePlan;
use masses::WholeMasses;
use simplex::Simplex;

/// An optimal plan with the potentials that prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactPlan {
    /// The plan, a basic solution: at most `n + m - 1` entries.
    pub plan: SparsePlan,
    /// `u`, length `n`.
    pub row_potentials: Array1<f64>,
    /// `v`, length `m`.
    pub column_potentials: Array1<f64>,
    /// `Σ_ij C_ij P_ij`.
    pub cost: f64,
    /// Changes of the basis that it took.
    pub pivots: usize,
}

/// The cheapest way to move the masses `a` of the rows to the masses `b` of the columns, by the network simplex method.
///
/// *When.* The exact plan or the Wasserstein distance is wanted, up to some thousands of points;
/// [`Sinkhorn`](crate::Sinkhorn) is for more points, or for a plan that varies smoothly with the data.
///
/// # Formula
///
/// $$\min_{P \ge 0} \sum_{ij} C_{ij} P_{ij} \quad\text{s.t.}\quad P \mathbf 1 = a,\; P^\top \mathbf 1 = b
///   \qquad\Longleftrightarrow\qquad \max_{u, v} a^\top u + b^\top v \quad\text{s.t.}\quad u_i + v_j \le C_{ij}$$
///
/// A plan and potentials are both optimal exactly when `u_i + v_j = C_ij` wherever `P_ij > 0` (complementary
/// slackness).
///
/// # Steps
///
/// 1. Masses become whole numbers of about 2⁻⁶⁰ of their sum, so that flows are exact and ties are seen as such.
/// 2. Each row in turn takes the columns of least reduced cost that have room left.
/// 3. While a pair has `C_ij < u_i + v_j`: it enters the basis, a spanning tree of rows and columns, and the arc whose
///    flow is used up first leaves. Pairs are searched row by row. Of arcs that are used up together the one leaves
///    that keeps the tree *strongly feasible*: without it, ties can make the method go in circles.
///
/// # Shapes and cost
///
/// `cost` is `n x m`, `a` has `n` entries, `b` has `m`. Memory is O(n + m) beside the costs. Some thousands
/// of rows take ten to twenty pivots a row; each looks at one or more rows of costs and at a part of the tree. Runs on
/// one thread.
///
/// # Errors
///
/// [`TransferError::LengthMismatch`] when masses and costs do not fit, [`TransferError::InvalidWeight`] for masses that
/// are negative, not finite or all 0, [`TransferError::NotFinite`] for costs and where sums of them overflow,
/// [`TransferError::UnequalMass`] when the sums of `a` and `b` differ by more than 1e-9 of them. A smaller difference
/// is taken to be rounding: `b` is scaled to the sum of `a`.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::emd;
///
/// let cost = array![[0.0, 1.0], [1.0, 0.0], [4.0, 2.0]];
/// let exact = emd(&cost, &array![0.5, 0.25, 0.25], &array![0.5, 0.5])?;
/// assert_eq!(exact.cost, 0.5); // only the last row has to pay: a quarter, at a cost of 2
/// assert_eq!(exact.plan.dense(), array![[0.5, 0.0], [0.0, 0.25], [0.0, 0.25]]);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Cunningham, *A network simplex method*, Mathematical Programming 11, 1976, doi:10.1007/BF01580379 (strongly feasible
/// trees); Bonneel, van de Panne, Paris, Heidrich, *Displacement interpolation using Lagrangian mass transport*, ACM
/// Transactions on Graphics 30(6), 2011, doi:10.1145/2070781.2024192, whose solver POT uses.
///
/// *Where we differ.* Flows are whole numbers there only if the masses are; here always, so that a tie cannot be taken
/// for a difference of 1e-17. The masses of the plan are those asked for up to about 1e-15 of the sum; flows so small
/// that rounding alone can bring them about are left out.
pub fn emd(
    cost: &Array2<f64>,
    a: &Array1<f64>,
    b: &Array1<f64>,
) -> Result<ExactPlan, TransferError> {
    check_problem(cost, a, b)?;
    check_balanced(a, b)?;
    let cost = cost.as_standard_layout();
    let masses = WholeMasses::new(a, b);
    let mut simplex = Simplex::new(cost.view(), &masses);
    simplex.run()?;
    simplex.finish(&masses)
}
