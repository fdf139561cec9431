//! Checksums of the data of a specification.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use translearn_core::{Features, Registry};
use translearn_data::folder::{Folder, FolderParams};
use translearn_data::{
    Cells, DataError, RawFeatures, RawLabels, RawSample, catalog, embedded, image,
};
use translearn_weights::Source;

use super::hex;
use crate::spec::{Origin, Spec, SpecError, SpecProblem};

/// SHA-256 of each set or file, by its name in [`Origin::files`], and of weights, by the name they are given.
pub(super) fn checksums(
    spec: &Spec,
    registry: &Registry,
) -> Result<BTreeMap<String, String>, SpecError> {
    let mut sums = BTreeMap::new();
    for task in &spec.tasks {
        let fail = |error| {
            SpecProblem::data(&format!("task `{}`", task.name), error)
                .at(&spec.file, Some(task.line))
        };
        if let Some(features) = &task.features
            && let Some(hash) = weights_checksum(&features.weights, spec.base()).map_err(fail)?
        {
            sums.insert(features.weights.clone(), hex(hash.finalize()));
        }
        for origin in task.parts().map(|part| &part.from) {
            for name in origin.files() {
                if sums.contains_key(&name) {
                    continue;
                }
                let hash = checksum(origin, &name, spec.base()).map_err(fail)?;
                if let Some(hash) = hash {
                    sums.insert(name, hex(hash.finalize()));
                }
            }
        }
    }
    for method in &spec.methods {
        for name in method.weights(registry) {
            let hash = weights_checksum(&name, spec.base()).map_err(|error| {
                SpecProblem::data(&format!("method `{}`", method.name), error)
                    .at(&spec.file, Some(method.line))
            })?;
            if let Some(hash) = hash {
                sums.insert(name, hex(hash.finalize()));
            }
        }
    }
    Ok(sums)
}

/// What images become, and where a network starts, depends on the weights; `None` where those are drawn.
fn weights_checksum(weights: &str, base: &Path) -> Result<Option<Sha256>, DataError> {
    let mut hash = Sha256::new();
    match Source::find(weights, base) {
        Some(Source::Published(published, _)) => {
            for file in &published.manifest.files {
                hash.update(format!("{} {}\n", file.sha256, file.path));
            }
        }
        Some(Source::File(file)) => update_with_file(&mut hash, &file)?,
        Some(Source::Random) | None => return Ok(None),
    }
    Ok(Some(hash))
}

/// `None` for a label that turns out to be no file of its own.
fn checksum(origin: &Origin, name: &str, base: &Path) -> Result<Option<Sha256>, DataError> {
    let mut hash = Sha256::new();
    match origin {
        Origin::Set { .. } if embedded::names().any(|known| known == name) => {
            update_with_sample(&mut hash, &embedded::load(name)?);
        }
        Origin::Set { .. } => {
            for file in &catalog::set(name)?.manifest().files {
                hash.update(format!("{} {}\n", file.sha256, file.path));
            }
        }
        Origin::Generated { .. } => return Ok(None),
        Origin::File { path, .. } => {
            let file = base.join(name);
            if *name != path.display().to_string() && !file.is_file() {
                return Ok(None);
            }
            update_with_file(&mut hash, &file)?;
        }
        Origin::Texts { path, folder } | Origin::Images { path, folder } => {
            let path = base.join(path);
            if path.is_dir() {
                let folder = match origin {
                    Origin::Images { .. } => &folder.clone().or_extensions(image::EXTENSIONS),
                    _ => folder,
                };
                update_with_folder(&mut hash, &path, folder)?;
            } else {
                update_with_file(&mut hash, &path)?;
            }
        }
    }
    Ok(Some(hash))
}

fn update_with_file(hash: &mut Sha256, path: &Path) -> Result<(), DataError> {
    if path.is_dir() {
        return Err(DataError::Unsupported {
            path: path.to_owned(),
            found: "a folder".to_owned(),
            advice: "name a file, or say `kind = \"text\"` for a folder of texts".to_owned(),
        });
    }
    let mut file = std::fs::File::open(path).map_err(DataError::io("open", path))?;
    std::io::copy(&mut file, hash).map_err(DataError::io("read", path))?;
    Ok(())
}

fn update_with_folder(
    hash: &mut Sha256,
    path: &Path,
    params: &FolderParams,
) -> Result<(), DataError> {
    let folder = Folder::open(path, params)?;
    for index in 0..folder.len() {
        let bytes = folder.bytes(index)?;
        hash.update(format!("{} {}\n", folder.name(index), bytes.len()));
        hash.update(&bytes);
    }
    Ok(())
}

/// An embedded set has no file: its cells are hashed.
fn update_with_sample(hash: &mut Sha256, sample: &RawSample) {
    let numbers = |hash: &mut Sha256, values: &[f64]| {
        values
            .iter()
            .for_each(|value| hash.update(value.to_le_bytes()));
    };
    match &sample.features {
        RawFeatures::Table(table) => {
            for column in &table.columns {
                hash.update(format!("{}\n", column.name));
                match &column.cells {
                    Cells::Numbers(values) => numbers(hash, values),
                    Cells::Categories(names) => hash.update(format!("{names:?}")),
                }
            }
        }
        RawFeatures::Matrix(Features::Dense(x)) => {
            x.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        RawFeatures::Matrix(Features::Images(images)) => {
            for image in images.iter() {
                hash.update(format!("{:?}\n", image.shape()));
                hash.update(image.pixels());
            }
        }
        RawFeatures::Matrix(Features::Sparse(x)) => hash.update(format!("{x:?}")),
        RawFeatures::Texts(texts) => hash.update(format!("{texts:?}")),
    }
    match &sample.labels {
        Some(RawLabels::Numbers(values)) => numbers(hash, values),
        Some(RawLabels::Names(names)) => hash.update(format!("{names:?}")),
        None => {}
    }
}
