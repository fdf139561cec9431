//! Manifests: what a set consists of, where it comes from and under which licence.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{AssetError, Sha256};

/// A set of files with their origin, read from TOML.
///
/// ```toml
/// name = "wine-quality"                  # folder in the mirror and in the cache
/// title = "Wine quality, red and white"
/// licence = "CC BY 4.0"
/// homepage = "https://archive.ics.uci.edu/dataset/186/wine+quality"     # optional
/// citation = "Cortez et al. 2009, doi:10.1016/j.dss.2009.05.016"        # optional
///
/// [[file]]
/// path = "winequality-red.csv"           # below the set's folder, `/` between names
/// url = "https://…"                      # optional: only where the bytes are known to be the same
/// sha256 = "4a402cf0…"
/// bytes = 84199
///
/// [load]                                 # free: whoever reads the set interprets it
/// ```
///
/// An unknown key is an error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the set, also its folder: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// Its licence, as far as known.
    pub licence: String,
    /// Where it is described.
    pub homepage: Option<String>,
    /// What to cite.
    pub citation: Option<String>,
    /// Its files, in the order of the manifest.
    #[serde(rename = "file")]
    pub files: Vec<Asset>,
    /// How to read the files: for the crate that reads them, not looked at here.
    #[serde(default = "empty_table")]
    pub load: toml::Value,
}

/// One file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Below the set's folder, `/` between names.
    pub path: String,
    /// Where these very bytes can be downloaded, if anywhere.
    pub url: Option<String>,
    /// Checksum.
    pub sha256: Sha256,
    /// Length.
    pub bytes: u64,
}

fn empty_table() -> toml::Value {
    toml::Value::Table(toml::Table::new())
}

impl Manifest {
    /// Reads a manifest; `origin` names it in errors.
    ///
    /// # Errors
    /// [`AssetError::Manifest`] for text that is no manifest, an unknown key, a name that is no folder name, no file
    /// at all or two with one path; [`AssetError::UnsafePath`] for a path that leaves the set's folder.
    pub fn parse(text: &str, origin: &str) -> Result<Self, AssetError> {
        let refuse = |reason: String| AssetError::Manifest {
            origin: origin.to_owned(),
            reason,
        };
        let manifest: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if !is_set_name(&manifest.name) {
            return Err(refuse(format!(
                "name `{}`: use lower-case letters, digits and hyphens",
                manifest.name
            )));
        }
        if manifest.files.is_empty() {
            return Err(refuse("no [[file]]".to_owned()));
        }
        let mut paths: Vec<&str> = manifest
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        paths.sort_unstable();
        if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(refuse(format!("two files have the path `{}`", pair[0])));
        }
        for path in paths {
            relative_path(&manifest.name, path)?;
        }
        Ok(manifest)
    }

    /// Reads the manifest at `path`.
    ///
    /// # Errors
    /// Those of [`Manifest::parse`], and [`AssetError::Io`].
    pub fn read(path: &Path) -> Result<Self, AssetError> {
        let text = fs::read_to_string(path).map_err(AssetError::io("read", path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads every `*.toml` of a folder, in the order of their file names.
    ///
    /// # Errors
    /// Those of [`Manifest::read`], and [`AssetError::Manifest`] for a file that is not named after its set.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, AssetError> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(AssetError::io("list", folder))?;
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        });
        paths.sort_unstable();
        paths
            .iter()
            .map(|path| {
                let manifest = Self::read(path)?;
                if path
                    .file_stem()
                    .is_none_or(|stem| stem != manifest.name.as_str())
                {
                    return Err(AssetError::Manifest {
                        origin: path.display().to_string(),
                        reason: format!("the file must be named `{}.toml`", manifest.name),
                    });
                }
                Ok(manifest)
            })
            .collect()
    }

    /// The file at `path`.
    ///
    /// # Errors
    /// [`AssetError::UnknownFile`] with all paths there are.
    pub fn file(&self, path: &str) -> Result<&Asset, AssetError> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .ok_or_else(|| AssetError::UnknownFile {
                set: self.name.clone(),
                path: path.to_owned(),
                known: self.files.iter().map(|file| file.path.clone()).collect(),
            })
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}

fn is_set_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// `set/path` as a relative path, when neither leads anywhere else on any system.
pub(crate) fn relative_path(set: &str, path: &str) -> Result<PathBuf, AssetError> {
    let plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0'])
    };
    if is_set_name(set) && path.split('/').all(plain) {
        Ok(std::iter::once(set).chain(path.split('/')).collect())
    } else {
        Err(AssetError::UnsafePath {
            set: set.to_owned(),
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"a-set\"\ntitle = \"A set\"\nlicence = \"CC0\"\n";
    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn with_paths(paths: &[&str]) -> String {
        paths.iter().fold(HEAD.to_owned(), |text, path| {
            text + &format!("[[file]]\npath = '{path}'\nsha256 = \"{ZEROS}\"\nbytes = 3\n")
        })
    }

    #[test]
    fn a_manifest_is_read_whole() {
        let text = with_paths(&["a/b.csv", "c.csv"]) + "[load]\nlabel = \"y\"\n";
        let manifest = Manifest::parse(&text, "x").unwrap();
        assert_eq!(manifest.file("c.csv").unwrap().bytes, 3);
        assert_eq!(manifest.bytes(), 6);
        assert_eq!(manifest.load["label"].as_str(), Some("y"));
        let error = manifest.file("d.csv").unwrap_err().to_string();
        assert_eq!(error, "`a-set` has no file `d.csv`; it has a/b.csv, c.csv");
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "",
            "a//b",
            "./a",
            "C:/x",
            "a\\..\\b",
        ] {
            let error = Manifest::parse(&with_paths(&[path]), "x").unwrap_err();
            assert!(
                matches!(error, AssetError::UnsafePath { .. }),
                "{path}: {error}"
            );
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused_by_name() {
        let file = with_paths(&["a"]);
        for (text, part) in [
            ("name = 3", "line 1"),
            (HEAD, "missing field `file`"),
            (&format!("{HEAD}file = []"), "no [[file]]"),
            (&with_paths(&["a", "a"]), "two files have the path `a`"),
            (&file.replace("a-set", "../a"), "name `../a`"),
            (&file.replace("a-set", ""), "name ``"),
            (&file.replace("bytes", "byte"), "unknown field `byte`"),
            (&file.replace(ZEROS, "00"), "64 hexadecimal digits"),
            (&file.replace("= 3", "= -3"), "-3"),
        ] {
            let error = Manifest::parse(text, "here").unwrap_err().to_string();
            assert!(
                error.starts_with("manifest `here`") && error.contains(part),
                "{error}"
            );
        }
    }

    #[test]
    fn a_folder_lists_its_manifests_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let text = with_paths(&["a"]);
        fs::write(
            folder.path().join("b-set.toml"),
            text.replace("a-set", "b-set"),
        )
        .unwrap();
        fs::write(folder.path().join("a-set.toml"), &text).unwrap();
        fs::write(folder.path().join("README.md"), "not a manifest").unwrap();
        let names: Vec<String> = Manifest::read_folder(folder.path())
            .unwrap()
            .into_iter()
            .map(|m| m.name)
            .collect();
        assert_eq!(names, ["a-set", "b-set"]);
        fs::write(folder.path().join("c.toml"), text).unwrap();
        let error = Manifest::read_folder(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("must be named `a-set.toml`"), "{error}");
    }
}
