//! Images become vectors: the output of a layer of a network, for every image of a part.

use std::path::Path;

use translearn_data::image::Images;
use translearn_data::{DataError, RawFeatures, RawLabels, RawSample, catalog};

use super::PrepareError;
use super::raw::select;
use crate::spec::{FeaturesSpec, Origin};

/// Decodes the images of a part and computes their features.
pub(super) fn load(
    part: &str,
    origin: &Origin,
    features: &FeaturesSpec,
    base: &Path,
) -> Result<RawSample, PrepareError> {
    let images = open(origin, base).map_err(PrepareError::data(part))?;
    let labels = labels(&images).map_err(PrepareError::data(part))?;
    let matrix = extract(part, &images, features, base)?;
    Ok(RawSample {
        features: RawFeatures::Matrix(matrix.into()),
        labels,
    })
}

fn open(origin: &Origin, base: &Path) -> Result<Vec<Images>, DataError> {
    match origin {
        Origin::Images { path, folder } => Ok(vec![Images::open(&base.join(path), folder)?]),
        Origin::Set {
            name,
            domain,
            split,
        } => catalog::set(name)?.images(&select(domain, split), &catalog::cache()?),
        other => Err(DataError::Unsupported {
            path: other.name().into(),
            found: "no images".to_owned(),
            advice: "name a set or a folder of images".to_owned(),
        }),
    }
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

#[cfg(not(feature = "deep"))]
fn extract(
    part: &str,
    _: &[Images],
    _: &FeaturesSpec,
    _: &Path,
) -> Result<ndarray::Array2<f64>, PrepareError> {
    Err(PrepareError::NoDeep {
        part: part.to_owned(),
    })
}

#[cfg(feature = "deep")]
fn extract(
    part: &str,
    images: &[Images],
    features: &FeaturesSpec,
    base: &Path,
) -> Result<ndarray::Array2<f64>, PrepareError> {
    use sha2::{Digest, Sha256};
    use translearn_core::Image;
    use translearn_data::image::ImageParams;
    use translearn_deep::{DeepError, FeatureCache, FeatureKey, Pretrained};

    let deep = |error| PrepareError::Deep {
        part: part.to_owned(),
        error: Box::new(error),
    };
    let pretrained = Pretrained::find(&features.backbone, &features.weights, base).map_err(deep)?;
    let mut hash = Sha256::new();
    for images in images {
        for index in 0..images.len() {
            let bytes = images.bytes(index).map_err(PrepareError::data(part))?;
            hash.update(Sha256::digest(bytes));
        }
    }
    let content = crate::plan::hex(hash.finalize());
    let layer = pretrained.layer(features.layer.as_deref());
    let key = FeatureKey::of([&*pretrained.identity().map_err(deep)?, layer, &content]);
    let cache = catalog::cache().map_err(PrepareError::data(part))?;
    let cache = FeatureCache::new(cache.root().join("features"));
    cache
        .get_or_compute(&key, || {
            // Where the trials compute, too.
            let network = pretrained.build(layer, translearn_deep::device("cpu")?)?;
            let count = images.iter().map(Images::len).sum();
            let progress = crate::progress::FeatureProgress::new(part, count);
            let as_they_are = ImageParams::default();
            let all = images.iter().flat_map(|images| images.iter(&as_they_are));
            let decoded = all.map(
                |item| -> Result<Image, Box<dyn std::error::Error + Send + Sync>> {
                    Ok(item?.try_into()?)
                },
            );
            pretrained
                .extractor(&network, layer)?
                .extract(decoded, |done| progress.done(done))
        })
        .map_err(|error: DeepError| deep(error))
}
