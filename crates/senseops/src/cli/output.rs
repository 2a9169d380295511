//! Standard output and standard error for commands that print and end.
//!
//! When the reader goes away (`sos check … | head`) what is left is not printed, and the exit code still tells the
//! truth.

use std::io::{self, Write};

/// Forgets what cannot be written because nobody reads any more.
pub(super) struct Unread<W>(W);

pub(super) fn stdout() -> Unread<io::Stdout> {
    Unread(io::stdout())
}

pub(super) fn stderr() -> Unread<io::Stderr> {
    Unread(io::stderr())
}

impl<W: Write> Write for Unread<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}
