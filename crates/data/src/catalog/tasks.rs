//! Many related regression tasks in one file.

use ndarray::{Array1, Array2, Axis, concatenate};
use translearn_assets::Cache;

use super::load::Reader;
use super::read::variables;
use super::set::{Select, Set};
use crate::read::Value;
use crate::{DataError, RawFeatures, RawLabels, RawSample};

/// Tasks over one feature space, each with its own rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Tasks {
    /// Features (`n_t x d`) and targets (`n_t`) of each task.
    pub tasks: Vec<(Array2<f64>, Array1<f64>)>,
}

impl Tasks {
    /// The rows of all tasks, one task after the other, and the task of each row.
    ///
    /// ```
    /// use ndarray::array;
    /// use translearn_data::catalog::Tasks;
    ///
    /// let tasks = Tasks { tasks: vec![(array![[1.0], [2.0]], array![5.0, 6.0]), (array![[3.0]], array![7.0])] };
    /// let (x, y, task) = tasks.flatten();
    /// assert_eq!(x, array![[1.0], [2.0], [3.0]]);
    /// assert_eq!((y, task), (array![5.0, 6.0, 7.0], vec![0, 0, 1]));
    /// ```
    ///
    /// # Panics
    /// When the tasks do not have the same number of features; those that were read do.
    pub fn flatten(&self) -> (Array2<f64>, Array1<f64>, Vec<usize>) {
        let x: Vec<_> = self.tasks.iter().map(|(x, _)| x.view()).collect();
        let y: Vec<_> = self.tasks.iter().map(|(_, y)| y.view()).collect();
        let task = (0..)
            .zip(&self.tasks)
            .flat_map(|(t, (_, y))| std::iter::repeat_n(t, y.len()))
            .collect();
        #[expect(clippy::expect_used, reason = "documented as a panic")]
        let joined = |x: Vec<_>| concatenate(Axis(0), &x).expect("one feature space");
        (
            if x.is_empty() {
                Array2::zeros((0, 0))
            } else {
                joined(x)
            },
            y.iter().flatten().copied().collect(),
            task,
        )
    }
}

impl From<&Tasks> for RawSample {
    fn from(tasks: &Tasks) -> Self {
        let (x, y, _) = tasks.flatten();
        Self {
            features: RawFeatures::Matrix(x.into()),
            labels: Some(RawLabels::Numbers(y.to_vec())),
        }
    }
}

impl Set {
    /// The tasks of a multi-task set. [`Set::load`] gives their rows in the same order.
    ///
    /// # Errors
    /// Those of [`Set::select`], [`Set::fetch`] and the reader; [`DataError::Unsupported`] for a set that is a single task;
    /// [`DataError::Mismatch`] when features and targets do not go together.
    pub fn tasks(&self, cache: &Cache) -> Result<Tasks, DataError> {
        match self.select(&Select::all())?.as_slice() {
            [part] => self.read_tasks(&part.read, cache),
            _ => Err(self.unsupported("a single task", "use `load`")),
        }
    }

    pub(super) fn read_tasks(&self, reader: &Reader, cache: &Cache) -> Result<Tasks, DataError> {
        let Reader::Tasks {
            file,
            features,
            label,
            tasks,
        } = reader
        else {
            return Err(self.unsupported("a single task", "use `load`"));
        };
        let path = self.fetch(cache, file)?;
        let variables = variables(&path)?;
        let mismatch = |left: String, right: String| DataError::Mismatch {
            path: path.clone(),
            left,
            right,
            advice: "each task has its features and as many targets".to_owned(),
        };
        let cells = |name: &str| match variables.get(name)? {
            Value::Cell { cells, .. } if cells.len() == *tasks => Ok(cells),
            other => Err(mismatch(
                format!("{tasks} tasks"),
                format!("`{name}` is {}", other.describe()),
            )),
        };
        let matrix = |name: &str, task: usize, cell: &Value| match cell {
            Value::Numeric(array) => array.dense(&path, &format!("{name}{{{}}}", task + 1)),
            other => Err(mismatch(
                format!("`{name}` holds matrices"),
                format!("task {task} is {}", other.describe()),
            )),
        };
        let mut width = None;
        let tasks = (cells(features)?.iter().zip(cells(label)?).enumerate())
            .map(|(task, (x, y))| {
                let (x, y) = (matrix(features, task, x)?, matrix(label, task, y)?);
                let width = *width.get_or_insert(x.ncols());
                if x.ncols() != width {
                    return Err(mismatch(
                        format!("task 0 has {width} features"),
                        format!("task {task} has {}", x.ncols()),
                    ));
                }
                if y.len() != x.nrows() {
                    return Err(mismatch(
                        format!("task {task} has {} rows", x.nrows()),
                        format!("its `{label}` is {} x {}", y.nrows(), y.ncols()),
                    ));
                }
                let y = y.iter().copied().collect();
                Ok((x, y))
            })
            .collect::<Result<_, _>>()?;
        Ok(Tasks { tasks })
    }
}
