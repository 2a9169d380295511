//! Standard output and standard error for commands that print and end.
//!
//! When the reader goes away (`sos check … | head`) what is left is not printed, and the exit code still tells the
//! truth.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

/// What the program is called.
static NAME: OnceLock<&str> = OnceLock::new();

/// Forgets what cannot be written because nobody reads any more.
pub(super) struct Unread<W>(W);

/// Says on standard error from now on that it is this program which complains.
pub(super) fn speak_as(name: &'static str) {
    // A second call is of the same program.
    NAME.get_or_init(|| name);
}

/// Tells on standard error what is wrong, with the name of the program before it.
pub(super) fn complain(what: impl fmt::Display) -> io::Result<()> {
    writeln!(stderr(), "{}: {what}", NAME.get().copied().unwrap_or("sos"))
}

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
