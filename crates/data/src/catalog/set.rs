//! A set as its manifest describes it: where the files are, which parts they make, and how each part is read.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use translearn_assets::{Cache, Manifest};

use super::load::{Load, Part, PixelRows, WordFile};
use crate::DataError;

macro_rules! manifests {
    ($($name:literal)+) => {
        /// Name and text of every manifest, in the order of the names.
        pub(super) const MANIFESTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../manifests/", $name, ".toml")))),+];
    };
}

manifests! {
    "20news-bydate"
    "amazon-reviews"
    "awa1"
    "cifar10-jpeg"
    "citation-domains"
    "citation-npz"
    "fsdd"
    "hymenoptera"
    "mnist-t10k"
    "mnist-usps"
    "mushroom"
    "office-caltech10-surf"
    "omniglot"
    "school"
    "student-performance"
    "usps"
    "wine-quality"
    "word-vectors"
}

static SETS: LazyLock<Vec<Set>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the manifests are part of the program and read by its tests"
    )]
    let read =
        |&(name, text): &(&str, &str)| Set::parse(text, name).expect("a manifest of the catalog");
    MANIFESTS.iter().map(read).collect()
});

/// Every set of the catalog, in the order of the names.
pub fn sets() -> &'static [Set] {
    &SETS
}

/// The set called `name`.
///
/// # Errors
/// [`DataError::Missing`] with the nearest name.
pub fn set(name: &str) -> Result<&'static Set, DataError> {
    let known = || SETS.iter().map(Set::name);
    SETS.iter()
        .find(|set| set.name() == name)
        .ok_or_else(|| DataError::missing("".as_ref(), "set", name, known()))
}

/// A set of files and what they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    manifest: Manifest,
    pub(super) load: Load,
}

/// Which rows of a set are wanted.
///
/// ```
/// use translearn_data::catalog::Select;
///
/// let select = Select::domain("books").split("train");
/// assert_eq!(select.split.as_deref(), Some("train"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Select {
    /// A domain; none for the set as a whole.
    pub domain: Option<String>,
    /// A split; none for all of them, one after the other.
    pub split: Option<String>,
}

impl Select {
    /// All rows of a set that has no domains, or that can be read as a whole.
    pub fn all() -> Self {
        Self::default()
    }

    /// All rows of one domain.
    pub fn domain(name: &str) -> Self {
        Self {
            domain: Some(name.to_owned()),
            split: None,
        }
    }

    /// Only the rows of one split.
    #[must_use]
    pub fn split(self, name: &str) -> Self {
        Self {
            split: Some(name.to_owned()),
            ..self
        }
    }
}

impl Set {
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self, DataError> {
        let refuse = |reason: String| DataError::Manifest {
            path: origin.into(),
            reason,
        };
        let manifest = Manifest::parse(text, origin).map_err(|error| refuse(error.to_string()))?;
        let load = manifest
            .load
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| refuse(error.to_string()))?;
        Ok(Self { manifest, load })
    }

    pub(super) fn unsupported(&self, found: &str, advice: &str) -> DataError {
        DataError::Unsupported {
            path: self.name().into(),
            found: found.to_owned(),
            advice: advice.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Title, licence, origin and files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What [`Set::load`] can read, with the shape of each.
    pub fn parts(&self) -> &[Part] {
        &self.load.part
    }

    /// The word-vector files.
    pub fn words(&self) -> &[WordFile] {
        &self.load.words
    }

    /// The domains, in the order of the manifest.
    pub fn domains(&self) -> Vec<&str> {
        distinct(
            self.parts()
                .iter()
                .filter_map(|part| part.domain.as_deref()),
        )
    }

    /// What is known to be in several domains, a clause: what is held out of one may then be learned from in another. `None`
    /// where nothing is known to be.
    ///
    /// ```
    /// use translearn_data::catalog;
    ///
    /// let pupils = catalog::set("student-performance")?;
    /// assert_eq!(pupils.shared_rows(), Some("382 pupils are in both domains"));
    /// assert_eq!(catalog::set("wine-quality")?.shared_rows(), None);
    /// # Ok::<(), translearn_data::DataError>(())
    /// ```
    pub fn shared_rows(&self) -> Option<&str> {
        self.load.shared_rows.as_deref()
    }

    /// The splits, in the order of the manifest.
    pub fn splits(&self) -> Vec<&str> {
        distinct(self.parts().iter().filter_map(|part| part.split.as_deref()))
    }

    /// The parts that `select` names, in the order of the manifest; their rows stand one after the other in what
    /// [`Set::load`] reads.
    ///
    /// # Errors
    /// [`DataError::Missing`] for a domain or split that is not there; [`DataError::InvalidOption`] when one of several
    /// domains has to be chosen; [`DataError::Unsupported`] for a set without rows (words).
    pub fn select(&self, select: &Select) -> Result<Vec<&Part>, DataError> {
        if self.parts().is_empty() {
            return Err(self.unsupported("a set without rows", "fetch its files one by one"));
        }
        let missing = |kind, name: &str, known: Vec<&str>| {
            DataError::missing(self.name().as_ref(), kind, name, known)
        };
        let of_domain: Vec<&Part> = self
            .parts()
            .iter()
            .filter(|part| part.domain == select.domain)
            .collect();
        match &select.domain {
            Some(domain) if of_domain.is_empty() => {
                return Err(missing("domain", domain, self.domains()));
            }
            None if of_domain.is_empty() => {
                return Err(DataError::InvalidOption {
                    name: "domain".to_owned(),
                    value: "not given".to_owned(),
                    expected: format!(
                        "one of the domains of `{}`: {}",
                        self.name(),
                        self.domains().join(", ")
                    ),
                });
            }
            _ => (),
        }
        let Some(split) = &select.split else {
            return Ok(of_domain);
        };
        let parts: Vec<&Part> = of_domain
            .into_iter()
            .filter(|part| part.split.as_ref() == Some(split))
            .collect();
        if parts.is_empty() {
            Err(missing("split", split, self.splits()))
        } else {
            Ok(parts)
        }
    }

    /// How the rows that `select` names are images, where they are rows of pixels and all of one size.
    ///
    /// # Errors
    /// Those of [`Set::select`].
    pub fn pixels(&self, select: &Select) -> Result<Option<PixelRows>, DataError> {
        let parts = self.select(select)?;
        let first = parts.first().and_then(|part| part.pixels);
        Ok(first.filter(|_| parts.iter().all(|part| part.pixels == first)))
    }

    /// A file of the set, verified; downloaded when it has to be.
    ///
    /// # Errors
    /// [`DataError::Io`] with the [`AssetError`](translearn_assets::AssetError) as its source: the file has no known
    /// address and no mirror holds it, the download failed, the bytes are not the manifest's.
    pub fn fetch(&self, cache: &Cache, file: &str) -> Result<PathBuf, DataError> {
        cache
            .fetch(&self.manifest, file)
            .map_err(|error| DataError::Io {
                path: PathBuf::from(self.name()).join(file),
                action: "fetch",
                source: std::io::Error::other(error),
            })
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
