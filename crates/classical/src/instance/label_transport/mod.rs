//! Labels carried from the source to the target by a plan of optimal transport, and learners fitted on what arrives.

mod jcpot;
#[cfg(test)]
mod jcpot_tests;
mod jdot;
mod label_propagation;
#[cfg(test)]
mod tests;

pub use jcpot::{Jcpot, JcpotParams};
pub use jdot::{Jdot, JdotParams, JointTransport};
pub use label_propagation::{LabelPropagation, LabelPropagationParams};

use std::borrow::Cow;

use ndarray::{Array1, Array2, Axis};
use translearn_core::{
    BaseLearner, Features, Labels, ParamInfo, ParamRange, Predictor, Sample, TransferError,
    TransferProblem, linalg::matmul, seed::derive,
};
use translearn_transport::emd;

use crate::feature::sinkhorn;

/// Iterations of Sinkhorn's algorithm.
const MAX_ITERATIONS: usize = 10_000;

/// The parameter of methods whose plan may have an entropy.
const REGULARIZATION: ParamInfo = ParamInfo {
    name: "regularization",
    default: "null",
    range: ParamRange::PositiveOrAuto,
    doc: "Weight of the entropy of the plan; null: none, the exact plan.",
};

/// The cheapest plan between rows that all weigh the same on each side; with an entropy of this weight, where given.
fn coupling(cost: &Array2<f64>, regularization: Option<f64>) -> Result<Array2<f64>, TransferError> {
    let masses = |rows: usize| Array1::from_elem(rows, 1.0 / rows as f64);
    let (a, b) = (masses(cost.nrows()), masses(cost.ncols()));
    Ok(match regularization {
        None => emd(cost, &a, &b)?.plan.dense(),
        Some(epsilon) => {
            let solver = sinkhorn(epsilon, MAX_ITERATIONS);
            solver.solve(cost, &a, &b)?.converged()?.plan
        }
    })
}

/// Labels as a table: a column for each class, with 1 for that of the row, or one column of values.
fn label_columns(labels: &Labels, n_classes: usize) -> Array2<f64> {
    match labels {
        Labels::Classes(codes) => {
            let mut columns = Array2::zeros((codes.len(), n_classes));
            for (row, &class) in codes.indexed_iter() {
                columns[[row, class]] = 1.0;
            }
            columns
        }
        Labels::Values(values) => values.clone().insert_axis(Axis(1)),
    }
}

/// What arrives at each target row: `Σ_i P_ij y_i / Σ_i P_ij`, shares of the classes or a mean value.
fn carried(plan: &Array2<f64>, labels: &Array2<f64>) -> Result<Array2<f64>, TransferError> {
    let mut arrived = matmul(&plan.t(), labels)?;
    for (mut row, mass) in arrived.rows_mut().into_iter().zip(plan.sum_axis(Axis(0))) {
        row /= mass.max(f64::MIN_POSITIVE);
    }
    Ok(arrived)
}

/// Puts the labels that are known of target rows in place of what was found for them.
fn keep_known(problem: &TransferProblem, found: &mut Array2<f64>) {
    let known = problem.target_task();
    let labels = label_columns(&known.labels, problem.n_classes());
    for (&row, label) in known.rows.iter().zip(labels.rows()) {
        found.row_mut(row).assign(&label);
    }
}

/// Fits a learner on the target with a label for each row as [`carried`] has them. Shares of classes are weights: the row
/// stands once for each class that it has a share of.
fn fit_carried(
    learner: &BaseLearner,
    problem: &TransferProblem,
    carried: &Array2<f64>,
    seed: u64,
) -> Result<Box<dyn Predictor>, TransferError> {
    let target = problem.target_features();
    let seed = derive(seed, &["learner"]);
    if problem.n_classes() == 0 {
        let labels = Labels::Values(carried.column(0).to_owned());
        return learner.fit_boxed(&Sample::new(target, &labels, 0)?, seed);
    }
    let shares = carried.indexed_iter().filter(|&(_, &share)| share > 0.0);
    let (places, weights): (Vec<(usize, usize)>, Vec<f64>) =
        shares.map(|(place, &share)| (place, share)).unzip();
    let (rows, classes): (Vec<usize>, Vec<usize>) = places.into_iter().unzip();
    let features: Cow<'_, Features> = if rows.iter().copied().eq(0..target.n_rows()) {
        Cow::Borrowed(target)
    } else {
        Cow::Owned(target.select_rows(&rows))
    };
    let (labels, weights) = (Labels::Classes(classes.into()), Array1::from(weights));
    let sample = Sample::new(&features, &labels, problem.n_classes())?;
    learner.fit_boxed(&sample.with_weights(&weights)?, seed)
}
