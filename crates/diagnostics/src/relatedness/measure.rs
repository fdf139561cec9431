//! Transfer between tasks, measured.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use translearn_core::linalg::{cholesky, gram, matmul};
use translearn_core::{Features, Labelled, TransferError, check_same_features, seed, setters};

/// Measures how much each task helps each other one: a ridge regression is shrunk towards the other task's weights, and
/// tried on rows of its own task that it was not fitted on.
///
/// *When.* Tasks over one feature space with values as labels, of which it is not known which are related. Rows that
/// will score anything later must not be among those given.
///
/// # Formula
///
/// $$t_{ij} = 1 - \frac{\sum_f \lVert y_f - \hat y_f(\theta_i) \rVert^2}{\sum_f \lVert y_f - \hat y_f(0) \rVert^2}, \qquad
///   \hat\theta(\theta_0) = \arg\min_\theta \lVert y - X \theta - b \rVert^2 + \lambda \lVert \theta - \theta_0 \rVert^2$$
///
/// over the folds `f` of task `j`, each predicted by the regression on the others; `θ_i` is the weights of the
/// regression on all rows of task `i`, shrunk towards 0. The intercept `b` is free. Below 0 the other task does harm;
/// the diagonal is 0.
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
/// n tasks with d columns and m rows each: O(n k (m d² + d³) + n² k (m d + d²)) for k folds. Sparse rows are made
/// dense.
///
/// # Errors
///
/// [`TransferError::TooFewRows`] below two tasks or below two rows in one, [`TransferError::FeatureMismatch`],
/// [`TransferError::LengthMismatch`], [`TransferError::NotFinite`], [`TransferError::Unsupported`] for classes and
/// [`TransferError::InvalidParameter`].
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
/// *Where we differ.* The paper's models are logistic regressions and its gains are of accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferMeasurement {
    lambda: f64,
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
    /// The weights of each task's own regression, a row each.
    pub parameters: Array2<f64>,
}

/// A linear model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// A weight for each column.
    pub weights: Array1<f64>,
    /// What is added.
    pub intercept: f64,
}

impl LinearModel {
    /// The values of rows.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] and those of [`Features::dense`].
    pub fn predict(&self, rows: &Features) -> Result<Array1<f64>, TransferError> {
        translearn_core::check_prediction_rows(rows, self.weights.len())?;
        Ok(rows.dense()?.dot(&self.weights) + self.intercept)
    }
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
        let tasks = self.checked(tasks)?;
        let d = tasks[0].rows.ncols();
        let mut parameters = Array2::zeros((tasks.len(), d));
        for (task, mut weights) in tasks.iter().zip(parameters.outer_iter_mut()) {
            let all: Vec<usize> = (0..task.values.len()).collect();
            let fit = task.fit(&all, &Array2::zeros((d, 1)), self.lambda)?;
            weights.assign(&fit.weights.column(0));
        }
        // In the last column none: shrunk towards 0.
        let mut starts = Array2::zeros((d, tasks.len() + 1));
        starts
            .slice_mut(s![.., ..tasks.len()])
            .assign(&parameters.t());
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
                let mut gains = errors.slice_move(s![..tasks.len()]).mapv(|error| {
                    if without > 0.0 {
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
        let task = TaskRows::new(task, "the task")?;
        if prior.len() != task.rows.ncols() {
            return Err(TransferError::FeatureMismatch {
                left: "the prior".to_owned(),
                left_features: prior.len(),
                right: "the task".to_owned(),
                right_features: task.rows.ncols(),
            });
        }
        let all: Vec<usize> = (0..task.values.len()).collect();
        let start = prior.to_owned().insert_axis(Axis(1));
        let fit = task.fit(&all, &start, self.lambda)?;
        let weights = fit.weights.column(0).to_owned();
        Ok(LinearModel {
            intercept: fit.mean_value - fit.mean_row.dot(&weights),
            weights,
        })
    }

    fn check_parameters(&self) -> Result<(), TransferError> {
        let invalid = |name: &str, value: String, range: &str| {
            Err(TransferError::InvalidParameter {
                name: name.to_owned(),
                value,
                range: range.to_owned(),
            })
        };
        if !(self.lambda > 0.0 && self.lambda.is_finite()) {
            return invalid("lambda", self.lambda.to_string(), "(0, ∞)");
        }
        if self.n_folds < 2 {
            return invalid("n_folds", self.n_folds.to_string(), "integer ≥ 2");
        }
        Ok(())
    }

    fn checked(&self, tasks: &[Labelled<'_>]) -> Result<Vec<TaskRows>, TransferError> {
        self.check_parameters()?;
        if tasks.len() < 2 {
            return Err(TransferError::TooFewRows {
                what: "the list of tasks".to_owned(),
                rows: tasks.len(),
                needed: 2,
            });
        }
        for (number, task) in tasks.iter().enumerate() {
            let name = format!("task {number}");
            check_same_features("task 0", &tasks[0].features, &name, &task.features)?;
        }
        let named = tasks.iter().enumerate();
        named
            .map(|(number, task)| TaskRows::new(task, &format!("task {number}")))
            .collect()
    }
}

/// Rows of a task, their values and an order that depends on the rows alone.
struct TaskRows {
    rows: Array2<f64>,
    values: Array1<f64>,
    order: Vec<usize>,
}

/// Regressions on the same rows that start from different weights, a column each.
struct Fit {
    weights: Array2<f64>,
    mean_row: Array1<f64>,
    mean_value: f64,
}

impl TaskRows {
    fn new(task: &Labelled<'_>, name: &str) -> Result<Self, TransferError> {
        task.features.check_vectors(name)?;
        translearn_core::Sample::new(&task.features, &task.labels, task.labels.n_codes())?;
        let values = task.labels.values("a measurement of transfer")?.clone();
        if values.len() < 2 {
            return Err(TransferError::TooFewRows {
                what: name.to_owned(),
                rows: values.len(),
                needed: 2,
            });
        }
        Ok(Self {
            order: crate::row_order::by_value_and_label(&task.features, &task.labels),
            rows: task.features.dense()?.into_owned(),
            values,
        })
    }

    /// The rows of each fold, and those of the others.
    fn folds(&self, n_folds: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
        let n = self.order.len();
        let mut order = self.order.clone();
        seed::rng(seed).shuffle(&mut order);
        let n_folds = n_folds.min(n);
        let fold = |fold: usize| {
            let places = order.iter().enumerate();
            let (held_out, rest): (Vec<_>, Vec<_>) =
                places.partition(|(at, _)| at % n_folds == fold);
            let rows = |of: Vec<(usize, &usize)>| of.into_iter().map(|(_, &row)| row).collect();
            (rows(held_out), rows(rest))
        };
        (0..n_folds).map(fold).collect()
    }

    fn fit(&self, rows: &[usize], starts: &Array2<f64>, lambda: f64) -> Result<Fit, TransferError> {
        let n = rows.len() as f64;
        let (x, y) = (
            self.rows.select(Axis(0), rows),
            self.values.select(Axis(0), rows),
        );
        let (mean_row, mean_value) = (x.sum_axis(Axis(0)) / n, y.sum() / n);
        let (x, y) = (x - &mean_row, (y - mean_value).insert_axis(Axis(1)));
        let mut system = gram(&x);
        system.diag_mut().mapv_inplace(|entry| entry + lambda);
        let left = y - matmul(&x, starts)?;
        let step = cholesky(&system)?.solve(&matmul(&x.t(), &left)?)?;
        Ok(Fit {
            weights: starts + &step,
            mean_row,
            mean_value,
        })
    }
}

impl Fit {
    /// The sum of the squared errors of each regression on some rows.
    fn errors(&self, task: &TaskRows, rows: &[usize]) -> Result<Array1<f64>, TransferError> {
        let x = task.rows.select(Axis(0), rows) - &self.mean_row;
        let y = (task.values.select(Axis(0), rows) - self.mean_value).insert_axis(Axis(1));
        let errors = y - matmul(&x, &self.weights)?;
        Ok((&errors * &errors).sum_axis(Axis(0)))
    }
}
