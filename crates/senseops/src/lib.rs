//! SenseOps Stats: collects operational events and delivers them where people look.
//!
//! This crate is the front door. It re-exports the contracts and the engine for programs that embed a pipeline, lists
//! the plugins that come with it ([`builtin`]), and holds the program `sos` as a function, so that a distribution
//! with plugins of its own is one line:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! fn main() -> ExitCode {
//!     senseops::cli::run(senseops::builtin()) // .sink::<MyConfig>()
//! }
//! ```

#[cfg(feature = "cli")]
pub mod cli;
mod plugins;

pub use plugins::builtin;
pub use senseops_config as config;
pub use senseops_config::Registry;
pub use senseops_core::*;
pub use senseops_engine::*;
