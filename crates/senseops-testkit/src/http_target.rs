//! A scripted HTTP/1.1 target on loopback.
//!
//! Invariants: a request is recorded when it has arrived whole, before it is answered. While the target is stopped
//! its port stays reserved, so that connections are refused and nobody else gets the port.

mod answer;
mod serve;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use senseops_core::host::ShutdownTrigger;
use thiserror::Error;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub use answer::Answer;

use crate::addresses::bound;

/// How long a target waits for its own port.
const RESERVE_WITHIN: Duration = Duration::from_mins(1);

/// How often it tries.
const RESERVE_EVERY: Duration = Duration::from_millis(2);

/// Listens on a free loopback port, records requests and answers as told. Ends when dropped.
pub struct HttpTarget {
    address: SocketAddr,
    script: Arc<Script>,
    state: Mutex<TargetState>,
}

/// A request that has arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// All headers, as sent.
    pub headers: HeaderMap,
    /// The body, with gzip decoded.
    pub body: Bytes,
    /// The status of the answer that the script chose; `None` when it chose not to give a whole one.
    pub status: Option<StatusCode>,
}

/// The expected requests did not come in time.
#[derive(Debug, Error)]
#[error("only {} requests within {within:?}", requests.len())]
pub struct TooFewRequests {
    /// Those that came.
    pub requests: Vec<Recorded>,
    /// How long was waited.
    pub within: Duration,
}

type Respond = Arc<dyn Fn(&Recorded) -> Answer + Send + Sync>;

struct Script {
    queue: Mutex<VecDeque<Answer>>,
    respond: Mutex<Respond>,
    keeps_requests: AtomicBool,
    requests: watch::Sender<Vec<Recorded>>,
}

enum TargetState {
    Up {
        trigger: ShutdownTrigger,
        tasks: JoinSet<()>,
    },
    Down {
        _reserved: TcpSocket,
    },
    /// The port could not be reserved.
    Gone,
}

impl HttpTarget {
    /// Starts a target that answers 204 to everything.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub async fn start() -> io::Result<Self> {
        let target = Self::down()?;
        target.start_again().await?;
        Ok(target)
    }

    /// A target that refuses connections until [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn down() -> io::Result<Self> {
        let reserved = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        let script = Script {
            queue: Mutex::default(),
            respond: Mutex::new(Arc::new(|_request| Answer::status(StatusCode::NO_CONTENT))),
            keeps_requests: AtomicBool::new(true),
            requests: watch::Sender::default(),
        };
        let address = reserved.local_addr()?;
        Ok(Self {
            address,
            script: Arc::new(script),
            state: Mutex::new(TargetState::Down { _reserved: reserved }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives the next request without an answer of its own this one; further calls queue up.
    pub fn answer_next(&self, answer: Answer) {
        self.script.queue().push_back(answer);
    }

    /// Answers every request that finds no queued answer.
    pub fn answer_with(&self, respond: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) {
        *self.script.respond() = Arc::new(respond);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.script.requests.borrow().clone()
    }

    /// Forgets the requests so far.
    pub fn take_requests(&self) -> Vec<Recorded> {
        self.script.requests.send_replace(Vec::new())
    }

    /// Keeps no requests from now on, for a load that would fill the memory.
    pub fn keep_no_requests(&self) {
        self.script.keeps_requests.store(false, Ordering::Relaxed);
        self.take_requests();
    }

    /// Waits until there are at least `count` requests, and gives all of them.
    ///
    /// # Errors
    /// When there are fewer after `within`.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Result<Vec<Recorded>, TooFewRequests> {
        let mut requests = self.script.requests.subscribe();
        if let Ok(Ok(requests)) = timeout(within, requests.wait_for(|all| all.len() >= count)).await {
            return Ok(requests.clone());
        }
        Err(TooFewRequests { requests: self.requests(), within })
    }

    /// Ends all connections and refuses new ones.
    ///
    /// # Errors
    /// When the port cannot be kept for [`start_again`](Self::start_again).
    pub async fn stop(&self) -> io::Result<()> {
        let before = std::mem::replace(&mut *self.state(), TargetState::Gone);
        if let TargetState::Up { trigger, mut tasks } = before {
            trigger.request();
            while tasks.join_next().await.is_some() {}
        }
        let reserved = reserve_again(self.address).await?;
        *self.state() = TargetState::Down { _reserved: reserved };
        Ok(())
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// When another process has taken the port.
    #[expect(clippy::unused_async, reason = "listening needs a runtime")]
    pub async fn start_again(&self) -> io::Result<()> {
        let mut state = self.state();
        let socket = match std::mem::replace(&mut *state, TargetState::Gone) {
            up @ TargetState::Up { .. } => {
                *state = up;
                return Ok(());
            }
            TargetState::Down { _reserved: reserved } => reserved,
            TargetState::Gone => bound(self.address)?,
        };
        let listener = socket.listen(1024)?;
        let trigger = ShutdownTrigger::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::until(trigger.shutdown(), listener, Arc::clone(&self.script)));
        *state = TargetState::Up { trigger, tasks };
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, TargetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Chooses the answer and records the request with it.
    fn handle(&self, mut request: Recorded) -> Answer {
        let queued = self.queue().pop_front();
        let answer = queued.unwrap_or_else(|| {
            let respond = Arc::clone(&*self.respond());
            respond(&request)
        });
        request.status = answer.whole_status();
        if self.keeps_requests.load(Ordering::Relaxed) {
            self.requests.send_modify(|requests| requests.push(request));
        }
        answer
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self) -> MutexGuard<'_, Respond> {
        self.respond.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query without the question mark, as sent; empty when there is none.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// A header as text; `None` when it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text, with replacement characters where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Reserves the address of a listener that was just closed.
async fn reserve_again(address: SocketAddr) -> io::Result<TcpSocket> {
    let deadline = Instant::now() + RESERVE_WITHIN;
    loop {
        match bound(address) {
            // A process that is being started has copies of all our sockets until it runs its own program. Tests
            // that start servers run beside this one, so the old listener may live on for a moment.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(RESERVE_EVERY).await;
            }
            result => return result,
        }
    }
}
