//! Looking at the directory of a journal from outside, and forgetting a reader while nobody uses it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use senseops_core::Timestamp;
use thiserror::Error;

use crate::books::Books;
use crate::cursor_file::{self, Stored};
use crate::disk::{Disk, StoredCursors};
use crate::files::FileSystem;
use crate::lock::{self, DirectoryLock, LockError, Owner};
use crate::recover::{self, Depth, Failure};
use crate::{ReaderStatus, quarantine, segment};

/// What a directory was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether a process uses the journal now. What it holds in memory is not seen.
    pub in_use: bool,
    /// The process that uses it, if it says so.
    pub owner: Option<u32>,
    /// Events that were ever appended, as far as the files tell.
    pub appended_events: u64,
    /// How many segments there are.
    pub segments: u64,
    /// The bytes that they take.
    pub disk_bytes: u64,
    /// When the oldest chunk was appended, if there is one.
    pub oldest: Option<Timestamp>,
    /// When the newest chunk was appended, if there is one.
    pub newest: Option<Timestamp>,
    /// Every reader that the file of the cursors knows, by name. None of them is attached.
    pub readers: Vec<ReaderStatus>,
    /// Whether the file of the cursors is damaged, so that it is not known where readers are.
    pub cursors_damaged: bool,
    /// Where segments are damaged. The torn end of the newest one is no damage: it was never promised.
    pub damaged: Vec<DamagedPlace>,
    /// Segments that were set aside because they are damaged, oldest first.
    pub quarantined: Vec<PathBuf>,
}

/// Where damage begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedPlace {
    /// The file.
    pub path: PathBuf,
    /// The offset in the file, in bytes.
    pub offset: u64,
}

/// A directory cannot be inspected.
#[derive(Debug, Error)]
pub enum InspectError {
    /// A file cannot be read.
    #[error("inspect the journal: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A newer program wrote the journal.
    #[error("{} has format version {version}; this program knows version 1", path.display())]
    NewerVersion {
        /// A file of it.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// A reader cannot be forgotten, see [`forget_offline`].
#[derive(Debug, Error)]
pub enum ForgetOfflineError {
    /// The directory cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No reader of this name has a place.
    #[error("the journal has no cursor named {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It is not known who has a place.
    #[error("the cursors of the journal in {} are damaged", path.display())]
    Damaged {
        /// The directory.
        path: PathBuf,
    },
    /// A newer program wrote the journal.
    #[error("the cursors of the journal in {} have format version {version}; this program knows version 1", path.display())]
    NewerVersion {
        /// The directory.
        path: PathBuf,
        /// Their version.
        version: u32,
    },
    /// The cursors cannot be read or stored.
    #[error("change the cursors of the journal in {}", path.display())]
    File {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Looks at the directory of a journal, also while a process uses it. Reads every segment and changes nothing. Does
/// blocking I/O.
///
/// # Errors
/// When the directory or a file in it cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, InspectError> {
    let failed = |path: PathBuf| move |source| InspectError::File { path, source };
    let owner = lock::owner(path).map_err(failed(path.join(lock::NAME)))?;
    let quarantined = quarantine::list(path).map_err(failed(path.into()))?;
    let found = recover::recover(path, Depth::Everything)?;
    // Only then: what older cursors need may be deleted by the time that it is looked for.
    let stored = cursor_file::load(path).map_err(failed(path.join(cursor_file::NAME)))?;
    let (oldest, newest) = (found.segments.oldest(), found.segments.newest());
    let (oldest, newest) = (oldest.map(|segment| segment.oldest), newest.map(|segment| segment.newest));
    let damaged = found.damage.iter().rev();
    let damaged =
        damaged.map(|(name, offset)| DamagedPlace { path: segment::path(path, *name), offset: *offset });
    let damaged = damaged.collect();
    let (places, cursors_damaged) = match stored {
        Stored::Cursors(places) => (places, false),
        Stored::Newer(version) => {
            return Err(InspectError::NewerVersion { path: path.join(cursor_file::NAME), version });
        }
        Stored::Missing => (BTreeMap::new(), false),
        Stored::Damaged => (BTreeMap::new(), true),
    };
    let times = recover::times_at(path, &found.segments, &places);
    let disk = Disk::<()>::new(found.segments, StoredCursors::default(), 0);
    let status = Books::on_disk(u64::MAX, found.end, &places, &times, disk).status(Timestamp::now());
    Ok(Inspection {
        in_use: owner != Owner::Nobody,
        owner: owner.process(),
        appended_events: status.appended_events,
        segments: status.segments,
        disk_bytes: status.disk_bytes,
        oldest,
        newest,
        readers: status.readers,
        cursors_damaged,
        damaged,
        quarantined,
    })
}

/// Forgets the place of a reader in a journal that no process uses. Does blocking I/O.
///
/// # Errors
/// When a process uses the journal, the reader is not known, or the file of the cursors cannot be changed.
pub fn forget_offline(path: &Path, name: &str) -> Result<(), ForgetOfflineError> {
    let failed = |source| ForgetOfflineError::File { path: path.into(), source };
    let _lock = DirectoryLock::new(path)?;
    let mut places = match cursor_file::load(path).map_err(failed)? {
        Stored::Cursors(places) => places,
        Stored::Missing => BTreeMap::new(),
        Stored::Damaged => return Err(ForgetOfflineError::Damaged { path: path.into() }),
        Stored::Newer(version) => {
            return Err(ForgetOfflineError::NewerVersion { path: path.into(), version });
        }
    };
    places.remove(name).ok_or_else(|| ForgetOfflineError::Unknown { name: name.to_owned() })?;
    cursor_file::store(&FileSystem::Machine, path, &places).map_err(failed)
}

impl From<Failure> for InspectError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::File { path, source } => Self::File { path, source },
            Failure::NewerVersion { path, version } => Self::NewerVersion { path, version },
        }
    }
}
