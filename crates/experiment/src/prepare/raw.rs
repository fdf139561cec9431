//! The parts of a task as they stand in their files, and the way from there to a problem.

use std::path::Path;

use translearn_core::{Domain, LabelSpace, Labels, Task, TransferProblem};
use translearn_data::encode::{ClassMap, real_labels};
use translearn_data::preprocess::Pipeline;
use translearn_data::{
    DataError, RawFeatures, RawLabels, RawSample, catalog, embedded, read, text,
};

use super::draw::draw;
use super::encode::encode;
use super::images;
use super::{PrepareError, PreparedTask};
use crate::spec::{Draw, Origin, Output, Part, TaskSpec};

/// A task's parts as they were read, with their classes: what does not depend on the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTask {
    sources: Vec<RawPart>,
    target: RawPart,
    test: Option<RawPart>,
    space: LabelSpace,
}

/// The rows of a part.
#[derive(Debug, Clone, PartialEq)]
struct RawPart {
    /// `source books`, for errors and as the name of its domain.
    name: String,
    features: RawFeatures,
    labels: Option<Labels>,
    /// Where each row stands in its file.
    rows: Vec<usize>,
}

impl RawPart {
    fn select(&self, indices: &[usize]) -> Self {
        let sample = RawSample {
            features: self.features.clone(),
            labels: None,
        }
        .select(indices);
        Self {
            name: self.name.clone(),
            features: sample.features,
            labels: self.labels.as_ref().map(|labels| labels.select(indices)),
            rows: indices.iter().map(|&index| self.rows[index]).collect(),
        }
    }

    fn labels(&self, why: &'static str) -> Result<&Labels, PrepareError> {
        self.labels.as_ref().ok_or_else(|| PrepareError::NoLabels {
            part: self.name.clone(),
            why,
        })
    }
}

/// What was read: name, features, labels, rows.
type Read = (String, RawFeatures, Option<RawLabels>, Vec<usize>);

impl RawTask {
    /// Reads the parts of a task; `base` is the folder its files are relative to.
    ///
    /// # Errors
    /// [`PrepareError`] for files that cannot be read and labels that fit neither classes nor numbers.
    pub fn load(task: &TaskSpec, base: &Path) -> Result<Self, PrepareError> {
        let sources = task
            .source
            .iter()
            .map(|part| read_part("source", part, task, base));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let target = read_part("target", &task.target, task, base)?;
        let test = task
            .test
            .as_ref()
            .map(|part| read_part("test part", part, task, base))
            .transpose()?;

        let all = || sources.iter().chain([&target]).chain(&test);
        let labels: Vec<&RawLabels> = all()
            .filter_map(|(_, _, labels, _)| labels.as_ref())
            .collect();
        let names = labels
            .iter()
            .any(|labels| matches!(labels, RawLabels::Names(_)));
        let output = match task.output {
            Some(output) => output,
            None if names => Output::Classification,
            None if labels.is_empty() => {
                let part = sources
                    .first()
                    .map_or_else(String::new, |part| part.0.clone());
                return Err(PrepareError::NoLabels {
                    part,
                    why: "to learn from",
                });
            }
            None => return Err(PrepareError::Output),
        };
        let classes = match output {
            Output::Classification => Some(
                ClassMap::fit(labels.iter().copied()).map_err(PrepareError::data("the classes"))?,
            ),
            Output::Regression => None,
        };
        let encoded = |(name, features, labels, rows): Read| -> Result<RawPart, PrepareError> {
            let encode = |labels: RawLabels| match &classes {
                Some(classes) => classes.encode(&labels),
                None => real_labels(&labels),
            };
            let labels = labels
                .map(encode)
                .transpose()
                .map_err(PrepareError::data(&name))?;
            Ok(RawPart {
                name,
                features,
                labels,
                rows,
            })
        };
        let space = classes.as_ref().map_or(LabelSpace::Real, ClassMap::space);
        Ok(Self {
            sources: sources.into_iter().map(encoded).collect::<Result<_, _>>()?,
            target: encoded(target)?,
            test: test.map(encoded).transpose()?,
            space,
        })
    }

    /// Draws, encodes and preprocesses for one seed.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn prepare(&self, task: &TaskSpec, seed: u64) -> Result<PreparedTask, PrepareError> {
        let labelled = match task.labelled {
            None => Vec::new(),
            Some(wanted) => {
                let labels = self.target.labels("to draw `labelled` from")?;
                draw_rows("labelled", wanted, labels, task.seed_for(seed, "labelled"))?
            }
        };
        self.prepare_with(task, seed, labelled)
    }

    /// From here on no target label is looked at but those of the `labelled` rows (and those that score, which are
    /// handed through).
    fn prepare_with(
        &self,
        task: &TaskSpec,
        seed: u64,
        labelled: Vec<usize>,
    ) -> Result<PreparedTask, PrepareError> {
        let sources = self.sample_sources(task, seed)?;
        let unlabelled = complement(&labelled, self.target.rows.len());
        if self.test.is_none() && unlabelled.is_empty() {
            let (draw, rows) = (
                task.labelled.unwrap_or(Draw::Count(0)),
                self.target.rows.len(),
            );
            let reason = "no row is left to be scored";
            return Err(PrepareError::Draw {
                what: "labelled",
                draw,
                rows,
                reason,
            });
        }

        let source_features: Vec<&RawFeatures> =
            sources.iter().map(|part| &part.features).collect();
        let test_features = self.test.as_ref().map(|part| &part.features);
        let encoded = encode(task, &source_features, &self.target.features, test_features)?;
        let pipeline = Pipeline::from(task.preprocess.clone());
        let source_refs: Vec<_> = encoded.sources.iter().collect();
        let (fitted, source_x, target_x) = pipeline
            .fit_transform(&source_refs, &encoded.target)
            .map_err(PrepareError::data("preprocessing"))?;

        let scored = self.test.as_ref().unwrap_or(&self.target);
        let scored_labels = scored.labels("to score")?;
        let (test, test_labels, test_rows) = match &encoded.test {
            Some(test) => {
                let test = fitted
                    .transform_target(test)
                    .map_err(PrepareError::data("preprocessing of the test part"))?;
                (test, scored_labels.clone(), scored.rows.clone())
            }
            None => {
                let rows = unlabelled.iter().map(|&row| scored.rows[row]).collect();
                (
                    target_x.select_rows(&unlabelled),
                    scored_labels.select(&unlabelled),
                    rows,
                )
            }
        };

        let known = match (&self.target.labels, labelled.is_empty()) {
            (Some(labels), false) => Task::partly_labelled(
                self.space.clone(),
                labelled.clone(),
                labels.select(&labelled),
            ),
            _ => Task::unlabelled(self.space.clone()),
        };
        let target = (
            Domain {
                name: self.target.name.clone(),
                features: target_x,
            },
            known,
        );
        let sources = sources
            .into_iter()
            .zip(source_x)
            .map(|(part, features)| {
                let labels = part.labels("to learn from")?.clone();
                Ok((
                    Domain {
                        name: part.name,
                        features,
                    },
                    Task::labelled(self.space.clone(), labels),
                ))
            })
            .collect::<Result<Vec<_>, PrepareError>>()?;
        let problem = TransferProblem::from_parts(sources, target)?;
        Ok(PreparedTask {
            problem,
            test,
            test_labels,
            test_rows,
        })
    }

    fn sample_sources(&self, task: &TaskSpec, seed: u64) -> Result<Vec<RawPart>, PrepareError> {
        let Some(wanted) = task.source_sample else {
            return Ok(self.sources.clone());
        };
        let sample = |(index, part): (usize, &RawPart)| {
            let labels = part.labels("to draw `source_sample` from")?;
            let seed = task.seed_for(seed, &format!("source_sample {index}"));
            Ok(part.select(&draw_rows("source_sample", wanted, labels, seed)?))
        };
        self.sources.iter().enumerate().map(sample).collect()
    }
}

fn draw_rows(
    what: &'static str,
    wanted: Draw,
    labels: &Labels,
    seed: u64,
) -> Result<Vec<usize>, PrepareError> {
    draw(labels, wanted, seed).map_err(|reason| PrepareError::Draw {
        what,
        draw: wanted,
        rows: labels.len(),
        reason,
    })
}

/// The rows below `n` that are not among `rows`, which ascend.
fn complement(rows: &[usize], n: usize) -> Vec<usize> {
    (0..n)
        .filter(|row| rows.binary_search(row).is_err())
        .collect()
}

fn read_part(role: &str, part: &Part, task: &TaskSpec, base: &Path) -> Result<Read, PrepareError> {
    let domain = match &part.from {
        Origin::Set {
            domain: Some(domain),
            ..
        } => domain.clone(),
        other => other.name(),
    };
    let name = format!("{role} {domain}");
    let mut sample = match &task.features {
        Some(features) => images::load(&name, &part.from, features, base)?,
        None => load(&part.from, base).map_err(PrepareError::data(&name))?,
    };
    let mut rows: Vec<usize> = (0..n_rows(&sample.features)).collect();
    if let Some(classes) = &part.classes {
        let Some(labels) = &sample.labels else {
            return Err(PrepareError::NoLabels {
                part: name,
                why: "for `classes`",
            });
        };
        let (kept, labels) = classes.apply(labels).map_err(PrepareError::data(&name))?;
        sample = RawSample {
            labels: Some(labels),
            ..sample.select(&kept)
        };
        rows = kept;
    }
    Ok((name, sample.features, sample.labels, rows))
}

/// The part of a set.
pub(super) fn select(domain: &Option<String>, split: &Option<String>) -> catalog::Select {
    catalog::Select {
        domain: domain.clone(),
        split: split.clone(),
    }
}

fn load(origin: &Origin, base: &Path) -> Result<RawSample, DataError> {
    match origin {
        Origin::Set { name, domain, .. } if embedded::names().any(|known| known == name) => {
            embedded::load_domain(name, domain.as_deref().unwrap_or("all"))
        }
        Origin::Set {
            name,
            domain,
            split,
        } => catalog::load(name, &select(domain, split)),
        Origin::File { path, options } => read::file(&base.join(path), options),
        Origin::Texts { path, folder } => text::read(&base.join(path), folder),
        Origin::Images { path, .. } => Err(DataError::Unsupported {
            path: base.join(path),
            found: "images".to_owned(),
            advice: "name the network that turns them into vectors with `features`".to_owned(),
        }),
    }
}

fn n_rows(features: &RawFeatures) -> usize {
    match features {
        RawFeatures::Matrix(x) => x.n_rows(),
        RawFeatures::Texts(texts) => texts.len(),
        RawFeatures::Table(table) => {
            table
                .columns
                .first()
                .map_or(0, |column| match &column.cells {
                    translearn_data::Cells::Numbers(cells) => cells.len(),
                    translearn_data::Cells::Categories(cells) => cells.len(),
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complement_is_the_rest() {
        assert_eq!(complement(&[1, 3], 5), [0, 2, 4]);
        assert_eq!(complement(&[], 2), [0, 1]);
        assert!(complement(&[0, 1], 2).is_empty());
    }
}
