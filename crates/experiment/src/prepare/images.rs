//! The images of a part: opened at once, decoded when a method takes them as they are, and turned into vectors where the
//! task names a network.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use translearn_core::{Features, Image, ImageRows};
use translearn_data::image::{ImageParams, Images};
use translearn_data::{DataError, RawFeatures, RawLabels, RawSample, catalog};

use super::PrepareError;
use super::raw::select;
use crate::spec::{Origin, TaskSpec};

/// What was read of a part of images.
pub(super) struct Loaded {
    /// Vectors: those of a network, or rows of pixels.
    pub(super) features: Option<RawFeatures>,
    pub(super) images: PartImages,
    pub(super) labels: Option<RawLabels>,
    pub(super) n_rows: usize,
}

/// Opens the images of a part and, where the task names a network, computes their features.
pub(super) fn load(
    part: &str,
    origin: &Origin,
    task: &TaskSpec,
    base: &Path,
) -> Result<Loaded, PrepareError> {
    let (stored, pixels, labels) = open(origin, base).map_err(PrepareError::data(part))?;
    let features = match &task.features {
        Some(features) => {
            let matrix = extract::features(part, &stored, features, base)?;
            Some(RawFeatures::Matrix(matrix.into()))
        }
        None => pixels.map(RawFeatures::Matrix),
    };
    let n_rows = stored.len();
    Ok(Loaded {
        features,
        images: PartImages {
            part: part.to_owned(),
            stored,
            side: task.image_side,
            taken: (0..n_rows).collect(),
            decoded: vec![OnceLock::new(); n_rows],
        },
        labels,
        n_rows,
    })
}

/// The images of a part, rows of pixels where it is made of some, and its labels.
type Opened = (Stored, Option<Features>, Option<RawLabels>);

fn open(origin: &Origin, base: &Path) -> Result<Opened, DataError> {
    let files = match origin {
        Origin::Images { path, folder } => vec![Images::open(&base.join(path), folder)?],
        Origin::Set {
            name,
            domain,
            split,
        } => {
            let (set, cache) = (catalog::set(name)?, catalog::cache()?);
            let select = select(domain, split);
            if let Some(pixels) = set.pixels(&select)? {
                let sample = set.load(&select, &cache)?;
                if let RawSample {
                    features: RawFeatures::Matrix(rows),
                    labels,
                } = sample
                {
                    return Ok((Stored::Pixels(pixels.images(&rows)?), Some(rows), labels));
                }
            }
            set.images(&select, &cache)?
        }
        other => {
            return Err(DataError::Unsupported {
                path: other.name().into(),
                found: "no images".to_owned(),
                advice: "name a set or a folder of images".to_owned(),
            });
        }
    };
    let labels = labels(&files)?;
    Ok((Stored::Files(files), None, labels))
}

/// The class folders, where every image lies in one.
fn labels(parts: &[Images]) -> Result<Option<RawLabels>, DataError> {
    let mut all = Vec::new();
    for part in parts {
        match part.labels()? {
            Some(RawLabels::Names(names)) => all.extend(names),
            _ => return Ok(None),
        }
    }
    Ok(Some(RawLabels::Names(all)))
}

/// Where images come from.
#[derive(Debug)]
pub(super) enum Stored {
    Files(Vec<Images>),
    Pixels(ImageRows),
}

impl Stored {
    fn len(&self) -> usize {
        match self {
            Self::Files(parts) => parts.iter().map(Images::len).sum(),
            Self::Pixels(images) => images.n_rows(),
        }
    }

    /// The list that holds the file of a row, and its place there; `None` where there are no files.
    fn file(&self, mut row: usize) -> Option<(&Images, usize)> {
        let Self::Files(parts) = self else {
            return None;
        };
        for images in parts {
            if row < images.len() {
                return Some((images, row));
            }
            row -= images.len();
        }
        None
    }

    fn image(&self, row: usize, params: &ImageParams) -> Result<Option<Image>, DataError> {
        match (self, self.file(row)) {
            (_, Some((images, index))) => Ok(Some(images.get(index, params)?.try_into()?)),
            (Self::Pixels(images), None) => Ok(images.get(row).cloned()),
            (Self::Files(_), None) => Ok(None),
        }
    }
}

/// The images of a part that a task takes. One is decoded when a trial first draws it, and shared by all trials of a worker.
#[derive(Debug)]
pub(super) struct PartImages {
    part: String,
    stored: Stored,
    /// What a longer shorter side is shrunk to.
    side: u32,
    /// Places in the file, ascending.
    taken: Vec<usize>,
    /// By their places in the file.
    decoded: Vec<OnceLock<Arc<Image>>>,
}

impl PartImages {
    /// Only these images, before any is decoded.
    pub(super) fn taking(self, rows: &[usize]) -> Self {
        Self {
            taken: rows.to_vec(),
            ..self
        }
    }

    /// The images at these places in the file.
    pub(super) fn select(&self, rows: &[usize]) -> Result<ImageRows, PrepareError> {
        if let Stored::Pixels(images) = &self.stored {
            return Ok(images.select_rows(rows));
        }
        // All are tried, so that the first that is broken is the same on any number of threads.
        let images: Vec<_> = rows.par_iter().map(|&row| self.image(row)).collect();
        let images = images.into_iter().filter_map(Result::transpose);
        images
            .collect::<Result<_, _>>()
            .map_err(PrepareError::data(&self.part))
    }

    fn image(&self, row: usize) -> Result<Option<Arc<Image>>, DataError> {
        let kept = &self.decoded[row];
        if let Some(image) = kept.get() {
            return Ok(Some(Arc::clone(image)));
        }
        let params = ImageParams {
            shorter_side: Some(self.side),
            ..ImageParams::default()
        };
        let image = self.stored.image(row, &params)?;
        Ok(image.map(|image| Arc::clone(kept.get_or_init(|| Arc::new(image)))))
    }

    /// Looks at each file that is taken without decoding it.
    pub(super) fn check(&self) -> Result<(), PrepareError> {
        let mut files = self.taken.iter().filter_map(|&row| self.stored.file(row));
        files
            .try_for_each(|(images, index)| images.check(index))
            .map_err(PrepareError::data(&self.part))
    }
}

#[cfg(not(feature = "deep"))]
mod extract {
    use super::{Path, PrepareError, Stored};
    use crate::spec::FeaturesSpec;

    pub(super) fn features(
        part: &str,
        _: &Stored,
        _: &FeaturesSpec,
        _: &Path,
    ) -> Result<ndarray::Array2<f64>, PrepareError> {
        Err(PrepareError::NoDeep {
            part: part.to_owned(),
        })
    }
}

#[cfg(feature = "deep")]
mod extract {
    use sha2::{Digest, Sha256};
    use translearn_deep::{DeepError, FeatureCache, FeatureKey, Pretrained};

    use super::{DataError, ImageParams, Path, PrepareError, Stored, catalog};
    use crate::spec::FeaturesSpec;

    /// The output of a layer of a network, for every image of a part.
    pub(super) fn features(
        part: &str,
        stored: &Stored,
        features: &FeaturesSpec,
        base: &Path,
    ) -> Result<ndarray::Array2<f64>, PrepareError> {
        let deep = |error| PrepareError::Deep {
            part: part.to_owned(),
            error: Box::new(error),
        };
        let pretrained =
            Pretrained::find(&features.backbone, &features.weights, base).map_err(deep)?;
        let content = content(stored).map_err(PrepareError::data(part))?;
        let layer = pretrained.layer(features.layer.as_deref());
        let key = FeatureKey::of([&*pretrained.identity().map_err(deep)?, layer, &content]);
        let cache = catalog::cache().map_err(PrepareError::data(part))?;
        let cache = FeatureCache::new(cache.root().join("features"));
        cache
            .get_or_compute(&key, || {
                // On the CPU wherever trials compute: what is kept are the same bits everywhere.
                let network = pretrained.build(layer, translearn_deep::device("cpu")?)?;
                let progress = crate::progress::FeatureProgress::new(part, stored.len());
                let as_they_are = ImageParams::default();
                let decoded =
                    (0..stored.len()).filter_map(|row| stored.image(row, &as_they_are).transpose());
                pretrained
                    .extractor(&network, layer)?
                    .extract(decoded, |done| progress.done(done))
            })
            .map_err(|error: DeepError| deep(error))
    }

    /// A checksum of the images: of their files, or of their pixels where they have none.
    fn content(stored: &Stored) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        for (images, index) in (0..stored.len()).filter_map(|row| stored.file(row)) {
            hash.update(Sha256::digest(images.bytes(index)?));
        }
        if let Stored::Pixels(images) = stored {
            for image in images.iter() {
                hash.update(format!("{:?}\n", image.shape()));
                hash.update(image.pixels());
            }
        }
        Ok(crate::plan::hex(hash.finalize()))
    }
}
