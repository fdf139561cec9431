//! Features kept on disk under what they were computed from.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use translearn_assets::Sha256;

use crate::DeepError;

/// A folder of feature matrices, each under a hash of all that it depends on.
///
/// A matrix is a `.npy` file of 32-bit floats, the precision they were computed in, written whole or not at all. A file
/// that cannot be read counts as not there.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    folder: PathBuf,
}

/// What a matrix of features depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureKey(String);

impl FeatureKey {
    /// Hashes the parts, in order: the network with its layers and transform, checksums of the weights and of the images.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let mut text = concat!("translearn-deep ", env!("CARGO_PKG_VERSION")).to_owned();
        for part in parts {
            // With its length, so that no two lists of parts make one text.
            text += &format!("\n{} {part}", part.len());
        }
        Self(Sha256::of(text.as_bytes()).to_string())
    }
}

impl FeatureCache {
    /// The cache in a folder, which is made when something is put there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The features under a key, computed and kept when they are not there yet.
    ///
    /// # Errors
    /// What `compute` returns; [`DeepError::Io`] when they cannot be kept.
    pub fn get_or_compute<E: From<DeepError>>(
        &self,
        key: &FeatureKey,
        compute: impl FnOnce() -> Result<Array2<f64>, E>,
    ) -> Result<Array2<f64>, E> {
        let path = self.path(key);
        if let Some(features) = read(&path) {
            return Ok(features);
        }
        // What is returned is what a later run will read.
        let features = compute()?.mapv(|value| value as f32);
        self.write(&path, &features)?;
        Ok(features.mapv(f64::from))
    }

    fn path(&self, key: &FeatureKey) -> PathBuf {
        self.folder.join(format!("{}.npy", key.0))
    }

    fn write(&self, path: &Path, features: &Array2<f32>) -> Result<(), DeepError> {
        let fail = |action| DeepError::io(action, path);
        fs::create_dir_all(&self.folder).map_err(fail("made a folder for"))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(fail("written"))?;
        let mut buffer = BufWriter::new(file.as_file_mut());
        features
            .write_npy(&mut buffer)
            .map_err(std::io::Error::other)
            .and_then(|()| buffer.flush())
            .map_err(fail("written"))?;
        drop(buffer);
        file.persist(path)
            .map_err(|error| fail("put in place")(error.error))?;
        Ok(())
    }
}

fn read(path: &Path) -> Option<Array2<f64>> {
    let file = BufReader::new(File::open(path).ok()?);
    let features = Array2::<f32>::read_npy(file).ok()?;
    Some(features.mapv(f64::from))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ndarray::array;

    use super::*;

    #[test]
    fn features_are_computed_once_for_each_key_and_survive_damage() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(folder.path().join("below"));
        let computed = Cell::new(0);
        let get = |key: &FeatureKey| {
            cache
                .get_or_compute(key, || {
                    computed.set(computed.get() + 1);
                    Ok::<_, DeepError>(array![[0.1, 2.0], [3.0, -4.0]])
                })
                .unwrap()
        };
        let key = FeatureKey::of(["a", "bc"]);
        assert_ne!(key, FeatureKey::of(["ab", "c"]));
        let first = get(&key);
        assert_eq!(first, array![[f64::from(0.1f32), 2.0], [3.0, -4.0]]);
        assert_eq!((get(&key), computed.get()), (first.clone(), 1));
        get(&FeatureKey::of(["other"]));
        assert_eq!(computed.get(), 2);
        let path = cache.path(&key);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!((get(&key), computed.get()), (first, 3));
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn what_fails_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(folder.path());
        let key = FeatureKey::of(["x"]);
        let failed = cache.get_or_compute(&key, || Err(DeepError::torch("no")));
        assert!(matches!(failed, Err(DeepError::Torch(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
