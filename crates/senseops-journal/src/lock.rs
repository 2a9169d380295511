//! The lock that makes one process at a time the owner of a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{process, thread};

use senseops_core::chain;
use thiserror::Error;
use tracing::warn;

pub(crate) const NAME: &str = "lock";
/// How long an inspection may hold the lock, generously.
const INSPECTION: Duration = Duration::from_millis(50);

/// A directory cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process uses the directory.
    #[error("{} is in use{}", path.display(), owner.map(|id| format!(" by process {id}")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process, if it says so.
        owner: Option<u32>,
    },
    /// The file of the lock cannot be used.
    #[error("lock {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Who uses a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    /// A process, with its id if it says so.
    Process(Option<u32>),
}

/// A directory that this process alone uses, until this is dropped.
#[derive(Debug)]
pub struct DirectoryLock(File);

impl DirectoryLock {
    /// Makes this process the owner of the directory. Does blocking I/O.
    ///
    /// # Errors
    /// When another process owns it, or the file of the lock cannot be used.
    pub fn new(directory: &Path) -> Result<Self, LockError> {
        lock(directory).map(Self)
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is being started may still have it open.
        if let Err(error) = self.0.unlock() {
            warn!(error = %chain(&error), "a directory stays locked");
        }
    }
}

fn lock(directory: &Path) -> Result<File, LockError> {
    let path = directory.join(NAME);
    let failed = |source| LockError::File { path: path.clone(), source };
    let mut file = open(&path).map_err(failed)?;
    let locked = file.try_lock().or_else(|_in_use| {
        thread::park_timeout(INSPECTION);
        file.try_lock()
    });
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::InUse { path: directory.into(), owner: owner_in(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())) {
        // A full or read-only disk. The lock holds all the same.
        warn!(error = %chain(&error), file = %path.display(), "process id cannot be written");
    }
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        opened => opened,
    }
}

/// Who uses the directory now. Changes nothing.
pub(crate) fn owner(directory: &Path) -> io::Result<Owner> {
    let mut file = match File::open(directory.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Owner::Nobody),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock()?;
            Ok(Owner::Nobody)
        }
        Err(TryLockError::WouldBlock) => Ok(Owner::Process(owner_in(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn owner_in(file: &mut File) -> Option<u32> {
    let mut id = String::new();
    // Windows lets nobody read what another has locked; then the id stays unknown.
    file.read_to_string(&mut id).ok()?;
    id.trim().parse().ok()
}

impl Owner {
    pub(crate) fn process(self) -> Option<u32> {
        match self {
            Self::Nobody | Self::Process(None) => None,
            Self::Process(id) => id,
        }
    }
}
