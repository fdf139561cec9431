//! Parameters from a place in the graph.

use ndarray::{Array1, Array2, Axis, s};
use serde::{Deserialize, Serialize};
use translearn_core::linalg::{cholesky, gram, matmul};
use translearn_core::{TransferError, setters};

use super::{TransferGraph, check_finite};
use crate::check::{check_above_zero, check_count};

/// The transfer function: a smooth function on the graph of tasks that is fitted to the parameters of the known ones
/// and read at a new one, whose place follows from how much a few known tasks helped it.
///
/// *When.* Many known tasks and a new one with few rows. What it gives is the mean of a prior: start from it, or shrink
/// towards it ([`TransferMeasurement::fit`](super::TransferMeasurement::fit)).
///
/// # Formula
///
/// $$f = U c, \qquad \min_c \sum_{i \text{ known}} \lVert f_i - \theta_i \rVert^2 + \lambda \lVert c \rVert^2 + \gamma \sum_k \lambda_k \lVert c_k \rVert^2$$
///
/// with the coordinates `U` of the graph of all tasks, the new one among them, and their eigenvalues `λ_k`
/// ([`TransferGraph`]). With all coordinates, `Σ λ_k ‖c_k‖² = ½ Σ_ij W_ij ‖f_i − f_j‖²` and `‖c‖² = Σ_i D_ii ‖f_i‖²`,
/// so that the new task gets `γ / (γ + λ)` times the mean of its neighbours' values, weighted by its gains.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | 0.001 | (0, ∞) | how far parameters are shrunk towards 0 |
/// | `gamma` | 0.1 | (0, ∞) | how alike parameters of tasks that help each other have to be |
/// | `n_components` | `null` | integer ≥ 1 or `null` | coordinates used, those of the least eigenvalues; `null`: all |
///
/// # Shapes and cost
///
/// Parameters `n x p`, a row for each task of the graph. O(n³ + n² p).
///
/// # Errors
///
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], and [`TransferError::InvalidParameter`] for a
/// parameter outside its range, a task that the graph does not have and one that is named twice.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_diagnostics::relatedness::{TransferFunction, TransferGraph};
///
/// let graph = TransferGraph::new(&array![[0.0, 0.5, 0.0], [0.5, 0.0, 0.1], [0.0, 0.1, 0.0]])?;
/// let parameters = array![[1.0, 0.0], [1.0, 0.2], [-1.0, 3.0]];
/// // The first two tasks helped the new one.
/// let prior = TransferFunction::default().prior(&graph, &parameters, &[(0, 0.4), (1, 0.4)])?;
/// let prior = prior.unwrap_or_default();
/// assert!((prior[0] - 1.0).abs() < 0.1 && (prior[1] - 0.1).abs() < 0.1);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Eaton, desJardins, Lane, ECML PKDD 2008, doi:10.1007/978-3-540-87479-9_39; functions on graphs: Belkin, Niyogi,
/// Sindhwani, *Manifold regularization*, JMLR 7, 2006.
///
/// *Where we differ.* The paper's functions are made of eigenvectors `v` of the normalised Laplacian, of which the
/// smoothest grows with a task's degree; of `u = D^{−1/2} v` it is constant, so that a prior is a mean of its
/// neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferFunction {
    lambda: f64,
    gamma: f64,
    n_components: Option<usize>,
}

impl Default for TransferFunction {
    fn default() -> Self {
        Self {
            lambda: 0.001,
            gamma: 0.1,
            n_components: None,
        }
    }
}

setters!(TransferFunction {
    /// Sets how far parameters are shrunk towards 0.
    lambda: f64,
    /// Sets how alike parameters of tasks that help each other have to be.
    gamma: f64,
    /// Sets the number of coordinates.
    n_components: Some(usize),
});

impl TransferFunction {
    /// Parameters for a new task, from its gains by known ones, `(task, gain)`, with gains in units of the graph's
    /// largest weight or of their own: only their ratios count for the place among neighbours. `None` where no gain is
    /// above 0: the task is isolated, so do not transfer.
    ///
    /// # Errors
    /// See the type.
    pub fn prior(
        &self,
        graph: &TransferGraph,
        parameters: &Array2<f64>,
        gains: &[(usize, f64)],
    ) -> Result<Option<Array1<f64>>, TransferError> {
        let n = graph.weights().nrows();
        let gains = self.check(n, parameters, gains)?;
        let largest = gains.iter().copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return Ok(None);
        }
        // The new task is the last one, and has an edge.
        let map = graph.with_task(&(gains / largest)).eigenmap()?;
        let last = map.tasks.len() - 1;
        let n_components = (self.n_components.unwrap_or(usize::MAX)).min(map.tasks.len());
        let vectors = map.vectors.slice(s![.., ..n_components]);
        let known = vectors.slice(s![..last, ..]);
        let mut system = gram(&known);
        for (entry, value) in system.diag_mut().iter_mut().zip(&map.values) {
            // Rounding may take the least eigenvalue below 0.
            *entry += self.lambda + self.gamma * value.max(0.0);
        }
        let theta = parameters.select(Axis(0), &map.tasks[..last]);
        let coefficients = cholesky(&system)?.solve(&matmul(&known.t(), &theta)?)?;
        Ok(Some(vectors.row(last).dot(&coefficients)))
    }

    fn check(
        &self,
        n: usize,
        parameters: &Array2<f64>,
        gains: &[(usize, f64)],
    ) -> Result<Array1<f64>, TransferError> {
        check_above_zero("lambda", self.lambda)?;
        check_above_zero("gamma", self.gamma)?;
        check_count("n_components", self.n_components.unwrap_or(1), 1)?;
        if parameters.nrows() != n {
            return Err(TransferError::LengthMismatch {
                left: "the graph".to_owned(),
                left_len: n,
                right: "the parameters".to_owned(),
                right_len: parameters.nrows(),
            });
        }
        check_finite("the parameters", parameters)?;
        let invalid = |value: String, range: String| {
            Err(TransferError::InvalidParameter {
                name: "gains".to_owned(),
                value,
                range,
            })
        };
        let mut all = Array1::from_elem(n, f64::NAN);
        for &(task, gain) in gains {
            if task >= n || !all[task].is_nan() {
                let range = format!("tasks below {n}, each once");
                return invalid(format!("task {task}"), range);
            }
            if !gain.is_finite() {
                return invalid(gain.to_string(), "finite numbers".to_owned());
            }
            all[task] = gain;
        }
        Ok(all.mapv(|gain| if gain.is_nan() { 0.0 } else { gain }))
    }
}
