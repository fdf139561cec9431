//! Files in class folders, on disk or inside a `.tar`, `.tar.gz`, `.tgz` or `.zip` archive, seen the same way.
//!
//! Texts, images and sounds come as `class/file`. A [`Folder`] lists such files in the order of their names, whether
//! they lie on disk or in an archive, and hands out the bytes of one file at a time. The members of an archive are kept
//! in memory as they stand (a JPEG stays compressed); files on disk are opened when asked for.

mod archive;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{DataError, RawLabels};

/// The members taken from one archive may fill this many bytes (4 GiB); more is refused.
pub const ARCHIVE_LIMIT_BYTES: u64 = 4 << 30;

/// Folders nested deeper than this are refused: most likely a link that points back up.
const DEPTH_LIMIT: usize = 32;

/// Which files of a folder or archive are taken.
///
/// | field | meaning | default |
/// |---|---|---|
/// | `under` | the folder inside that holds the classes, such as `data/20news-bydate-train` | the top |
/// | `skip` | files left out, named from `under` on, such as `alt.atheism/54473-o` | none |
/// | `extensions` | endings taken, without the dot and in lower case | all |
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderParams {
    /// The folder inside that holds the classes.
    pub under: String,
    /// Files left out, named from `under` on.
    pub skip: Vec<String>,
    /// Endings taken, without the dot and in lower case; empty for all.
    pub extensions: Vec<String>,
}

impl FolderParams {
    /// All files below `under`.
    pub fn under(under: &str) -> Self {
        Self {
            under: under.to_owned(),
            ..Self::default()
        }
    }

    /// The same, with these endings where none are named.
    #[must_use]
    pub fn or_extensions(&self, endings: &[&str]) -> Self {
        let mut params = self.clone();
        if params.extensions.is_empty() {
            params.extensions = endings.iter().map(|&ending| ending.to_owned()).collect();
        }
        params
    }

    /// `under` without the ornaments that archives and shells add.
    fn top(&self) -> &str {
        self.under.trim_start_matches("./").trim_matches('/')
    }

    /// The name of a file from `under` on, when it is taken.
    fn accept<'a>(&self, path: &'a str) -> Option<&'a str> {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        let name = match self.top() {
            "" => path,
            under => path.strip_prefix(under)?.strip_prefix('/')?,
        };
        let hidden = |part: &str| part.is_empty() || part.starts_with('.') || part == "__MACOSX";
        if name.split('/').any(hidden) || self.skip.iter().any(|skipped| skipped == name) {
            return None;
        }
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_lowercase());
        let taken = self.extensions.is_empty()
            || ending.is_some_and(|ending| self.extensions.contains(&ending));
        taken.then_some(name)
    }
}

/// Files in the order of their names.
///
/// ```
/// use translearn_data::folder::{Folder, FolderParams};
///
/// let root = tempfile::tempdir()?;
/// for (class, text) in [("ham", "see you at nine"), ("spam", "cheap watches")] {
///     std::fs::create_dir(root.path().join(class))?;
///     std::fs::write(root.path().join(class).join("1.txt"), text)?;
/// }
/// let folder = Folder::open(root.path(), &FolderParams::default())?;
/// assert_eq!(folder.len(), 2);
/// assert_eq!((folder.name(1), folder.class(1)), ("spam/1.txt", Some("spam")));
/// assert_eq!(folder.bytes(1)?.as_ref(), b"cheap watches");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    files: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// From `under` on, with `/` between the parts.
    name: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Disk(PathBuf),
    Memory(Vec<u8>),
}

impl Folder {
    /// Lists a folder, or reads the accepted members of an archive. Hidden files (a part of the name starts with a
    /// dot, or is `__MACOSX`) are left out.
    ///
    /// # Errors
    /// [`DataError::Io`] when something cannot be read, [`DataError::Malformed`] for a broken archive,
    /// [`DataError::TooLarge`] above [`ARCHIVE_LIMIT_BYTES`], [`DataError::Unsupported`] for a file that is no archive,
    /// [`DataError::Empty`] when no file is left.
    pub fn open(path: &Path, params: &FolderParams) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(DataError::io("open", path))?;
        let mut files = if metadata.is_dir() {
            let mut files = Vec::new();
            walk(path, params.top(), 0, params, &mut files)?;
            files
        } else {
            archive::read(path, params)?
        };
        if files.is_empty() {
            return Err(DataError::Empty {
                path: path.join(&params.under),
                what: match params.extensions.as_slice() {
                    [] => "files".to_owned(),
                    endings => format!("files that end in .{}", endings.join(", .")),
                },
                advice: "check the path and the folder inside it".to_owned(),
            });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: path.to_owned(),
            files,
        })
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file; never for a folder that was opened.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The name of a file, its class folder included.
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn name(&self, index: usize) -> &str {
        &self.files[index].name
    }

    /// The class of a file: the folders above it, joined by `/`; `None` for a file in no folder.
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn class(&self, index: usize) -> Option<&str> {
        self.name(index).rsplit_once('/').map(|(class, _)| class)
    }

    /// One class per file, or `None` when the files lie in no folders.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when some files lie in class folders and others do not.
    pub fn classes(&self) -> Result<Option<RawLabels>, DataError> {
        let without = (0..self.len()).find(|&i| self.class(i).is_none());
        let within = (0..self.len()).find(|&i| self.class(i).is_some());
        match (within, without) {
            (Some(within), Some(without)) => Err(DataError::Mismatch {
                path: self.root.clone(),
                left: format!("`{}` lies in a class folder", self.name(within)),
                right: format!("`{}` lies in none", self.name(without)),
                advice: "skip the files that belong to no class".to_owned(),
            }),
            (None, _) => Ok(None),
            (Some(_), None) => Ok(Some(RawLabels::Names(
                (0..self.len())
                    .filter_map(|i| self.class(i))
                    .map(str::to_owned)
                    .collect(),
            ))),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`DataError::Io`] when a file on disk cannot be read.
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn bytes(&self, index: usize) -> Result<std::borrow::Cow<'_, [u8]>, DataError> {
        match &self.files[index].place {
            Place::Memory(bytes) => Ok(bytes.into()),
            Place::Disk(path) => Ok(fs::read(path).map_err(DataError::io("read", path))?.into()),
        }
    }

    /// Where a file lies, for messages: its path, or the archive's path and the member's name.
    ///
    /// # Panics
    /// When `index` is out of range, like all indexing.
    pub fn place(&self, index: usize) -> PathBuf {
        match &self.files[index].place {
            Place::Memory(_) => self.root.join(self.name(index)),
            Place::Disk(path) => path.clone(),
        }
    }
}

fn walk(
    root: &Path,
    inside: &str,
    depth: usize,
    params: &FolderParams,
    files: &mut Vec<Entry>,
) -> Result<(), DataError> {
    let folder = root.join(inside);
    if depth > DEPTH_LIMIT {
        return Err(DataError::Unsupported {
            path: folder,
            found: format!("a folder nested more than {DEPTH_LIMIT} deep"),
            advice: "remove the link that points back up".to_owned(),
        });
    }
    for entry in fs::read_dir(&folder).map_err(DataError::io("list", &folder))? {
        let entry = entry.map_err(DataError::io("list", &folder))?;
        let own_name = entry.file_name().to_string_lossy().into_owned();
        if own_name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let inside = if inside.is_empty() {
            own_name
        } else {
            format!("{inside}/{own_name}")
        };
        // `metadata` follows links, so that a set may be laid out with them.
        if fs::metadata(&path)
            .map_err(DataError::io("open", &path))?
            .is_dir()
        {
            walk(root, &inside, depth + 1, params, files)?;
        } else if let Some(name) = params.accept(&inside) {
            files.push(Entry {
                name: name.to_owned(),
                place: Place::Disk(path),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
