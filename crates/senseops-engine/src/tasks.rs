//! Tasks that end in time, one way or the other.

use std::future::Future;
use std::time::Duration;

use senseops_core::chain;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

/// The longest that an aborted task may take to notice.
const LAST_POLL: Duration = Duration::from_secs(1);

/// Tasks by name, so that those that had to be aborted can be named.
#[derive(Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: Vec<(Id, String)>,
}

impl Tasks {
    pub(crate) fn spawn(&mut self, name: String, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(work).id();
        self.names.push((id, name));
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// Waits for all tasks until `deadline`, aborts the rest and returns their names.
    pub(crate) async fn join(&mut self, deadline: Instant) -> Vec<String> {
        while let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next_with_id()).await {
            let id = match ended {
                Ok((id, ())) => id,
                Err(error) => {
                    warn!(error = %chain(&error), "component task ended badly");
                    error.id()
                }
            };
            self.names.retain(|(known, _)| *known != id);
        }
        self.running.abort_all();
        let all_ended = async { while self.running.join_next().await.is_some() {} };
        if timeout(LAST_POLL, all_ended).await.is_err() {
            // A task that blocks its thread cannot be aborted; it is left behind.
            self.running.detach_all();
        }
        std::mem::take(&mut self.names).into_iter().map(|(_, name)| name).collect()
    }
}
