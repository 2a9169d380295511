//! The harness for sinks that write over HTTP.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use senseops_core::{BoxError, Event, Sink};

use super::{SinkHarness, TargetBehaviour, sink_contract};
use crate::contract::{Broken, Kept};
use crate::{Answer, HttpTarget, Recorded, sample};

/// How the suite gets at a sink that writes over HTTP. Two methods are enough when the target answers with the usual
/// statuses.
#[async_trait]
pub trait HttpSinkHarness: Send + Sync + 'static {
    /// Builds a sink that writes to the target at this URL (`http://127.0.0.1:port`), as its factory would. Keep no
    /// other reference to the sink.
    ///
    /// # Errors
    /// When it cannot be built. A target that is down is no reason.
    async fn sink(&self, url: &str) -> Result<Arc<dyn Sink>, BoxError>;

    /// The numbers of the events in the body of a request, in their order; empty for a request that is no write.
    fn numbers(&self, request: &Recorded) -> Vec<u64>;

    /// What the target answers to a write. By default 204, 503 with `Retry-After`, 400, 413 and 401.
    fn answer(&self, ruling: &Ruling) -> Answer {
        ruling.usual_answer()
    }

    /// What the target answers to a request that is no write, such as the creation of a database. By default 204.
    fn answer_aside(&self, _request: &Recorded) -> Answer {
        Answer::no_content()
    }

    /// Whether the target stores the other events of a write of which it refuses some. By default it stores none.
    fn stores_the_rest(&self) -> bool {
        false
    }

    /// See [`SinkHarness::event`].
    fn event(&self, number: u64) -> Event {
        sample::event(number)
    }
}

/// What a target decides about a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// All of it is stored.
    Stored,
    /// None of it is stored; it may come again.
    Busy {
        /// Not before this time has passed.
        retry_after: Option<Duration>,
    },
    /// The events of these numbers are refused for good.
    Refused(Vec<u64>),
    /// There are too many events in it.
    TooLarge,
    /// The sender may not write.
    Denied,
}

/// Runs a sink that writes over HTTP through the contract, against a scripted target.
///
/// # Errors
/// The scenarios that failed. `.unwrap()` in a test shows them one per line.
pub async fn http_sink_contract(harness: impl HttpSinkHarness) -> Result<Kept, Broken> {
    sink_contract(&OverHttp(Arc::new(harness))).await
}

struct OverHttp<H>(Arc<H>);

/// A scripted target and what it would have in its store.
struct Store {
    http: HttpTarget,
    content: Arc<Mutex<Content>>,
}

struct Content {
    behaviour: TargetBehaviour,
    stored: Vec<u64>,
    offered: Vec<u64>,
}

impl Ruling {
    /// What most targets answer: 204, 503 with `Retry-After`, 400, 413 or 401.
    pub fn usual_answer(&self) -> Answer {
        match self {
            Self::Stored => Answer::no_content(),
            Self::Busy { retry_after } => {
                let busy = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
                match retry_after {
                    Some(pause) => busy.retry_after(*pause),
                    None => busy,
                }
            }
            Self::Refused(numbers) => {
                Answer::status(StatusCode::BAD_REQUEST).body(format!("refused: {numbers:?}"))
            }
            Self::TooLarge => Answer::status(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Denied => Answer::status(StatusCode::UNAUTHORIZED),
        }
    }
}

#[async_trait]
impl<H: HttpSinkHarness> SinkHarness for OverHttp<H> {
    type Target = Store;

    #[expect(clippy::expect_used, reason = "a test without a loopback port cannot go on")]
    async fn target(&self) -> Store {
        let http = HttpTarget::start().await.expect("a loopback port");
        let content = Content { behaviour: TargetBehaviour::Accept, stored: vec![], offered: vec![] };
        let content = Arc::new(Mutex::new(content));
        let (harness, shared) = (Arc::clone(&self.0), Arc::clone(&content));
        http.answer_with(move |request| {
            let numbers = harness.numbers(request);
            if numbers.is_empty() {
                harness.answer_aside(request)
            } else {
                lock(&shared).take(&numbers, &*harness)
            }
        });
        Store { http, content }
    }

    async fn sink(&self, store: &Store) -> Result<Arc<dyn Sink>, BoxError> {
        self.0.sink(&store.http.url()).await
    }

    async fn stored(&self, store: &Store) -> Vec<u64> {
        lock(&store.content).stored.clone()
    }

    #[expect(clippy::expect_used, reason = "a test that lost its port cannot go on, and must not skip")]
    async fn behave(&self, store: &Store, behaviour: TargetBehaviour) -> bool {
        let down = behaviour == TargetBehaviour::Down;
        lock(&store.content).behaviour = behaviour;
        let changed = if down { store.http.stop().await } else { store.http.start_again().await };
        changed.expect("the port of the target");
        true
    }

    async fn offered(&self, store: &Store) -> Option<Vec<u64>> {
        Some(lock(&store.content).offered.clone())
    }

    fn event(&self, number: u64) -> Event {
        self.0.event(number)
    }
}

impl Content {
    fn take(&mut self, numbers: &[u64], harness: &impl HttpSinkHarness) -> Answer {
        self.offered.extend(numbers);
        let ruling = match &self.behaviour {
            TargetBehaviour::Hang => return Answer::hang(),
            TargetBehaviour::LoseWrites => return Answer::reset(),
            TargetBehaviour::LoseAnswers => {
                self.stored.extend(numbers);
                return Answer::reset();
            }
            TargetBehaviour::Busy { retry_after } => Ruling::Busy { retry_after: *retry_after },
            TargetBehaviour::RefuseAll => Ruling::Refused(numbers.to_vec()),
            TargetBehaviour::RefuseSome(refused) => {
                let refused: Vec<u64> = numbers.iter().filter(|n| refused.contains(n)).copied().collect();
                if refused.is_empty() { Ruling::Stored } else { Ruling::Refused(refused) }
            }
            TargetBehaviour::AtMost(events) if numbers.len() > *events => Ruling::TooLarge,
            TargetBehaviour::Accept | TargetBehaviour::AtMost(_) => Ruling::Stored,
            TargetBehaviour::Deny => Ruling::Denied,
            // A request that had arrived before the target went down.
            TargetBehaviour::Down => Ruling::Busy { retry_after: None },
        };
        match &ruling {
            Ruling::Stored => self.stored.extend(numbers),
            Ruling::Refused(refused) if harness.stores_the_rest() => {
                let refused: BTreeSet<u64> = refused.iter().copied().collect();
                self.stored.extend(numbers.iter().filter(|number| !refused.contains(number)));
            }
            Ruling::Busy { .. } | Ruling::Refused(_) | Ruling::TooLarge | Ruling::Denied => {}
        }
        harness.answer(&ruling)
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}
