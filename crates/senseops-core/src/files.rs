//! The files that a component was built from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::Timestamp;

/// How many files one component may note. It has a handful; the bound keeps a mistake from eating memory.
pub const MAX_NOTED_FILES: usize = 64;

/// Remembers which files a component was built from, so that it can be rebuilt when one of them changes: a rotated
/// certificate, a repaired password. Whoever reads a file for a component notes it here.
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<BTreeMap<PathBuf, Noted>>>);

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Identifies what the file held.
    pub digest: ContentDigest,
    /// When the first certificate in it ends, if it holds any.
    pub expires: Option<Timestamp>,
}

/// Equal for equal contents. Not secret: it cannot be turned back into what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    /// The digest of this content.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl Files {
    /// The component was built from this content of this file.
    pub fn note(&self, path: &Path, content: &[u8]) {
        self.insert(path, Noted { digest: ContentDigest::of(content), expires: None });
    }

    /// The same for a file with certificates, the first of which ends at `expires`.
    pub fn note_certificates(&self, path: &Path, content: &[u8], expires: Timestamp) {
        self.insert(path, Noted { digest: ContentDigest::of(content), expires: Some(expires) });
    }

    /// All that was noted, sorted by path.
    pub fn noted(&self) -> Vec<(PathBuf, Noted)> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().map(|(path, noted)| (path.clone(), *noted)).collect()
    }

    fn insert(&self, path: &Path, noted: Noted) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() < MAX_NOTED_FILES || files.contains_key(path) {
            files.insert(path.to_owned(), noted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_content_of_a_file_counts() {
        let files = Files::default();
        files.note(Path::new("password"), b"old");
        files.clone().note(Path::new("password"), b"new");
        files.note_certificates(Path::new("ca.pem"), b"pem", Timestamp::from_nanos(7));
        let noted = files.noted();
        assert_eq!(noted.len(), 2);
        assert_eq!(noted[0].1.expires, Some(Timestamp::from_nanos(7)));
        assert_eq!(noted[1].1, Noted { digest: ContentDigest::of(b"new"), expires: None });
    }

    #[test]
    fn noted_files_are_bounded() {
        let files = Files::default();
        for n in 0..2 * MAX_NOTED_FILES {
            files.note(Path::new(&n.to_string()), b"");
        }
        assert_eq!(files.noted().len(), MAX_NOTED_FILES);
    }
}
