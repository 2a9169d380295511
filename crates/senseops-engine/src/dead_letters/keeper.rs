//! Keeping what targets refuse while a pipeline runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use senseops_core::{Batch, BoxError, BuildError, Condition, Health, Rejection, Timestamp, chain};
use senseops_wire::Lossless;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::directory::{Appended, Directory};
use super::letter::Line;
use crate::counters::value;
use crate::plan::ComponentError;
use crate::settings::PipelineSettings;
use crate::view::DeadLettersView;

const COMPONENT: &str = "pipeline.dead_letters";
/// The longest that delivery waits for the disk; then the events are only counted.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Keeps refused events, or only counts them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: Option<PathBuf>,
    max_bytes: u64,
    /// Whoever uses the files holds this on the thread that waits for the disk, so a disk that hangs holds one thread.
    /// `None` if nothing is kept, or nothing any more.
    directory: Arc<Mutex<Option<Directory>>>,
    /// Held during a replay.
    replaying: Mutex<()>,
    health: Health,
    bytes: AtomicU64,
    kept: AtomicU64,
    not_kept: AtomicU64,
    given_up: AtomicU64,
}

/// Events of a batch that were refused. The batch is shared, so that this costs little.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) batch: Batch,
    pub(crate) rejections: Vec<Rejection>,
}

impl DeadLetters {
    pub(crate) async fn open(settings: &PipelineSettings) -> Result<Self, ComponentError> {
        let max_bytes = settings.dead_letters.max_bytes.bytes();
        let Some(path) = settings.dead_letters() else { return Ok(Self::new(None, max_bytes, None)) };
        let to_open = path.clone();
        let opened = spawn_blocking(move || Directory::open(to_open, max_bytes)).await;
        let cause: BoxError = match opened {
            Ok(Ok(directory)) => return Ok(Self::new(Some(path), max_bytes, Some(directory))),
            Ok(Err(error)) => error,
            Err(panicked) => panicked.into(),
        };
        let source = BuildError::at("path", format!("open {}", path.display())).because(cause);
        Err(ComponentError { component: COMPONENT.into(), source })
    }

    fn new(path: Option<PathBuf>, max_bytes: u64, directory: Option<Directory>) -> Self {
        let bytes = directory.as_ref().map_or(0, Directory::bytes).into();
        let health = Health::new(COMPONENT);
        health.ok();
        Self(Arc::new(Inner {
            path,
            max_bytes,
            directory: Arc::new(Mutex::new(directory)),
            replaying: Mutex::default(),
            health,
            bytes,
            kept: AtomicU64::new(0),
            not_kept: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }))
    }

    /// Keeps what `sink` was refused; returns once it is on disk. How many events are there.
    pub(crate) async fn keep(&self, sink: &str, refused: Vec<Refused>) -> u64 {
        let events: u64 = refused.iter().map(|refused| refused.rejections.len() as u64).sum();
        let inner = &self.0;
        let sink = sink.to_owned();
        let kept = self.with_directory(move |directory| {
            let now = Timestamp::now();
            directory.append(refused.iter().flat_map(|Refused { batch, rejections }| {
                let sink = &sink;
                rejections.iter().filter_map(move |Rejection { index, reason }| {
                    Some(Line { sink, reason, refused: now, event: Lossless(batch.get(*index)?) })
                })
            }))
        });
        match timeout(LONGEST_WAIT, kept).await {
            Ok(Some(Ok(Appended { kept, too_large, given_up }))) => {
                inner.kept.fetch_add(kept, Ordering::Relaxed);
                inner.not_kept.fetch_add(too_large, Ordering::Relaxed);
                inner.given_up.fetch_add(given_up, Ordering::Relaxed);
                if too_large == 0 {
                    inner.health.ok();
                } else {
                    let most = Directory::longest(inner.max_bytes);
                    inner
                        .health
                        .warning(format!("a refused event was longer than the {most} bytes that are kept"));
                }
                return kept;
            }
            Ok(None) => {}
            Ok(Some(Err(error))) => inner.health.failing(self.failure(&chain(&error).to_string())),
            Err(_elapsed) => inner.health.failing(self.failure("the disk does not answer")),
        }
        inner.not_kept.fetch_add(events, Ordering::Relaxed);
        0
    }

    fn failure(&self, reason: &str) -> String {
        format!("refused events cannot be kept in {}: {reason}", self.place())
    }

    /// Works with the files on a thread that may wait for the disk. `None` if nothing is kept.
    pub(super) async fn with_directory<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Directory) -> io::Result<T> + Send + 'static,
    ) -> Option<io::Result<T>> {
        let inner = Arc::clone(&self.0);
        let mut directory = Arc::clone(&self.0.directory).lock_owned().await;
        directory.as_ref()?;
        let work = move || {
            let directory = directory.as_mut()?;
            let done = work(directory);
            inner.bytes.store(directory.bytes(), Ordering::Relaxed);
            Some(done)
        };
        spawn_blocking(work).await.unwrap_or_else(|panicked| Some(Err(io::Error::other(panicked))))
    }

    /// Lets another pipeline have the directory, unless a disk that hangs keeps it busy.
    pub(crate) fn close(&self) {
        if let Ok(mut directory) = self.0.directory.try_lock() {
            *directory = None;
        }
    }

    /// Waits for the end of another replay, so that nothing is replayed twice.
    pub(super) async fn begin_replay(&self) -> MutexGuard<'_, ()> {
        self.0.replaying.lock().await
    }

    /// Where so many refused events are, of which so many are kept; for those who read the health of a sink.
    pub(crate) fn whereabouts(&self, kept: u64, refused: u64) -> String {
        match &self.0.path {
            Some(path) if kept == refused => format!("they are kept in {}", path.display()),
            Some(path) if kept > 0 => {
                format!("{kept} of {refused} are kept in {}, the others could not be", path.display())
            }
            Some(_) => "they could not be kept".to_owned(),
            None => {
                "they are not kept, since neither pipeline.state_dir nor pipeline.dead_letters.path is set"
                    .to_owned()
            }
        }
    }

    fn place(&self) -> String {
        self.0.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.0.path.clone()
    }

    pub(crate) fn condition(&self) -> Condition {
        self.0.health.condition()
    }

    pub(crate) fn view(&self) -> DeadLettersView {
        let failure = match self.condition() {
            Condition::Failing(reason) => Some(reason),
            Condition::Starting | Condition::Ok | Condition::Warning(_) => None,
        };
        DeadLettersView {
            path: self.path(),
            bytes: value(&self.0.bytes),
            max_bytes: self.0.max_bytes,
            kept: value(&self.0.kept),
            not_kept: value(&self.0.not_kept),
            given_up: value(&self.0.given_up),
            failure,
        }
    }
}
