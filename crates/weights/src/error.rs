//! What can go wrong between a file of weights and tensors with names.

use std::io;
use std::path::{Path, PathBuf};

use translearn_assets::AssetError;

use crate::{DType, Format};

/// Weights that cannot be had: which file, what was expected and found, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {source}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What was tried: `open`, `read`, ….
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The bytes break the rules of the format; truncated files are of this kind too.
    #[error("`{path}` is not a valid {format} file: {at}: expected {expected}, found {found}", path = path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// What it was read as.
        format: Format,
        /// Where: a byte, a tensor, a member of the archive.
        at: String,
        /// What the format asks for.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A pickle asks for a class or function of Python beyond tensors. Nothing was called.
    #[error(
        "`{path}` names `{global}`; a pickle that does would run code or build objects of Python, so it is refused. \
         If you trust the file, load it in Python and save `model.state_dict()`, best as safetensors",
        path = path.display()
    )]
    Refused {
        /// File.
        path: PathBuf,
        /// For example `os.system`.
        global: String,
    },
    /// The file asks for more memory than its size justifies.
    #[error("`{path}`: {what} would need {needs} bytes, over the limit of {limit}; {advice}", path = path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        /// What would be that large.
        what: String,
        /// Bytes it would take, or more.
        needs: u64,
        /// Bytes allowed.
        limit: u64,
        /// What to do.
        advice: &'static str,
    },
    /// Legal, but nothing this crate reads.
    #[error("`{path}` is {found}, which is not read; {advice}", path = path.display())]
    Unsupported {
        /// File.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        advice: String,
    },
    /// The file was read and holds no tensor.
    #[error("`{path}` holds no tensors{}", listed(" but ", skipped), path = path.display())]
    NoTensors {
        /// File.
        path: PathBuf,
        /// What it holds instead.
        skipped: Vec<String>,
    },
    /// Two tensors under one name.
    #[error("`{first}` and `{second}` would both be named `{name}`; change the rules of renaming")]
    SameName {
        /// The name.
        name: String,
        /// Name of the one in the file.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// Bytes that do not fill the shape.
    #[error("a tensor of {dtype} with shape {shape:?} has {expected} bytes, not {found}")]
    Length {
        /// Type.
        dtype: DType,
        /// Shape.
        shape: Vec<usize>,
        /// Bytes it takes, as a number or in words when that is too large.
        expected: String,
        /// Bytes there are.
        found: usize,
    },
    /// A number that no `f32` comes near.
    #[error(
        "number {index} of a tensor of {dtype} is {value}, beyond the range of f32; scale the weights or train in f32"
    )]
    OutOfRange {
        /// Type.
        dtype: DType,
        /// Position in row-major order, from 0.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A name that no tensor of the file has.
    #[error("`{path}` has no tensor `{name}`; {}", suggest(known), path = path.display())]
    NoSuchTensor {
        /// File.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Pretrained weights that are not in the registry.
    #[error("no pretrained weights `{id}`; known: {}. A file of your own is read with `StateDict::read`", known.join(", "))]
    UnknownWeights {
        /// What was asked for.
        id: String,
        /// The registry.
        known: Vec<String>,
    },
    /// An entry of the registry that contradicts itself or its file.
    #[error("manifest `{origin}`: {reason}")]
    Manifest {
        /// The manifest.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// An error of fetching.
    #[error(transparent)]
    Asset(#[from] Box<AssetError>),
}

impl WeightsError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }

    pub(crate) fn malformed(
        path: &Path,
        format: Format,
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            format,
            at: at.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn unsupported(
        path: &Path,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            path: path.to_owned(),
            found: found.into(),
            advice: advice.into(),
        }
    }
}

impl From<AssetError> for WeightsError {
    fn from(error: AssetError) -> Self {
        Self::Asset(Box::new(error))
    }
}

const SHOWN: usize = 12;

fn listed(before: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let rest = names.len().saturating_sub(SHOWN);
    let more = if rest > 0 {
        format!(", … ({rest} more)")
    } else {
        String::new()
    };
    format!("{before}{}{more}", names[..names.len() - rest].join(", "))
}

fn suggest(known: &[String]) -> String {
    listed("it has ", known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_file_and_global_and_says_what_to_do() {
        let error = WeightsError::Refused {
            path: "evil.pt".into(),
            global: "os.system".to_owned(),
        };
        let text = error.to_string();
        assert!(
            text.starts_with("`evil.pt` names `os.system`; a pickle that does would run code"),
            "{text}"
        );
        assert!(text.ends_with("best as safetensors"), "{text}");
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..30).map(|i| format!("n{i}")).collect();
        let text = suggest(&names);
        assert!(
            text.starts_with("it has n0, n1,") && text.ends_with("n11, … (18 more)"),
            "{text}"
        );
        assert_eq!(listed(" but ", &[]), "");
    }

    #[test]
    fn the_error_stays_small_enough_to_return_by_value() {
        assert!(
            size_of::<WeightsError>() < 128,
            "{}",
            size_of::<WeightsError>()
        );
    }
}
