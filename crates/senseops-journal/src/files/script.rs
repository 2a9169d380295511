//! Files that fail on demand, and what a power failure would leave of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::NewFile;

/// What is done to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Create,
    Write,
    Sync,
    SyncDirectory,
    Rename,
    Remove,
}

/// Decides what fails, and remembers what was done.
#[derive(Default)]
pub(crate) struct Script(Mutex<Model>);

/// The files as the disk has them, whatever the machine would show.
#[derive(Default)]
struct Model {
    faults: BTreeMap<Operation, Fault>,
    /// What was done, with the names of the files.
    done: Vec<(Operation, String)>,
    files: Vec<Content>,
    names: BTreeMap<PathBuf, FileId>,
    /// The names when the directory was last synced.
    durable_names: BTreeMap<PathBuf, FileId>,
    /// Files that were touched after they had failed.
    abused: Vec<String>,
}

type FileId = usize;

#[derive(Clone, Copy)]
struct Fault {
    kind: ErrorKind,
    /// So many bytes are written before a write fails.
    after_bytes: usize,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    synced_bytes: usize,
    has_failed: bool,
}

/// A file of a script.
pub(crate) struct Scripted {
    script: Arc<Script>,
    id: FileId,
}

impl Script {
    /// From now on the operation fails.
    pub(crate) fn fail(&self, operation: Operation, kind: ErrorKind, after_bytes: usize) {
        self.model().faults.insert(operation, Fault { kind, after_bytes });
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.model().faults.clear();
    }

    /// What was done since this was asked last, with the names of the files.
    pub(crate) fn take_done(&self) -> Vec<(Operation, String)> {
        std::mem::take(&mut self.model().done)
    }

    /// Files that were written or synced after they had failed.
    pub(crate) fn abused(&self) -> Vec<String> {
        self.model().abused.clone()
    }

    /// Takes the files of a directory as durable.
    pub(crate) fn adopt(&self, directory: &Path) {
        let mut model = self.model();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let id = model.files.len();
            model.files.push(Content { synced_bytes: bytes.len(), bytes, has_failed: false });
            model.names.insert(path, id);
        }
        model.durable_names = model.names.clone();
    }

    /// Puts into `directory` what is there after a power failure: of what was not synced, so many bytes of each file,
    /// and the present names or those that were synced.
    pub(crate) fn power_failure(&self, directory: &Path, unsynced_bytes: usize, present_names: bool) {
        let model = self.model();
        let names = if present_names { &model.names } else { &model.durable_names };
        for (path, id) in names {
            let Content { bytes, synced_bytes, .. } = &model.files[*id];
            let kept = (synced_bytes + unsynced_bytes).min(bytes.len());
            fs::write(directory.join(path.file_name().unwrap()), &bytes[..kept]).unwrap();
        }
    }

    pub(super) fn create_new(self: &Arc<Self>, path: &Path) -> io::Result<NewFile> {
        self.begin(Operation::Create, path)?;
        let file = File::create_new(path)?;
        let mut model = self.model();
        let id = model.files.len();
        model.files.push(Content::default());
        model.names.insert(path.into(), id);
        Ok(NewFile { path: path.into(), file, scripted: Some(Scripted { script: Arc::clone(self), id }) })
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(Operation::Rename, from)?;
        fs::rename(from, to)?;
        let mut model = self.model();
        let id = model.names.remove(from).unwrap();
        model.names.insert(to.into(), id);
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::Remove, path)?;
        fs::remove_file(path)?;
        self.model().names.remove(path);
        Ok(())
    }

    pub(super) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.begin(Operation::SyncDirectory, directory)?;
        let mut model = self.model();
        model.durable_names = model.names.clone();
        Ok(())
    }

    fn begin(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut model = self.model();
        model.done.push((operation, name(path)));
        model.faults.get(&operation).map_or(Ok(()), |fault| Err(fault.kind.into()))
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scripted {
    pub(super) fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let begun = self.begin(Operation::Write, path);
        let mut model = self.script.model();
        let written = match &begun {
            Ok(()) => bytes,
            Err(_) => &bytes[..bytes.len().min(model.faults[&Operation::Write].after_bytes)],
        };
        model.files[self.id].bytes.extend_from_slice(written);
        file.write_all(written)?;
        begun
    }

    pub(super) fn sync(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::Sync, path)?;
        let mut model = self.script.model();
        let content = &mut model.files[self.id];
        content.synced_bytes = content.bytes.len();
        Ok(())
    }

    fn begin(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if self.script.model().files[self.id].has_failed {
            self.script.model().abused.push(name(path));
        }
        let begun = self.script.begin(operation, path);
        self.script.model().files[self.id].has_failed |= begun.is_err();
        begun
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
