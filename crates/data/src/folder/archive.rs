//! Members of archives.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{ARCHIVE_LIMIT_BYTES, Entry, FolderParams, Place};
use crate::{DataError, Position};

/// The accepted members of a `.tar`, `.tar.gz`, `.tgz` or `.zip`, in the order of the archive.
pub(super) fn read(path: &Path, params: &FolderParams) -> Result<Vec<Entry>, DataError> {
    let name = path.to_string_lossy().to_lowercase();
    let file = BufReader::new(File::open(path).map_err(DataError::io("open", path))?);
    if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        read_tar(path, MultiGzDecoder::new(file), params)
    } else if name.ends_with(".tar") {
        read_tar(path, file, params)
    } else if name.ends_with(".zip") {
        read_zip(path, file, params)
    } else {
        Err(DataError::Unsupported {
            path: path.to_owned(),
            found: "a file that is neither a folder nor an archive".to_owned(),
            advice: "give a folder, .tar, .tar.gz, .tgz or .zip".to_owned(),
        })
    }
}

fn read_tar(
    path: &Path,
    stream: impl Read,
    params: &FolderParams,
) -> Result<Vec<Entry>, DataError> {
    let broken = |error: io::Error| {
        DataError::malformed(
            path,
            "tar",
            Position::File,
            "a whole archive",
            error.to_string(),
        )
    };
    let mut archive = tar::Archive::new(stream);
    let mut files = Vec::new();
    let mut budget = ARCHIVE_LIMIT_BYTES;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some(name) = params.accept(&full) {
            let promised = entry.header().size().map_err(broken)?;
            let bytes = take(entry, &mut budget, path).map_err(broken)??;
            if bytes.len() as u64 != promised {
                return Err(DataError::malformed(
                    path,
                    "tar",
                    Position::Part(name.into()),
                    format!("{promised} bytes"),
                    format!("{} bytes", bytes.len()),
                ));
            }
            files.push(Entry {
                name: name.to_owned(),
                place: Place::Memory(bytes),
            });
        }
    }
    Ok(files)
}

fn read_zip(
    path: &Path,
    file: BufReader<File>,
    params: &FolderParams,
) -> Result<Vec<Entry>, DataError> {
    let broken =
        |found: String| DataError::malformed(path, "zip", Position::File, "a whole archive", found);
    let mut archive = zip::ZipArchive::new(file).map_err(|error| broken(error.to_string()))?;
    let mut files = Vec::new();
    let mut budget = ARCHIVE_LIMIT_BYTES;
    for index in 0..archive.len() {
        let member = archive
            .by_index(index)
            .map_err(|error| broken(error.to_string()))?;
        let full = member.name().to_owned();
        if member.is_dir() {
            continue;
        }
        if let Some(name) = params.accept(&full) {
            let bytes = take(member, &mut budget, path)
                .map_err(|error| broken(format!("{error} in `{name}`")))??;
            files.push(Entry {
                name: name.to_owned(),
                place: Place::Memory(bytes),
            });
        }
    }
    Ok(files)
}

/// Reads a member whole, however long it claims to be, as long as the archive's budget lasts.
fn take(
    member: impl Read,
    budget: &mut u64,
    path: &Path,
) -> io::Result<Result<Vec<u8>, DataError>> {
    let mut bytes = Vec::new();
    let read = member.take(*budget + 1).read_to_end(&mut bytes)? as u64;
    Ok(match budget.checked_sub(read) {
        Some(left) => {
            *budget = left;
            Ok(bytes)
        }
        None => Err(DataError::TooLarge {
            path: path.to_owned(),
            what: "its unpacked members".to_owned(),
            needs: ARCHIVE_LIMIT_BYTES - *budget + read,
            limit: ARCHIVE_LIMIT_BYTES,
            advice: "unpack the archive and name the folder",
        }),
    })
}
