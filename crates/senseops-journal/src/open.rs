//! Opening the directory of a journal.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::chain;
use thiserror::Error;
use tracing::{info, warn};

use crate::books::Books;
use crate::codec::Codec;
use crate::cursor_file::{self, Stored};
use crate::directory::JournalDirectory;
use crate::disk::{Change, Disk, StoredCursors};
use crate::files::FileSystem;
use crate::journal::Journal;
use crate::lock::{DirectoryLock, LockError};
use crate::recover::{self, Depth, Failure, Torn};
use crate::shared::SharedJournal;
use crate::writer::Writer;
use crate::{quarantine, segment};

/// A segment is left for a new one at this size, or at an eighth of the limit.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Where a journal is, and how much of the disk it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory. Created if it is not there; used by one process at a time.
    pub path: PathBuf,
    /// The most that all segments take, in bytes.
    pub max_bytes: u64,
    /// The longest that a chunk waits to be written and synced.
    pub fsync: Duration,
    /// Readers that may miss chunks miss those that are older than this, or up to an eighth more.
    pub max_age: Option<Duration>,
}

/// A journal cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory cannot be created.
    #[error("create the directory of the journal, {}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The directory cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file of the journal cannot be read.
    #[error("open the journal: {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A newer program wrote the journal.
    #[error("{} has format version {version}; this program knows version 1: use the newer program, or let it deliver first what waits", path.display())]
    NewerVersion {
        /// A file of it.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

impl<C: Clone + Send + Sync + 'static> Journal<C> {
    /// Opens or creates the journal in a directory. Does blocking I/O.
    ///
    /// Until the [`Writer`] runs, nothing is stored. Readers that are to see what is stored already ask for their
    /// [`reader`](Journal::reader) before it runs.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or a newer program wrote it. Damage is no error.
    pub fn open(settings: DiskSettings, codec: impl Codec<C>) -> Result<(Self, Writer<C>), OpenError> {
        open(settings, Arc::new(codec), FileSystem::Machine)
    }
}

pub(crate) fn open<C: Clone + Send + Sync + 'static>(
    settings: DiskSettings,
    codec: Arc<dyn Codec<C>>,
    files: FileSystem,
) -> Result<(Journal<C>, Writer<C>), OpenError> {
    let DiskSettings { path, max_bytes, fsync, max_age } = settings;
    files.create_directory(&path).map_err(|source| OpenError::Create { path: path.clone(), source })?;
    let lock = DirectoryLock::new(&path)?;
    let found = recover::recover(&path, Depth::Heads)?;
    for torn in found.torn {
        torn.cut(&files);
    }
    let file_failed = |path: PathBuf| move |source| OpenError::File { path, source };
    let stored = cursor_file::load(&path).map_err(file_failed(path.join(cursor_file::NAME)))?;
    let (places, cursors) = match stored {
        Stored::Cursors(places) => (places, StoredCursors::default()),
        Stored::Newer(version) => {
            return Err(OpenError::NewerVersion { path: path.join(cursor_file::NAME), version });
        }
        Stored::Missing if found.segments.oldest().is_none() => (BTreeMap::new(), StoredCursors::default()),
        // Cursors are stored before the first receipt, so somebody has deleted the file.
        Stored::Damaged | Stored::Missing => {
            warn!(directory = %path.display(), "cursors of the journal are lost, delivering all it holds again");
            let unknown_begin = found.segments.oldest().map(|oldest| oldest.first);
            (BTreeMap::new(), StoredCursors { change: Change::Moved, unknown_begin })
        }
    };
    let segment_bytes = SEGMENT_BYTES.min(max_bytes / 8);
    let mut disk = Disk::new(found.segments, cursors, segment_bytes);
    disk.quarantined = quarantine::list(&path).map_err(file_failed(path.clone()))?.len() as u64;
    for (name, offset) in found.damage {
        if disk.note_damage(name, offset) {
            segment::warn_of_damage(&path, name, offset);
        }
    }
    let times = recover::times_at(&path, &disk.segments, &places);
    let mut books = Books::on_disk(max_bytes, found.end, &places, &times, disk);
    books.max_age = max_age;
    let directory =
        Arc::new(JournalDirectory { path, codec: Arc::clone(&codec), fsync, segment_bytes, files });
    let shared = Arc::new(SharedJournal::new(books, Some(Arc::clone(&directory)), Some(codec)));
    shared.listen_to_the_hurried();
    Ok((Journal(Arc::clone(&shared)), Writer::new(shared, directory, lock)))
}

impl Torn {
    /// Cuts off what was never promised. If that fails it does no harm where it is: nothing is written behind it.
    fn cut(&self, files: &FileSystem) {
        let Self { path, bytes, sound_bytes } = self;
        let segment = path.display();
        let cut = if *sound_bytes == 0 {
            files.remove(path)
        } else {
            OpenOptions::new().write(true).open(path).and_then(|file| {
                file.set_len(*sound_bytes)?;
                file.sync_all()
            })
        };
        match cut {
            Ok(()) => info!(%segment, bytes = bytes - sound_bytes, "torn end of the journal was cut off"),
            Err(error) => warn!(%segment, error = %chain(&error), "torn end of the journal stays"),
        }
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::File { path, source } => Self::File { path, source },
            Failure::NewerVersion { path, version } => Self::NewerVersion { path, version },
        }
    }
}
