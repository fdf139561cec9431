//! The terminal.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Result, ensure};

/// Writes to standard output; whoever stops reading (`| head`) has seen enough.
pub(super) fn show(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Refuses, before any work is done, a place for files that is a file itself.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    let file = (folder.ancestors()).find(|part| part.exists() && !part.is_dir());
    ensure!(
        file.is_none(),
        "`--out {}`: `{}` is a file; name a folder, which is made where it is not there",
        folder.display(),
        file.unwrap_or(folder).display()
    );
    Ok(())
}

/// Writes a line to standard error.
#[expect(
    clippy::print_stderr,
    reason = "where a command line says what is wrong"
)]
pub(super) fn complain(line: &str) {
    eprintln!("{line}");
}
