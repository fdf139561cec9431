//! Transfer between tasks, measured.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::linalg::matmul;
use translearn_core::{Features, Labelled, Labels, TransferError, seed, setters};

use super::regression::{Fit, TaskRows, outputs_of, task_rows};
use crate::check::{check_above_zero, check_count};

/// Errors of labels that do not vary, or are predicted to the last digits, in parts of the labels' sum of squares.
const ROUNDING: f64 = 1e-24;

/// Measures how much each task helps each other one: a ridge regression is shrunk towards the other task's weights, and
/// tried on rows of its own task that it was not fitted on.
///
/// *When.* Tasks over one feature space with values or with the same classes as labels, of which it is not known which
/// are related. Rows that will score anything later must not be among those given.
///
/// # Formula
///
/// $$t_{ij} = 1 - \frac{\sum_f \lVert y_f - \hat y_f(\theta_i) \rVert^2}{\sum_f \lVert y_f - \hat y_f(0) \rVert^2}, \qquad
///   \hat\theta(\theta_0) = \arg\min_\theta \lVert y - X \theta - b \rVert^2 + \lambda \lVert \theta - \theta_0 \rVert^2$$
///
/// over the folds `f` of task `j`, each predicted by the regression on the others; `θ_i` is the weights of the
/// regression on all rows of task `i`, shrunk towards 0. The intercept `b` is free. Below 0 the other task does harm;
/// the diagonal is 0, and so is the column of a task whose own regressions leave no error: at most 10⁻²⁴ `‖y‖²`, which is
/// rounding. Of classes `y` is a row of 0 and 1, a column for each class of any task, and so are `θ` and `b`.
///
/// # Steps
///
/// 1. Each task's rows, in an order that depends on their values alone, are dealt out by the seed.
/// 2. A factorisation for each fold serves all other tasks.
///
/// # Parameters
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `lambda` | 10 | (0, ∞) | `λ`, how strongly weights are held to where they start |
/// | `n_folds` | 5 | integer ≥ 2 | folds of each task; no more than it has rows |
///
/// # Shapes and cost
///
/// n tasks with d columns and m rows each, and c classes (1 for values): O(n k (m d s + s³) + n² k c (m d + d s)) for k
/// folds, with the lesser of d and m as s. Sparse rows are made dense.
///
/// # Errors
///
/// [`TransferError::TooFewRows`] below two tasks or below two rows in one, [`TransferError::FeatureMismatch`],
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::Unsupported`] for values in one task
/// and classes in another, [`TransferError::TooFewClasses`] and [`TransferError::InvalidParameter`].
///
/// # Example
///
/// ```
/// use std::borrow::Cow;
/// use ndarray::{Array2, Axis, array};
/// use translearn_core::{Features, Labelled, Labels, seed};
/// use translearn_diagnostics::relatedness::TransferMeasurement;
///
/// let mut rng = seed::rng(0);
/// let mut task = |slope: f64| {
///     let x = Array2::from_shape_simple_fn((20, 1), || rng.normal());
///     let y = slope * &x.column(0);
///     Labelled { features: Cow::Owned(x.into()), labels: Cow::Owned(Labels::Values(y)) }
/// };
/// let tasks = [task(1.0), task(1.1), task(-1.0)];
/// let measured = TransferMeasurement::default().measure(&tasks, 0)?;
/// let gains = measured.gains;
/// assert!(gains[[0, 1]] > 0.5 && gains[[1, 0]] > 0.5);
/// assert!(gains[[0, 2]] < -0.5 && gains[[2, 0]] < -0.5);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Eaton, desJardins, Lane, *Modeling transfer relationships between learning tasks for improved inductive transfer*,
/// ECML PKDD 2008, doi:10.1007/978-3-540-87479-9_39.
///
/// *Where we differ.* The paper's models are logistic regressions and its gains are of accuracy; the squared error of the
/// classes' 0 and 1 is the Brier score, and changes with every row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferMeasurement {
    pub(super) lambda: f64,
    n_folds: usize,
}

impl Default for TransferMeasurement {
    fn default() -> Self {
        Self {
            lambda: 10.0,
            n_folds: 5,
        }
    }
}

setters!(TransferMeasurement {
    /// Sets how strongly weights are held to where they start.
    lambda: f64,
    /// Sets the number of folds of each task.
    n_folds: usize,
});

/// Transfer between all pairs of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredTransfer {
    /// Row `i`, column `j`: the gain of task `j` from task `i`, in parts of its error without; 0 on the diagonal.
    pub gains: Array2<f64>,
    /// The weights of each task's own regression, a row each; of several classes those of a column beside each other.
    pub parameters: Array2<f64>,
}

/// A linear model of values, or of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// A weight for each column (down), for the values or for each class (across).
    pub weights: Array2<f64>,
    /// What is added, for the values or for each class.
    pub intercepts: Array1<f64>,
}

impl LinearModel {
    pub(super) fn new(fit: &Fit, weights: Array2<f64>) -> Self {
        Self {
            intercepts: &fit.mean_values - &fit.mean_row.dot(&weights),
            weights,
        }
    }

    /// The values of rows, or the class of the largest output; the first of equals.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] and those of [`Features::dense`].
    pub fn predict(&self, rows: &Features) -> Result<Labels, TransferError> {
        Ok(as_labels(self.outputs(rows)?))
    }

    /// A column for the values, or for each class.
    pub(super) fn outputs(&self, rows: &Features) -> Result<Array2<f64>, TransferError> {
        translearn_core::check_prediction_rows(rows, self.weights.nrows())?;
        Ok(matmul(&*rows.dense()?, &self.weights)? + &self.intercepts)
    }
}

/// The values of the one column, or the class of the largest of several; the first of equals.
pub(super) fn as_labels(outputs: Array2<f64>) -> Labels {
    if outputs.ncols() == 1 {
        return Labels::Values(outputs.remove_axis(Axis(1)));
    }
    let largest = |row: ArrayView1<'_, f64>| {
        let outputs = row.iter().enumerate();
        let best = outputs.fold((0, f64::NEG_INFINITY), |best, (class, &output)| {
            if output > best.1 {
                (class, output)
            } else {
                best
            }
        });
        best.0
    };
    Labels::Classes(outputs.outer_iter().map(largest).collect())
}

impl TransferMeasurement {
    /// The gain of each task from each other; the seed deals out the folds.
    ///
    /// # Errors
    /// See the type.
    pub fn measure(
        &self,
        tasks: &[Labelled<'_>],
        seed: u64,
    ) -> Result<MeasuredTransfer, TransferError> {
        self.check_parameters()?;
        let outputs = check_tasks(tasks)?;
        let tasks = task_rows(tasks, outputs)?;
        let d = tasks[0].rows.ncols();
        let own = tasks
            .par_iter()
            .map(|task| task.fit(&task.all(), &Array2::zeros((d, outputs)), self.lambda))
            .collect::<Result<Vec<Fit>, TransferError>>()?;
        let mut parameters = Array2::zeros((tasks.len(), d * outputs));
        // In the last block none: shrunk towards 0.
        let mut starts = Array2::zeros((d, (tasks.len() + 1) * outputs));
        for (number, fit) in own.iter().enumerate() {
            let flat: Array1<f64> = fit.weights.iter().copied().collect();
            parameters.row_mut(number).assign(&flat);
            starts
                .slice_mut(s![.., number * outputs..(number + 1) * outputs])
                .assign(&fit.weights);
        }
        let columns: Vec<Array1<f64>> = tasks
            .par_iter()
            .enumerate()
            .map(|(number, task)| {
                let folds = task.folds(self.n_folds, seed::derive(seed, &[&number.to_string()]));
                let mut errors = Array1::<f64>::zeros(tasks.len() + 1);
                for (held_out, rest) in folds {
                    errors += &task
                        .fit(&rest, &starts, self.lambda)?
                        .errors(task, &held_out)?;
                }
                let without = errors[tasks.len()];
                let rounding =
                    ROUNDING * task.values.iter().map(|value| value * value).sum::<f64>();
                let mut gains = errors.slice_move(s![..tasks.len()]).mapv(|error| {
                    if without > rounding {
                        1.0 - error / without
                    } else {
                        0.0
                    }
                });
                gains[number] = 0.0;
                Ok(gains)
            })
            .collect::<Result<_, TransferError>>()?;
        let mut gains = Array2::zeros((tasks.len(), tasks.len()));
        for (column, mut place) in columns.iter().zip(gains.axis_iter_mut(Axis(1))) {
            place.assign(column);
        }
        Ok(MeasuredTransfer { gains, parameters })
    }

    /// The ridge regression of a task that is shrunk towards given weights, as
    /// [`TransferFunction`](super::TransferFunction) gives them; towards 0 for those alone.
    ///
    /// # Errors
    /// As [`TransferMeasurement::measure`], and [`TransferError::FeatureMismatch`] for weights of another length.
    pub fn fit(
        &self,
        task: &Labelled<'_>,
        prior: ArrayView1<'_, f64>,
    ) -> Result<LinearModel, TransferError> {
        self.check_parameters()?;
        let d = task.features.n_columns();
        let outputs = match (&*task.labels, d) {
            (Labels::Classes(_), 1..) => (prior.len() / d).max(task.labels.n_codes()).max(2),
            _ => 1,
        };
        if prior.len() != d * outputs {
            return Err(TransferError::FeatureMismatch {
                left: "the prior".to_owned(),
                left_features: prior.len(),
                right: "the task, times its classes,".to_owned(),
                right_features: d * outputs,
            });
        }
        let task = TaskRows::new(task, outputs, "the task")?;
        let start = as_weights(prior, outputs);
        let fit = task.fit(&task.all(), &start, self.lambda)?;
        Ok(LinearModel::new(&fit, fit.weights.clone()))
    }

    pub(super) fn check_parameters(&self) -> Result<(), TransferError> {
        check_above_zero("lambda", self.lambda)?;
        check_count("n_folds", self.n_folds, 2)
    }
}

/// A row of parameters as a matrix: a row for each column of the task, a column for each output.
pub(super) fn as_weights(parameters: ArrayView1<'_, f64>, outputs: usize) -> Array2<f64> {
    let d = parameters.len() / outputs;
    Array2::from_shape_fn((d, outputs), |(column, output)| {
        parameters[column * outputs + output]
    })
}

/// Refuses fewer than two tasks; how many outputs theirs are.
pub(super) fn check_tasks(tasks: &[Labelled<'_>]) -> Result<usize, TransferError> {
    if tasks.len() < 2 {
        return Err(TransferError::TooFewRows {
            what: "the list of tasks".to_owned(),
            rows: tasks.len(),
            needed: 2,
        });
    }
    outputs_of(tasks)
}
