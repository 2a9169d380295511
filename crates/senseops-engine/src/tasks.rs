//! Tasks that end in time, one way or the other.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use senseops_core::chain;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

/// The longest that an aborted task may take to notice.
const LAST_POLL: Duration = Duration::from_secs(1);

/// Tasks by name, so that those that had to be aborted can be named.
#[derive(Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: Vec<(Id, String, AbortHandle)>,
    /// Those that ended while others were waited for.
    ended: Vec<EndedTask>,
}

/// The name of a task that has ended, and why if it panicked.
type EndedTask = (String, Option<String>);

impl Tasks {
    pub(crate) fn spawn(&mut self, name: String, work: impl Future<Output = ()> + Send + 'static) {
        let abort = self.running.spawn(work);
        self.names.push((abort.id(), name, abort));
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// A task that has ended. Without tasks, never. Nothing is lost if the future is dropped.
    pub(crate) async fn next_ended(&mut self) -> EndedTask {
        if let Some(ended) = self.ended.pop() {
            return ended;
        }
        match self.running.join_next_with_id().await {
            None => std::future::pending().await,
            Some(ended) => self.named(ended),
        }
    }

    /// Waits for the tasks of these names until `deadline`, aborts those that are left and returns their names.
    pub(crate) async fn join_named(&mut self, names: &HashSet<String>, deadline: Instant) -> Vec<String> {
        while self.names.iter().any(|(_, name, _)| names.contains(name)) {
            let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next_with_id()).await else { break };
            let ended = self.named(ended);
            if names.contains(&ended.0) { warn_if_badly(&ended) } else { self.ended.push(ended) }
        }
        let late = self.names.extract_if(.., |(_, name, _)| names.contains(name));
        late.map(|(_, name, abort)| {
            abort.abort();
            name
        })
        .collect()
    }

    /// Waits for all tasks until `deadline`, aborts the rest and returns their names.
    pub(crate) async fn join(&mut self, deadline: Instant) -> Vec<String> {
        while let Ok(Some(ended)) = timeout_at(deadline, self.running.join_next_with_id()).await {
            warn_if_badly(&self.named(ended));
        }
        self.running.abort_all();
        let all_ended = async { while self.running.join_next().await.is_some() {} };
        if timeout(LAST_POLL, all_ended).await.is_err() {
            // A task that blocks its thread cannot be aborted; it is left behind.
            self.running.detach_all();
        }
        std::mem::take(&mut self.names).into_iter().map(|(_, name, _)| name).collect()
    }

    fn named(&mut self, ended: Result<(Id, ()), JoinError>) -> EndedTask {
        match ended {
            Ok((id, ())) => (self.take_name(id), None),
            Err(error) => {
                (self.take_name(error.id()), (!error.is_cancelled()).then(|| chain(&error).to_string()))
            }
        }
    }

    fn take_name(&mut self, id: Id) -> String {
        let at = self.names.iter().position(|(known, ..)| *known == id);
        at.map(|at| self.names.swap_remove(at).1).unwrap_or_default()
    }
}

fn warn_if_badly((component, error): &EndedTask) {
    if let Some(error) = error {
        warn!(component, error, "component task ended badly");
    }
}
