//! The request to stop.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Tells a component when it must stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

/// Requests the stop of everything that holds its [`Shutdown`].
#[derive(Clone, Debug, Default)]
pub struct ShutdownTrigger(CancellationToken);

impl Shutdown {
    /// Runs `work` to its end, or gives `None` as soon as a stop is requested. `work` is dropped then.
    pub async fn unless_requested<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.0.cancelled() => None,
            result = work => Some(result),
        }
    }

    /// Returns once a stop is requested.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// A trigger for a part of what is stopped: it is requested on its own, or along with the whole.
    pub fn child(&self) -> ShutdownTrigger {
        ShutdownTrigger(self.0.child_token())
    }

    /// Whether a stop has been requested.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl ShutdownTrigger {
    /// What is to be stopped by this trigger.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.clone())
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.0.cancel();
    }
}
