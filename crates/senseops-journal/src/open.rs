//! Opening the directory of a journal.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use senseops_core::Timestamp;
use thiserror::Error;
use tracing::{info, warn};

use crate::cursor_file::{self, Stored};
use crate::disk::{Change, Disk, Segments, StoredCursors};
use crate::frame::{self, HEADER_BYTES, Header};
use crate::journal::{Directory, Mark, Position, Shared};
use crate::segment::{self, Progress, Scan, Segment};
use crate::state::State;
use crate::{Codec, Journal, Writer};

/// A segment is left for a new one at this size, or at an eighth of the limit.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
const NEVER: Timestamp = Timestamp::from_nanos(0);

/// Where a journal is, and how much of the disk it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory. Created if it is not there; used by one process at a time.
    pub path: PathBuf,
    /// The most that all segments take, in bytes.
    pub max_bytes: u64,
    /// The longest that a chunk waits to be written and synced.
    pub fsync: Duration,
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
    /// Another process uses the directory.
    #[error("the journal in {} is in use{}", path.display(), owner.as_ref().map(|id| format!(" by process {id}")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process, if it says so.
        owner: Option<String>,
    },
    /// A file of the journal cannot be read or written.
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
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// What a segment was found to hold.
struct Survey {
    bytes: u64,
    /// The first sound frame.
    first: Option<Header>,
    /// After the last sound frame that was looked at.
    end: Mark,
    /// Where in the file that is.
    sound_bytes: u64,
    damage: Vec<u64>,
}

/// What was found in all segments.
#[derive(Default)]
struct Found {
    end: Mark,
    damage: Vec<(Position, u64)>,
}

pub(crate) fn open<C: 'static>(
    settings: DiskSettings,
    codec: Arc<dyn Codec<C>>,
) -> Result<(Journal<C>, Writer<C>), OpenError> {
    let DiskSettings { path, max_bytes, fsync } = settings;
    fs::create_dir_all(&path).map_err(|source| OpenError::Create { path: path.clone(), source })?;
    let lock = lock(&path)?;
    let (segments, found) = recover(&path)?;
    let cursors = load_cursors(&path, segments.oldest().map(|oldest| oldest.first))?;
    // Positions are used once, even if the frames that used them are gone.
    let end = cursors.absent.values().fold(found.end, |end, mark| end.max(*mark));
    let mut disk = Disk::new(segments, cursors);
    for (name, offset) in found.damage {
        disk.note_damage(name, offset);
    }
    let segment_bytes = SEGMENT_BYTES.min(max_bytes / 8);
    let directory = Arc::new(Directory { path, codec, fsync, segment_bytes });
    let shared = Arc::new(Shared::new(State::on_disk(max_bytes, end, disk), Some(Arc::clone(&directory))));
    Ok((Journal(Arc::clone(&shared)), Writer::new(shared, directory, lock)))
}

/// Locks the directory until the file is dropped.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let failed = |source| OpenError::File { path: path.clone(), source };
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let owner = file.read_to_string(&mut owner).ok().map(|_len| owner.trim().to_owned());
            return Err(OpenError::InUse {
                path: directory.into(),
                owner: owner.filter(|id| !id.is_empty()),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn load_cursors(directory: &Path, oldest: Option<Mark>) -> Result<StoredCursors, OpenError> {
    let failed = |source| OpenError::File { path: directory.join("cursors"), source };
    match cursor_file::load(directory).map_err(failed)? {
        Stored::Cursors(absent) => Ok(StoredCursors { absent, change: Change::None, unknown_begin: None }),
        Stored::Damaged => {
            warn!(directory = %directory.display(), "cursors of the journal are damaged, delivering all it holds again");
            Ok(StoredCursors { absent: BTreeMap::new(), change: Change::Moved, unknown_begin: oldest })
        }
    }
}

/// Finds the segments and where they end, and cuts off what a crash left half-written.
fn recover(directory: &Path) -> Result<(Segments, Found), OpenError> {
    let listed = || -> io::Result<Vec<Position>> {
        let entries = fs::read_dir(directory)?.map(|entry| Ok(segment::name(&entry?.path())));
        entries.filter_map(io::Result::transpose).collect()
    };
    let mut names = listed().map_err(|source| OpenError::File { path: directory.into(), source })?;
    names.sort_unstable();

    let mut found = Found::default();
    let mut newest_first = Vec::new();
    // The first frame of the segment behind, which is where the one before it ends.
    let mut behind: Option<Mark> = None;
    for name in names.into_iter().rev() {
        let path = segment::path(directory, name);
        let failed = |source| OpenError::File { path: path.clone(), source };
        let survey = Survey::new(directory, name, behind.is_none()).map_err(failed)?;
        if let Some(version) = foreign_version(&path).map_err(failed)? {
            return Err(OpenError::NewerVersion { path, version });
        }
        found.damage.extend(survey.damage.iter().map(|offset| (name, *offset)));
        if behind.is_none() {
            survey.cut_torn_end(&path).map_err(failed)?;
            found.end = survey.end;
        }
        let (first, end, bytes) = match (survey.first, behind) {
            (Some(first), None) => (first, survey.end, survey.sound_bytes),
            (Some(first), Some(behind)) => (first, behind, survey.bytes),
            // Nothing is left of the segment, and it was deleted.
            (None, None) => continue,
            // Not one sound frame: it only takes space until it is passed.
            (None, Some(behind)) => {
                newest_first.push(Segment {
                    name,
                    first: behind,
                    end: behind,
                    appended: NEVER,
                    bytes: survey.bytes,
                });
                continue;
            }
        };
        behind = Some(first.at);
        newest_first.push(Segment { name, first: first.at, end, appended: first.appended, bytes });
    }
    let mut segments = Segments::default();
    newest_first.into_iter().rev().for_each(|segment| segments.push(segment));
    Ok((segments, found))
}

fn foreign_version(path: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(HEADER_BYTES as u64).read_to_end(&mut head)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(frame::foreign_version(&head))
}

impl Survey {
    /// Looks for the first sound frame, or at the `whole` segment.
    fn new(directory: &Path, name: Position, whole: bool) -> io::Result<Self> {
        let bytes = fs::metadata(segment::path(directory, name))?.len();
        let mut scan = Scan::open(directory, name)?;
        let (mut first, mut end) = (None, Mark::default());
        let mut progress = Progress::More;
        while progress == Progress::More {
            progress = scan.advance(bytes, |frame| {
                first.get_or_insert(frame.header);
                end = frame.header.at.after(frame.header.events);
                whole
            })?;
        }
        let mut damage = scan.damage;
        // Damage without a sound frame behind it is the torn end of the last write, which was never promised.
        if whole {
            damage.retain(|offset| *offset < scan.sound_end);
        }
        Ok(Self { bytes, first, end, sound_bytes: scan.sound_end, damage })
    }

    fn cut_torn_end(&self, path: &Path) -> io::Result<()> {
        if self.sound_bytes == 0 {
            info!(segment = %path.display(), bytes = self.bytes, "journal segment without a whole frame was removed");
            return fs::remove_file(path);
        }
        if self.sound_bytes < self.bytes {
            info!(segment = %path.display(), bytes = self.bytes - self.sound_bytes, "torn end of the journal was cut off");
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(self.sound_bytes)?;
            file.sync_all()?;
        }
        Ok(())
    }
}
