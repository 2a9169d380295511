//! The directory of a journal on disk, and what is done to the files in it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use senseops_core::chain;
use thiserror::Error;
use tracing::warn;

use crate::codec::Codec;
use crate::files::{FileSystem, NewFile};
use crate::position::{Mark, Position};
use crate::{cursor_file, quarantine, segment};

/// What is written at most to see whether a failed disk works again: about as much as the next chunks would need.
const PROBE_BYTES: u64 = 1024 * 1024;

/// The directory of a journal on disk.
pub(crate) struct JournalDirectory<C> {
    pub path: PathBuf,
    pub codec: Arc<dyn Codec<C>>,
    pub fsync: Duration,
    /// A segment of this size is left for a new one.
    pub segment_bytes: u64,
    pub files: FileSystem,
}

/// The disk cannot be used.
#[derive(Debug, Error)]
#[error("{doing} {}", path.display())]
pub(crate) struct DiskError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl<C> JournalDirectory<C> {
    /// Creates the directory if it is gone.
    pub(crate) fn create(&self) -> Result<(), DiskError> {
        self.files.create_directory(&self.path).map_err(failed("create", &self.path))
    }

    /// Creates the file of a segment.
    pub(crate) fn create_segment(&self, name: Position) -> Result<NewFile, DiskError> {
        let path = segment::path(&self.path, name);
        let file = self.files.create(&path).map_err(failed("create", &path))?;
        self.files.sync_directory(&self.path).map_err(failed("sync", &self.path))?;
        Ok(file)
    }

    /// Deletes a segment unless it is gone.
    pub(crate) fn delete_segment(&self, name: Position) -> Result<(), DiskError> {
        let path = segment::path(&self.path, name);
        match self.files.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sets a damaged segment aside. Gives how many there are now, if that worked.
    pub(crate) fn set_segment_aside(&self, name: Position) -> Option<u64> {
        match quarantine::set_aside(&self.files, &self.path, name) {
            Ok(kept) => u64::try_from(kept).ok(),
            Err(error) => {
                let path = segment::path(&self.path, name);
                warn!(error = %chain(&error), segment = %path.display(), "damaged journal segment cannot be set aside");
                None
            }
        }
    }

    pub(crate) fn store_cursors(&self, cursors: &BTreeMap<String, Mark>) -> Result<(), DiskError> {
        let failed = failed("store the cursors in", &self.path);
        cursor_file::store(&self.files, &self.path, cursors).map_err(failed)
    }

    /// Sees whether something can be written.
    pub(crate) fn probe(&self) -> Result<(), DiskError> {
        let path = self.path.join("probe");
        let bytes = usize::try_from(PROBE_BYTES.min(self.segment_bytes)).unwrap_or_default();
        let written = self.files.create(&path).and_then(|mut file| {
            file.write_all(&vec![0; bytes])?;
            file.sync()
        });
        let removed = self.files.remove(&path);
        written.and(removed).map_err(failed("write", &path))
    }
}

/// The error of doing this to that.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { doing, path: path.to_owned(), source }
}
