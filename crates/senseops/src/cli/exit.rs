//! Exit codes, which scripts and service managers rely on.

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Something that should not happen.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// Something that the configuration names cannot be opened: a port is taken, a certificate cannot be read.
    Open = 4,
    /// It stopped before every event was delivered, and those left are gone.
    Undelivered = 5,
    /// A server, a target or a running instance does not answer as it should.
    Unreachable = 6,
}

/// What `--help` says about them.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  unexpected failure
  2  wrong command line
  3  wrong configuration
  4  a port, file or certificate of the configuration cannot be opened
  5  stopped with undelivered events that are lost (with a journal on disk they are kept)
  6  check --connect, or a command for a running instance: something does not answer as it should";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
