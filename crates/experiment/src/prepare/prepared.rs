//! A task as methods see it: as vectors, as images, or as both.

use std::sync::{Arc, OnceLock};

use translearn_core::{
    Domain, Features, LabelSpace, Labels, Task, TransferError, TransferMethod, TransferProblem,
};

use super::PrepareError;
use super::images::PartImages;
use crate::plan::Trial;
use crate::prepare::RawTask;
use crate::spec::Output;

/// A task ready to be fitted and scored.
///
/// A task of images has its images, and vectors where a network turns them into some (or where the set is made of rows of
/// pixels). Which of the two a method sees is decided by [`PreparedTask::view`]; who is labelled and who is scored is the
/// same for both.
#[derive(Debug, Clone)]
pub struct PreparedTask {
    pub(super) frame: Frame,
    /// The vectors, or why there are none.
    pub(super) vectors: Result<View, TransferError>,
    pub(super) images: Option<Arc<ImageView>>,
    /// The labels of the scored rows.
    pub test_labels: Labels,
    /// Where each scored row stands in its file, from 0.
    pub test_rows: Vec<usize>,
}

/// What a method sees.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What the fit sees.
    pub problem: TransferProblem,
    /// The rows that are scored.
    pub test: Features,
}

impl PreparedTask {
    /// Prepares the task of a trial. A worker with many trials uses a [`TaskCache`](super::TaskCache).
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn of(trial: &Trial) -> Result<Self, PrepareError> {
        RawTask::load(&trial.task, &trial.base)?.prepare(&trial.task, trial.seed)
    }

    /// The task as vectors.
    ///
    /// # Errors
    /// [`TransferError`] when it has none: images without a network, or rows of pixels of different lengths.
    pub fn vectors(&self) -> Result<&View, TransferError> {
        self.vectors.as_ref().map_err(Clone::clone)
    }

    /// The task as images, decoded at the first call; `None` when it is not of `kind = "images"`.
    ///
    /// # Errors
    /// [`PrepareError`] for an image that cannot be decoded.
    pub fn images(&self) -> Result<Option<&View>, PrepareError> {
        let images = self.images.as_deref();
        images.map(|images| images.get(&self.frame)).transpose()
    }

    /// What a method sees: the images, where there are some and both the method and its learner take images; else the
    /// vectors.
    ///
    /// # Errors
    /// [`TransferError::Unsupported`] for a method of vectors where there are none, and those of
    /// [`PreparedTask::images`].
    pub fn view(&self, method: &dyn TransferMethod) -> Result<&View, PrepareError> {
        let info = method.info();
        let of_vectors = match method.learner().map(|learner| learner.info()) {
            _ if !info.needs.images => Some(info.name),
            Some(learner) if !learner.images => Some(learner.name),
            _ => None,
        };
        let Some(name) = of_vectors else {
            return match self.images()? {
                Some(images) => Ok(images),
                None => Ok(self.vectors()?),
            };
        };
        match &self.vectors {
            Err(TransferError::NotVectors { .. }) => Err(TransferError::Unsupported {
                method: name.to_owned(),
                needs: "vectors".to_owned(),
                has: "images alone; name a network with `features`".to_owned(),
            }
            .into()),
            vectors => Ok(vectors.as_ref().map_err(Clone::clone)?),
        }
    }

    /// Looks at the images without decoding them, so that most broken files are found before anything runs.
    pub(super) fn check_images(&self) -> Result<(), PrepareError> {
        let images = self.images.as_deref();
        images.map_or(Ok(()), |images| {
            images.parts().try_for_each(|part| part.images.check())
        })
    }

    /// What is predicted.
    pub fn output(&self) -> Output {
        Output::of(self.space())
    }

    fn space(&self) -> &LabelSpace {
        &self.frame.target.1.space
    }

    /// The names of the classes; none for regression.
    pub fn class_names(&self) -> &[String] {
        match self.space() {
            LabelSpace::Classes(names) => names,
            LabelSpace::Real => &[],
        }
    }

    /// The labels of the source rows, several sources on top of each other.
    ///
    /// # Errors
    /// [`TransferError`] for sources of different kinds of labels.
    pub fn source_labels(&self) -> Result<Labels, TransferError> {
        let mut labels = self.frame.sources.iter().map(|(_, task)| &task.labels);
        let first = labels.next().ok_or_else(|| TransferError::Empty {
            what: "the list of sources".to_owned(),
            needed: 1,
        })?;
        labels.try_fold(first.clone(), |all, part| all.join(part))
    }

    /// Labelled source rows.
    pub fn n_source(&self) -> usize {
        let sources = self.frame.sources.iter();
        sources.map(|(_, task)| task.rows.len()).sum()
    }

    /// Target rows the fit sees.
    pub fn n_target(&self) -> usize {
        self.frame.n_target
    }

    /// Labelled target rows among them.
    pub fn n_labelled(&self) -> usize {
        self.frame.target.1.rows.len()
    }

    /// Rows that are scored.
    pub fn n_test(&self) -> usize {
        self.test_rows.len()
    }
}

/// A task without its rows: names, labels, and which rows are scored.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) sources: Vec<(String, Task)>,
    pub(super) target: (String, Task),
    pub(super) n_target: usize,
    /// The rows of the target that are scored where there is no test part.
    pub(super) scored: Vec<usize>,
}

impl Frame {
    /// Puts the rows in. `test` is the test part, where there is one.
    pub(super) fn view(
        &self,
        sources: Vec<Features>,
        target: Features,
        test: Option<Features>,
    ) -> Result<View, TransferError> {
        let test = test.unwrap_or_else(|| target.select_rows(&self.scored));
        let domain = |name: &String, features| Domain {
            name: name.clone(),
            features,
        };
        let sources = self.sources.iter().zip(sources);
        let sources = sources.map(|((name, task), x)| (domain(name, x), task.clone()));
        let (name, task) = &self.target;
        let problem =
            TransferProblem::from_parts(sources.collect(), (domain(name, target), task.clone()))?;
        Ok(View { problem, test })
    }
}

/// Some images of a part: `rows` are places in its file.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) images: Arc<PartImages>,
    pub(super) rows: Vec<usize>,
}

/// The images of a task, put together when a method first asks for them.
#[derive(Debug)]
pub(super) struct ImageView {
    pub(super) sources: Vec<Chosen>,
    pub(super) target: Chosen,
    pub(super) test: Option<Chosen>,
    pub(super) view: OnceLock<View>,
}

impl ImageView {
    fn parts(&self) -> impl Iterator<Item = &Chosen> {
        self.sources.iter().chain([&self.target]).chain(&self.test)
    }

    fn get(&self, frame: &Frame) -> Result<&View, PrepareError> {
        if let Some(view) = self.view.get() {
            return Ok(view);
        }
        let features = |part: &Chosen| part.images.select(&part.rows).map(Features::Images);
        let sources = self.sources.iter().map(features);
        let sources = sources.collect::<Result<_, _>>()?;
        let test = self.test.as_ref().map(features).transpose()?;
        let view = frame.view(sources, features(&self.target)?, test)?;
        Ok(self.view.get_or_init(|| view))
    }
}
