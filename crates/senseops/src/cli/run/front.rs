//! The HTTP listener of the program, which may move while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::BuildError;
use senseops_core::host::ShutdownTrigger;
use senseops_engine::Handle;
use senseops_web::{Control, Web, WebConfig};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::info;

/// How long an address may take to be free again after its listener was stopped.
const HANDOVER: Duration = Duration::from_secs(2);

/// The pause between two attempts to take over an address.
const HANDOVER_PAUSE: Duration = Duration::from_millis(10);

/// The listener, if the configuration asks for one.
pub(super) struct Front {
    handle: Handle,
    control: Arc<dyn Control>,
    open: Option<Open>,
    /// Listeners that serve, and those that are ending.
    listeners: JoinSet<()>,
}

struct Open {
    config: WebConfig,
    stop: ShutdownTrigger,
}

/// What a new configuration makes of the listener. Nothing has changed yet.
pub(super) enum Change {
    Nothing,
    Close,
    /// Opened beside the old one.
    Move(WebConfig, Box<Web>),
    /// Opened, but at an address of its own as long as the old one listens at this one.
    TakeOver(WebConfig, Box<Web>),
}

impl Front {
    pub(super) fn new(handle: Handle, control: Arc<dyn Control>) -> Self {
        Self { handle, control, open: None, listeners: JoinSet::new() }
    }

    /// Opens what is needed for this configuration.
    pub(super) async fn prepare(&self, config: Option<&WebConfig>) -> Result<Change, BuildError> {
        let before = self.open.as_ref().map(|open| &open.config);
        match (before, config) {
            (None, None) => Ok(Change::Nothing),
            (Some(_), None) => Ok(Change::Close),
            (Some(before), Some(config)) if before == config => Ok(Change::Nothing),
            (Some(before), Some(config)) if before.listen == config.listen => {
                let elsewhere = SocketAddr::new(config.listen.ip(), 0);
                let web = Web::bind(&WebConfig { listen: elsewhere, ..config.clone() }).await?;
                Ok(Change::TakeOver(config.clone(), Box::new(web)))
            }
            (_, Some(config)) => Ok(Change::Move(config.clone(), Box::new(Web::bind(config).await?))),
        }
    }

    /// Makes the change.
    pub(super) async fn apply(&mut self, change: Change) -> Result<(), BuildError> {
        match change {
            Change::Nothing => {}
            Change::Close => self.close(),
            Change::Move(config, web) => {
                self.close();
                self.serve(config, *web);
            }
            Change::TakeOver(config, mut web) => {
                self.close();
                take_over(&mut web, config.listen).await?;
                self.serve(config, *web);
            }
        }
        Ok(())
    }

    /// Stops listening, and waits for what is being answered.
    pub(super) async fn end(mut self) {
        self.close();
        while self.listeners.join_next().await.is_some() {}
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.stop.request();
        }
    }

    fn serve(&mut self, config: WebConfig, web: Web) {
        let stop = ShutdownTrigger::default();
        info!(address = %web.local_addr(), tls = config.tls.is_some(), token = config.token.is_some(), "listening for http");
        self.listeners.spawn(web.serve(
            self.handle.clone(),
            Some(Arc::clone(&self.control)),
            stop.shutdown(),
        ));
        self.open = Some(Open { config, stop });
        // Those that have ended need not be remembered.
        while self.listeners.try_join_next().is_some() {}
    }
}

/// Moves to an address as soon as its old listener has left it.
async fn take_over(web: &mut Web, address: SocketAddr) -> Result<(), BuildError> {
    let deadline = Instant::now() + HANDOVER;
    loop {
        match web.move_to(address).await {
            Err(_still_taken) if Instant::now() < deadline => sleep(HANDOVER_PAUSE).await,
            moved => return moved,
        }
    }
}
