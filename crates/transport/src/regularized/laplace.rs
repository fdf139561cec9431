//! Transport that keeps neighbours together.

use ndarray::{Array1, Array2, Axis, Zip};
use translearn_core::{Features, TransferError, distance::nearest_others, linalg::matmul, setters};

use super::conditional_gradient::{Objective, RegularizedPlan, conditional_gradient};
use crate::check::{check_balanced, check_finite, check_lengths, check_positive, check_problem};
use crate::emd::emd;

/// Transport after which rows that are neighbours are still close: Laplacian regularisation of the images of both
/// sides.
///
/// *When.* The two samples have the same shape but no classes are known.
///
/// # Formula
///
/// $$\min_P \sum_{ij} C_{ij} P_{ij} + \eta \bigl(\alpha \operatorname{tr}(Y^\top P^\top L_S P Y) +
///   (1 - \alpha) \operatorname{tr}(X^\top P L_T P^\top X)\bigr)
///   \quad\text{s.t.}\quad P \mathbf 1 = a,\; P^\top \mathbf 1 = b,\; P \ge 0$$
///
/// with `L` the Laplacians of the graphs that join each row to its nearest neighbours (weight 1, made symmetric as
/// `(S + Sᵀ) / 2`), so that `tr(Zᵀ L Z) = ½ Σ_kl S_kl ‖z_k − z_l‖²`.
///
/// # Steps
///
/// Conditional gradient: [`emd`] finds the best plan for the gradient, the step towards it has the best length, which
/// for a quadratic objective is a formula. What the gradient promises bounds what is left to gain.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `eta` | – | (0, ∞) | `η` |
/// | `alpha` | 0.5 | \[0, 1\] | share of the source's graph |
/// | `n_neighbors` | 3 | 1, 2, … | neighbours of each row |
/// | `max_iterations` | 100 | 0, 1, … | steps |
/// | `tolerance` | 1e-6 | (0, ∞) | gap at which it stops, as a share of mass times largest cost |
///
/// # Shapes and cost
///
/// `cost` is `n x m`, `source` is `n x d`, `target` is `m x d`; each step costs a run of [`emd`] and O(n m d). The
/// graphs are kept as lists of pairs.
///
/// # Errors
///
/// As [`emd`], and [`TransferError::FeatureMismatch`], [`TransferError::TooFewRows`] for a side of no more rows than
/// neighbours.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_transport::{CostScale, GroundCost, Laplace, cost_matrix};
///
/// let source = array![[0.0], [1.0], [5.0], [6.0]];
/// let target = array![[10.0], [11.0], [15.0], [16.0]];
/// let cost = cost_matrix(&source.clone().into(), &target.clone().into(), GroundCost::SquaredEuclidean, CostScale::Max)?;
/// let quarter = array![0.25, 0.25, 0.25, 0.25];
/// let solved = Laplace::new(1e-4).n_neighbors(1).solve(&cost, &source, &target, &quarter, &quarter)?;
/// assert!(solved.gap <= 1e-6); // no plan is better by more
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Flamary, Courty, Rakotomamonjy, Tuia, *Optimal transport with Laplacian regularization*, NIPS Workshop on Optimal
/// Transport and Machine Learning, 2014; Courty, Flamary, Tuia, Rakotomamonjy, *Optimal Transport for Domain
/// Adaptation*, IEEE Transactions on Pattern Analysis and Machine Intelligence 39(9), 2017,
/// doi:10.1109/TPAMI.2016.2615921.
///
/// *Where we differ.* The paper divides the terms by the squares of the numbers of rows; as POT, we leave that to `η`.
#[derive(Debug, Clone, PartialEq)]
pub struct Laplace {
    eta: f64,
    alpha: f64,
    n_neighbors: usize,
    max_iterations: usize,
    tolerance: f64,
}

setters!(Laplace {
    /// Sets the share of the source's graph.
    alpha: f64,
    /// Sets the number of neighbours of each row.
    n_neighbors: usize,
    /// Sets how many steps there may be.
    max_iterations: usize,
    /// Sets the gap at which it stops, as a share of mass times largest cost.
    tolerance: f64,
});

impl Laplace {
    /// Default parameters for a weight of the graphs.
    pub fn new(eta: f64) -> Self {
        Self {
            eta,
            alpha: 0.5,
            n_neighbors: 3,
            max_iterations: 100,
            tolerance: 1e-6,
        }
    }

    /// Solves for the rows of both sides.
    ///
    /// # Errors
    /// See [`Laplace`].
    pub fn solve(
        &self,
        cost: &Array2<f64>,
        source: &Array2<f64>,
        target: &Array2<f64>,
        a: &Array1<f64>,
        b: &Array1<f64>,
    ) -> Result<RegularizedPlan, TransferError> {
        check_problem(cost, a, b)?;
        check_balanced(a, b)?;
        check_lengths(
            "the cost matrix",
            cost.nrows(),
            "the source",
            source.nrows(),
        )?;
        check_lengths(
            "the transposed cost matrix",
            cost.ncols(),
            "the target",
            target.nrows(),
        )?;
        check_finite("the source", source)?;
        check_finite("the target", target)?;
        check_positive("eta", self.eta)?;
        check_positive("tolerance", self.tolerance)?;
        if !(0.0..=1.0).contains(&self.alpha) {
            return Err(TransferError::InvalidParameter {
                name: "alpha".to_owned(),
                value: self.alpha.to_string(),
                range: "[0, 1]".to_owned(),
            });
        }
        let objective = Smooth {
            cost,
            source,
            target,
            source_graph: Graph::of(source, self.n_neighbors)?,
            target_graph: Graph::of(target, self.n_neighbors)?,
            a,
            b,
            of_source: self.eta * self.alpha,
            of_target: self.eta * (1.0 - self.alpha),
        };
        let largest = cost.fold(0.0_f64, |largest, cost| largest.max(cost.abs()));
        let start = emd(cost, a, b)?.plan.dense();
        let tolerance = self.tolerance * largest * a.sum();
        conditional_gradient(&objective, start, tolerance, self.max_iterations)
    }
}

/// Pairs of neighbours with the weight of each.
struct Graph(Vec<(usize, usize, f64)>);

impl Graph {
    fn of(rows: &Array2<f64>, n_neighbors: usize) -> Result<Self, TransferError> {
        let near = nearest_others(&Features::from(rows.to_owned()), n_neighbors)?;
        // (S + Sᵀ) / 2 has each directed pair with half its weight both ways.
        let pairs = near.indices.indexed_iter();
        Ok(Self(
            pairs.map(|((row, _), &other)| (row, other, 0.5)).collect(),
        ))
    }

    /// `L Z`.
    fn laplacian(&self, z: &Array2<f64>) -> Array2<f64> {
        let mut out = Array2::zeros(z.dim());
        for &(k, l, weight) in &self.0 {
            let difference = (&z.row(k) - &z.row(l)) * weight;
            let mut row = out.row_mut(k);
            row += &difference;
            let mut row = out.row_mut(l);
            row -= &difference;
        }
        out
    }

    /// `tr(Zᵀ L Z)`.
    fn energy(&self, z: &Array2<f64>) -> f64 {
        let of = |&(k, l, weight): &(usize, usize, f64)| {
            let difference = &z.row(k) - &z.row(l);
            weight * difference.dot(&difference)
        };
        self.0.iter().map(of).sum()
    }
}

struct Smooth<'a> {
    cost: &'a Array2<f64>,
    source: &'a Array2<f64>,
    target: &'a Array2<f64>,
    source_graph: Graph,
    target_graph: Graph,
    a: &'a Array1<f64>,
    b: &'a Array1<f64>,
    of_source: f64,
    of_target: f64,
}

impl Smooth<'_> {
    /// `P Y` and `Pᵀ X`.
    fn images(&self, plan: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        (plan.dot(self.target), plan.t().dot(self.source))
    }

    fn energy(&self, plan: &Array2<f64>) -> f64 {
        let (of_source, of_target) = self.images(plan);
        self.of_source * self.source_graph.energy(&of_source)
            + self.of_target * self.target_graph.energy(&of_target)
    }

    fn gradient(&self, plan: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
        let (of_source, of_target) = self.images(plan);
        // α L_S P Y Yᵀ + (1 − α) X (L_T Pᵀ X)ᵀ is of rank 2 d: one product.
        let left = self.source_graph.laplacian(&of_source) * (2.0 * self.of_source);
        let right = self.target_graph.laplacian(&of_target) * (2.0 * self.of_target);
        let mut gradient = matmul(&left, &self.target.t())?;
        gradient += &matmul(self.source, &right.t())?;
        Ok(gradient + self.cost)
    }
}

impl Objective for Smooth<'_> {
    fn value(&self, plan: &Array2<f64>) -> f64 {
        (self.cost * plan).sum() + self.energy(plan)
    }

    fn model_minimum(&self, plan: &Array2<f64>) -> Result<(Array2<f64>, f64), TransferError> {
        let gradient = self.gradient(plan)?;
        let towards = emd(&gradient, self.a, self.b)?.plan.dense();
        let falls = Zip::from(&gradient)
            .and(plan)
            .and(&towards)
            .fold(0.0, |sum, g, p, q| sum + g * (p - q));
        Ok((towards, falls))
    }

    fn step_length(&self, plan: &Array2<f64>, direction: &Array2<f64>) -> f64 {
        // f(P + t D) = f(P) + slope t + energy(D) t².
        let (plan_source, plan_target) = self.images(plan);
        let (source, target) = self.images(direction);
        let mixed = |graph: &Graph, z: &Array2<f64>, d: &Array2<f64>| {
            (graph.laplacian(z) * d).sum_axis(Axis(0)).sum()
        };
        let slope = (self.cost * direction).sum()
            + 2.0 * self.of_source * mixed(&self.source_graph, &plan_source, &source)
            + 2.0 * self.of_target * mixed(&self.target_graph, &plan_target, &target);
        let curvature = 2.0 * self.energy(direction);
        if curvature > 0.0 {
            (-slope / curvature).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }
}
