//! What can go wrong between a file and a sample.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use translearn_core::{TransferError, nearest_name};

/// A file that cannot be turned into data: which file, where in it, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {source}", path = path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried: `open`, `read`, `create`, ….
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The bytes break the rules of the format; truncated files are of this kind too.
    #[error("`{path}` is not valid {format}: {at}: expected {expected}, found {found}", path = path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
        /// Where in the file.
        at: Position,
        /// What the format asks for at this place.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A row has more or fewer cells than the rows before it.
    #[error(
        "`{path}` line {line}: expected {expected} columns, found {found}; check quotes and the delimiter", path = path.display()
    )]
    Ragged {
        /// File.
        path: PathBuf,
        /// Line of the row, from 1.
        line: u64,
        /// Columns of the first row.
        expected: usize,
        /// Columns of this row.
        found: usize,
    },
    /// Two columns share a name.
    #[error(
        "`{path}`: columns {first} and {second} are both named `{name}`; rename one, or read the file without header",
        path = path.display()
    )]
    DuplicateColumn {
        /// File.
        path: PathBuf,
        /// The name.
        name: String,
        /// First place, from 1.
        first: usize,
        /// Second place, from 1.
        second: usize,
    },
    /// A column, array, group or set that is not there.
    #[error("{} has no {kind} `{name}`; {}", place(path), suggest(nearest.as_deref(), known))]
    Missing {
        /// File or folder; empty where names come from no file.
        path: PathBuf,
        /// `column`, `array`, `dataset`, `domain`, ….
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// The nearest known name, if one is near.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// Two parts of the data disagree in shape, length or type.
    #[error("{}: {left} but {right}; {advice}", place(path))]
    Mismatch {
        /// File or folder.
        path: PathBuf,
        /// One side, a clause: `` `fts` is 10 x 5 ``.
        left: String,
        /// The other side.
        right: String,
        /// What to do.
        advice: String,
    },
    /// The file asks for more memory than the reader grants.
    #[error("`{path}`: {what} needs {needs} bytes, over the limit of {limit}; {advice}", path = path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        /// What would be that large.
        what: String,
        /// Bytes it would take.
        needs: u64,
        /// Bytes allowed.
        limit: u64,
        /// What to do.
        advice: &'static str,
    },
    /// Legal, but nothing this crate reads.
    #[error("{}: {found} is not supported; {advice}", place(path))]
    Unsupported {
        /// File.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        advice: String,
    },
    /// There is no row, no file or no value left to work with.
    #[error("{}: no {what}; {advice}", place(path))]
    Empty {
        /// File or folder.
        path: PathBuf,
        /// What is missing: `rows`, `images`, ….
        what: String,
        /// What to do.
        advice: String,
    },
    /// An option of a reader, step or generator that is outside its range.
    #[error("`{name}` = {value}: expected {expected}")]
    InvalidOption {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A file is not the one its manifest describes.
    #[error(
        "`{path}` has sha256 {found}, its manifest says {expected}; remove the file so that it is fetched again",
        path = path.display()
    )]
    Checksum {
        /// File.
        path: PathBuf,
        /// From the manifest, in hexadecimal.
        expected: String,
        /// Of the file, in hexadecimal.
        found: String,
    },
    /// An image, sound or archive member that its decoder refuses.
    #[error("cannot decode `{path}` as {format}: {reason}", path = path.display())]
    Decode {
        /// File, or archive and member.
        path: PathBuf,
        /// `JPEG`, `wav`, ….
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A manifest that does not parse or contradicts itself.
    #[error("manifest `{path}`: {reason}", path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// An error of the central types.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// A line, from 1.
    Line(u64),
    /// A byte, from 0.
    Byte(u64),
    /// A byte of the data that inflated from a compressed element.
    Inflated {
        /// Where the element lies in the file.
        element: u64,
        /// The byte, from 0.
        byte: u64,
    },
    /// A named array, column or member.
    Part(Box<str>),
    /// The file as a whole.
    File,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
            Self::Inflated { element, byte } => {
                write!(f, "byte {byte} of what inflates from byte {element}")
            }
            Self::Part(name) => write!(f, "`{name}`"),
            Self::File => f.write_str("whole file"),
        }
    }
}

impl DataError {
    /// An [`DataError::Io`] for use in `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }

    /// A [`DataError::Missing`] that looks up the nearest known name.
    pub fn missing<'a>(
        path: &Path,
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        Self::Missing {
            path: path.to_owned(),
            kind,
            name: name.to_owned(),
            nearest: nearest_name(name, known.iter().map(String::as_str)),
            known,
        }
    }

    /// A [`DataError::Empty`] for data that come from no file.
    pub(crate) fn empty(what: &str, advice: &str) -> Self {
        Self::Empty {
            path: PathBuf::new(),
            what: what.to_owned(),
            advice: advice.to_owned(),
        }
    }

    /// A [`DataError::Malformed`].
    pub fn malformed(
        path: &Path,
        format: &'static str,
        at: Position,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            format,
            at,
            expected: expected.into(),
            found: found.into(),
        }
    }
}

fn place(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        "the data".to_owned()
    } else {
        format!("`{}`", path.display())
    }
}

fn suggest(nearest: Option<&str>, known: &[String]) -> String {
    const SHOWN: usize = 20;
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None if known.len() > SHOWN => {
            format!(
                "known: {}, … ({} in all)",
                known[..SHOWN].join(", "),
                known.len()
            )
        }
        None => format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_place_and_both_sides() {
        let error = DataError::malformed(
            Path::new("a.mat"),
            "MAT v5",
            Position::Byte(128),
            "a tag of 8 bytes",
            "3 bytes",
        );
        assert_eq!(
            error.to_string(),
            "`a.mat` is not valid MAT v5: byte 128: expected a tag of 8 bytes, found 3 bytes"
        );
        let error = DataError::missing(Path::new("a.npz"), "array", "labls", ["fts", "labels"]);
        assert_eq!(
            error.to_string(),
            "`a.npz` has no array `labls`; did you mean `labels`?"
        );
        let error = DataError::missing(Path::new(""), "set", "zebra", ["usps", "fsdd"]);
        assert_eq!(
            error.to_string(),
            "the data has no set `zebra`; known: usps, fsdd"
        );
    }

    #[test]
    fn the_error_stays_small_enough_to_return_by_value() {
        assert!(size_of::<DataError>() < 128, "{}", size_of::<DataError>());
    }
}
