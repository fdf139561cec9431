//! The graph of tasks.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_core::{TransferError, linalg::eigh};

use super::check_pairs;

/// Tasks as vertices, and between any two the transfer that was measured, as weight.
///
/// *When.* Many tasks, of which it is not known which are related: the graph says which help each other, which stand
/// alone and, with [`TransferFunction`](super::TransferFunction), what a new task may start from.
///
/// # Formula
///
/// $$W_{ij} = \max\Bigl(0, \frac{t_{ij} + t_{ji}}{2}\Bigr), \qquad D = \operatorname{diag}(W 1), \qquad
///   L = I - D^{-1/2} W D^{-1/2}$$
///
/// with the gain `t_ij` of task `j` from task `i`. The weights are divided by the largest. The coordinates are the
/// vectors `u = D^{−1/2} v` of the eigenvectors `L v = λ v`, which solve `(D − W) u = λ D u`: tasks that help each
/// other lie near each other. A task without an edge is isolated and has no coordinates.
///
/// # What its edges are worth
///
/// Of the 139 schools, ridge regressions that start from 0 explain 32.20 % of the variance on rows held out (mean of ten
/// splits, three quarters to learn from; deviation between splits 1.3). Those that start from the mean of a school's
/// neighbours, weighted by the edges, explain 32.52 %; from the mean of the schools it has no edge with, 32.92 %; from the
/// mean of all others, 32.78 %. Along less across is −0.41, with an interval of [−0.52, −0.29]. Transfer helps, and the edges
/// do not say from where: gains that are measured on one half of each school's rows correlate with those of the other half
/// by 0.08, so they are mostly noise. Edges are worth something between tasks of a few clear kinds. `cargo xtask relate
/// school` draws them; [`EdgeWorth`](super::EdgeWorth) is what was compared.
///
/// # Shapes and cost
///
/// Gains `n x n`, row `i` from task `i`; the diagonal is not read. O(n³).
///
/// # Errors
///
/// [`TransferError::LengthMismatch`] for a matrix that is not square, [`TransferError::TooFewRows`] below two tasks,
/// [`TransferError::NotFinite`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use translearn_diagnostics::relatedness::TransferGraph;
///
/// // Three tasks in a row.
/// let gains = array![[0.0, 0.2, 0.0], [0.2, 0.0, 0.2], [-0.5, 0.2, 0.0]];
/// let graph = TransferGraph::new(&gains)?;
/// assert_eq!(graph.weights()[[0, 2]], 0.0);
/// // The first coordinate puts them in line.
/// let (eigenvalues, coordinates) = graph.coordinates(1)?;
/// assert!((eigenvalues[0] - 1.0).abs() < 1e-12);
/// assert!((coordinates[[0, 0]] + coordinates[[2, 0]]).abs() < 1e-12 && coordinates[[1, 0]].abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Eaton, desJardins, Lane, *Modeling transfer relationships between learning tasks for improved inductive transfer*,
/// ECML PKDD 2008, doi:10.1007/978-3-540-87479-9_39; the coordinates: Belkin, Niyogi, *Laplacian eigenmaps for
/// dimensionality reduction and data representation*, Neural Computation 15(6), 2003, doi:10.1162/089976603321780317.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferGraph {
    weights: Array2<f64>,
}

/// Coordinates of tasks.
pub(super) struct Eigenmap {
    /// The tasks that have an edge.
    pub(super) tasks: Vec<usize>,
    /// The eigenvalues, ascending.
    pub(super) values: Array1<f64>,
    /// The vectors `u` as columns, a row for each of `tasks`, with `uᵀ D u = 1`.
    pub(super) vectors: Array2<f64>,
}

impl TransferGraph {
    /// The graph of measured gains.
    ///
    /// # Errors
    /// See the type.
    pub fn new(gains: &Array2<f64>) -> Result<Self, TransferError> {
        check_pairs("the gains", gains, 2)?;
        let mut weights = (gains + &gains.t()).mapv(|sum| (0.5 * sum).max(0.0));
        weights.diag_mut().fill(0.0);
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest > 0.0 {
            weights /= largest;
        }
        Ok(Self { weights })
    }

    /// The weights `W`, of which the largest is 1.
    pub fn weights(&self) -> &Array2<f64> {
        &self.weights
    }

    /// `1 − W` between different tasks: what [`Dendrogram`](super::Dendrogram) joins tasks by.
    pub fn distances(&self) -> Array2<f64> {
        let mut distances = 1.0 - &self.weights;
        distances.diag_mut().fill(0.0);
        distances
    }

    /// Tasks without an edge, in ascending order: nothing that was measured helps them, so do not transfer.
    pub fn isolated(&self) -> Vec<usize> {
        let degrees = self.degrees();
        (0..degrees.len())
            .filter(|&task| degrees[task] <= 0.0)
            .collect()
    }

    fn degrees(&self) -> Array1<f64> {
        self.weights.sum_axis(Axis(1))
    }

    /// The first `n` coordinates of every task after the constant one, with their eigenvalues; two of them draw the
    /// graph. Isolated tasks are at 0. In a graph of several parts without an edge between them the eigenvalue 0 is there once
    /// for each, and its coordinates, of which one is left out, tell the parts apart.
    ///
    /// Of each coordinate the entry that is largest in size is positive, the first of equals. Coordinates of one
    /// eigenvalue can be turned among themselves.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for more coordinates than there are tasks with an edge, less one.
    pub fn coordinates(&self, n: usize) -> Result<(Array1<f64>, Array2<f64>), TransferError> {
        let map = self.eigenmap()?;
        let most = map.tasks.len().saturating_sub(1);
        if n > most {
            return Err(TransferError::InvalidParameter {
                name: "n".to_owned(),
                value: n.to_string(),
                range: format!(
                    "integer ≤ {most}, for {} tasks with an edge",
                    map.tasks.len()
                ),
            });
        }
        let mut coordinates = Array2::zeros((self.weights.nrows(), n));
        for column in 0..n {
            let vector = map.vectors.column(column + 1);
            let largest = vector.iter().fold(0.0, |largest: f64, &v| {
                // Equal sizes differ by rounding.
                if v.abs() > largest.abs() * (1.0 + 1e-9) {
                    v
                } else {
                    largest
                }
            });
            for (&task, &value) in map.tasks.iter().zip(vector) {
                coordinates[[task, column]] = value * largest.signum();
            }
        }
        let values = map.values.iter().skip(1).take(n).copied().collect();
        Ok((values, coordinates))
    }

    /// All coordinates of the tasks that have an edge.
    pub(super) fn eigenmap(&self) -> Result<Eigenmap, TransferError> {
        let degrees = self.degrees();
        let connected: Vec<usize> = (0..degrees.len())
            .filter(|&task| degrees[task] > 0.0)
            .collect();
        if connected.is_empty() {
            return Ok(Eigenmap {
                tasks: connected,
                values: Array1::zeros(0),
                vectors: Array2::zeros((0, 0)),
            });
        }
        let roots = degrees.select(Axis(0), &connected).mapv(f64::sqrt);
        let rooted = roots.clone().insert_axis(Axis(1));
        let weights = (self.weights.select(Axis(0), &connected)).select(Axis(1), &connected);
        let laplacian = Array2::<f64>::eye(connected.len()) - weights / &roots / &rooted;
        let eigen = eigh(&laplacian)?;
        Ok(Eigenmap {
            tasks: connected,
            values: eigen.values,
            vectors: eigen.vectors / rooted,
        })
    }

    /// The graph with one more task, that the others help by these gains; what it gives them is not known.
    pub(super) fn with_task(&self, gains: &Array1<f64>) -> Self {
        let corner = Array2::zeros((1, 1));
        let column = gains.mapv(|gain| gain.max(0.0)).insert_axis(Axis(1));
        let above = join(Axis(1), &self.weights, &column);
        let below = join(Axis(1), &column.t().to_owned(), &corner);
        Self {
            weights: join(Axis(0), &above, &below),
        }
    }
}

#[expect(clippy::expect_used, reason = "the other lengths are equal")]
fn join(axis: Axis, a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    concatenate(axis, &[a.view(), b.view()]).expect("lengths agree")
}
