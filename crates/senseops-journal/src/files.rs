//! What the writer does to files. It all goes through here, so that tests can see it and make it fail.

#[cfg(test)]
pub(crate) mod script;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who does it.
#[derive(Clone)]
pub(crate) enum FileSystem {
    Machine,
    #[cfg(test)]
    Scripted(std::sync::Arc<script::Script>),
}

/// A file that is written for the first time. After an error it is of no use: what the kernel holds of it is unknown.
pub(crate) struct NewFile {
    pub path: PathBuf,
    file: File,
    #[cfg(test)]
    scripted: Option<script::Scripted>,
}

impl FileSystem {
    /// Creates a file. One of this name that is left from a failure is removed.
    pub(crate) fn create(&self, path: &Path) -> io::Result<NewFile> {
        match self.create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(path)?;
                self.create_new(path)
            }
            created => created,
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<NewFile> {
        match self {
            Self::Machine => Ok(NewFile {
                path: path.into(),
                file: File::create_new(path)?,
                #[cfg(test)]
                scripted: None,
            }),
            #[cfg(test)]
            Self::Scripted(script) => script.create_new(path),
        }
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Self::Machine => fs::rename(from, to),
            #[cfg(test)]
            Self::Scripted(script) => script.rename(from, to),
        }
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::Machine => fs::remove_file(path),
            #[cfg(test)]
            Self::Scripted(script) => script.remove(path),
        }
    }

    /// Makes durable which files are in a directory.
    pub(crate) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        match self {
            // Windows cannot open a directory as a file, and keeps its entries safe by itself.
            Self::Machine if cfg!(windows) => Ok(()),
            Self::Machine => File::open(directory)?.sync_all(),
            #[cfg(test)]
            Self::Scripted(script) => script.sync_directory(directory),
        }
    }

    /// Creates a directory and all above it, durably.
    pub(crate) fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let is_missing = |directory: &&Path| !directory.as_os_str().is_empty() && !directory.exists();
        let missing: Vec<_> = directory.ancestors().take_while(is_missing).collect();
        fs::create_dir_all(directory)?;
        for created in missing {
            let above = created.parent().filter(|above| !above.as_os_str().is_empty());
            self.sync_directory(above.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }
}

/// Makes durable which files are in a directory.
///
/// # Errors
///
/// If the directory cannot be opened or synced. On Windows, where entries need no sync, never.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    FileSystem::Machine.sync_directory(directory)
}

/// Creates a directory and all above it, durably.
///
/// # Errors
///
/// If one of them cannot be created or synced.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    FileSystem::Machine.create_directory(directory)
}

impl NewFile {
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(scripted) = &self.scripted {
            return scripted.write(&self.path, &mut self.file, bytes);
        }
        self.file.write_all(bytes)
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(scripted) = &self.scripted {
            return scripted.sync(&self.path);
        }
        self.file.sync_data()
    }
}
