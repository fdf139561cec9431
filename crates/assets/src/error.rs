//! What can go wrong on the way from a manifest to a verified file.

use std::io;
use std::path::{Path, PathBuf};

use crate::Sha256;

/// A file that cannot be had, or a manifest that cannot be read: which one, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetError {
    /// A manifest that does not parse or contradicts itself.
    #[error("manifest `{origin}`: {reason}")]
    Manifest {
        /// Its file, or the name it was given.
        origin: String,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// A path that would lead out of the set's own folder.
    #[error(
        "`{set}`: path `{path}` is refused; a path is relative, with `/` between plain names, without `.` and `..`"
    )]
    UnsafePath {
        /// The set.
        set: String,
        /// The path as given.
        path: String,
    },
    /// A file that the manifest does not list.
    #[error("`{set}` has no file `{path}`; it has {}", known.join(", "))]
    UnknownFile {
        /// The set.
        set: String,
        /// What was asked for.
        path: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The mirror holds no such file and the manifest knows no address.
    #[error(
        "`{set}/{path}` is neither in a mirror nor at a known address; set TRANSLEARN_MIRROR to a folder that \
         holds `{set}/{path}`{}", homepage.as_ref().map(|page| format!(" (the set is described at {page})")).unwrap_or_default()
    )]
    NoSource {
        /// The set.
        set: String,
        /// The file.
        path: String,
        /// Where the set is described.
        homepage: Option<String>,
    },
    /// The mirror that was named is not a folder.
    #[error("the mirror `{path}` is not a folder; correct or unset TRANSLEARN_MIRROR", path = path.display())]
    NoMirror {
        /// What was named.
        path: PathBuf,
    },
    /// There is no place for the cache.
    #[error("no folder for the cache: set TRANSLEARN_CACHE (or XDG_CACHE_HOME, or HOME)")]
    NoCacheFolder,
    /// A file has the right length but other bytes.
    #[error(
        "{origin} has sha256 {found}, the manifest says {expected}; the file was changed or damaged"
    )]
    Checksum {
        /// The file or the address it came from.
        origin: String,
        /// From the manifest.
        expected: Sha256,
        /// Of the bytes.
        found: Sha256,
    },
    /// A file is longer or shorter than the manifest says: changed, or cut off on the way.
    #[error("{origin} has {found} bytes{}, the manifest says {expected}; the file was changed or cut off",
        if found > expected { " or more" } else { "" })]
    Size {
        /// The file or the address it came from.
        origin: String,
        /// From the manifest.
        expected: u64,
        /// What came; of a file that is too long no more is read than shows it.
        found: u64,
    },
    /// The server answered, but not with the file.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// The address.
        url: String,
        /// For example 404.
        status: u16,
    },
    /// No answer, or none that follows the protocol.
    #[error("cannot download {url}: {source}")]
    Connection {
        /// The address.
        url: String,
        /// The reason.
        source: Box<ureq::Error>,
    },
    /// The operating system refused: no space, no permission, ….
    #[error("cannot {action} `{path}`: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl AssetError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
