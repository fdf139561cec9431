//! One file from an address to its place: whole and verified, or not at all.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::checksum::Hasher;
use crate::{Asset, AssetError};

/// How far a download has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes received.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

/// No answer within this time, or no further byte, ends a download.
const PATIENCE: Duration = Duration::from_secs(60);

/// Downloads to a temporary file in the folder of `target`, verifies it, and gives it its name in one step.
pub(crate) fn download(
    url: &str,
    asset: &Asset,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), AssetError> {
    let mut response = agent().get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(status) => AssetError::Status {
            url: url.to_owned(),
            status,
        },
        other => AssetError::Connection {
            url: url.to_owned(),
            source: Box::new(other),
        },
    })?;
    let wrong_size = |found| AssetError::Size {
        origin: url.to_owned(),
        expected: asset.bytes,
        found,
    };
    if let Some(length) = response
        .body()
        .content_length()
        .filter(|&length| length != asset.bytes)
    {
        return Err(wrong_size(length));
    }

    let mut file = temporary(target).map_err(AssetError::io("create a file beside", target))?;
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    loop {
        progress(Progress {
            received,
            total: asset.bytes,
        });
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(wrong_size(received));
            }
            Err(error) => {
                let source = Box::new(ureq::Error::from(error));
                return Err(AssetError::Connection {
                    url: url.to_owned(),
                    source,
                });
            }
        };
        received += n as u64;
        if received > asset.bytes {
            return Err(wrong_size(received));
        }
        hasher.update(&buffer[..n]);
        file.write_all(&buffer[..n])
            .map_err(AssetError::io("write", file.path()))?;
    }
    if received < asset.bytes {
        return Err(wrong_size(received));
    }
    let found = hasher.finish();
    if found != asset.sha256 {
        let (origin, expected) = (url.to_owned(), asset.sha256);
        return Err(AssetError::Checksum {
            origin,
            expected,
            found,
        });
    }
    publish(file, target).map_err(AssetError::io("put in place", target))
}

/// Replaces a note in one step. It is not flushed: one that a power cut takes away is only written again.
pub(crate) fn write_note(target: &Path, text: &str) -> io::Result<()> {
    let mut file = temporary(target)?;
    file.write_all(text.as_bytes())?;
    file.persist(target)?;
    Ok(())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .user_agent(concat!("translearn-assets/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into()
}

/// A file of its own beside `target`, on the same file system, removed again unless published.
fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Readable by others who share the cache, as far as the umask allows; the default is the owner alone.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Flushes the bytes to the disk before the name points to them, so that a power cut leaves no half file.
fn publish(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(target)?;
    #[cfg(unix)]
    if let Some(folder) = target.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
