//! Whether configuration files have changed.

use std::path::PathBuf;
use std::time::Duration;

use senseops_core::host::ContentDigest;
use tokio::fs;
use tokio::time::sleep;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The files, and what they held.
#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<PathBuf>,
    known: Contents,
    /// What was seen last, which may still be half written.
    seen: Contents,
}

/// What each file holds; `None` where it cannot be read.
type Contents = Vec<Option<ContentDigest>>;

impl Watch {
    /// Knows what is in the files now.
    pub(super) async fn new(files: &[PathBuf]) -> Self {
        let known = read(files).await;
        Self { files: files.to_vec(), seen: known.clone(), known }
    }

    /// Returns once a file has another content than the last time, and was left alone for one look.
    pub(super) async fn changed(&mut self) {
        loop {
            sleep(INTERVAL).await;
            let now = read(&self.files).await;
            if self.take(now) {
                return;
            }
        }
    }

    fn take(&mut self, now: Contents) -> bool {
        let is_settled = now == self.seen;
        self.seen = now;
        // Editors move files away for a moment.
        let is_complete = self.seen.iter().all(Option::is_some);
        let is_news = is_settled && is_complete && self.seen != self.known;
        if is_news {
            self.known.clone_from(&self.seen);
        }
        is_news
    }
}

async fn read(files: &[PathBuf]) -> Contents {
    let mut contents = Vec::with_capacity(files.len());
    for file in files {
        contents.push(fs::read(file).await.ok().map(|content| ContentDigest::of(&content)));
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_when_it_is_complete() {
        let content = |text: &str| vec![Some(ContentDigest::of(text.as_bytes()))];
        let mut watch = Watch { files: Vec::new(), known: content("a"), seen: content("a") };
        let looks = [content("a"), content("a b"), content("a b c"), content("a b c"), content("a b c")];
        assert_eq!(looks.map(|look| watch.take(look)), [false, false, false, true, false]);
        let looks = [vec![None], vec![None], content("a b c"), content("a b c"), content("z"), content("z")];
        assert_eq!(looks.map(|look| watch.take(look)), [false, false, false, false, false, true]);
    }
}
