//! What components remember: a file for each key, below a directory for each component.
//!
//! A file is one line with the CRC32C of what follows, then the value. It is replaced as a whole.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use senseops_core::host::StateArea;
use senseops_core::{BoxError, BuildError, ComponentState, async_trait, chain};
use senseops_journal::create_directory;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use crate::owned_directory::{OwnedDirectory, replace};
use crate::plan::ComponentError;
use crate::settings::PipelineSettings;

const WHAT: &str = "component state";
const VERSION: u32 = 1;
/// Before the checksum.
const TITLE: &str = "crc32c ";
/// The longest that the disk may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Where the components of a pipeline remember things. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    directory: Option<SharedDirectory>,
    /// Of components that ran already, so that what is in memory only outlives their rebuilding.
    known: Arc<Mutex<HashMap<String, ComponentState>>>,
}

/// The directory of all components; `None` once it is left to another pipeline.
type SharedDirectory = Arc<Mutex<Option<OwnedDirectory>>>;

/// The directory of one component.
struct OnDisk {
    all: SharedDirectory,
    path: PathBuf,
    /// Held by whoever works with the files, on the thread that waits for the disk.
    busy: Arc<tokio::sync::Mutex<()>>,
}

/// Says once that it is in memory only.
struct InMemory {
    component: String,
    values: Mutex<HashMap<String, Vec<u8>>>,
}

impl States {
    /// Opens the directory that the settings name, if they do.
    pub(crate) async fn open(settings: &PipelineSettings) -> Result<Self, ComponentError> {
        let Some(path) = settings.state() else { return Ok(Self::default()) };
        let opened = spawn_blocking(move || OwnedDirectory::open(path, WHAT, VERSION)).await;
        let cause: BoxError = match opened {
            Ok(Ok(directory)) => {
                let directory = Some(Arc::new(Mutex::new(Some(directory))));
                return Ok(Self { directory, ..Self::default() });
            }
            Ok(Err(error)) => error,
            Err(panicked) => panicked.into(),
        };
        let source = BuildError::at("", "open the directory for what components remember").because(cause);
        Err(ComponentError { component: "pipeline.state_dir".into(), source })
    }

    /// What the component of this name remembers.
    pub(crate) fn of(&self, component: &str) -> ComponentState {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(component.to_owned()).or_insert_with(|| self.make(component)).clone()
    }

    /// Lets another pipeline have the directory. What components store from then on is refused.
    pub(crate) fn close(&self) {
        if let Some(directory) = &self.directory {
            *directory.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn make(&self, component: &str) -> ComponentState {
        let Some(all) = &self.directory else {
            let component = component.to_owned();
            return ComponentState::new(InMemory { component, values: Mutex::default() });
        };
        let owned = all.lock().unwrap_or_else(PoisonError::into_inner);
        let path = owned.as_ref().map(|owned| owned.path().join(file_name(component))).unwrap_or_default();
        ComponentState::new(OnDisk { all: Arc::clone(all), path, busy: Arc::default() })
    }
}

impl OnDisk {
    /// Works with the files on a thread that may wait for the disk; a disk that hangs holds one of them.
    async fn work<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BoxError> {
        if self.all.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err("the pipeline has ended".into());
        }
        let path = self.path.join(file_name(key));
        let done = async {
            let busy = Arc::clone(&self.busy).lock_owned().await;
            spawn_blocking(move || {
                let _busy = busy;
                work(&path)
            })
            .await
        };
        match timeout(LONGEST, done).await {
            Ok(done) => Ok(done??),
            Err(_elapsed) => Err(format!("the disk of {} does not answer", self.path.display()).into()),
        }
    }
}

#[async_trait]
impl StateArea for OnDisk {
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BoxError> {
        self.work(key, read).await
    }

    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BoxError> {
        self.work(key, move |path| write(path, &value)).await
    }

    fn is_durable(&self) -> bool {
        true
    }
}

#[async_trait]
impl StateArea for InMemory {
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.values.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BoxError> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.is_empty() {
            let component = &self.component;
            warn!(
                component,
                "what it remembers is gone after a restart, since pipeline.state_dir is not set"
            );
        }
        values.insert(key.to_owned(), value);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// A damaged file is set aside; then it is as if there were none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(value) = checked(&content) {
        return Ok(Some(value.to_vec()));
    }
    let aside = path.with_extension("damaged");
    let kept = fs::rename(path, &aside)
        .map_or_else(|error| chain(&error).to_string(), |()| aside.display().to_string());
    warn!(file = %path.display(), kept, "what a component remembered is damaged, it begins anew");
    Ok(None)
}

fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), create_directory)?;
    let mut content = format!("{TITLE}{:08x}\n", crc32c::crc32c(value)).into_bytes();
    content.extend_from_slice(value);
    replace(path, &content)
}

fn checked(content: &[u8]) -> Option<&[u8]> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let (line, value) = (content.get(..end)?, content.get(end + 1..)?);
    let crc = str::from_utf8(line).ok()?.strip_prefix(TITLE)?;
    (u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(value)).then_some(value)
}

/// A name as a file, on systems too that do not tell upper from lower case: what is not a plain letter, a digit or one
/// of `.-_` inside is written as `%` and two digits for each byte.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => file.push(char::from(byte)),
            b'.' if at > 0 => file.push('.'),
            _ => file.extend(format!("%{byte:02x}").chars()),
        }
    }
    // No name of a component becomes that of another file, such as `format`.
    file + ".state"
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn on_disk(dir: &Path) -> States {
        let settings = PipelineSettings { state_dir: Some(dir.into()), ..PipelineSettings::default() };
        States::open(&settings).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_stored_is_there_at_the_next_start_for_that_component() {
        let dir = tempfile::tempdir().unwrap();
        let states = on_disk(dir.path()).await;
        let state = states.of("logdb.Main/Ä");
        assert_eq!(state.load::<u64>("cursor").await.unwrap(), None);
        state.store("cursor", &41_u64).await.unwrap();
        state.store("cursor", &42_u64).await.unwrap();
        assert!(state.is_durable());
        states.close();
        assert!(state.store("cursor", &43_u64).await.is_err());
        let states = on_disk(dir.path()).await;
        assert_eq!(states.of("logdb.Main/Ä").load("cursor").await.unwrap(), Some(42_u64));
        assert_eq!(states.of("logdb.main/Ä").load::<u64>("cursor").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_damaged_value_is_set_aside_and_costs_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let states = on_disk(dir.path()).await;
        let state = states.of("logdb.main");
        state.store("cursor", &42_u64).await.unwrap();
        state.store("names", &"sense1").await.unwrap();
        let file = dir.path().join("state/logdb.main.state/cursor.state");
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(state.load::<u64>("cursor").await.unwrap(), None);
        assert!(file.with_extension("damaged").exists());
        assert_eq!(state.load::<String>("names").await.unwrap().as_deref(), Some("sense1"));
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state"), "a file").unwrap();
        let settings = PipelineSettings { state_dir: Some(dir.path().into()), ..PipelineSettings::default() };
        let error = States::open(&settings).await.unwrap_err();
        assert_eq!(error.component, "pipeline.state_dir");
    }

    #[tokio::test]
    async fn without_a_directory_what_is_stored_outlives_the_component_only() {
        let states = States::default();
        states.of("logdb.main").store("cursor", &42_u64).await.unwrap();
        assert_eq!(states.of("logdb.main").load("cursor").await.unwrap(), Some(42_u64));
        assert!(!states.of("logdb.main").is_durable());
    }
}
