//! Trying every server and target of a plan without running it.

mod held;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use senseops_core::{BoxError, Build, BuildError, Leases};
use tokio::time::timeout;

use crate::common::Common;
use crate::contained::{built, contained_async, told};
use crate::directories;
use crate::plan::{ComponentError, Plan, Specs, path};
pub use held::Held;
use held::{AnyPort, Asked};

/// How many components are tried at the same time.
const AT_ONCE: usize = 32;
/// The longest that one may take.
const LONGEST: Duration = Duration::from_secs(15);

/// What came of trying one component.
#[derive(Debug)]
pub struct Probe {
    /// Which one, such as `sources.healthcheck.qlik.server1`.
    pub component: String,
    /// The table of the configuration that it comes from, such as `sources.healthcheck.qlik`. Keys of errors are below it.
    pub table: String,
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
    /// It cannot be opened, since another process has what it needs: maybe the pipeline itself, which runs already.
    Held(Held, BuildError),
    /// It cannot be opened.
    Closed(BuildError),
    /// It could be opened, and what it connects to does not answer as it should.
    Failed(BoxError),
}

impl Plan {
    /// Builds every component, to find out whether what it reads is here and of use: secrets, certificates, keys. Looks
    /// too whether the directories could be used. Asks no server, creates nothing, and takes no port from whoever has it.
    pub async fn inspect(&self) -> Vec<ComponentError> {
        let mut attempts: Vec<BoxFuture<'_, Option<ComponentError>>> = Vec::new();
        let common = Common::default();
        let asked = Asked::default();
        let elsewhere = |role: &str, name: &str| {
            let lease = AnyPort { component: path(role, name), asked: Arc::clone(&asked) };
            Build { leases: Leases::new(lease), ..common.build(role, name, None) }
        };
        for spec in &self.sources {
            for (name, planned) in spec.named() {
                let build = elsewhere("sources", &name);
                let attempt = built(planned.factory.build(build)).map(Result::err);
                attempts.push(of_table(format!("sources.{}", spec.name), attempt).boxed());
            }
        }
        for spec in &self.relays {
            for (name, planned) in spec.named() {
                let build = elsewhere("relays", &name);
                let attempt = built(planned.factory.build(build)).map(Result::err);
                attempts.push(of_table(format!("relays.{}", spec.name), attempt).boxed());
            }
        }
        for spec in &self.sinks {
            for (name, planned) in spec.named() {
                let build = elsewhere("sinks", &name);
                let attempt = built(planned.factory.build(build)).map(Result::err);
                attempts.push(of_table(format!("sinks.{}", spec.name), attempt).boxed());
            }
        }
        let mut errors = directories::unusable(&self.settings).await;
        errors.extend(
            stream::iter(attempts).buffered(AT_ONCE).filter_map(std::future::ready).collect::<Vec<_>>().await,
        );
        errors
    }

    /// Opens every component and tries what it connects to, without emitting or writing an event.
    pub async fn probe(self) -> Vec<Probe> {
        let Self { program: _, settings, shared: _, sources, relays, sinks } = self;
        let specs = Specs { sources, relays, sinks };
        let directories = directories::probe(&settings).await;
        let common = Common::default();
        let mut probes = Vec::new();
        for spec in &specs.sources {
            for (name, planned) in spec.named() {
                let build = common.build("sources", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(mut source) => tried(source.probe()).await,
                        Err(error) => held::outcome(error),
                    }
                };
                probes.push(named("sources", &spec.name, name, outcome).boxed());
            }
        }
        for spec in &specs.relays {
            for (name, planned) in spec.named() {
                let build = common.build("relays", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(_relay) => ProbeOutcome::NothingToTry,
                        Err(error) => held::outcome(error),
                    }
                };
                probes.push(named("relays", &spec.name, name, outcome).boxed());
            }
        }
        for spec in &specs.sinks {
            for (name, planned) in spec.named() {
                let build = common.build("sinks", &name, None);
                let outcome = async move {
                    match built(planned.factory.build(build)).await {
                        Ok(sink) => tried(sink.probe()).await,
                        Err(error) => held::outcome(error),
                    }
                };
                probes.push(named("sinks", &spec.name, name, outcome).boxed());
            }
        }
        stream::iter(directories).chain(stream::iter(probes).buffered(AT_ONCE)).collect().await
    }
}

async fn of_table(
    component: String,
    attempt: impl Future<Output = Option<BuildError>>,
) -> Option<ComponentError> {
    attempt.await.map(|source| ComponentError { component, source })
}

async fn named(role: &str, table: &str, name: String, outcome: impl Future<Output = ProbeOutcome>) -> Probe {
    Probe { component: format!("{role}.{name}"), table: format!("{role}.{table}"), outcome: outcome.await }
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
