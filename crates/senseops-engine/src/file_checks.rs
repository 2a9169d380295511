//! Looking at the files that components were built from, again and again, so that a change is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use senseops_core::Timestamp;
use senseops_core::host::{ContentDigest, Noted};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::parts::Parts;
use crate::watched::{CERTIFICATE_WARNING, Contents, Watched};

/// How often files are read anew. Certificates are rotated days before they end, but someone who repairs a password
/// waits for it.
const FILE_CHECKS: Duration = Duration::from_secs(5);
/// More is not read of a file; no certificate, key or secret is larger.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// How long a file may take to be read. Then it counts as unchanged, and is looked at again once that read has ended.
const LONGEST_READ: Duration = Duration::from_secs(2);
/// How many certificates the log names.
const MAX_TOLD: usize = 1000;

/// Reads of files that have not ended: a file system that hangs, such as NFS, holds one thread for each file and no more.
#[derive(Default)]
struct Reads(BTreeMap<PathBuf, JoinHandle<Option<ContentDigest>>>);

/// Tells components that their files have changed, and the operator that certificates end. Never returns.
#[expect(clippy::infinite_loop, reason = "the pipeline drops it when it ends")]
pub(crate) async fn check_files(parts: Arc<Parts>) {
    let (mut told, mut reads) = (BTreeSet::new(), Reads::default());
    loop {
        let components = parts.components();
        let noted: Vec<_> = components.watched().flat_map(Watched::noted).collect();
        let contents = reads.contents(noted.iter().map(|(path, _)| path.clone()).collect()).await;
        components.watched().for_each(|watched| watched.compare(&contents));
        for (path, Noted { expires, .. }) in noted {
            if let Some(end) = expires.filter(|end| end.since(Timestamp::now()) <= CERTIFICATE_WARNING)
                && told.len() < MAX_TOLD
                && told.insert((path.clone(), end))
            {
                warn!(file = %path.display(), %end, "certificate ends soon");
            }
        }
        sleep(FILE_CHECKS).await;
    }
}

impl Reads {
    /// What these files hold now.
    async fn contents(&mut self, paths: BTreeSet<PathBuf>) -> Contents {
        let reads = paths.into_iter().map(|path| {
            let read = self.0.remove(&path).unwrap_or_else(|| {
                let path = path.clone();
                spawn_blocking(move || digest(&path))
            });
            (path, read)
        });
        let answers = join_all(reads.collect::<Vec<_>>().into_iter().map(|(path, mut read)| async {
            let answer = timeout(LONGEST_READ, &mut read).await;
            (path, read, answer)
        }));
        let mut contents = Contents::new();
        for (path, read, answer) in answers.await {
            match answer {
                // A read that panicked tells as little as one that failed.
                Ok(digest) => _ = contents.insert(path, digest.unwrap_or_default()),
                Err(_elapsed) => {
                    warn!(file = %path.display(), "file cannot be read in time");
                    self.0.insert(path, read);
                }
            }
        }
        contents
    }
}

fn digest(path: &Path) -> Option<ContentDigest> {
    let mut content = Vec::new();
    File::open(path).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut content).ok()?;
    Some(ContentDigest::of(&content))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_does_not_answer_holds_up_no_other_and_is_read_once_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let [fifo, file] = ["fifo", "file"].map(|name| dir.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        std::fs::write(&file, "content").unwrap();
        let mut reads = Reads::default();
        let paths = BTreeSet::from([fifo.clone(), file.clone()]);
        let known = Some(ContentDigest::of(b"content"));
        for _ in 0..2 {
            assert_eq!(reads.contents(paths.clone()).await, Contents::from([(file.clone(), known)]));
            assert_eq!(reads.0.len(), 1, "one thread waits for it");
        }
        // Opening it for writing lets the reader go on.
        std::fs::write(&fifo, "content").unwrap();
        assert_eq!(reads.contents(paths).await, Contents::from([(fifo, known), (file, known)]));
    }
}
