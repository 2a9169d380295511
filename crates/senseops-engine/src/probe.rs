//! Trying every server and target of a plan without running it.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use senseops_core::{BoxError, BuildError};
use tokio::time::timeout;

use crate::common::Common;
use crate::contained::{built, contained_async, told};
use crate::opening::open_journal;
use crate::plan::{Plan, Specs};

/// How many components are tried at the same time.
const AT_ONCE: usize = 32;
/// The longest that one may take.
const LONGEST: Duration = Duration::from_secs(15);

/// What came of trying one component.
#[derive(Debug)]
pub struct Probe {
    /// Which one, such as `sources.healthcheck.qlik.server1`.
    pub component: String,
    /// What came of it.
    pub outcome: ProbeOutcome,
}

/// What came of trying a component.
#[derive(Debug)]
pub enum ProbeOutcome {
    /// It works; this answered.
    Answered(String),
    /// It could be opened, and there is nothing to connect to.
    NothingToTry,
    /// It cannot be opened.
    Closed(BuildError),
    /// It could be opened, and what it connects to does not answer as it should.
    Failed(BoxError),
}

impl Plan {
    /// Opens every component and tries what it connects to, without emitting or writing an event.
    pub async fn probe(self) -> Vec<Probe> {
        let Self { program: _, settings, shared: _, sources, relays, sinks } = self;
        let specs = Specs { sources, relays, sinks };
        let journal = match open_journal(&settings.journal()).await {
            Ok((_, None)) => None,
            Ok((_, Some(_writer))) => Some(ProbeOutcome::Answered("the journal can be used".into())),
            Err(error) => Some(ProbeOutcome::Closed(error.source)),
        };
        let journal = journal.map(|outcome| Probe { component: "pipeline.journal".into(), outcome });
        let common = Common::default();
        let mut probes = Vec::new();
        for spec in &specs.sources {
            for (name, planned) in spec.named() {
                let build = common.build("sources", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(mut source) => tried(source.probe()).await,
                        Err(error) => ProbeOutcome::Closed(error),
                    }
                };
                probes.push(named(format!("sources.{name}"), outcome).boxed());
            }
        }
        for spec in &specs.relays {
            for (name, planned) in spec.named() {
                let build = common.build("relays", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(_relay) => ProbeOutcome::NothingToTry,
                        Err(error) => ProbeOutcome::Closed(error),
                    }
                };
                probes.push(named(format!("relays.{name}"), outcome).boxed());
            }
        }
        for spec in &specs.sinks {
            for (name, planned) in spec.named() {
                let build = common.build("sinks", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(sink) => tried(sink.probe()).await,
                        Err(error) => ProbeOutcome::Closed(error),
                    }
                };
                probes.push(named(format!("sinks.{name}"), outcome).boxed());
            }
        }
        stream::iter(journal).chain(stream::iter(probes).buffered(AT_ONCE)).collect().await
    }
}

async fn named(component: String, outcome: impl Future<Output = ProbeOutcome>) -> Probe {
    Probe { component, outcome: outcome.await }
}

async fn tried(work: impl Future<Output = Result<Option<String>, BoxError>>) -> ProbeOutcome {
    let work = contained_async(async { work.await.map_err(|error| told(&*error)) });
    match timeout(LONGEST, work).await {
        Ok(Ok(Ok(Some(answer)))) => ProbeOutcome::Answered(answer),
        Ok(Ok(Ok(None))) => ProbeOutcome::NothingToTry,
        Ok(Ok(Err(error)) | Err(error)) => ProbeOutcome::Failed(error.into()),
        Err(_elapsed) => ProbeOutcome::Failed(format!("no answer within {LONGEST:?}").into()),
    }
}
