//! Reading the configuration anew while the pipeline runs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use senseops_config::{Loaded, Problem, Registry};
use senseops_core::BuildError;
use senseops_engine::{Handle, ReloadError};
use senseops_web::{Control, ReloadReport, WebConfig};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::front::Front;
use super::service::{News, tell};
use super::watch::Watch;
use super::{load, problems_of, web_problem};
use crate::cli::args;
use crate::cli::signals::{self, Hangups};

/// How many may wait for a reload; who asks beyond waits until there is room.
const REQUESTS: usize = 4;

/// Who asks, and wants to know how it went.
type Request = oneshot::Sender<Result<ReloadReport, String>>;

/// Asks for a reload over HTTP.
pub(super) struct Requests(mpsc::Sender<Request>);

/// Everything that a reload needs, and everything that asks for one.
pub(super) struct Reloads {
    registry: Registry,
    files: args::Files,
    handle: Handle,
    front: Front,
    requests: mpsc::Receiver<Request>,
    hangups: Hangups,
    watch: Option<Watch>,
}

#[async_trait]
impl Control for Requests {
    async fn reload(&self) -> Result<ReloadReport, String> {
        let stopping = "the program is about to stop";
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_ended| stopping.to_owned())?;
        answered.await.map_err(|_ended| stopping.to_owned())?
    }
}

impl Reloads {
    pub(super) fn new(
        registry: &Registry,
        args: &args::Run,
        handle: Handle,
        watch: Option<Watch>,
    ) -> io::Result<Self> {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let front = Front::new(handle.clone(), Arc::new(Requests(sender)));
        let (registry, files) = (registry.clone(), args.files.clone());
        Ok(Self { registry, files, handle, front, requests, hangups: signals::hangups()?, watch })
    }

    /// Opens the listener for the first time.
    pub(super) async fn open_front(&mut self, web: Option<&WebConfig>) -> Result<(), BuildError> {
        let change = self.front.prepare(web).await?;
        self.front.apply(change).await
    }

    /// Closes the listener.
    pub(super) async fn end(self) {
        self.front.end().await;
    }

    /// Reloads whenever somebody asks for it, until `stop` resolves. A reload that has begun is given up then.
    pub(super) async fn until(&mut self, mut stop: Pin<&mut impl Future<Output = ()>>) {
        loop {
            let request = tokio::select! {
                () = &mut stop => break,
                request = self.asked() => request,
            };
            tell(&News::Reloading);
            let result = tokio::select! {
                () = &mut stop => break,
                result = self.reload() => result,
            };
            tell(&News::Ready);
            if result.is_err() {
                warn!("configuration not reloaded, everything goes on as before");
            }
            if let Some(request) = request {
                // Whoever asked may have gone.
                let _unheard = request.send(result);
            }
        }
        tell(&News::Stopping);
    }

    /// Returns when somebody asks.
    async fn asked(&mut self) -> Option<Request> {
        let changed = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.hangups.next() => None,
            () = changed => None,
            Some(request) = self.requests.recv() => Some(request),
        }
    }

    /// Runs what the files say now. The error is what is wrong with it, which is logged too.
    async fn reload(&mut self) -> Result<ReloadReport, String> {
        let (registry, files) = (self.registry.clone(), self.files.clone());
        let loaded = spawn_blocking(move || load(&registry, &files)).await;
        let loaded = match loaded {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(problems)) => {
                for problem in &problems {
                    warn!(%problem, "configuration");
                }
                return Err(format!("{problems:#}"));
            }
            Err(panicked) => return Err(panicked.to_string()),
        };
        let web = loaded.section::<WebConfig>().cloned();
        let Loaded { plan, warnings, locator, .. } = loaded;
        let change = match self.front.prepare(web.as_ref()).await {
            Ok(change) => change,
            Err(error) => return Err(logged(&[web_problem(&locator, &error)])),
        };
        let reloaded = match self.handle.reload(plan).await {
            Ok(reloaded) => reloaded,
            Err(ReloadError::Open(error)) => return Err(logged(&problems_of(&locator, &error))),
            Err(error @ ReloadError::Ended) => return Err(error.to_string()),
        };
        let mut warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        if let Err(error) = self.front.apply(change).await {
            warnings.push(web_problem(&locator, &error).to_string());
        }
        for warning in &warnings {
            warn!(%warning, "configuration");
        }
        let mut report = ReloadReport::from(reloaded);
        report.warnings.extend(warnings);
        Ok(report)
    }
}

/// Logs each problem, and gives all of them with the lines that they are about.
fn logged(problems: &[Problem]) -> String {
    for problem in problems {
        warn!(%problem, "configuration");
    }
    problems.iter().map(|problem| format!("{problem:#}")).collect::<Vec<_>>().join("\n")
}
