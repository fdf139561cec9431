//! Problems made of a problem: fewer rows, fewer labels, other labels, one source.

use crate::problem::no_labelled_source;
use crate::{Domain, Labels, Task, TransferError, TransferProblem};

impl TransferProblem {
    /// The same problem with only some of the labelled source rows, which are numbered as in [`TransferProblem::source`]:
    /// what cross-validation on the source fits.
    ///
    /// Several sources stay apart. Each keeps its rows in the order given, and one that is left without rows is left out.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for a row that is not there, [`TransferError::Empty`] for no row at all.
    pub fn with_source_rows(&self, rows: &[usize]) -> Result<Self, TransferError> {
        let ends: Vec<usize> = self
            .sources
            .iter()
            .scan(0, |end, (_, task)| {
                *end += task.rows.len();
                Some(*end)
            })
            .collect();
        // Places among the labelled rows of each source.
        let mut chosen = vec![Vec::new(); self.sources.len()];
        for &row in rows {
            let source = ends.partition_point(|&end| end <= row);
            let Some(places) = chosen.get_mut(source) else {
                return Err(TransferError::InvalidParameter {
                    name: "rows".to_owned(),
                    value: row.to_string(),
                    range: format!(
                        "labelled source rows below {}",
                        ends.last().copied().unwrap_or(0)
                    ),
                });
            };
            places.push(row + self.sources[source].1.rows.len() - ends[source]);
        }
        let sources: Vec<(Domain, Task)> = self
            .sources
            .iter()
            .zip(chosen)
            .filter(|(_, places)| !places.is_empty())
            .map(|((domain, task), places)| {
                let rows: Vec<usize> = places.iter().map(|&place| task.rows[place]).collect();
                let domain = Domain {
                    name: domain.name.clone(),
                    features: domain.features.select_rows(&rows),
                };
                let labels = task.labels.select(&places);
                (domain, Task::labelled(task.space.clone(), labels))
            })
            .collect();
        if sources.is_empty() {
            return Err(no_labelled_source());
        }
        Self::from_parts(sources, self.target.clone())
    }

    /// The same problem with only some of the labels of the target, numbered as the rows of
    /// [`TransferProblem::target_labelled`]: what cross-validation on the target fits. The other rows stay, without their
    /// labels.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for a label that is not there.
    ///
    /// ```
    /// # use linfa::DatasetBase;
    /// # use ndarray::array;
    /// # use translearn_core::TransferProblem;
    /// # let source = DatasetBase::new(array![[0.0], [1.0]], array![0, 1]);
    /// let target = DatasetBase::new(array![[0.5], [2.5], [3.5]], array![None, Some(1), Some(0)]);
    /// let problem = TransferProblem::new(&source, &target)?.with_target_labels(&[1])?;
    /// assert_eq!(problem.target_task().rows, [2]);
    /// assert_eq!(problem.target_unlabelled().n_rows(), 2);
    /// # Ok::<(), translearn_core::TransferError>(())
    /// ```
    pub fn with_target_labels(&self, places: &[usize]) -> Result<Self, TransferError> {
        let task = &self.target.1;
        let mut places = places.to_vec();
        places.sort_unstable();
        places.dedup();
        if let Some(&last) = places.last()
            && last >= task.rows.len()
        {
            return Err(TransferError::InvalidParameter {
                name: "places".to_owned(),
                value: last.to_string(),
                range: format!("labelled target rows below {}", task.rows.len()),
            });
        }
        let rows = places.iter().map(|&place| task.rows[place]).collect();
        let labels = task.labels.select(&places);
        let kept = Task::partly_labelled(task.space.clone(), rows, labels);
        Self::from_parts(self.sources.clone(), (self.target.0.clone(), kept))
    }

    /// The same problem with other labels for the labelled source rows, in the order of [`TransferProblem::source`]: what
    /// is fitted to see how much of a result rests on them.
    ///
    /// # Errors
    /// [`TransferError::LengthMismatch`] for another number of labels, and as [`TransferProblem::from_parts`].
    pub fn with_source_labels(&self, labels: &Labels) -> Result<Self, TransferError> {
        let n_labelled = self.sources.iter().map(|(_, task)| task.rows.len()).sum();
        if labels.len() != n_labelled {
            return Err(TransferError::LengthMismatch {
                left: "the labelled source".to_owned(),
                left_len: n_labelled,
                right: "its new labels".to_owned(),
                right_len: labels.len(),
            });
        }
        let mut first = 0;
        let sources = self.sources.iter().map(|(domain, task)| {
            let places: Vec<usize> = (first..first + task.rows.len()).collect();
            first += places.len();
            let task = Task {
                labels: labels.select(&places),
                ..task.clone()
            };
            (domain.clone(), task)
        });
        Self::from_parts(sources.collect(), self.target.clone())
    }

    /// The same problem with one of its sources alone.
    ///
    /// # Errors
    /// [`TransferError::InvalidParameter`] for a source that is not there.
    pub fn with_source(&self, source: usize) -> Result<Self, TransferError> {
        let Some(alone) = self.sources.get(source) else {
            return Err(TransferError::InvalidParameter {
                name: "source".to_owned(),
                value: source.to_string(),
                range: format!("sources below {}", self.sources.len()),
            });
        };
        Self::from_parts(vec![alone.clone()], self.target.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LabelSpace;
    use ndarray::{Array2, array};

    /// Three sources, the first with labels for rows 1 and 3 of four, the second with none; the label of a row is its
    /// feature.
    fn problem() -> TransferProblem {
        let domain = |name: &str, first: usize, n: usize| Domain {
            name: name.to_owned(),
            features: Array2::from_shape_fn((n, 1), |(row, _)| (first + row) as f64).into(),
        };
        let task = |rows: Vec<usize>, labels: Vec<f64>| {
            Task::partly_labelled(LabelSpace::Real, rows, Labels::Values(labels.into()))
        };
        TransferProblem::from_parts(
            vec![
                (domain("a", 0, 4), task(vec![1, 3], vec![1.0, 3.0])),
                (domain("b", 4, 2), Task::unlabelled(LabelSpace::Real)),
                (domain("c", 6, 2), task(vec![0, 1], vec![6.0, 7.0])),
            ],
            (domain("target", 8, 1), Task::unlabelled(LabelSpace::Real)),
        )
        .unwrap()
    }

    fn kept(problem: &TransferProblem) -> Vec<(&str, Vec<f64>)> {
        let of = |(domain, task): &(Domain, Task)| {
            let x = domain.features.dense().unwrap().column(0).to_vec();
            assert_eq!(task.labels.values("test").unwrap().to_vec(), x);
            x
        };
        let sources = problem.sources().iter();
        sources
            .map(|source| (source.0.name.as_str(), of(source)))
            .collect()
    }

    #[test]
    fn rows_of_the_pooled_source_are_taken_from_their_own_source() {
        let problem = problem();
        let pooled = problem.source().unwrap();
        assert_eq!(
            pooled.labels.values("test").unwrap(),
            array![1.0, 3.0, 6.0, 7.0]
        );
        assert_eq!(problem.labelled_sources().count(), 2);
        let some = problem.with_source_rows(&[3, 1, 2, 1]).unwrap();
        assert_eq!(kept(&some), [("a", vec![3.0, 3.0]), ("c", vec![7.0, 6.0])]);
        let one = problem.with_source_rows(&[0]).unwrap();
        assert_eq!(kept(&one), [("a", vec![1.0])]);
        assert_eq!(some.target_domain(), problem.target_domain());
    }

    #[test]
    fn all_rows_of_one_source_are_that_source() {
        let pooled = problem().with_source_rows(&[0, 1]).unwrap();
        assert_eq!(pooled.with_source_rows(&[0, 1]).unwrap(), pooled);
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let message = |rows: &[usize]| problem().with_source_rows(rows).unwrap_err().to_string();
        assert_eq!(
            message(&[0, 4]),
            "`rows` = 4 is outside labelled source rows below 4"
        );
        assert_eq!(
            message(&[]),
            "the labelled source is empty; at least 1 rows are needed"
        );
    }

    #[test]
    fn labels_that_are_taken_away_leave_their_rows() {
        let problem = problem();
        let target = Domain {
            name: "target".to_owned(),
            features: array![[8.0], [9.0], [10.0]].into(),
        };
        let known = Labels::Values(array![8.0, 10.0]);
        let task = Task::partly_labelled(LabelSpace::Real, vec![0, 2], known);
        let problem =
            TransferProblem::from_parts(problem.sources().to_vec(), (target, task)).unwrap();
        let one = problem.with_target_labels(&[1, 1]).unwrap();
        assert_eq!(one.target_task().rows, [2]);
        assert_eq!(one.target_task().labels, Labels::Values(array![10.0]));
        assert_eq!(one.target_domain(), problem.target_domain());
        assert!(
            problem
                .with_target_labels(&[])
                .unwrap()
                .target_labelled()
                .is_none()
        );
        assert_eq!(problem.with_target_labels(&[1, 0]).unwrap(), problem);
        assert_eq!(
            problem.with_target_labels(&[2]).unwrap_err().to_string(),
            "`places` = 2 is outside labelled target rows below 2"
        );
    }

    #[test]
    fn new_labels_of_the_source_go_to_their_rows() {
        let problem = problem();
        let negative = Labels::Values(array![-1.0, -3.0, -6.0, -7.0]);
        let relabelled = problem.with_source_labels(&negative).unwrap();
        assert_eq!(*relabelled.source().unwrap().labels, negative);
        assert_eq!(relabelled.sources()[0].1.rows, [1, 3]);
        let same = problem.source().unwrap().labels.into_owned();
        assert_eq!(problem.with_source_labels(&same).unwrap(), problem);
        let short = problem.with_source_labels(&Labels::Values(array![1.0]));
        assert!(matches!(short, Err(TransferError::LengthMismatch { .. })));
    }

    #[test]
    fn one_source_stands_alone() {
        let alone = problem().with_source(2).unwrap();
        assert_eq!(kept(&alone), [("c", vec![6.0, 7.0])]);
        assert!(problem().with_source(3).is_err());
    }
}
