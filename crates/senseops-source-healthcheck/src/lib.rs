//! Polls the engine health API of Qlik Sense servers.
//!
//! Each configured server is a component of its own: its schedule, its time limit, its kept-alive connection, its
//! health. A poll gives one `qlik.engine.health` measurement, if the server answered well, and one `target.up` state in any
//! case; [`senseops_qlik::kinds`] lists their fields.
//!
//! ```
//! use senseops_core::host::IntoComponents;
//! use senseops_source_healthcheck::{HealthcheckConfig, ServerConfig};
//!
//! let server = ServerConfig::new("Server 1", "https://server1.company.net:4747".parse()?);
//! let sources = HealthcheckConfig::of([server]).into_components()?;
//! assert_eq!(sources[0].part.as_deref(), Some("server_1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod parse;
mod poll;
mod server;

pub use config::{Engine, HealthcheckConfig, ServerConfig, ServerUrl};
