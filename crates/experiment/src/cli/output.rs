//! The terminal.

use std::io::{self, ErrorKind, Write};

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

/// Writes a line to standard error.
#[expect(
    clippy::print_stderr,
    reason = "where a command line says what is wrong"
)]
pub(super) fn complain(line: &str) {
    eprintln!("{line}");
}
