//! Files with secrets that every user of the machine can use.

use std::fs::Permissions;
use std::path::Path;

/// Warns if every user of this machine can use the file, once in the life of the process: a component is rebuilt each
/// time that something fails.
#[cfg(unix)]
pub(crate) fn warn_once(path: &Path, permissions: &Permissions) {
    if let Some(mode) = unix::exposed(permissions)
        && unix::is_first(path)
    {
        let path = path.display();
        tracing::warn!(%path, mode, "file with a secret is open to every user of this machine");
    }
}

/// Other systems have no permissions that can be read in a simple way.
#[cfg(not(unix))]
pub(crate) fn warn_once(_path: &Path, _permissions: &Permissions) {}

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    /// What users may who are neither the owner nor in the group.
    const OTHERS: u32 = 0o007;

    /// How many files are remembered; more than any configuration names. No others are warned about.
    const MAX_WARNED: usize = 1024;

    /// The files that were warned about.
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

    /// The permissions, if they are too many.
    pub(super) fn exposed(permissions: &Permissions) -> Option<String> {
        let mode = permissions.mode() & 0o777;
        (mode & OTHERS != 0).then(|| format!("{mode:03o}"))
    }

    pub(super) fn is_first(path: &Path) -> bool {
        let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
        warned.len() < MAX_WARNED && warned.insert(path.to_owned())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::unix::{exposed, is_first};

    #[test]
    fn a_file_is_exposed_if_others_than_owner_and_group_can_use_it() {
        for (mode, expected) in [(0o600, None), (0o640, None), (0o100_644, Some("644")), (0o602, Some("602"))]
        {
            assert_eq!(exposed(&Permissions::from_mode(mode)).as_deref(), expected, "{mode:o}");
        }
    }

    #[test]
    fn a_file_is_warned_about_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_first(directory.path()));
        assert!(!is_first(directory.path()));
    }
}
