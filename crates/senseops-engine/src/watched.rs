//! The files that components were built from, and noticing that they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use senseops_core::host::{ContentDigest, Noted};
use senseops_core::{BuildError, Files, Timestamp};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::contained::told;
use crate::parts::Parts;

/// How long before its end a certificate is warned about.
const CERTIFICATE_WARNING: Duration = Duration::from_hours(30 * 24);
/// How often files are read anew. Certificates are rotated days before they end, but someone who repairs a password
/// waits for it.
const FILE_CHECKS: Duration = Duration::from_secs(5);
/// More is not read of a file; no certificate, key or secret is larger.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// How long a file may take to be read. Then it counts as unchanged, and is looked at again once that read has ended.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// How many certificates the log names.
const MAX_TOLD: usize = 1000;

/// What the files hold now, as far as that can be told in time. Files that cannot be read have no digest.
type Contents = BTreeMap<PathBuf, Option<ContentDigest>>;

/// Reads of files that have not ended: a file system that hangs, such as NFS, holds one thread for each file and no more.
#[derive(Default)]
struct Reads(BTreeMap<PathBuf, JoinHandle<Option<ContentDigest>>>);

/// The files of one component.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What the component in use was built from.
    files: Files,
    /// What building it anew was last tried with, so that what did not help is not tried again.
    tried: Contents,
    /// Why what the files hold now cannot be used.
    unusable: Option<String>,
}

impl Watched {
    pub(crate) fn new(files: Files) -> Self {
        Self { state: Mutex::new(State { files, ..State::default() }), changed: Notify::new() }
    }

    /// The component was built anew.
    pub(crate) fn replace(&self, files: Files) {
        *self.state() = State { files, ..State::default() };
    }

    /// The component cannot be built from what there is now, and goes on as it is.
    pub(crate) fn cannot_use(&self, component: &str, error: &BuildError) {
        let reason = told(error);
        let before = self.state().unusable.replace(reason.clone());
        if before.as_ref() != Some(&reason) {
            warn!(component, error = reason, "component cannot be built from its files as they are now");
        }
    }

    /// What an operator should know of the files.
    pub(crate) fn warning(&self) -> Option<String> {
        let unusable = self.state().unusable.clone().map(|reason| {
            format!("its files have changed and cannot be used, so it goes on with what they held before: {reason}")
        });
        unusable.or_else(|| certificate_warning(self.noted()))
    }

    /// Returns once the files have changed since the component was built.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The files with all that is known of them.
    pub(crate) fn noted(&self) -> Vec<(PathBuf, Noted)> {
        self.state().files.noted()
    }

    /// Compares what the component was built from with what is there now.
    fn compare(&self, contents: &Contents) {
        let mut state = self.state();
        let now: Contents = (state.files.noted().into_iter())
            .filter(|(path, noted)| contents.get(path) != Some(&Some(noted.digest)))
            .filter_map(|(path, _)| contents.get(&path).map(|digest| (path, *digest)))
            .collect();
        if now == state.tried {
            return;
        }
        let is_changed = !now.is_empty();
        if !is_changed {
            state.unusable = None;
        }
        state.tried = now;
        drop(state);
        if is_changed {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells components that their files have changed, and the operator that certificates end. Never returns.
#[expect(clippy::infinite_loop, reason = "the pipeline drops it when it ends")]
pub(crate) async fn follow_files(parts: Arc<Parts>) {
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

/// The certificate that ends first, if it ends soon.
fn certificate_warning(noted: Vec<(PathBuf, Noted)>) -> Option<String> {
    let ends = noted.into_iter().filter_map(|(path, noted)| Some((noted.expires?, path)));
    let (end, path) = ends.min()?;
    let now = Timestamp::now();
    let path = path.display();
    if end <= now {
        return Some(format!("a certificate in {path} has ended on {end}"));
    }
    let left = end.since(now);
    (left <= CERTIFICATE_WARNING).then(|| format!("a certificate in {path} ends on {end}; replace the file"))
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn contents(content: Option<&[u8]>) -> Contents {
        Contents::from([("key.pem".into(), content.map(ContentDigest::of))])
    }

    #[test]
    fn a_change_is_told_once_until_the_content_changes_again() {
        let files = Files::default();
        files.note(Path::new("key.pem"), b"old");
        let watched = Watched::new(files);
        let is_changed = |content| {
            watched.compare(&contents(content));
            watched.changed().now_or_never().is_some()
        };
        assert!(!is_changed(Some(b"old")));
        assert!(is_changed(Some(b"half of the n")));
        assert!(!is_changed(Some(b"half of the n")), "that was tried");
        assert!(is_changed(Some(b"new")));
        assert!(!is_changed(Some(b"old")), "back to what is in use");
        assert!(is_changed(None), "whoever builds it tells the operator that the file is gone");
    }

    #[cfg(unix)]
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

    #[test]
    fn files_that_cannot_be_used_are_a_warning_until_they_are_as_before() {
        let files = Files::default();
        files.note(Path::new("key.pem"), b"old");
        let watched = Watched::new(files);
        watched.compare(&contents(Some(b"garbage")));
        watched.cannot_use("mqtt.main", &BuildError::at("tls.key", "no key in it"));
        let warning = "its files have changed and cannot be used, so it goes on with what they held before: no key in it";
        assert_eq!(watched.warning().as_deref(), Some(warning));
        watched.compare(&contents(Some(b"old")));
        assert_eq!(watched.warning(), None);
    }
}
