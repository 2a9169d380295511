//! Damaged segments are not deleted but set aside, so that a person can look at them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::FileSystem;
use crate::position::Position;
use crate::segment;

/// At most so many segments are kept, the oldest is deleted first. None is much larger than an eighth of the limit of
/// the journal.
pub(crate) const MAX_SEGMENTS: usize = 4;
const EXTENSION: &str = "damaged";

/// The segments that are set aside, oldest first.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let is_ours = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == EXTENSION)
            && segment::name(&path.with_extension("seg")).is_some()
    };
    let mut found = paths
        .filter(|path: &io::Result<PathBuf>| path.as_ref().map_or(true, is_ours))
        .collect::<io::Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// Sets a segment aside, and deletes what is too much then. Gives how many are kept.
pub(crate) fn set_aside(files: &FileSystem, directory: &Path, name: Position) -> io::Result<usize> {
    let path = segment::path(directory, name);
    files.rename(&path, &path.with_extension(EXTENSION))?;
    files.sync_directory(directory)?;
    let kept = list(directory)?;
    let excess = kept.len().saturating_sub(MAX_SEGMENTS);
    kept.iter().take(excess).try_for_each(|path| files.remove(path))?;
    Ok(kept.len() - excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_damaged_segments_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("notes.damaged"), "not ours").unwrap();
        for name in 1..=6 {
            fs::write(segment::path(path, Position(name)), name.to_string()).unwrap();
            let kept = set_aside(&FileSystem::Machine, path, Position(name)).unwrap();
            assert_eq!(kept, usize::try_from(name).unwrap().min(MAX_SEGMENTS));
        }
        let kept: Vec<_> = list(path).unwrap().iter().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(kept, [b"3", b"4", b"5", b"6"]);
        assert!(path.join("notes.damaged").exists());
    }
}
