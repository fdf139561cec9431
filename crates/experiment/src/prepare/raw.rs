//! The parts of a task as they stand in their files, and the way from there to a problem.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use translearn_core::{LabelSpace, Labels, Task, TransferError, seed};
use translearn_data::encode::{ClassMap, real_labels};
use translearn_data::generate::Generated;
use translearn_data::preprocess::Pipeline;
use translearn_data::{
    DataError, RawFeatures, RawLabels, RawSample, catalog, embedded, read, text,
};

use super::PrepareError;
use super::columns::with_common_columns;
use super::draw::draw_rows;
use super::encode::{Encoded, encode};
use super::images::{self, Loaded, PartImages};
use super::prepared::{Chosen, Frame, ImageView, PreparedTask, View};
use crate::spec::{Draw, Kind, Origin, Output, Part, Side, TaskSpec};

/// A task's parts as they were read, with their classes: what does not depend on the seed.
#[derive(Debug, Clone)]
pub struct RawTask {
    sources: Vec<RawPart>,
    target: RawPart,
    test: Option<RawPart>,
    space: LabelSpace,
}

/// The rows of a part; at first with the labels of its file, then with those of the task.
#[derive(Debug, Clone)]
struct RawPart<L = Labels> {
    /// `source books`, for errors and as the name of its domain.
    name: String,
    /// `None` for images that are no vectors.
    features: Option<RawFeatures>,
    images: Option<Arc<PartImages>>,
    labels: Option<L>,
    /// Where each row stands in its file.
    rows: Vec<usize>,
}

impl RawPart {
    fn select(&self, indices: &[usize]) -> Self {
        let features = |features: &RawFeatures| {
            let sample = RawSample {
                features: features.clone(),
                labels: None,
            };
            sample.select(indices).features
        };
        Self {
            name: self.name.clone(),
            features: self.features.as_ref().map(features),
            images: self.images.clone(),
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

    fn chosen(&self) -> Option<Chosen> {
        self.images.as_ref().map(|images| Chosen {
            images: Arc::clone(images),
            rows: self.rows.clone(),
        })
    }
}

impl RawTask {
    /// Reads the parts of a task; `base` is the folder its files are relative to. The svmlight files among them get the same
    /// columns, see [`read::common_options`].
    ///
    /// # Errors
    /// [`PrepareError`] for files that cannot be read and labels that fit neither classes nor numbers.
    pub fn load(task: &TaskSpec, base: &Path) -> Result<Self, PrepareError> {
        let task = &with_common_columns(task, base)?;
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
        let labels: Vec<&RawLabels> = all().filter_map(|part| part.labels.as_ref()).collect();
        let names = labels
            .iter()
            .any(|labels| matches!(labels, RawLabels::Names(_)));
        let output = match task.output {
            Some(output) => output,
            None if names => Output::Classification,
            None if labels.is_empty() => {
                let part = sources
                    .first()
                    .map_or_else(String::new, |part| part.name.clone());
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
        let encoded = |part: RawPart<RawLabels>| -> Result<RawPart, PrepareError> {
            let encode = |labels: RawLabels| match &classes {
                Some(classes) => classes.encode(&labels),
                None => real_labels(&labels),
            };
            let labels = part
                .labels
                .map(encode)
                .transpose()
                .map_err(PrepareError::data(&part.name))?;
            Ok(RawPart {
                name: part.name,
                features: part.features,
                images: part.images,
                labels,
                rows: part.rows,
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
        let sources = self.sample_sources(task, seed)?;
        let target = self.sample_target(task, seed)?;
        let labelled = match task.labelled {
            None => Vec::new(),
            Some(wanted) => {
                let labels = target.labels("to draw `labelled` from")?;
                draw_rows("labelled", wanted, labels, task.seed_for(seed, "labelled"))?
            }
        };
        let drawn = Drawn {
            sources: sources.iter().map(AsRef::as_ref).collect(),
            target: &target,
            test: self.test.as_ref(),
        };
        drawn.prepare(task, &self.space, labelled)
    }

    fn sample_sources(
        &self,
        task: &TaskSpec,
        seed: u64,
    ) -> Result<Vec<Cow<'_, RawPart>>, PrepareError> {
        let parts = self.sources.iter().enumerate();
        parts
            .map(|(index, part)| {
                let part = sample_source(index, part, task, seed)?;
                corrupt_source(index, part, task, seed)
            })
            .collect()
    }

    fn sample_target(&self, task: &TaskSpec, seed: u64) -> Result<Cow<'_, RawPart>, PrepareError> {
        let Some(wanted) = task.target_sample else {
            return Ok(Cow::Borrowed(&self.target));
        };
        // No label is looked at: every row is like every other.
        let alike = Labels::Values(ndarray::Array1::zeros(self.target.rows.len()));
        let seed = task.seed_for(seed, "target_sample");
        let rows = draw_rows("target_sample", wanted, &alike, seed)?;
        Ok(Cow::Owned(self.target.select(&rows)))
    }
}

fn sample_source<'p>(
    index: usize,
    part: &'p RawPart,
    task: &TaskSpec,
    seed: u64,
) -> Result<Cow<'p, RawPart>, PrepareError> {
    let Some(wanted) = task.source_sample else {
        return Ok(Cow::Borrowed(part));
    };
    let labels = part.labels("to draw `source_sample` from")?;
    let seed = task.seed_for(seed, &format!("source_sample {index}"));
    let rows = draw_rows("source_sample", wanted, labels, seed)?;
    Ok(Cow::Owned(part.select(&rows)))
}

fn corrupt_source<'p>(
    index: usize,
    mut part: Cow<'p, RawPart>,
    task: &TaskSpec,
    seed: u64,
) -> Result<Cow<'p, RawPart>, PrepareError> {
    if let Some(corruption) = task.corrupt_source {
        let labels = part.labels("to corrupt")?;
        let seed = task.seed_for(seed, &format!("corrupt_source {index}"));
        let labels = dealt_anew(labels, corruption.labels, seed);
        part.to_mut().labels = Some(labels);
    }
    Ok(part)
}

/// Labels of which a share was dealt out anew among its rows.
fn dealt_anew(labels: &Labels, share: f64, seed: u64) -> Labels {
    let n = labels.len();
    let mut rng = seed::rng(seed);
    let rows = rng.choose(n, (share * n as f64).round() as usize);
    let order = rng.permutation(rows.len());
    let mut from: Vec<usize> = (0..n).collect();
    for (&row, &place) in rows.iter().zip(&order) {
        from[row] = rows[place];
    }
    labels.select(&from)
}

/// The parts with the rows that were drawn.
struct Drawn<'t> {
    sources: Vec<&'t RawPart>,
    target: &'t RawPart,
    test: Option<&'t RawPart>,
}

impl Drawn<'_> {
    /// From here on no target label is looked at but those of the `labelled` rows (and those that score, which are
    /// handed through).
    fn prepare(
        &self,
        task: &TaskSpec,
        space: &LabelSpace,
        labelled: Vec<usize>,
    ) -> Result<PreparedTask, PrepareError> {
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

        let scored = self.test.unwrap_or(self.target);
        let scored_labels = scored.labels("to score")?;
        let (test_labels, test_rows) = if self.test.is_some() {
            (scored_labels.clone(), scored.rows.clone())
        } else {
            let rows = unlabelled.iter().map(|&row| scored.rows[row]).collect();
            (scored_labels.select(&unlabelled), rows)
        };
        let known = match (&self.target.labels, labelled.is_empty()) {
            (Some(labels), false) => {
                let known = labels.select(&labelled);
                Task::partly_labelled(space.clone(), labelled, known)
            }
            _ => Task::unlabelled(space.clone()),
        };
        let source = |part: &&RawPart| {
            let labels = part.labels("to learn from")?.clone();
            let task = Task::labelled(space.clone(), labels);
            Ok((part.name.clone(), task))
        };
        let frame = Frame {
            sources: (self.sources.iter().map(source)).collect::<Result<_, PrepareError>>()?,
            target: (self.target.name.clone(), known),
            n_target: self.target.rows.len(),
            scored: unlabelled,
        };
        Ok(PreparedTask {
            vectors: self.vectors(task, &frame)?,
            images: self.images().map(Arc::new),
            frame,
            test_labels,
            test_rows,
        })
    }

    /// Encodes and preprocesses; the inner error says why a task of images has no vectors.
    fn vectors(
        &self,
        task: &TaskSpec,
        frame: &Frame,
    ) -> Result<Result<View, TransferError>, PrepareError> {
        let source_x = self.sources.iter().map(|part| part.features.as_ref());
        let test_x = self.test.map(|part| part.features.as_ref());
        let (Some(source_x), Some(target_x), Some(test_x)) = (
            source_x.collect::<Option<Vec<_>>>(),
            &self.target.features,
            test_x.map_or(Some(None), |test| test.map(Some)),
        ) else {
            let what = "source and target".to_owned();
            return Ok(Err(TransferError::NotVectors { what }));
        };
        let Encoded {
            sources: encoded,
            target,
            test,
        } = encode(task, &source_x, target_x, test_x)?;
        let pipeline = Pipeline::from(task.preprocess.clone());
        let references: Vec<_> = encoded.iter().collect();
        let (fitted, sources, target) = match pipeline.fit_transform(&references, &target) {
            Ok(fitted) => fitted,
            // Digits of two sizes are one task of images, though a step over both has no common features. Without such a
            // step they are vectors for what needs the target alone.
            Err(DataError::Transfer(differ @ TransferError::FeatureMismatch { .. }))
                if task.kind == Kind::Images =>
            {
                return Ok(Err(differ));
            }
            Err(error) => return Err(PrepareError::data("preprocessing")(error)),
        };
        let test = test
            .map(|test| fitted.transform_target(&test))
            .transpose()
            .map_err(PrepareError::data("preprocessing of the test part"))?;
        Ok(Ok(frame.view(sources, target, test)?))
    }

    fn images(&self) -> Option<ImageView> {
        let sources = self.sources.iter().map(|part| part.chosen());
        Some(ImageView {
            sources: sources.collect::<Option<_>>()?,
            target: self.target.chosen()?,
            test: self.test.and_then(RawPart::chosen),
            view: OnceLock::new(),
        })
    }
}

/// The rows below `n` that are not among `rows`, which ascend.
pub(crate) fn complement(rows: &[usize], n: usize) -> Vec<usize> {
    (0..n)
        .filter(|row| rows.binary_search(row).is_err())
        .collect()
}

fn read_part(
    role: &str,
    part: &Part,
    task: &TaskSpec,
    base: &Path,
) -> Result<RawPart<RawLabels>, PrepareError> {
    let domain = match &part.from {
        Origin::Set {
            domain: Some(domain),
            ..
        } => domain.clone(),
        other => other.name(),
    };
    let name = format!("{role} {domain}");
    let (mut features, mut images, mut labels, n_rows) = if task.kind == Kind::Images {
        let Loaded {
            features,
            images,
            labels,
            n_rows,
        } = images::load(&name, &part.from, task, base)?;
        (features, Some(images), labels, n_rows)
    } else {
        let RawSample { features, labels } =
            load(&part.from, base).map_err(PrepareError::data(&name))?;
        let n_rows = n_rows(&features);
        (Some(features), None, labels, n_rows)
    };
    let mut rows: Vec<usize> = (0..n_rows).collect();
    if let Some(classes) = &part.classes {
        let Some(of_file) = &labels else {
            return Err(PrepareError::NoLabels {
                part: name,
                why: "for `classes`",
            });
        };
        let (kept, new) = classes.apply(of_file).map_err(PrepareError::data(&name))?;
        features = features.map(|features| {
            let labels = None;
            RawSample { features, labels }.select(&kept).features
        });
        images = images.map(|images| images.taking(&kept));
        labels = Some(new);
        rows = kept;
    }
    Ok(RawPart {
        name,
        features,
        images: images.map(Arc::new),
        labels,
        rows,
    })
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
        Origin::Generated {
            generator,
            side,
            draw,
        } => Ok(generated(generator.generate(*draw)?, *side)),
        Origin::File { path, options } => read::file(&base.join(path), options),
        Origin::Texts { path, folder } => text::read(&base.join(path), folder),
        Origin::Images { path, .. } => Err(DataError::Unsupported {
            path: base.join(path),
            found: "images".to_owned(),
            advice: "say `kind = \"images\"` in the task".to_owned(),
        }),
    }
}

/// A side of what was drawn; classes by their numbers.
fn generated(drawn: Generated, side: Side) -> RawSample {
    let (features, labels) = match side {
        Side::Source => drawn.source,
        Side::Target => drawn.target,
    };
    let labels = match labels {
        Labels::Classes(codes) => RawLabels::Names(codes.iter().map(usize::to_string).collect()),
        Labels::Values(values) => RawLabels::Numbers(values.to_vec()),
    };
    RawSample {
        features: RawFeatures::Matrix(features),
        labels: Some(labels),
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
    fn only_the_share_is_dealt_anew() {
        let labels = Labels::Values((0..1000).map(f64::from).collect());
        let moved = |share: f64| {
            let dealt = dealt_anew(&labels, share, 3);
            let (before, after) = (
                labels.values("test").unwrap(),
                dealt.values("test").unwrap(),
            );
            let mut sorted = after.to_vec();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(sorted, before.to_vec());
            before.iter().zip(after).filter(|(a, b)| a != b).count()
        };
        assert_eq!(moved(0.0), 0);
        // A row keeps its label with a chance of one over the rows dealt.
        assert!((295..=300).contains(&moved(0.3)), "{}", moved(0.3));
        assert!(moved(1.0) > 990);
        assert_ne!(dealt_anew(&labels, 1.0, 3), dealt_anew(&labels, 1.0, 4));
    }

    #[test]
    fn the_complement_is_the_rest() {
        assert_eq!(complement(&[1, 3], 5), [0, 2, 4]);
        assert_eq!(complement(&[], 2), [0, 1]);
        assert!(complement(&[0, 1], 2).is_empty());
    }
}
