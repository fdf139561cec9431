//! Rows of tasks to learn from, and rows to score.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use translearn_core::{Features, Labelled, TransferError, check_same_features, seed};

use crate::check::check_share;
use crate::standardise::standardise;

/// Each task's rows dealt out at random: some to learn from, the others to score.
///
/// *When.* Before transfer between tasks is measured and judged
/// ([`TransferMeasurement::worth_of_edges`](super::TransferMeasurement::worth_of_edges)): what was measured on rows tells
/// nothing of transfer on the same rows.
///
/// # Steps
///
/// 1. Of a task with `n` rows, `taught · n` are drawn to learn from, rounded, at least two and at most `n − 1`.
/// 2. Columns are standardised: the mean and deviation of the rows to learn from, of all tasks together, are taken from
///    both. A column that is constant there is only centred.
///
/// # Shapes and cost
///
/// N rows in all of d columns: O(N d). Sparse rows are made dense.
///
/// # Errors
///
/// [`TransferError::TooFewRows`] below three rows in a task, [`TransferError::Empty`] for no task,
/// [`TransferError::FeatureMismatch`], [`TransferError::InvalidParameter`] for a share outside (0, 1).
///
/// # Example
///
/// ```
/// use std::borrow::Cow;
/// use ndarray::array;
/// use translearn_core::{Labelled, Labels};
/// use translearn_diagnostics::relatedness::SplitTasks;
///
/// let task = Labelled {
///     features: Cow::Owned(array![[1.0], [2.0], [3.0], [4.0]].into()),
///     labels: Cow::Owned(Labels::Values(array![1.0, 2.0, 3.0, 4.0])),
/// };
/// let split = SplitTasks::draw(&[task.clone(), task], 0.75, 0)?;
/// assert_eq!((split.taught[1].labels.len(), split.held_out[1].labels.len()), (3, 1));
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SplitTasks {
    /// The rows of each task to learn from.
    pub taught: Vec<Labelled<'static>>,
    /// The rows of each task to score.
    pub held_out: Vec<Labelled<'static>>,
}

impl SplitTasks {
    /// Deals out the rows of tasks.
    ///
    /// # Errors
    /// See the type.
    pub fn draw(tasks: &[Labelled<'_>], taught: f64, seed: u64) -> Result<Self, TransferError> {
        check_share("taught", taught)?;
        let Some(first) = tasks.first() else {
            return Err(TransferError::Empty {
                what: "the list of tasks".to_owned(),
                needed: 1,
            });
        };
        let mut dealt = Vec::with_capacity(tasks.len());
        for (number, task) in tasks.iter().enumerate() {
            let name = format!("task {number}");
            check_same_features("task 0", &first.features, &name, &task.features)?;
            let n = task.labels.len();
            if n < 3 {
                return Err(TransferError::TooFewRows {
                    what: name,
                    rows: n,
                    needed: 3,
                });
            }
            let order = seed::rng(seed::derive(seed, &[&number.to_string()])).permutation(n);
            let count = ((taught * n as f64).round() as usize).clamp(2, n - 1);
            dealt.push((order[..count].to_vec(), order[count..].to_vec()));
        }
        let (rows_taught, rows_held_out): (Vec<_>, Vec<_>) = dealt.into_iter().unzip();
        let mut above = stacked(tasks, &rows_taught)?;
        let mut below = stacked(tasks, &rows_held_out)?;
        standardise(&mut above, &mut below);
        Ok(Self {
            taught: parted(tasks, &rows_taught, &above)?,
            held_out: parted(tasks, &rows_held_out, &below)?,
        })
    }
}

/// Some rows of each task, one task after the other.
fn stacked(tasks: &[Labelled<'_>], rows: &[Vec<usize>]) -> Result<Features, TransferError> {
    let parts = tasks.iter().zip(rows);
    let parts = parts.map(|(task, rows)| {
        let part = task.features.select_rows(rows);
        Ok(part.dense()?.into_owned())
    });
    let parts: Vec<Array2<f64>> = parts.collect::<Result<_, TransferError>>()?;
    let views: Vec<ArrayView2<'_, f64>> = parts.iter().map(Array2::view).collect();
    #[expect(
        clippy::expect_used,
        reason = "all tasks have the columns of the first"
    )]
    let joined = concatenate(Axis(0), &views).expect("one width");
    Ok(joined.into())
}

/// The rows of each task again, with their labels.
fn parted(
    tasks: &[Labelled<'_>],
    rows: &[Vec<usize>],
    stacked: &Features,
) -> Result<Vec<Labelled<'static>>, TransferError> {
    let stacked = stacked.dense()?;
    let mut start = 0;
    let parts = tasks.iter().zip(rows).map(|(task, rows)| {
        let part = stacked.slice(s![start..start + rows.len(), ..]).to_owned();
        start += rows.len();
        Labelled {
            features: Cow::Owned(part.into()),
            labels: Cow::Owned(task.labels.select(rows)),
        }
    });
    Ok(parts.collect())
}
