//! Code of plugins, contained: a panic in it ends as an error of one component, wherever it happens.

use std::any::Any;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures::FutureExt;
use senseops_core::{BuildError, chain};
use tokio::time::timeout;
use tracing::warn;

/// The longest that building a component may take.
pub(crate) const LONGEST_BUILD: Duration = Duration::from_secs(30);

/// A thing of a plugin. If it panics when it is dropped, nobody else notices.
#[derive(Clone, Debug)]
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(thing: T) -> Self {
        Self(Some(thing))
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "it is there until it is dropped")]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a thing that is not dropped")
    }
}

impl<T> DerefMut for Contained<T> {
    #[expect(clippy::expect_used, reason = "it is there until it is dropped")]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a thing that is not dropped")
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let thing = self.0.take();
        if let Err(panic) = contained(move || drop(thing)) {
            warn!(error = panic, "a plugin panicked when a part of it was dropped");
        }
    }
}

/// Calls code of a plugin. A panic is an error, with what it said.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(&*panic))
}

/// Waits for code of a plugin. A panic is an error, with what it said.
pub(crate) async fn contained_async<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| panic_text(&*panic))
}

/// The same for work that fails with an error of the plugin. That becomes text here, where it may panic.
pub(crate) async fn contained_result<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, String>
where
    E: std::error::Error + 'static,
{
    contained_async(async { work.await.map_err(|error| chain(&error).to_string()) }).await.flatten()
}

/// Builds a component, with a limit in time.
pub(crate) async fn built<T>(
    build: impl Future<Output = Result<T, BuildError>>,
) -> Result<Contained<T>, BuildError> {
    match timeout(LONGEST_BUILD, contained_async(build)).await {
        Ok(Ok(built)) => built.map(Contained::new).map_err(showable),
        Ok(Err(panic)) => Err(BuildError::at("", panic)),
        Err(_elapsed) => Err(BuildError::at("", format!("building it took longer than {LONGEST_BUILD:?}"))),
    }
}

/// The same error, whose cause others can show without fear.
fn showable(error: BuildError) -> BuildError {
    let shown = error.source.as_deref().map(|cause| contained(|| chain(cause).to_string()));
    match shown {
        Some(Err(panic)) => error.because(panic),
        Some(Ok(_)) | None => error,
    }
}

/// An error of a plugin with all its causes, or why that cannot be told.
pub(crate) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    contained(|| chain(error).to_string()).unwrap_or_else(|panic| panic)
}

/// What a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the component panicked: {}", said.unwrap_or("without a message"))
}
