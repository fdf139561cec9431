//! The cache: one folder per set, each file verified before anyone sees it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::download::{download, write_note};
use crate::manifest::relative_path;
use crate::{Asset, AssetError, Manifest, Progress, Sha256};

/// A folder of downloaded files, optionally with a mirror that is looked into first.
///
/// A file is taken from `<mirror>/<set>/<path>` where it stands there with the right checksum (in place, never copied
/// or changed), else from `<cache>/<set>/<path>`, else it is downloaded there. Any number of threads and processes may
/// share one cache: each downloads to a file of its own, and a finished file appears under its name in one step.
///
/// A checksum is computed once: the cache remembers length and time of modification of a file it has verified and
/// computes again only when either differs. [`Cache::verify`] always computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    mirror: Option<PathBuf>,
}

/// Where a file can be had from, judged by its length alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It stands in the mirror.
    Mirror(PathBuf),
    /// It has been downloaded.
    Cache(PathBuf),
    /// It can be downloaded from this address.
    Online(String),
    /// Only a mirror could provide it: no address is known.
    Nowhere,
}

impl Cache {
    /// A cache in the folder `root`, which is made when the first file comes.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            mirror: None,
        }
    }

    /// Looks into the folder `mirror` first.
    #[must_use]
    pub fn with_mirror(self, mirror: impl Into<PathBuf>) -> Self {
        Self {
            mirror: Some(mirror.into()),
            ..self
        }
    }

    /// The cache this machine is set up for.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `TRANSLEARN_CACHE` | folder of the cache | `translearn` in `XDG_CACHE_HOME`, `LOCALAPPDATA` or `~/.cache` |
    /// | `TRANSLEARN_MIRROR` | folder with `<set>/<path>`; a relative one is looked for from the current folder, then from each folder above it | none |
    ///
    /// # Errors
    /// [`AssetError::NoCacheFolder`] when no variable names one; [`AssetError::NoMirror`] when the mirror named is not
    /// a folder.
    pub fn from_env() -> Result<Self, AssetError> {
        let here = env::current_dir().unwrap_or_default();
        Self::from_vars(|name| env::var_os(name), &here)
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>, here: &Path) -> Result<Self, AssetError> {
        let folder = |name| {
            var(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let absolute = |name| folder(name).filter(|path| path.is_absolute());
        let root = folder("TRANSLEARN_CACHE")
            .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("translearn")))
            .or_else(|| absolute("LOCALAPPDATA").map(|path| path.join("translearn")))
            .or_else(|| absolute("HOME").map(|path| path.join(".cache").join("translearn")))
            .ok_or(AssetError::NoCacheFolder)?;
        let mirror = match folder("TRANSLEARN_MIRROR") {
            None => None,
            // `cargo test` runs in the folder of the package, the variable is written for that of the workspace.
            Some(path) => Some(
                here.ancestors()
                    .map(|above| above.join(&path))
                    .find(|path| path.is_dir())
                    .ok_or(AssetError::NoMirror { path })?,
            ),
        };
        Ok(Self { root, mirror })
    }

    /// The folder of the cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the mirror.
    pub fn mirror(&self) -> Option<&Path> {
        self.mirror.as_deref()
    }

    /// The verified file at `path` of a set, downloaded when it has to be.
    ///
    /// # Errors
    /// [`AssetError::UnknownFile`] or [`AssetError::UnsafePath`] for the path; [`AssetError::NoSource`] when no copy
    /// stands here and no address is known; [`AssetError::Size`] or [`AssetError::Checksum`] for bytes that are not the
    /// manifest's; [`AssetError::Status`], [`AssetError::Connection`] from the network; [`AssetError::Io`].
    pub fn fetch(&self, manifest: &Manifest, path: &str) -> Result<PathBuf, AssetError> {
        self.fetch_with(manifest, path, &mut |_| ())
    }

    /// [`Cache::fetch`] that reports the progress of a download, at its start and after every piece.
    ///
    /// # Errors
    /// Those of [`Cache::fetch`].
    pub fn fetch_with(
        &self,
        manifest: &Manifest,
        path: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, AssetError> {
        let asset = manifest.file(path)?;
        let relative = relative_path(&manifest.name, path)?;
        let mut damaged = None;
        for copy in self.copies(&relative) {
            match self.check(&copy, asset) {
                Ok(true) => return Ok(copy),
                Ok(false) => (),
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        match (&asset.url, damaged) {
            (Some(url), _) => {
                let target = self.root.join(relative);
                download(url, asset, &target, progress)?;
                self.remember(&target, asset);
                Ok(target)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Err(AssetError::NoSource {
                set: manifest.name.clone(),
                path: path.to_owned(),
                homepage: manifest.homepage.clone(),
            }),
        }
    }

    /// Computes the checksum of every copy of a file that stands here; the copies that were found right.
    ///
    /// # Errors
    /// [`AssetError::Size`] or [`AssetError::Checksum`] for the first copy that is damaged; [`AssetError::Io`];
    /// [`AssetError::UnknownFile`].
    pub fn verify(&self, manifest: &Manifest, path: &str) -> Result<Vec<PathBuf>, AssetError> {
        let asset = manifest.file(path)?;
        let mut verified = Vec::new();
        for copy in self.copies(&relative_path(&manifest.name, path)?) {
            if stat(&copy, asset)?.is_some() {
                check_sum(&copy, asset)?;
                self.remember(&copy, asset);
                verified.push(copy);
            }
        }
        Ok(verified)
    }

    /// Where a file can be had from, without reading or downloading it.
    ///
    /// # Errors
    /// [`AssetError::UnknownFile`] or [`AssetError::UnsafePath`].
    pub fn place(&self, manifest: &Manifest, path: &str) -> Result<Place, AssetError> {
        let asset = manifest.file(path)?;
        let relative = relative_path(&manifest.name, path)?;
        let stands = |path: &PathBuf| matches!(stat(path, asset), Ok(Some(_)));
        if let Some(copy) = self
            .mirror
            .as_ref()
            .map(|mirror| mirror.join(&relative))
            .filter(stands)
        {
            return Ok(Place::Mirror(copy));
        }
        Ok(
            match (Some(self.root.join(&relative)).filter(stands), &asset.url) {
                (Some(copy), _) => Place::Cache(copy),
                (None, Some(url)) => Place::Online(url.clone()),
                (None, None) => Place::Nowhere,
            },
        )
    }

    fn copies(&self, relative: &Path) -> Vec<PathBuf> {
        self.mirror
            .iter()
            .chain([&self.root])
            .map(|folder| folder.join(relative))
            .collect()
    }

    /// Whether the file is there and right; an error when it is there and wrong.
    fn check(&self, path: &Path, asset: &Asset) -> Result<bool, AssetError> {
        let Some(stamp) = stat(path, asset)? else {
            return Ok(false);
        };
        if fs::read_to_string(self.memo(asset)).is_ok_and(|memo| memo == stamp) {
            return Ok(true);
        }
        check_sum(path, asset)?;
        self.remember(path, asset);
        Ok(true)
    }

    fn memo(&self, asset: &Asset) -> PathBuf {
        self.root.join(".verified").join(asset.sha256.to_string())
    }

    /// Notes that the file was right. A cache that cannot be written costs time, not correctness, so that errors do
    /// not matter here.
    fn remember(&self, path: &Path, asset: &Asset) {
        if let Ok(Some(stamp)) = stat(path, asset) {
            let _ = write_note(&self.memo(asset), &stamp);
        }
    }
}

/// Length, time of modification and path of a file; none when it is not there, an error when its length is wrong.
fn stat(path: &Path, asset: &Asset) -> Result<Option<String>, AssetError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AssetError::io("look at", path)(error)),
    };
    if metadata.len() != asset.bytes {
        return Err(AssetError::Size {
            origin: format!("`{}`", path.display()),
            expected: asset.bytes,
            found: metadata.len(),
        });
    }
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    Ok(Some(format!(
        "{} {modified} {}\n",
        metadata.len(),
        path.display()
    )))
}

fn check_sum(path: &Path, asset: &Asset) -> Result<(), AssetError> {
    let found = Sha256::of_file(path).map_err(AssetError::io("read", path))?;
    if found == asset.sha256 {
        return Ok(());
    }
    Err(AssetError::Checksum {
        origin: format!("`{}`", path.display()),
        expected: asset.sha256,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)], here: &Path) -> Result<Cache, AssetError> {
        let find = |name: &str| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        };
        Cache::from_vars(find, here)
    }

    #[test]
    fn the_variables_are_asked_in_order() {
        let here = Path::new("/");
        let root = |vars: &[(&str, &str)]| from(vars, here).unwrap().root;
        let home = ("HOME", "/users/a");
        assert_eq!(root(&[home]), Path::new("/users/a/.cache/translearn"));
        assert_eq!(
            root(&[home, ("XDG_CACHE_HOME", "/x")]),
            Path::new("/x/translearn")
        );
        assert_eq!(
            root(&[home, ("XDG_CACHE_HOME", "relative")]),
            Path::new("/users/a/.cache/translearn")
        );
        assert_eq!(
            root(&[home, ("XDG_CACHE_HOME", "/x"), ("TRANSLEARN_CACHE", "c")]),
            Path::new("c")
        );
        assert_eq!(
            root(&[home, ("TRANSLEARN_CACHE", "")]),
            Path::new("/users/a/.cache/translearn")
        );
        assert!(matches!(from(&[], here), Err(AssetError::NoCacheFolder)));
    }

    #[test]
    fn a_relative_mirror_is_found_from_a_folder_below() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("workspace/crates/data");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir_all(folder.path().join("mirrors/data")).unwrap();
        let cache = |mirror| {
            from(
                &[("TRANSLEARN_CACHE", "c"), ("TRANSLEARN_MIRROR", mirror)],
                &below,
            )
        };
        let mirror = cache("../mirrors/data").unwrap().mirror.unwrap();
        assert_eq!(
            mirror.canonicalize().unwrap(),
            folder.path().join("mirrors/data").canonicalize().unwrap()
        );
        assert_eq!(cache("").unwrap().mirror, None);
        let error = cache("../elsewhere").unwrap_err();
        assert!(matches!(error, AssetError::NoMirror { .. }), "{error}");
    }
}
