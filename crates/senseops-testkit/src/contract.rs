//! What the contract suites share: scenarios, verdicts, and the report.

use std::any::Any;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use senseops_core::{Event, Kind};
use tokio::time::timeout;

/// The longest that one scenario may take; each wait in it is far shorter.
const SCENARIO_WITHIN: Duration = Duration::from_mins(10);

/// How many numbers a message shows.
const SHOWN: usize = 8;

/// The contract is kept. Says what was tried; the suites print it too, for `cargo test -- --nocapture`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The scenarios that passed.
    pub passed: Vec<&'static str>,
    /// The scenarios that could not be tried.
    pub skipped: Vec<Skipped>,
}

/// A scenario that could not be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub scenario: &'static str,
    /// What the harness cannot bring about.
    pub why: String,
}

/// The contract is broken. `Debug` and `Display` show the same readable report, for tests that just unwrap.
#[derive(Clone, PartialEq, Eq)]
pub struct Broken {
    /// The scenarios that failed, each with what was seen.
    pub failures: Vec<(&'static str, String)>,
}

/// Why a scenario ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The harness cannot bring it about, for this reason.
    Unsupported(String),
    /// The contract is broken, in this way.
    Broken(String),
}

/// Shows the first few of the numbers, and how many more there are.
pub(crate) struct Few<'a>(pub(crate) &'a [u64]);

/// What a scenario found.
pub(crate) type Verdict<T = ()> = Result<T, Stop>;

/// Runs scenarios one after the other and collects their verdicts.
#[derive(Debug)]
pub(crate) struct Run {
    kept: Kept,
    broken: Broken,
    /// How many scenarios had a verdict when the group began.
    group_began: usize,
}

impl Run {
    pub(crate) fn new() -> Self {
        let (kept, broken) = (Kept { passed: vec![], skipped: vec![] }, Broken { failures: vec![] });
        Self { kept, broken, group_began: 0 }
    }

    /// Runs one. Gives whether the contract was kept so far.
    pub(crate) async fn scenario(
        &mut self,
        name: &'static str,
        scenario: impl Future<Output = Verdict>,
    ) -> bool {
        // On the heap: a dozen scenarios in one future would be too large for a stack.
        let scenario = Box::pin(timeout(SCENARIO_WITHIN, scenario));
        match caught(scenario).await {
            Ok(Ok(Ok(()))) => self.kept.passed.push(name),
            Ok(Ok(Err(Stop::Unsupported(why)))) => self.kept.skipped.push(Skipped { scenario: name, why }),
            Ok(Ok(Err(Stop::Broken(message)))) => self.broken.failures.push((name, message)),
            Ok(Err(_elapsed)) => {
                self.broken.failures.push((name, format!("did not end within {SCENARIO_WITHIN:?}")));
            }
            Err(panic) => self.broken.failures.push((name, format!("panicked: {panic}"))),
        }
        self.broken.failures.is_empty()
    }

    /// What comes now is a group.
    pub(crate) fn begin_group(&mut self) {
        self.group_began = self.tried();
    }

    /// Ends a group of scenarios, of which something must have been tried: a suite that skips all of it says nothing
    /// about it. `waived` is why nothing can be.
    pub(crate) fn end_group(&mut self, name: &'static str, waived: Option<&'static str>) {
        if self.tried() == self.group_began && waived.is_none() {
            let advice = "nothing of it was tried: let the harness `behave`, or say in `cannot_fail` why nothing can fail";
            self.broken.failures.push((name, advice.to_owned()));
        }
        self.begin_group();
    }

    fn tried(&self) -> usize {
        self.kept.passed.len() + self.broken.failures.len()
    }

    #[expect(clippy::print_stdout, reason = "what was tried and what was not is for the reader of a test")]
    pub(crate) fn result(self) -> Result<Kept, Broken> {
        if !self.broken.failures.is_empty() {
            return Err(self.broken);
        }
        println!("{}", self.kept);
        Ok(self.kept)
    }
}

impl Kept {
    /// The names of the scenarios that could not be tried.
    pub fn untried(&self) -> Vec<&'static str> {
        self.skipped.iter().map(|skipped| skipped.scenario).collect()
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the contract is kept: {}", self.passed.join(", "))?;
        for Skipped { scenario, why } in &self.skipped {
            write!(f, "\n  not tried: {scenario}, because {why}")?;
        }
        Ok(())
    }
}

impl Broken {
    /// The names of the scenarios that failed.
    pub fn scenarios(&self) -> Vec<&'static str> {
        self.failures.iter().map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the contract is broken")?;
        for (scenario, message) in &self.failures {
            write!(f, "\n  {scenario}: {message}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Broken {}

impl fmt::Display for Few<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(u64::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 if shown.is_empty() => f.write_str("(none)"),
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A broken contract, for `return Err(broken(…))` and `map_err`.
pub(crate) fn broken(message: impl Into<String>) -> Stop {
    Stop::Broken(message.into())
}

/// Goes on only if `kept`.
pub(crate) fn ensure(kept: bool, message: impl FnOnce() -> String) -> Verdict {
    if kept { Ok(()) } else { Err(broken(message())) }
}

/// Goes on only if every target could make something of the events.
pub(crate) fn ensure_well_formed(events: &[Event]) -> Verdict {
    for event in events {
        ensure(is_dotted_name(event.kind), || {
            format!("a kind is lower-case words with dots between, not {:?}", event.kind.as_str())
        })?;
        ensure_unique_names(event)?;
    }
    Ok(())
}

/// Goes on only if events with the same labels share them.
pub(crate) fn ensure_shared_labels(events: &[Event]) -> Verdict {
    for (index, event) in events.iter().enumerate() {
        let alike = events.iter().take(index).find(|earlier| earlier.labels == event.labels);
        ensure(alike.is_none_or(|earlier| Arc::ptr_eq(&earlier.labels, &event.labels)), || {
            format!("the labels {{{}}} were made anew for an event; share one `Arc`", event.labels)
        })?;
    }
    Ok(())
}

/// Goes on only if the harness could do what it was asked.
pub(crate) fn supported(could: bool, why_not: impl FnOnce() -> String) -> Verdict {
    if could { Ok(()) } else { Err(Stop::Unsupported(why_not())) }
}

/// Runs `work`; a panic becomes an error with its message.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(message_of(&*panic))),
    })
    .await
}

/// Waits for what a plugin does. One that panics or takes longer breaks the contract.
pub(crate) async fn in_time<T>(what: &str, within: Duration, work: impl Future<Output = T>) -> Verdict<T> {
    match timeout(within, caught(work)).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(panic)) => Err(broken(format!("{what} panicked: {panic}"))),
        Err(_elapsed) => Err(broken(format!("{what} did not return within {within:?}"))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

fn is_dotted_name(kind: Kind) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    kind.as_str().split('.').all(is_word)
}

fn ensure_unique_names(event: &Event) -> Verdict {
    let mut seen = BTreeSet::new();
    let twice = event.fields().iter().map(|(name, _)| name).find(|name| !seen.insert((*name).clone()));
    ensure(twice.is_none(), || format!("an event of kind {} has two fields {twice:?}", event.kind))
}
