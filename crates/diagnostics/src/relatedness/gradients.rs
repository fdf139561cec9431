//! Whether tasks pull a shared model the same way.

use ndarray::{Array1, Array2, ArrayView1};
use translearn_core::{Features, Labelled, Labels, Sample, TransferError, check_same_features};

/// The cosines between the gradients of the tasks' losses at one point, for a linear model that all share.
///
/// *When.* A first look at many tasks, one gradient each instead of a fit a pair. It is the affinity at that point
/// alone: near a task's optimum its gradient is mostly noise, and two tasks that agree far from both optima may part
/// later. Take a point that stands for where training begins, such as the pooled model or 0.
///
/// # Formula
///
/// $$A_{ij} = \frac{g_i^\top g_j}{\lVert g_i \rVert\, \lVert g_j \rVert}, \qquad g_i = \frac{1}{n_i} X_i^\top (\mu(X_i w) - y_i)$$
///
/// with `μ(z) = z` for values, whose loss is half the squared error, and `μ(z) = 1 / (1 + e^{−z})` for the classes 0
/// and 1, whose loss is the logistic one. A gradient of 0 is alike to none: its row is 0. For an intercept give a
/// constant column.
///
/// # Shapes and cost
///
/// n tasks over d columns, a point of length d: O(N d + n² d) for N rows in all.
///
/// # Errors
///
/// [`TransferError::Empty`] for no task or one without rows, [`TransferError::FeatureMismatch`] between tasks and for a
/// point of another length, [`TransferError::UnknownClass`] for a class above 1, [`TransferError::NotFinite`].
///
/// # Example
///
/// ```
/// use std::borrow::Cow;
/// use ndarray::array;
/// use translearn_core::{Labelled, Labels};
/// use translearn_diagnostics::relatedness::gradient_affinity;
///
/// let task = |x: [f64; 2], y: f64| Labelled {
///     features: Cow::Owned(array![x].into()),
///     labels: Cow::Owned(Labels::Values(array![y])),
/// };
/// // At 0 the gradients are −y x: (−2, 0), (−3, −3) and (1, 0).
/// let tasks = [task([1.0, 0.0], 2.0), task([1.0, 1.0], 3.0), task([1.0, 0.0], -1.0)];
/// let affinity = gradient_affinity(&tasks, array![0.0, 0.0].view())?;
/// assert!((affinity[[0, 1]] - 0.5_f64.sqrt()).abs() < 1e-12);
/// assert!((affinity[[0, 2]] + 1.0).abs() < 1e-12);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
///
/// # Source
///
/// Yu, Kumar, Gupta, Levine, Hausman, Finn, *Gradient surgery for multi-task learning*, NeurIPS 2020; gradients as
/// affinity: Fifty, Amid, Zhao, Yu, Anil, Finn, *Efficiently identifying task groupings for multi-task learning*,
/// NeurIPS 2021.
///
/// *Where we differ.* Fifty et al. take the change of one task's loss after a step of another, along a training; this
/// is its first order, at one point and without the lengths.
pub fn gradient_affinity(
    tasks: &[Labelled<'_>],
    point: ArrayView1<'_, f64>,
) -> Result<Array2<f64>, TransferError> {
    let Some(first) = tasks.first() else {
        return Err(TransferError::Empty {
            what: "the list of tasks".to_owned(),
            needed: 1,
        });
    };
    let of_point = Features::from(point.to_owned().insert_axis(ndarray::Axis(0)));
    check_same_features("the point", &of_point, "task 0", &first.features)?;
    of_point.check_finite("the point")?;
    let mut units = Array2::zeros((tasks.len(), point.len()));
    for (number, task) in tasks.iter().enumerate() {
        check_same_features(
            "task 0",
            &first.features,
            &format!("task {number}"),
            &task.features,
        )?;
        let gradient = gradient(task, point)?;
        let length = gradient.dot(&gradient).sqrt();
        if length > 0.0 {
            units.row_mut(number).assign(&(gradient / length));
        }
    }
    Ok(units.dot(&units.t()))
}

fn gradient(task: &Labelled<'_>, point: ArrayView1<'_, f64>) -> Result<Array1<f64>, TransferError> {
    // Classes above 1 are refused here.
    Sample::new(&task.features, &task.labels, 2)?;
    let rows = task.features.dense()?;
    let scores = rows.dot(&point);
    let errors = match &*task.labels {
        Labels::Values(values) => scores - values,
        Labels::Classes(classes) => {
            scores.mapv(|z| 1.0 / (1.0 + (-z).exp())) - classes.mapv(|class| class as f64)
        }
    };
    Ok(rows.t().dot(&errors) / rows.nrows() as f64)
}
