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
    pub(crate) sources: Vec<(Domain, Task)>,
    pub(crate) target: (Domain, Task),
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

pub(crate) fn no_labelled_source() -> TransferError {
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
