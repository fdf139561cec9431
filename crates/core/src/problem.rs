//! The formalism of Pan & Yang: domains, tasks and the transfer problem they make.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Features, LabelSpace, Labels, TransferError, features::check_same_features};

/// A feature space 𝒳 with a sample of the marginal P(X).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// A name for reports and errors.
    pub name: String,
    /// The sample, one row per example.
    pub features: Features,
}

/// A label space 𝒴 with labels where they are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The label space.
    pub space: LabelSpace,
    /// Rows of the domain whose label is known, ascending.
    pub rows: Vec<usize>,
    /// Their labels, in the order of `rows`.
    pub labels: Labels,
}

impl Task {
    /// A label for every row.
    pub fn labelled(space: LabelSpace, labels: Labels) -> Self {
        Self {
            space,
            rows: (0..labels.len()).collect(),
            labels,
        }
    }

    /// No label known.
    pub fn unlabelled(space: LabelSpace) -> Self {
        let labels = match space {
            LabelSpace::Classes(_) => Labels::Classes(ndarray::Array1::default(0)),
            LabelSpace::Real => Labels::Values(ndarray::Array1::default(0)),
        };
        Self {
            space,
            rows: Vec::new(),
            labels,
        }
    }

    /// Labels for some rows.
    pub fn partly_labelled(space: LabelSpace, rows: Vec<usize>, labels: Labels) -> Self {
        Self {
            space,
            rows,
            labels,
        }
    }

    fn check(&self, domain: &Domain) -> Result<(), TransferError> {
        let n_rows = domain.features.n_rows();
        if self.rows.len() != self.labels.len() {
            return Err(TransferError::LengthMismatch {
                left: format!("the labelled rows of {}", domain.name),
                left_len: self.rows.len(),
                right: "their labels".to_owned(),
                right_len: self.labels.len(),
            });
        }
        let ascending = self.rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || self.rows.last().is_some_and(|&row| row >= n_rows) {
            return Err(TransferError::InvalidParameter {
                name: "rows".to_owned(),
                value: format!("labelled rows of {}", domain.name),
                range: format!("ascending row indices below {n_rows}"),
            });
        }
        self.labels
            .check(&self.space, &format!("the labels of {}", domain.name))
    }
}

/// Rows with their labels, borrowed where no copy was needed.
#[derive(Debug, Clone)]
pub struct Labelled<'a> {
    /// The rows.
    pub features: Cow<'a, Features>,
    /// One label per row.
    pub labels: Cow<'a, Labels>,
}

/// One or more source domains and tasks, and a target domain and task.
///
/// The fit of every method sees exactly this: the labelled source rows, the labelled target rows, and the other target
/// rows without labels. Labels that score a method are never part of it.
///
/// ```
/// use ndarray::array;
/// use linfa::DatasetBase;
/// use translearn_core::{Setting, TransferProblem};
///
/// let source = DatasetBase::new(array![[0.0], [1.0], [2.0]], array![0, 0, 1]);
/// let target = DatasetBase::new(array![[0.5], [2.5]], array![None, Some(1)]);
/// let problem = TransferProblem::new(&source, &target)?;
/// assert_eq!(problem.setting(), Setting::Inductive);
/// assert_eq!(problem.target_unlabelled().n_rows(), 1);
/// # Ok::<(), translearn_core::TransferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferProblem {
    sources: Vec<(Domain, Task)>,
    target: (Domain, Task),
}

impl TransferProblem {
    /// A problem from its parts.
    ///
    /// # Errors
    /// [`TransferError`] when there is no source, a domain has no row, a feature or label is not finite, labels and rows
    /// do not match or a label lies outside its space.
    pub fn from_parts(
        sources: Vec<(Domain, Task)>,
        target: (Domain, Task),
    ) -> Result<Self, TransferError> {
        if sources.is_empty() {
            return Err(TransferError::Empty {
                what: "the list of sources".to_owned(),
                needed: 1,
            });
        }
        for (domain, task) in sources.iter().chain([&target]) {
            if domain.features.n_rows() == 0 || domain.features.n_columns() == 0 {
                return Err(TransferError::Empty {
                    what: domain.name.clone(),
                    needed: 1,
                });
            }
            domain.features.check_finite(&domain.name)?;
            task.check(domain)?;
        }
        Ok(Self { sources, target })
    }

    /// The sources.
    pub fn sources(&self) -> &[(Domain, Task)] {
        &self.sources
    }

    /// The target domain.
    pub fn target_domain(&self) -> &Domain {
        &self.target.0
    }

    /// The target task.
    pub fn target_task(&self) -> &Task {
        &self.target.1
    }

    /// All labelled source rows, several sources on top of each other.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] between sources, [`TransferError::Empty`] when no source row has a label.
    pub fn source(&self) -> Result<Labelled<'_>, TransferError> {
        self.source_mapped(|_, features| Ok(features))
    }

    /// [`TransferProblem::source`] with the labelled rows of each source mapped first; the map is told which source they
    /// are from.
    pub(crate) fn source_mapped<'a>(
        &'a self,
        map: impl Fn(usize, Cow<'a, Features>) -> Result<Cow<'a, Features>, TransferError>,
    ) -> Result<Labelled<'a>, TransferError> {
        let part = |(index, (domain, task)): (usize, &'a (Domain, Task))| {
            let Labelled { features, labels } = labelled_rows(domain, task);
            let features = map(index, features)?;
            Ok::<_, TransferError>(Labelled { features, labels })
        };
        let labelled = |(_, (_, task)): &(usize, &(Domain, Task))| !task.rows.is_empty();
        let mut parts = self.sources.iter().enumerate().filter(labelled).map(part);
        let Some(mut all) = parts.next().transpose()? else {
            return Err(no_labelled_source());
        };
        for part in parts {
            let part = part?;
            all.features = Cow::Owned(all.features.stack(&part.features)?);
            all.labels = Cow::Owned(all.labels.join(&part.labels)?);
        }
        Ok(all)
    }

    /// The labelled rows of each source, in the order of the sources; a source without any is left out.
    pub fn labelled_sources(&self) -> impl Iterator<Item = Labelled<'_>> {
        self.sources
            .iter()
            .filter(|(_, task)| !task.rows.is_empty())
            .map(|(domain, task)| labelled_rows(domain, task))
    }

    /// All target rows, labelled or not.
    pub fn target_features(&self) -> &Features {
        &self.target.0.features
    }

    /// The labelled target rows, when there are any.
    pub fn target_labelled(&self) -> Option<Labelled<'_>> {
        (!self.target.1.rows.is_empty()).then(|| labelled_rows(&self.target.0, &self.target.1))
    }

    /// The target rows without a label.
    pub fn target_unlabelled(&self) -> Cow<'_, Features> {
        let (domain, task) = &self.target;
        if task.rows.is_empty() {
            return Cow::Borrowed(&domain.features);
        }
        let mut known = vec![false; domain.features.n_rows()];
        for &row in &task.rows {
            known[row] = true;
        }
        let rows: Vec<usize> = (0..known.len()).filter(|&row| !known[row]).collect();
        Cow::Owned(domain.features.select_rows(&rows))
    }

    /// The label space of the target.
    pub fn label_space(&self) -> &LabelSpace {
        &self.target.1.space
    }

    /// Number of classes of the target; 0 for regression.
    pub fn n_classes(&self) -> usize {
        self.target.1.space.n_classes()
    }

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

    /// The setting the known labels put the problem in.
    pub fn setting(&self) -> Setting {
        let source_labelled = self.sources.iter().any(|(_, task)| !task.rows.is_empty());
        match (source_labelled, self.target.1.rows.is_empty()) {
            (_, false) => Setting::Inductive,
            (true, true) => Setting::Transductive,
            (false, true) => Setting::Unsupervised,
        }
    }

    /// Refuses sources and a target of different widths.
    ///
    /// # Errors
    /// [`TransferError::FeatureMismatch`] that names both domains.
    pub fn check_same_features(&self) -> Result<(), TransferError> {
        let (target, _) = &self.target;
        self.sources.iter().try_for_each(|(source, _)| {
            check_same_features(
                &source.name,
                &source.features,
                &target.name,
                &target.features,
            )
        })
    }
}

fn no_labelled_source() -> TransferError {
    TransferError::Empty {
        what: "the labelled source".to_owned(),
        needed: 1,
    }
}

fn labelled_rows<'a>(domain: &'a Domain, task: &'a Task) -> Labelled<'a> {
    let features = if task.rows.len() == domain.features.n_rows() {
        Cow::Borrowed(&domain.features)
    } else {
        Cow::Owned(domain.features.select_rows(&task.rows))
    };
    Labelled {
        features,
        labels: Cow::Borrowed(&task.labels),
    }
}

/// The settings of Pan & Yang, by which labels are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Some target labels are known (multi-task learning when the source has labels, self-taught learning when not).
    Inductive,
    /// Source labels only: domain adaptation.
    Transductive,
    /// No labels anywhere: clustering, dimensionality reduction.
    Unsupervised,
}

/// What is carried over from source to target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Nothing: a baseline.
    Nothing,
    /// Source examples, reweighted or selected.
    Instances,
    /// A common representation of the features.
    Features,
    /// Parameters or priors of a model.
    Parameters,
    /// Relations between examples.
    Relations,
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
