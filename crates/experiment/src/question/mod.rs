//! A problem from two files of one's own, for `diagnose`.

mod columns;

use std::path::PathBuf;

use translearn_core::{Domain, Features, LabelSpace, Labels, Task, TransferProblem, seed};
use translearn_data::encode::{ClassMap, TableEncoder, TableParams, real_labels};
use translearn_data::preprocess::{Pipeline, Step};
use translearn_data::read::{self, PartlyLabelled, ReadOptions};
use translearn_data::{DataError, RawFeatures, RawLabels, RawSample};

use crate::prepare::{PrepareError, draw_rows, kind};
use crate::spec::{Draw, Output};

/// Two files and what is to be known of them.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The file of the source, all of whose rows have a label.
    pub(crate) source: PathBuf,
    /// The file of the target.
    pub(crate) target: PathBuf,
    /// How both are read; `label` names the label. What svmlight files leave open is the same for both.
    pub(crate) options: ReadOptions,
    /// Which labels of the target are seen.
    pub(crate) known: Known,
    /// Classes or values; `None` where the labels tell.
    pub(crate) output: Option<Output>,
    /// Preprocessing, in order.
    pub(crate) preprocess: Vec<Step>,
    /// Draws the labels that are seen.
    pub(crate) seed: u64,
}

/// Which labels of the target are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// All that are there.
    All,
    /// None.
    Nothing,
    /// So many of them, class by class in proportion.
    Count(usize),
}

/// The problem, and what its numbers are called.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The problem.
    pub(crate) problem: TransferProblem,
    /// The names of the features; none where the files have none.
    pub(crate) columns: Vec<String>,
    /// What was done to cells in silence, in sentences.
    pub(crate) notes: Vec<String>,
}

impl Question {
    /// Reads both files.
    ///
    /// # Errors
    /// [`PrepareError`] for files that cannot be read or do not go together.
    pub(crate) fn read(&self) -> Result<Asked, PrepareError> {
        let names = [("source", &self.source), ("target", &self.target)]
            .map(|(role, path)| format!("{role} {}", path.display()));
        let files = [&self.source, &self.target].map(|path| (path.as_path(), &self.options));
        let options = read::common_options(&files).map_err(data("the files"))?;
        let (source, target) = self.parts(&options, &names)?;
        let RawSample {
            features: source,
            labels: Some(labels),
        } = source
        else {
            return Err(PrepareError::NoLabels {
                part: names[0].clone(),
                why: "to learn from",
            });
        };
        let (rows, known) = self.seen(&target, &names[1])?;
        let (space, labels, known) = self.labels(&labels, known.as_ref())?;
        let (source, target, columns, notes) =
            (self.encode(&source, &target.features)).map_err(data("the files"))?;
        let (_, sources, target) = Pipeline::from(self.preprocess.clone())
            .fit_transform(&[&source], &target)
            .map_err(data("preprocessing"))?;
        let task = match known {
            Some(known) => Task::partly_labelled(space.clone(), rows, known),
            None => Task::unlabelled(space.clone()),
        };
        let domain = |name: &str, features: Features| Domain {
            name: name.to_owned(),
            features,
        };
        let sources = sources.into_iter().map(|features| {
            (
                domain(&names[0], features),
                Task::labelled(space.clone(), labels.clone()),
            )
        });
        let problem =
            TransferProblem::from_parts(sources.collect(), (domain(&names[1], target), task))?;
        Ok(Asked {
            problem,
            columns,
            notes,
        })
    }

    /// Both files. A column to leave out has to be in one of them.
    fn parts(
        &self,
        options: &[ReadOptions],
        names: &[String; 2],
    ) -> Result<(RawSample, PartlyLabelled), PrepareError> {
        let source = with_known_drops(&options[0], |options| read::file(&self.source, options));
        let (source, missing) = source.map_err(data(&names[0]))?;
        let target = with_known_drops(&options[1], |options| self.target(options));
        let (target, also_missing) = target.map_err(data(&names[1]))?;
        let in_neither = (also_missing.into_iter())
            .find(|(name, _)| missing.iter().any(|(other, _)| other == name));
        match in_neither {
            Some((_, error)) => Err(data(&names[1])(error)),
            None => Ok((source, target)),
        }
    }

    fn target(&self, options: &ReadOptions) -> Result<PartlyLabelled, DataError> {
        let found = read::partly_labelled(&self.target, options);
        if self.known != Known::Nothing {
            return found;
        }
        // Without labels the array that would hold them may be missing.
        let unlabelled = ReadOptions {
            label: None,
            ..options.clone()
        };
        let found = match found {
            Err(DataError::Missing { .. }) => read::partly_labelled(&self.target, &unlabelled)?,
            found => found?,
        };
        Ok(PartlyLabelled {
            labels: None,
            ..found
        })
    }

    /// The features of both, their names, and what is to be said of them.
    fn encode(
        &self,
        source: &RawFeatures,
        target: &RawFeatures,
    ) -> Result<(Features, Features, Vec<String>, Vec<String>), DataError> {
        match (source, target) {
            (RawFeatures::Matrix(source), RawFeatures::Matrix(target)) => {
                Ok((source.clone(), target.clone(), Vec::new(), Vec::new()))
            }
            (RawFeatures::Table(source), RawFeatures::Table(target)) => {
                let notes = columns::compare((source, &self.source), (target, &self.target))?;
                let encoder =
                    TableEncoder::fit_domains(&[source], target, &TableParams::default())?;
                let names = encoder.feature_names().to_vec();
                let (source, target) = (encoder.transform(source)?, encoder.transform(target)?);
                Ok((source, target, names, notes))
            }
            _ => Err(DataError::Mismatch {
                path: self.target.clone(),
                left: format!("the source is {}", kind(source)),
                right: format!("the target is {}", kind(target)),
                advice: "bring both to one format, a table or a matrix".to_owned(),
            }),
        }
    }

    /// The labels as codes or numbers.
    fn labels(
        &self,
        source: &RawLabels,
        target: Option<&RawLabels>,
    ) -> Result<(LabelSpace, Labels, Option<Labels>), PrepareError> {
        let output = match (self.output, source) {
            (Some(output), _) => output,
            (None, RawLabels::Names(_)) => Output::Classification,
            (None, RawLabels::Numbers(_)) => return Err(PrepareError::Output),
        };
        let data = || data("the labels");
        Ok(match output {
            Output::Classification => {
                let classes = ClassMap::fit([source].into_iter().chain(target)).map_err(data())?;
                let encode = |labels: &RawLabels| classes.encode(labels).map_err(data());
                let (labels, known) = (encode(source)?, target.map(encode).transpose()?);
                (classes.space(), labels, known)
            }
            Output::Regression => {
                let encode = |labels: &RawLabels| real_labels(labels).map_err(data());
                let (labels, known) = (encode(source)?, target.map(encode).transpose()?);
                (LabelSpace::Real, labels, known)
            }
        })
    }

    /// Of the rows with a label, those that are seen, and their labels: no other label has a part in anything.
    fn seen(
        &self,
        target: &PartlyLabelled,
        name: &str,
    ) -> Result<(Vec<usize>, Option<RawLabels>), PrepareError> {
        let (Known::Count(count), labels) = (self.known, &target.labels) else {
            return Ok((target.rows.clone(), target.labels.clone()));
        };
        let Some(labels) = labels else {
            return Err(PrepareError::NoLabels {
                part: name.to_owned(),
                why: "to draw `target-labels` from",
            });
        };
        let (_, alike, _) = self.labels(labels, None)?;
        let seed = seed::derive(self.seed, &["labelled"]);
        let drawn = draw_rows("target-labels", Draw::Count(count), &alike, seed)?;
        let rows = drawn.iter().map(|&place| target.rows[place]).collect();
        let labels = match labels {
            RawLabels::Names(names) => {
                RawLabels::Names(drawn.iter().map(|&place| names[place].clone()).collect())
            }
            RawLabels::Numbers(numbers) => {
                RawLabels::Numbers(drawn.iter().map(|&place| numbers[place]).collect())
            }
        };
        Ok((rows, Some(labels)))
    }
}

/// What `read` gives without those columns to leave out that are not there, and why each of these is missing.
fn with_known_drops<T>(
    options: &ReadOptions,
    read: impl Fn(&ReadOptions) -> Result<T, DataError>,
) -> Result<(T, Vec<(String, DataError)>), DataError> {
    let mut options = options.clone();
    let mut missing = Vec::new();
    loop {
        match read(&options) {
            Ok(found) => return Ok((found, missing)),
            Err(DataError::Missing {
                name,
                path,
                kind,
                nearest,
                known,
            }) if options.drop.contains(&name) => {
                options.drop.retain(|other| *other != name);
                let error = DataError::Missing {
                    name: name.clone(),
                    path,
                    kind,
                    nearest,
                    known,
                };
                missing.push((name, error));
            }
            Err(error) => return Err(error),
        }
    }
}

fn data(part: &str) -> impl FnOnce(DataError) -> PrepareError {
    PrepareError::data(part)
}
