//! SenseOps Stats: collects operational events and delivers them where people look.
//!
//! This crate is the front door. As it is, it has the contracts and the engine: what a program needs to run a
//! [`Pipeline`] of its own. More comes with features: each plugin under [`sources`] and [`sinks`], plans from YAML
//! (`config`), routes that look into a pipeline (`web`), and the program `sos` as a function (`cli`), so that a
//! distribution with plugins of its own is one line:
//!
#![cfg_attr(feature = "cli", doc = "```no_run")]
#![cfg_attr(not(feature = "cli"), doc = "```ignore")]
//! # use std::process::ExitCode;
//! fn main() -> ExitCode {
//!     // … .sink::<MyConfig>()
//!     senseops::cli::run(senseops::builtin().called("acme-sos", env!("CARGO_PKG_VERSION")))
//! }
//! ```

#[cfg(feature = "cli")]
pub mod cli;
mod plugins;

#[cfg(feature = "config")]
pub use plugins::builtin;
pub use plugins::{sinks, sources};
#[cfg(feature = "config")]
pub use senseops_config as config;
#[cfg(feature = "config")]
pub use senseops_config::Registry;
pub use senseops_core::*;
pub use senseops_engine::*;
#[cfg(feature = "web")]
pub use senseops_web as web;
