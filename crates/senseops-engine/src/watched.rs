//! The files that a component was built from, and what is known of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use senseops_core::host::{ContentDigest, Noted};
use senseops_core::{BuildError, Files, Timestamp};
use tokio::sync::Notify;
use tracing::warn;

use crate::contained::told;

/// How long before its end a certificate is warned about.
pub(crate) const CERTIFICATE_WARNING: Duration = Duration::from_hours(30 * 24);

/// What the files hold now, as far as that can be told in time. Files that cannot be read have no digest.
pub(crate) type Contents = BTreeMap<PathBuf, Option<ContentDigest>>;

/// The files of one component.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    known: Mutex<Known>,
    changed: Notify,
}

/// What is known of them.
#[derive(Debug, Default)]
struct Known {
    /// What the component in use was built from.
    files: Files,
    /// What building it anew was last tried with, so that what did not help is not tried again.
    tried: Contents,
    /// Why what the files hold now cannot be used.
    unusable: Option<String>,
}

impl Watched {
    pub(crate) fn new(files: Files) -> Self {
        Self { known: Mutex::new(Known { files, ..Known::default() }), changed: Notify::new() }
    }

    /// The component was built anew.
    pub(crate) fn replace(&self, files: Files) {
        *self.known() = Known { files, ..Known::default() };
    }

    /// The component cannot be built from what there is now, and goes on as it is.
    pub(crate) fn cannot_use(&self, component: &str, error: &BuildError) {
        let reason = told(error);
        let before = self.known().unusable.replace(reason.clone());
        if before.as_ref() != Some(&reason) {
            warn!(component, error = reason, "component cannot be built from its files as they are now");
        }
    }

    /// What an operator should know of the files.
    pub(crate) fn warning(&self) -> Option<String> {
        let unusable = self.known().unusable.clone().map(|reason| {
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
        self.known().files.noted()
    }

    /// Compares what the component was built from with what is there now.
    pub(crate) fn compare(&self, contents: &Contents) {
        let mut known = self.known();
        let now: Contents = (known.files.noted().into_iter())
            .filter(|(path, noted)| contents.get(path) != Some(&Some(noted.digest)))
            .filter_map(|(path, _)| contents.get(&path).map(|digest| (path, *digest)))
            .collect();
        if now == known.tried {
            return;
        }
        let is_changed = !now.is_empty();
        if !is_changed {
            known.unusable = None;
        }
        known.tried = now;
        drop(known);
        if is_changed {
            self.changed.notify_one();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

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
