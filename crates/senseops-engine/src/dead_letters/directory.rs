//! The files of dead letters: one that grows, and older ones with numbers that do not change any more.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use senseops_core::BoxError;
use senseops_journal::sync_directory;
use serde::Serialize;

use super::letter::Line;
use crate::owned_directory::{OwnedDirectory, replace};

const WHAT: &str = "dead letters";
const VERSION: u32 = 1;
/// What is written to; older ones have a number behind.
const NAME: &str = "dead-letters.jsonl";
/// The most that one file takes, so that it can be read as a whole; and the longest line.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Of how many files what may be kept consists. When there is no room, the oldest is given up as a whole.
const FILES: u64 = 8;
/// How much is collected before it is written.
const WRITE_BYTES: usize = 1024 * 1024;

/// Dead letters on disk, owned by this process. All of it blocks.
#[derive(Debug)]
pub(super) struct Directory {
    owned: OwnedDirectory,
    max_bytes: u64,
    /// What is written to, once that was necessary.
    current: Option<File>,
    current_bytes: u64,
    /// The files with numbers, oldest first, with their sizes.
    numbered: BTreeMap<u64, u64>,
}

/// What appending came to, in letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Appended {
    /// Those that are on disk now.
    pub(super) kept: u64,
    /// Those that are larger than what may be kept.
    pub(super) too_large: u64,
    /// Older ones that were given up for them.
    pub(super) given_up: u64,
}

impl Directory {
    pub(super) fn open(path: PathBuf, max_bytes: u64) -> Result<Self, BoxError> {
        let owned = OwnedDirectory::open(path, WHAT, VERSION)?;
        let path = owned.path();
        let mut numbered = BTreeMap::new();
        for number in numbers(path)? {
            numbered.insert(number, fs::metadata(file_of(path, number))?.len());
        }
        let current_bytes = match fs::metadata(path.join(NAME)) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { owned, max_bytes, current: None, current_bytes, numbered })
    }

    /// The longest line, in bytes.
    pub(super) fn longest(max_bytes: u64) -> u64 {
        MAX_FILE_BYTES.min(max_bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.current_bytes + self.numbered.values().sum::<u64>()
    }

    /// Appends letters and syncs them.
    pub(super) fn append<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> io::Result<Appended> {
        let appended = self.append_all(lines);
        if appended.is_err() {
            // What is in the file now is unknown; it is looked at again before the next line.
            self.current = None;
        }
        appended
    }

    fn append_all<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> io::Result<Appended> {
        let (mut pending, mut appended) = (Vec::new(), Appended::default());
        for line in lines {
            let begin = pending.len();
            line.serialize(&mut serde_json::Serializer::new(&mut pending))?;
            pending.push(b'\n');
            let length = (pending.len() - begin) as u64;
            if length > Self::longest(self.max_bytes) {
                // It costs none of the others.
                pending.truncate(begin);
                appended.too_large += 1;
                continue;
            }
            appended.kept += 1;
            if self.current_bytes + pending.len() as u64 > self.file_bytes() {
                let rest = pending.split_off(begin);
                self.write(&mut pending)?;
                self.rotate()?;
                appended.given_up += self.make_room()?;
                pending = rest;
            } else if pending.len() >= WRITE_BYTES {
                self.write(&mut pending)?;
            }
        }
        self.write(&mut pending)?;
        if let Some(file) = &self.current {
            file.sync_data()?;
        }
        appended.given_up += self.make_room()?;
        Ok(appended)
    }

    fn file_bytes(&self) -> u64 {
        (self.max_bytes / FILES).min(MAX_FILE_BYTES)
    }

    fn write(&mut self, pending: &mut Vec<u8>) -> io::Result<()> {
        if pending.is_empty() {
            return Ok(());
        }
        if self.current.is_none() {
            self.current = Some(self.open_current()?);
        }
        if let Some(file) = &mut self.current {
            file.write_all(pending)?;
            self.current_bytes += pending.len() as u64;
        }
        pending.clear();
        Ok(())
    }

    fn open_current(&mut self) -> io::Result<File> {
        let path = self.owned.path().join(NAME);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        self.current_bytes = file.metadata()?.len();
        if self.current_bytes == 0 {
            sync_directory(self.owned.path())?;
        } else {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                // A line that was torn by a crash ends here.
                file.write_all(b"\n")?;
                self.current_bytes += 1;
            }
        }
        Ok(file)
    }

    /// Leaves the file that is written to for a new one. The numbers of all that do not change any more.
    pub(super) fn rotate(&mut self) -> io::Result<Vec<u64>> {
        if self.current_bytes > 0 {
            if let Some(file) = self.current.take() {
                file.sync_data()?;
            }
            let number = self.numbered.last_key_value().map_or(1, |(last, _)| last + 1);
            fs::rename(self.owned.path().join(NAME), file_of(self.owned.path(), number))?;
            sync_directory(self.owned.path())?;
            self.numbered.insert(number, self.current_bytes);
            self.current_bytes = 0;
        }
        Ok(self.numbered.keys().copied().collect())
    }

    /// Gives up the oldest files until what is left may be kept. How many letters that were.
    fn make_room(&mut self) -> io::Result<u64> {
        let mut given_up = 0;
        while self.bytes() > self.max_bytes
            && let Some((number, _)) = self.numbered.pop_first()
        {
            let file = file_of(self.owned.path(), number);
            given_up += lines(&read(&file)?).count() as u64;
            remove(&file)?;
        }
        Ok(given_up)
    }

    pub(super) fn read(&self, number: u64) -> io::Result<Vec<u8>> {
        read(&file_of(self.owned.path(), number))
    }

    /// Replaces what is in the file of this number, unless it was given up meanwhile.
    pub(super) fn replace(&mut self, number: u64, lines: &[u8]) -> io::Result<()> {
        if !self.numbered.contains_key(&number) {
            return Ok(());
        }
        let path = file_of(self.owned.path(), number);
        if lines.is_empty() {
            remove(&path)?;
            self.numbered.remove(&number);
            sync_directory(self.owned.path())
        } else {
            replace(&path, lines)?;
            self.numbered.insert(number, lines.len() as u64);
            Ok(())
        }
    }
}

/// The files in the directory, oldest first.
pub(super) fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let numbered = numbers(path)?.into_iter().map(|number| file_of(path, number));
    Ok(numbered.chain([path.join(NAME)]).collect())
}

/// What is in a file; nothing if it is gone.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    // A byte more for the end of a torn line.
    opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_prefix(NAME)?.strip_prefix('.')?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn file_of(path: &Path, number: u64) -> PathBuf {
    path.join(format!("{NAME}.{number}"))
}
