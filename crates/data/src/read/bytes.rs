//! Bytes of files, and inflating them within bounds.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::{DataError, Position};

/// Memory that a file of `bytes` bytes may ask for through compression or through the dimensions in its headers:
/// 64 MiB and 256 times its size.
///
/// Deflate reaches 1032 to 1, so a file of nothing but zeros can pass the limit; the files people train on are far
/// from it.
#[must_use]
pub fn allowance(bytes: usize) -> u64 {
    (64 << 20) + 256 * bytes as u64
}

/// The whole file.
///
/// # Errors
/// [`DataError::Io`].
pub fn load(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(DataError::io("read", path))
}

/// The content of a gzip file, however many members it has, within [`allowance`].
///
/// ```
/// use std::{io::Write, path::Path};
/// use translearn_data::read::gunzip;
///
/// let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
/// encoder.write_all(b"a,b\n1,2\n")?;
/// let bytes = encoder.finish()?;
/// assert_eq!(gunzip(Path::new("t.csv.gz"), &bytes)?, b"a,b\n1,2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Malformed`] for damaged or truncated data, [`DataError::TooLarge`] past the limit.
pub fn gunzip(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    Budget::new(path, bytes.len())
        .read(MultiGzDecoder::new(bytes))
        .map_err(|error| {
            DataError::malformed(
                path,
                "gzip",
                Position::File,
                "a complete gzip stream",
                error.to_string(),
            )
        })?
}

/// The refusal that goes with [`allowance`].
pub(super) fn too_large(path: &Path, what: &str, needs: u64, limit: u64) -> DataError {
    DataError::TooLarge {
        path: path.to_owned(),
        what: what.to_owned(),
        needs,
        limit,
        advice: "if the file is genuine, save it uncompressed or in a sparse form",
    }
}

/// Memory a file may still ask for, of its [`allowance`].
pub(super) struct Budget<'a> {
    path: &'a Path,
    limit: u64,
    left: u64,
}

impl<'a> Budget<'a> {
    pub(super) fn new(path: &'a Path, file_bytes: usize) -> Self {
        let limit = allowance(file_bytes);
        Self {
            path,
            limit,
            left: limit,
        }
    }

    /// Everything `reader` gives, taken from the budget. The buffer grows with what is read, never with what a header
    /// promises.
    pub(super) fn read(
        &mut self,
        reader: impl Read,
    ) -> std::io::Result<Result<Vec<u8>, DataError>> {
        let mut out = Vec::new();
        reader
            .take(self.left.saturating_add(1))
            .read_to_end(&mut out)?;
        Ok(self
            .spend(out.len() as u64, "the inflated content")
            .map(|()| out))
    }

    /// Takes `bytes` for `what`, or refuses.
    pub(super) fn spend(&mut self, bytes: u64, what: &str) -> Result<(), DataError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(too_large(
                self.path,
                what,
                bytes.saturating_add(self.limit - self.left),
                self.limit,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_follow_each_other_and_cuts_are_found() {
        let whole = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(gunzip(Path::new("t.gz"), &whole).unwrap(), b"one two");
        for length in 1..whole.len() {
            match gunzip(Path::new("t.gz"), &whole[..length]) {
                Ok(content) => assert_eq!(content, b"one ", "cut at {length}"),
                Err(error) => assert!(matches!(error, DataError::Malformed { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![0; 100 << 20]);
        let error = gunzip(Path::new("t.gz"), &bomb).unwrap_err();
        assert!(
            matches!(error, DataError::TooLarge { limit, .. } if limit == allowance(bomb.len())),
            "{error}"
        );
    }
}
