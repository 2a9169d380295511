//! A source, its origin, and the part of the engine that runs it.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use senseops_core::{Condition, Source, chain};
use tokio::time::{Instant, interval, sleep, timeout};

use super::{Keeps, OriginBehaviour, SourceHarness};
use crate::contract::{Few, Verdict, broken, caught, ensure, in_time, supported};
use crate::{TestContext, context};

/// The longest that a source may take to emit, to be built, or to notice how its origin is, on a machine that is busy
/// with other things.
pub(super) const WITHIN: Duration = Duration::from_mins(1);

/// The longest that a source may take to stop, on such a machine. The engine gives it as long by default.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long the suite waits for something that should not happen.
pub(super) const A_WHILE: Duration = Duration::from_millis(200);

/// How often an origin that keeps nothing is provoked until the source is there.
const PROVOKE_EVERY: Duration = Duration::from_millis(20);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One origin and what a source for it is run with.
pub(super) struct Stage<'h, H: SourceHarness> {
    harness: &'h H,
    pub(super) origin: H::Origin,
    pub(super) test: TestContext,
    provoked: Mutex<BTreeSet<u64>>,
}

impl<'h, H: SourceHarness> Stage<'h, H> {
    pub(super) async fn open(harness: &'h H) -> Self {
        Self {
            harness,
            origin: harness.origin().await,
            test: context("contract"),
            provoked: Mutex::default(),
        }
    }

    /// The same origin, sockets and tables, with a new collector and a new trigger.
    pub(super) fn again(self) -> Self {
        Self { test: self.test.again(), ..self }
    }

    /// Builds a source for the origin.
    pub(super) async fn source(&self) -> Verdict<Box<dyn Source>> {
        let built = self.harness.source(&self.origin, self.test.cx.build.clone());
        let built = in_time("build", WITHIN, built).await?;
        built.map_err(|error| broken(format!("the source cannot be built: {}", chain(&*error))))
    }

    /// Builds a source, runs it while `script` goes on, stops it, and looks at all that it emitted.
    pub(super) async fn run(&self, script: impl Future<Output = Verdict>) -> Verdict {
        let mut source = self.source().await?;
        let running = caught(source.run(self.test.cx.clone()));
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => return Err(broken(match ended {
                Ok(Ok(())) => "the source ended although no stop was requested".into(),
                Ok(Err(error)) => format!("the source ended with an error: {}", chain(&error)),
                Err(panic) => format!("the source panicked: {panic}"),
            })),
            result = script => result?,
        }
        self.test.trigger.request();
        match timeout(STOP_WITHIN, running).await {
            Ok(Ok(Ok(()))) => self.ensure_nothing_invented(),
            Ok(Ok(Err(error))) => {
                Err(broken(format!("asked to stop, the source returned an error: {}", chain(&error))))
            }
            Ok(Err(panic)) => Err(broken(format!("asked to stop, the source panicked: {panic}"))),
            Err(_elapsed) => Err(broken(format!("the source did not stop within {STOP_WITHIN:?}"))),
        }
    }

    /// Provokes the events one after the other, and waits for each.
    pub(super) async fn expect_each(&self, numbers: RangeInclusive<u64>) -> Verdict {
        for number in numbers {
            self.provoke_until_told(number).await?;
        }
        Ok(())
    }

    /// Provokes the event and waits for it. An origin that keeps nothing does not know when somebody listens, so it is
    /// provoked again and again.
    async fn provoke_until_told(&self, number: u64) -> Verdict {
        self.provoke(number).await;
        if self.harness.keeps() != Keeps::Nothing {
            return self.expect(number).await;
        }
        let mut again = interval(PROVOKE_EVERY);
        let provoking = async {
            loop {
                again.tick().await;
                self.provoke(number).await;
            }
        };
        tokio::select! {
            told = self.expect(number) => told,
            never = provoking => never,
        }
    }

    pub(super) async fn provoke(&self, number: u64) {
        self.provoked.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        self.harness.provoke(&self.origin, number).await;
    }

    /// Waits until the event of this number is there.
    pub(super) async fn expect(&self, number: u64) -> Verdict {
        let told = self.test.collector.wait_until(
            |events| events.iter().any(|event| self.harness.number(event) == Some(number)),
            WITHIN,
        );
        match told.await {
            Ok(_events) => Ok(()),
            Err(_too_few) => Err(broken(format!(
                "the origin brought about event {number}, but the source did not emit it within {WITHIN:?}; \
                 it emitted {}",
                Few(&self.told())
            ))),
        }
    }

    /// The numbers that the source has told since it was built.
    pub(super) fn told(&self) -> Vec<u64> {
        let events = self.test.collector.events();
        events.iter().filter_map(|event| self.harness.number(event)).filter(|number| *number > 0).collect()
    }

    /// Makes the origin behave so, or ends the scenario.
    pub(super) async fn behave(&self, behaviour: OriginBehaviour) -> Verdict {
        let can = self.harness.behave(&self.origin, behaviour).await;
        supported(can, || format!("the harness cannot do `{behaviour:?}`"))
    }

    /// What the origin has for a source that comes late.
    pub(super) fn keeps(&self) -> Keeps {
        self.harness.keeps()
    }

    /// Waits until the source says that it is failing, and why.
    pub(super) async fn expect_failing(&self) -> Verdict {
        self.expect_condition(
            "failing",
            |condition| matches!(condition, Condition::Failing(reason) if !reason.trim().is_empty()),
        )
        .await
    }

    /// Waits until the source no longer says that it is failing.
    pub(super) async fn expect_recovered(&self) -> Verdict {
        self.expect_condition("ok again", |condition| !matches!(condition, Condition::Failing(_))).await
    }

    async fn expect_condition(&self, wanted: &str, is_so: impl Fn(&Condition) -> bool) -> Verdict {
        let deadline = Instant::now() + WITHIN;
        loop {
            let condition = self.test.cx.health.condition();
            if is_so(&condition) {
                return Ok(());
            }
            ensure(Instant::now() < deadline, || {
                format!("health should be {wanted} within {WITHIN:?}, but it is {condition:?}")
            })?;
            sleep(LOOK_EVERY).await;
        }
    }

    fn ensure_nothing_invented(&self) -> Verdict {
        let provoked = self.provoked.lock().unwrap_or_else(PoisonError::into_inner);
        let invented = self.told().into_iter().find(|number| !provoked.contains(number));
        ensure(invented.is_none(), || {
            format!("the source told of event {}, which nobody provoked", invented.unwrap_or_default())
        })
    }
}
