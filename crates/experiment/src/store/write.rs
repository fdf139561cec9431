//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::StoreError;

/// Beginning of the names of files that are being written. They stand in the result folder itself, so that `trials/`
/// never holds anything but finished trials.
pub(super) const TEMPORARY: &str = ".writing-";

/// Writes a file below `folder` so that readers, and runs after a power failure, see it whole or not at all.
pub(super) fn write_whole(folder: &Path, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!("{TEMPORARY}{name}"));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), sync_folder)
    };
    write().map_err(|error| {
        // Best effort: the next run removes what is left.
        let _ = fs::remove_file(&temporary);
        StoreError::io("write", path)(error)
    })
}

/// Makes the names in a folder permanent.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Removes what a killed run was writing.
pub(super) fn remove_temporaries(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let entry = entry.map_err(StoreError::io("list", folder))?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(entry.path()).map_err(StoreError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}
