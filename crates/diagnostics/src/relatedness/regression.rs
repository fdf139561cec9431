//! Ridge regressions of one task that start from given weights.

use ndarray::{Array1, Array2, Axis, s};
use translearn_core::linalg::{cholesky, gram, matmul};
use translearn_core::{Labelled, Labels, TransferError, check_same_features, seed};

/// Rows of a task, what is to be said of each, and an order that depends on the rows alone.
pub(super) struct TaskRows {
    pub(super) rows: Array2<f64>,
    /// A column of values, or one of 0 and 1 for each class.
    pub(super) values: Array2<f64>,
    order: Vec<usize>,
}

/// Regressions on the same rows that start from different weights, side by side.
pub(super) struct Fit {
    /// A block of `outputs` columns for each.
    pub(super) weights: Array2<f64>,
    pub(super) mean_row: Array1<f64>,
    pub(super) mean_values: Array1<f64>,
}

/// How many columns of values tasks have together: one, or one for each of the classes of all of them.
pub(super) fn outputs_of(tasks: &[Labelled<'_>]) -> Result<usize, TransferError> {
    let Some(first) = tasks.first() else {
        return Ok(1);
    };
    if let Labels::Values(_) = &*first.labels {
        return Ok(1);
    }
    let classes = tasks.iter().map(|task| task.labels.n_codes());
    match classes.max() {
        Some(classes) if classes > 1 => Ok(classes),
        classes => Err(TransferError::TooFewClasses {
            what: "the list of tasks".to_owned(),
            classes: classes.unwrap_or(0),
        }),
    }
}

/// The rows of tasks that are to be compared.
pub(super) fn task_rows(
    tasks: &[Labelled<'_>],
    outputs: usize,
) -> Result<Vec<TaskRows>, TransferError> {
    let name = |number: usize| format!("task {number}");
    for (number, task) in tasks.iter().enumerate() {
        let first = &tasks[0].features;
        check_same_features(&name(0), first, &name(number), &task.features)?;
    }
    let named = tasks.iter().enumerate();
    named
        .map(|(number, task)| TaskRows::new(task, outputs, &name(number)))
        .collect()
}

/// Labels as columns: one of values, or one of 0 and 1 for each of `outputs` classes.
pub(super) fn columns(labels: &Labels, outputs: usize) -> Result<Array2<f64>, TransferError> {
    if outputs == 1 {
        let values = labels.values("a measurement of transfer from values")?;
        return Ok(values.clone().insert_axis(Axis(1)));
    }
    let classes = labels.classes("a measurement of transfer from classes")?;
    let is = |(row, class): (usize, usize)| f64::from(u8::from(classes[row] == class));
    Ok(Array2::from_shape_fn((classes.len(), outputs), is))
}

impl TaskRows {
    /// One output is that of values, more are classes.
    pub(super) fn new(
        task: &Labelled<'_>,
        outputs: usize,
        name: &str,
    ) -> Result<Self, TransferError> {
        task.features.check_vectors(name)?;
        let values = columns(&task.labels, outputs)?;
        translearn_core::Sample::new(&task.features, &task.labels, outputs)?;
        if values.nrows() < 2 {
            return Err(TransferError::TooFewRows {
                what: name.to_owned(),
                rows: values.nrows(),
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
    pub(super) fn folds(&self, n_folds: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
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

    /// The numbers of all rows.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.rows.nrows()).collect()
    }

    /// The regressions on some rows that are shrunk towards the weights of `starts`, a block of columns for each.
    ///
    /// What the weights change by is `(XᵀX + λI)⁻¹ Xᵀ R = Xᵀ (XXᵀ + λI)⁻¹ R` for what the start leaves over, `R`: the
    /// smaller system is solved.
    pub(super) fn fit(
        &self,
        rows: &[usize],
        starts: &Array2<f64>,
        lambda: f64,
    ) -> Result<Fit, TransferError> {
        let n = rows.len() as f64;
        let (x, y) = (
            self.rows.select(Axis(0), rows),
            self.values.select(Axis(0), rows),
        );
        let (mean_row, mean_values) = (x.sum_axis(Axis(0)) / n, y.sum_axis(Axis(0)) / n);
        let (x, y) = (x - &mean_row, y - &mean_values);
        let left = repeated(&y, starts.ncols()) - matmul(&x, starts)?;
        let with_lambda = |mut system: Array2<f64>| {
            system.diag_mut().mapv_inplace(|entry| entry + lambda);
            system
        };
        let change = if x.nrows() < x.ncols() {
            let system = with_lambda(gram(&x.t()));
            matmul(&x.t(), &cholesky(&system)?.solve(&left)?)?
        } else {
            let system = with_lambda(gram(&x));
            cholesky(&system)?.solve(&matmul(&x.t(), &left)?)?
        };
        Ok(Fit {
            weights: starts + &change,
            mean_row,
            mean_values,
        })
    }
}

impl Fit {
    /// The sum of the squared errors of each regression on some rows of its task.
    pub(super) fn errors(
        &self,
        task: &TaskRows,
        rows: &[usize],
    ) -> Result<Array1<f64>, TransferError> {
        let x = task.rows.select(Axis(0), rows) - &self.mean_row;
        let y = task.values.select(Axis(0), rows) - &self.mean_values;
        let errors = repeated(&y, self.weights.ncols()) - matmul(&x, &self.weights)?;
        let of_columns = (&errors * &errors).sum_axis(Axis(0));
        let outputs = y.ncols();
        let starts = of_columns.len() / outputs;
        let of = |start: usize| {
            let block = of_columns.slice(s![start * outputs..(start + 1) * outputs]);
            block.sum()
        };
        Ok((0..starts).map(of).collect())
    }
}

/// A matrix beside itself, until there are so many columns.
fn repeated(block: &Array2<f64>, columns: usize) -> Array2<f64> {
    let outputs = block.ncols();
    Array2::from_shape_fn((block.nrows(), columns), |(row, column)| {
        block[[row, column % outputs]]
    })
}
