//! Directories that belong to this program alone, and hold something whose format has a version.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use senseops_core::{BoxError, chain};
use senseops_journal::{DirectoryLock, create_directory, sync_directory};
use thiserror::Error;
use tracing::warn;

/// The file that tells the format.
const FORMAT: &str = "format";

/// A directory that nobody else uses as long as this is there.
#[derive(Debug)]
pub(crate) struct OwnedDirectory {
    path: PathBuf,
    _lock: DirectoryLock,
}

/// A newer program has used the directory.
#[derive(Debug, Error)]
#[error(
    "{} holds {what} of version {found}; this program knows version {known}: use the newer program, or another directory",
    path.display()
)]
struct NewerVersion {
    path: PathBuf,
    what: &'static str,
    found: u32,
    known: u32,
}

impl OwnedDirectory {
    /// Creates or opens the directory for `what`, such as `dead letters`. Does blocking I/O.
    pub(crate) fn open(path: PathBuf, what: &'static str, known: u32) -> Result<Self, BoxError> {
        create_directory(&path)?;
        let lock = DirectoryLock::new(&path)?;
        let format = path.join(FORMAT);
        let text = match fs::read(&format) {
            Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        match text.as_deref().map(|text| version(text, what)) {
            Some(Some(found)) if found > known => {
                return Err(NewerVersion { path, what, found, known }.into());
            }
            Some(Some(_known)) => {}
            Some(None) | None => {
                if text.is_some() {
                    warn!(file = %format.display(), "file is damaged, it is written anew");
                }
                // Without it, as on a full disk, nothing is lost but the hint to an older program.
                if let Err(error) = replace(&format, format!("senseops {what} {known}\n").as_bytes()) {
                    warn!(file = %format.display(), error = %chain(&error), "file cannot be written");
                }
            }
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn version(text: &str, what: &str) -> Option<u32> {
    text.trim_end().strip_prefix("senseops ")?.strip_prefix(what)?.strip_prefix(' ')?.parse().ok()
}

/// Replaces a file as a whole, durably: after a crash it is the old one or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let next = path.with_extension("tmp");
    let mut file = File::create(&next)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(next, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(error: &BoxError, path: &Path) -> String {
        let text = chain(&**error).to_string().replace(&path.display().to_string(), "DIR");
        text.replace(&std::process::id().to_string(), "PID")
    }

    #[test]
    fn a_directory_of_another_process_or_a_newer_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = || OwnedDirectory::open(dir.path().into(), "dead letters", 1);
        let owned = open().unwrap();
        assert_eq!(sentence(&open().unwrap_err(), dir.path()), "DIR is in use by process PID");
        drop(owned);
        fs::write(dir.path().join(FORMAT), "senseops dead letters 2\n").unwrap();
        assert_eq!(
            sentence(&open().unwrap_err(), dir.path()),
            "DIR holds dead letters of version 2; this program knows version 1: use the newer program, or another directory"
        );
    }

    #[test]
    fn a_damaged_file_costs_that_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FORMAT), [0xff]).unwrap();
        fs::write(dir.path().join("other"), "stays").unwrap();
        drop(OwnedDirectory::open(dir.path().into(), "dead letters", 1).unwrap());
        assert_eq!(fs::read(dir.path().join(FORMAT)).unwrap(), b"senseops dead letters 1\n");
        assert_eq!(fs::read(dir.path().join("other")).unwrap(), b"stays");
    }
}
