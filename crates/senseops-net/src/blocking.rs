//! Work that blocks its thread, maybe for ever: reading a file, above all.
//!
//! A file system whose server is gone cannot be told to give up. On a thread of the runtime such a read keeps the runtime
//! from ending, and whoever tries again and again ends up with a thread for each attempt.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::Shared;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How many keys may be worked on at once. Work that ends is gone in no time, and no configuration names so many files;
/// with so many that hang, more are refused.
const MAX_RUNNING: usize = 1024;

/// Work by what it is about, such as a path: at most one of a key runs at a time, on a thread of its own.
///
/// Nobody waits for the thread: neither the runtime when it ends, nor a caller beyond its limit. Work that hangs is left
/// alone until it ends by itself; whoever asks for the same meanwhile shares its outcome.
#[derive(Debug)]
pub(crate) struct Blocking<K: 'static, T: 'static> {
    running: Mutex<BTreeMap<K, Outcome<T>>>,
}

type Outcome<T> = Shared<oneshot::Receiver<T>>;

/// The right to work on a key; ends also when the work panics.
struct Turn<K: Ord + 'static, T: 'static> {
    of: &'static Blocking<K, T>,
    key: K,
}

impl<K, T> Blocking<K, T>
where
    K: Ord + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) const fn new() -> Self {
        Self { running: Mutex::new(BTreeMap::new()) }
    }

    /// What `work` comes to, or what is running already under this key.
    ///
    /// # Errors
    /// When that takes longer than `limit`, or there cannot be another thread.
    pub(crate) async fn run(
        &'static self,
        key: K,
        limit: Duration,
        work: impl FnOnce(&K) -> T + Send + 'static,
    ) -> io::Result<T> {
        let outcome = self.outcome(key, work)?;
        match timeout(limit, outcome).await {
            Ok(outcome) => outcome.map_err(|_panicked| io::Error::other("the thread panicked")),
            Err(_elapsed) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}")))
            }
        }
    }

    fn outcome(&'static self, key: K, work: impl FnOnce(&K) -> T + Send + 'static) -> io::Result<Outcome<T>> {
        let mut running = self.running();
        if let Some(outcome) = running.get(&key) {
            return Ok(outcome.clone());
        }
        if running.len() >= MAX_RUNNING {
            return Err(io::Error::other(format!("{MAX_RUNNING} others hang already")));
        }
        let (sender, receiver) = oneshot::channel();
        let outcome = receiver.shared();
        running.insert(key.clone(), outcome.clone());
        drop(running);
        let turn = Turn { of: self, key };
        thread::Builder::new().name("sos-blocking".into()).spawn(move || {
            let outcome = work(&turn.key);
            // Before it is told, so that whoever asks afterwards does not share it.
            drop(turn);
            // Nobody may wait any more.
            let _unheard = sender.send(outcome);
        })?;
        Ok(outcome)
    }
}

impl<K: Ord, T> Blocking<K, T> {
    fn running(&self) -> MutexGuard<'_, BTreeMap<K, Outcome<T>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord, T> Drop for Turn<K, T> {
    fn drop(&mut self) {
        self.of.running().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn work_that_hangs_is_begun_once_and_shared_when_it_ends() {
        static WORK: Blocking<&str, usize> = Blocking::new();
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let (end, until) = mpsc::sync_channel::<()>(1);
        let again = |_: &&str| BEGUN.fetch_add(1, Ordering::Relaxed) + 1;
        let hangs = move |key: &&str| {
            let attempt = again(key);
            until.recv().unwrap();
            attempt
        };
        let given_up = WORK.run("a", SHORT, hangs).await.unwrap_err();
        insta::assert_snapshot!(given_up, @"no answer within 20ms");
        for _attempt in 0..10 {
            assert_eq!(WORK.run("a", SHORT, again).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(WORK.run("b", LONG, |_| 100).await.unwrap(), 100, "others go on");
        let mut waiting = pin!(WORK.run("a", LONG, again));
        assert!(waiting.as_mut().now_or_never().is_none());
        end.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), 1);
        assert_eq!(WORK.run("a", LONG, again).await.unwrap(), 2, "it is done anew");
    }

    #[tokio::test]
    async fn work_that_panics_can_be_done_again() {
        static WORK: Blocking<(), u8> = Blocking::new();
        let panicked = WORK.run((), LONG, |()| panic!("on purpose")).await.unwrap_err();
        insta::assert_snapshot!(panicked, @"the thread panicked");
        assert_eq!(WORK.run((), LONG, |()| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn threads_that_hang_have_a_bound() {
        static WORK: Blocking<usize, ()> = Blocking::new();
        // As if so many hung.
        let (_sender, receiver) = oneshot::channel::<()>();
        let hanging = receiver.shared();
        WORK.running().extend((0..MAX_RUNNING).map(|key| (key, hanging.clone())));
        let refused = WORK.run(MAX_RUNNING, LONG, |_| ()).await.unwrap_err();
        insta::assert_snapshot!(refused, @"1024 others hang already");
    }
}
