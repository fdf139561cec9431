//! What is wrong with a specification: file, line, reason, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

use translearn_core::{TransferError, nearest_name};
use translearn_data::DataError;

use crate::prepare::PrepareError;

/// A specification that cannot be run.
///
/// The message starts with file and line: `` `a.toml` line 12: unknown key `lable` in the source …; did you mean `label`? ``
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", Place(file, *line))]
pub struct SpecError {
    /// The specification.
    pub file: PathBuf,
    /// The line, from 1, where there is one to blame.
    pub line: Option<usize>,
    /// What is wrong there.
    pub problem: Box<SpecProblem>,
}

/// What is wrong at some place of a specification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// The text is not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// A key that nothing here knows.
    #[error("unknown key `{key}` in {place}; {}", hint(nearest.as_deref(), known))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands: `the specification`, `` task `A→W` ``, ….
        place: String,
        /// The nearest known key, if one is near.
        nearest: Option<String>,
        /// All known keys.
        known: Vec<String>,
    },
    /// A key that has to be there.
    #[error("{place} needs the key `{key}`")]
    MissingKey {
        /// The key.
        key: String,
        /// Where it is missing.
        place: String,
    },
    /// A value of the wrong type, outside its range, or at odds with another.
    #[error("`{key}` in {place}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// Where it stands.
        place: String,
        /// What is expected and what was found.
        reason: String,
    },
    /// Two things that must differ are the same.
    #[error("{what} (the first is in line {first}); {advice}")]
    Duplicate {
        /// What there is twice.
        what: String,
        /// Line of the first.
        first: usize,
        /// What to do.
        advice: &'static str,
    },
    /// A method, learner or parameter that the registry refuses.
    #[error("{place}: {error}")]
    Method {
        /// Where it stands.
        place: String,
        /// The reason.
        error: TransferError,
    },
    /// A set or file that cannot be used.
    #[error("{place}: {error}")]
    Data {
        /// Where it stands.
        place: String,
        /// The reason.
        error: Box<DataError>,
    },
    /// Data that make no task.
    #[error("{place}: {error}")]
    Task {
        /// Which task.
        place: String,
        /// The reason.
        error: Box<PrepareError>,
    },
}

impl SpecProblem {
    /// An [`SpecProblem::UnknownKey`] that looks up the nearest known key.
    pub(crate) fn unknown_key<'a>(
        key: &str,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        Self::UnknownKey {
            key: key.to_owned(),
            place: place.to_owned(),
            nearest: nearest_name(key, known.iter().map(String::as_str)),
            known,
        }
    }

    pub(crate) fn invalid(key: &str, place: &str, reason: impl fmt::Display) -> Self {
        Self::Invalid {
            key: key.to_owned(),
            place: place.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn data(place: &str, error: DataError) -> Self {
        Self::Data {
            place: place.to_owned(),
            error: Box::new(error),
        }
    }

    /// This problem at a place in a file.
    pub(crate) fn at(self, file: &Path, line: Option<usize>) -> SpecError {
        SpecError {
            file: file.to_owned(),
            line,
            problem: Box::new(self),
        }
    }
}

struct Place<'a>(&'a Path, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.display())?;
        self.1.map_or(Ok(()), |line| write!(f, " line {line}"))
    }
}

fn hint(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known: {}", known.join(", ")),
    }
}
