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
        config.check().map_err(|refused| BuildError::at(refused.key, refused.message))?;
        let files = Files::default();
        let guard = match &config.token {
            Some(token) => Guard::Token(Arc::new(Token::resolve(token, "token", &files).await?)),
            None => Guard::Loopback,
        };
        let listener = Listener::bind(config.listen, config.tls.as_ref(), "", &files).await?;
        Ok(Self { listener, guard })
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
