//! The text files of the repository, read once.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::BoxError;

/// Text files by path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// A file of the repository cannot be read or written.
#[derive(Debug, Error)]
#[error("{path}")]
pub(crate) struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// What tidy and the generators look at.
const EXTENSIONS: [&str; 4] = ["rs", "toml", "md", "yaml"];

impl Tree {
    /// Everything below `root` that git would keep, as far as its names tell.
    pub(crate) fn read(root: &Path) -> Result<Self, BoxError> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        tree.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(tree)
    }

    /// A small tree for a test.
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        let file = |(path, text): (&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { files: files.map(file).into() }
    }

    /// All files, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The files with this ending, such as `.rs`.
    pub(crate) fn ending(&self, end: &str) -> impl Iterator<Item = &File> {
        self.files().filter(move |file| file.path.ends_with(end))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The folders of the crates: `crates/senseops-core`.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &str> {
        self.ending("/Cargo.toml")
            .filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
            .filter(|folder| folder.starts_with("crates/"))
    }

    /// The folders of sources and sinks.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &str> {
        self.crates()
            .filter(|folder| folder.contains("/senseops-source-") || folder.contains("/senseops-sink-"))
    }

    fn read_folder(&mut self, root: &Path, folder: &str) -> Result<(), BoxError> {
        let at = root.join(folder);
        for entry in at.read_dir().map_err(failed(&at))? {
            let entry = entry.map_err(failed(&at))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if entry.file_type().map_err(failed(&at))?.is_dir() {
                if !matches!(name.as_str(), "target" | "node_modules" | ".git") {
                    self.read_folder(root, &path)?;
                }
            } else if EXTENSIONS
                .iter()
                .any(|wanted| Path::new(&name).extension().is_some_and(|end| end == *wanted))
            {
                self.files.push(File { text: read(&root.join(&path))?, path });
            }
        }
        Ok(())
    }
}

impl File {
    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The number of the first line that contains `part`; 1 if there is none.
    pub(crate) fn line_of(&self, part: &str) -> usize {
        self.lines().find(|(_, line)| line.contains(part)).map_or(1, |(number, _)| number)
    }
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    #[expect(clippy::disallowed_methods, reason = "there is no runtime here to block")]
    std::fs::read_to_string(path).map_err(failed(path))
}

/// Writes a text file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    std::fs::write(path, text).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_has_this_file_and_no_build_output() {
        let tree = Tree::read(crate::shell::root()).unwrap();
        assert!(
            tree.text("xtask/src/tree.rs").is_some_and(|text| text.contains("this_repository_has_this_file"))
        );
        assert!(tree.files().all(|file| !file.path.starts_with("target/")));
    }

    #[test]
    fn plugins_are_told_from_other_crates_by_their_names() {
        let tree = Tree::of([
            ("crates/senseops-core/Cargo.toml", ""),
            ("crates/senseops-sink-mqtt/Cargo.toml", ""),
            ("crates/senseops-source-udp/Cargo.toml", ""),
            ("xtask/Cargo.toml", ""),
        ]);
        assert_eq!(
            tree.plugins().collect::<Vec<_>>(),
            ["crates/senseops-sink-mqtt", "crates/senseops-source-udp"]
        );
    }
}
