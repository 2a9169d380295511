//! Looking up host names.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use senseops_core::BoxError;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A host name that cannot be resolved.
#[derive(Debug, Error)]
#[error("resolve {host}")]
pub(crate) struct LookupError {
    pub(crate) host: String,
    #[source]
    pub(crate) cause: io::Error,
}

/// Resolves as the system does, one name at a time.
///
/// The system cannot cancel a look-up. With a dead name server each of them would hold a thread long after
/// nobody waits for it, so the next begins only when the last has ended. A client talks to one server, which is why one
/// at a time is enough.
pub(crate) struct SystemNames {
    limit: Duration,
    alone: Arc<Mutex<()>>,
}

impl SystemNames {
    /// Resolves names, each in at most `limit`.
    pub(crate) fn within(limit: Duration) -> Self {
        Self { limit, alone: Arc::default() }
    }

    /// What the system answers to `ask`, or that it did not in time.
    fn answer<F>(&self, ask: F) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + use<F>
    where
        F: FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    {
        let (limit, alone) = (self.limit, Arc::clone(&self.alone));
        async move {
            let answer = timeout(limit, async {
                let turn = alone.lock_owned().await;
                let asking = spawn_blocking(move || {
                    let answer = ask();
                    drop(turn);
                    answer
                });
                asking.await.unwrap_or_else(|cause| Err(io::Error::other(cause)))
            });
            // Of no kind, since a timeout of the system would be taken for one of the server.
            answer
                .await
                .unwrap_or_else(|_elapsed| Err(io::Error::other(format!("no answer within {limit:?}"))))
        }
    }
}

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let asked = host.clone();
        let answer = self.answer(move || (asked.as_str(), 0).to_socket_addrs().map(Vec::from_iter));
        Box::pin(async move {
            match answer.await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(cause) => Err(Box::new(LookupError { host, cause }) as BoxError),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_look_up_that_hangs_fails_in_time_and_keeps_others_from_piling_up() {
        let names = SystemNames::within(Duration::from_millis(100));
        let (end, until) = mpsc::channel::<()>();
        let hangs = names.answer(move || {
            until.recv().map_err(io::Error::other)?;
            Ok(Vec::new())
        });
        insta::assert_snapshot!(hangs.await.unwrap_err(), @"no answer within 100ms");
        // Would be answered, if it began.
        assert!(names.answer(|| Ok(Vec::new())).await.is_err());
        end.send(()).unwrap();
        let patient = SystemNames { limit: Duration::from_secs(20), ..names };
        assert_eq!(patient.answer(|| Ok(Vec::new())).await.unwrap(), []);
    }
}
