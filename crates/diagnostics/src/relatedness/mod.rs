//! Which tasks help each other: transfer between all pairs of tasks, measured; the graph it makes, and where a new task
//! stands in it; groups of tasks.
//!
//! | | |
//! |---|---|
//! | [`TransferMeasurement`] | how much each task's model helps each other task, on rows that neither saw |
//! | [`gradient_affinity`] | whether tasks pull a shared model the same way: cheaper, and of one point only |
//! | [`TransferGraph`] | tasks as vertices, transfer as weights; coordinates, also for drawing; isolated tasks |
//! | [`TransferFunction`] | parameters for a new task from its place in the graph, or none where it stands alone |
//! | [`Dendrogram`] | groups of tasks, the most alike joined first |
//! | [`SplitTasks`], [`EdgeWorth`] | what transfer along the edges and across them is worth on rows held out |
//!
//! ```
//! use ndarray::array;
//! use translearn_diagnostics::relatedness::{Dendrogram, TransferFunction, TransferGraph};
//!
//! // Tasks 0 and 1 help each other, as do 2 and 3; the last helps none.
//! let gains = array![
//!     [0.0, 0.4, 0.0, -0.1, 0.0],
//!     [0.5, 0.0, -0.2, 0.0, 0.0],
//!     [0.0, 0.0, 0.0, 0.3, -0.3],
//!     [-0.1, 0.0, 0.3, 0.0, 0.0],
//!     [-0.5, 0.0, 0.0, 0.0, 0.0],
//! ];
//! let graph = TransferGraph::new(&gains)?;
//! assert_eq!(graph.isolated(), [4]);
//! let groups = Dendrogram::average_linkage(&graph.distances())?;
//! assert_eq!(groups.cut(3)?, array![0, 0, 1, 1, 2]);
//!
//! // A new task that the third helped: its parameters are nearly those of the third and the fourth.
//! let parameters = array![[1.0], [1.0], [-2.0], [-2.0], [9.0]];
//! let prior = TransferFunction::default().prior(&graph, &parameters, &[(0, -0.3), (2, 0.4)])?;
//! assert!(prior.is_some_and(|prior| (prior[0] + 2.0).abs() < 0.1));
//! // One that none helped is better left alone.
//! assert_eq!(TransferFunction::default().prior(&graph, &parameters, &[(0, -0.3), (2, 0.0)])?, None);
//! # Ok::<(), translearn_core::TransferError>(())
//! ```

mod dendrogram;
mod function;
mod gradients;
mod graph;
mod measure;
mod regression;
mod split;
#[cfg(test)]
mod tests;
mod worth;

use ndarray::{Array2, ArrayBase, Data, Ix2};
use translearn_core::TransferError;

pub use dendrogram::{Dendrogram, Merge};
pub use function::TransferFunction;
pub use gradients::gradient_affinity;
pub use graph::TransferGraph;
pub use measure::{LinearModel, MeasuredTransfer, TransferMeasurement};
pub use split::SplitTasks;
pub use worth::{ByStart, EdgeWorth};

/// Refuses what is no matrix over pairs of at least `needed` tasks.
fn check_pairs(what: &str, matrix: &Array2<f64>, needed: usize) -> Result<(), TransferError> {
    let (rows, columns) = matrix.dim();
    if rows != columns {
        return Err(TransferError::LengthMismatch {
            left: format!("{what}, down,"),
            left_len: rows,
            right: format!("{what}, across,"),
            right_len: columns,
        });
    }
    if rows < needed {
        return Err(TransferError::TooFewRows {
            what: what.to_owned(),
            rows,
            needed,
        });
    }
    check_finite(what, matrix)
}

fn check_finite<S: Data<Elem = f64>>(
    what: &str,
    matrix: &ArrayBase<S, Ix2>,
) -> Result<(), TransferError> {
    match matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(TransferError::NotFinite {
            what: what.to_owned(),
            row,
            column,
            value: value.to_string(),
        }),
    }
}
