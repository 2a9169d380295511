//! The listener of a program.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use senseops_core::{BuildError, Files, Shutdown};
use senseops_engine::Handle;
use senseops_net::{Limits, Listener, RequestBody, Token};

use crate::api::Control;
use crate::body::discard;
use crate::config::WebConfig;
use crate::guard::{Guard, guard};
use crate::routes::{Routes, routes};

/// An open listener.
#[derive(Debug)]
pub struct Web {
    config: WebConfig,
    listener: Listener,
    guard: Guard,
}

impl Web {
    /// Opens what the `web` table asks for.
    ///
    /// # Errors
    /// When other machines could ask and nothing keeps them from it, the address is taken, or a secret, certificate or key
    /// cannot be used. Keys are those of the table.
    pub async fn bind(config: &WebConfig) -> Result<Self, BuildError> {
        check(config)?;
        let files = Files::default();
        let guard = match &config.token {
            Some(token) => Guard::Token(Arc::new(Token::resolve(token, "token", &files).await?)),
            None => Guard::Loopback,
        };
        let listener = Listener::bind(config.listen, config.tls.as_ref(), "", &files).await?;
        Ok(Self { config: config.clone(), listener, guard })
    }

    /// Leaves its address for this one; all that was read of files stays as it is.
    ///
    /// # Errors
    /// When the address cannot be opened, or needs a token and there is none. It listens where it did, then.
    pub async fn move_to(&mut self, address: SocketAddr) -> Result<(), BuildError> {
        check(&WebConfig { listen: address, ..self.config.clone() })?;
        self.listener.move_to(address, "").await
    }

    /// Where it listens; with the port that the system chose, if that was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Answers until the stop is requested. `control` does what only the program can do.
    pub async fn serve(self, handle: Handle, control: Option<Arc<dyn Control>>, shutdown: Shutdown) {
        let routes = routes(Routes::new(handle, control, shutdown.clone()));
        let limits = Limits::default();
        let service =
            routes.layer(from_fn_with_state(limits, discard)).layer(from_fn_with_state(self.guard, guard));
        self.listener.with_limits(limits).serve(service.into_service::<RequestBody>(), shutdown).await;
    }
}

/// Refuses what would let everybody in.
fn check(config: &WebConfig) -> Result<(), BuildError> {
    config.check().map(drop).map_err(|refused| BuildError::at(refused.key, refused.message))
}
