//! The directories of a pipeline, looked at without creating them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use senseops_core::BuildError;
use senseops_journal::{LockError, OpenError};
use tokio::task::spawn_blocking;

use crate::opening::open_journal;
use crate::plan::ComponentError;
use crate::probe::{Held, Probe, ProbeOutcome};
use crate::settings::PipelineSettings;

/// Every directory of these settings that could neither be used nor created, each with the key that names it.
pub(crate) async fn unusable(settings: &PipelineSettings) -> Vec<ComponentError> {
    let named = [
        ("pipeline", "state_dir", settings.state_dir.clone()),
        ("pipeline.journal", "path", settings.journal.path.clone()),
        ("pipeline.dead_letters", "path", settings.dead_letters.path.clone()),
    ];
    let mut errors = Vec::new();
    for (component, key, path) in named {
        let Some(path) = path else { continue };
        if let Err(error) = usable(path).await {
            let source = BuildError { key: key.to_owned(), ..error };
            errors.push(ComponentError { component: component.to_owned(), source });
        }
    }
    errors
}

/// Tries the directories that the settings name. A journal that is there already is opened.
pub(crate) async fn probe(settings: &PipelineSettings) -> Vec<Probe> {
    let journal = settings.journal();
    let mut probes: Vec<Probe> = unusable(settings)
        .await
        .into_iter()
        .map(|ComponentError { component, source }| Probe {
            table: component.clone(),
            component,
            outcome: ProbeOutcome::Closed(source),
        })
        .collect();
    let Some(path) = journal.path.clone().filter(|_| probes.is_empty()) else { return probes };
    // One that is not there is left to the user who runs the program: created here, it might not be theirs.
    let outcome = if path.exists() {
        match open_journal(&journal).await {
            Ok(_opened) => ProbeOutcome::Answered("the journal can be used".into()),
            Err(error) => match held(&error.source) {
                Some(held) => ProbeOutcome::Held(held, error.source),
                None => ProbeOutcome::Closed(error.source),
            },
        }
    } else {
        ProbeOutcome::Answered(format!("{} is not there yet, and can be created", path.display()))
    };
    let component = "pipeline.journal".to_owned();
    probes.push(Probe { table: component.clone(), component, outcome });
    probes
}

/// Whether another process has the journal.
fn held(error: &BuildError) -> Option<Held> {
    match error.source.as_ref()?.downcast_ref()? {
        OpenError::Lock(LockError::InUse { owner, .. }) => Some(Held::Directory(*owner)),
        OpenError::Lock(LockError::File { .. })
        | OpenError::Create { .. }
        | OpenError::File { .. }
        | OpenError::NewerVersion { .. } => None,
    }
}

/// Whether the directory is there and may be written, or could be created.
async fn usable(path: PathBuf) -> Result<(), BuildError> {
    let looked = spawn_blocking(move || look(&path)).await;
    looked.map_err(|panicked| BuildError::at("", "look at the directory").because(panicked))?
}

fn look(path: &Path) -> Result<(), BuildError> {
    let unusable = |what: String| BuildError::at("", what);
    let advice = "create it for the user who runs the program, or name another directory";
    let is_named = |above: &&Path| !above.as_os_str().is_empty();
    for above in path.ancestors().filter(is_named).chain([Path::new(".")]) {
        let is_itself = above == path;
        match fs::metadata(above) {
            Ok(found) if !found.is_dir() && is_itself => {
                return Err(unusable(format!("{} is not a directory", path.display())));
            }
            Ok(found) if !found.is_dir() => {
                let (path, above) = (path.display(), above.display());
                return Err(unusable(format!("cannot create {path}, since {above} is not a directory")));
            }
            Ok(_directory) => {
                return writable(above).map_err(|cause| {
                    let (path, above) = (path.display(), above.display());
                    let what = if is_itself {
                        format!("cannot write into {path}; {advice}")
                    } else {
                        format!("cannot create {path}, since {above} cannot be written; {advice}")
                    };
                    unusable(what).because(cause)
                });
            }
            // Below a file nothing is found either, with another word for it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(cause) => {
                return Err(unusable(format!("cannot look at {}; {advice}", above.display())).because(cause));
            }
        }
    }
    Ok(())
}

/// Asks the system whether this user may create something in the directory.
#[cfg(unix)]
fn writable(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};

    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Only creating something would tell.
#[cfg(not(unix))]
fn writable(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use senseops_core::chain;

    use super::*;

    #[test]
    fn a_directory_that_is_there_or_could_be_created_is_usable_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("a/b");
        assert!(look(dir.path()).is_ok() && look(&new).is_ok() && look(Path::new("state")).is_ok());
        assert!(!dir.path().join("a").exists());
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let said = |path: &str| {
            let error = look(&dir.path().join(path)).unwrap_err();
            chain(&error).to_string().replace(&dir.path().display().to_string(), "DIR")
        };
        assert_eq!(said("file"), "DIR/file is not a directory");
        assert_eq!(said("file/a/b"), "cannot create DIR/file/a/b, since DIR/file is not a directory");
    }
}
