//! SenseOps Stats: collects operational events and delivers them where people look.
//!
//! A pipeline takes events from sources, keeps them in a journal, and brings them to sinks, each at its own pace and at
//! least once. A program may also emit events itself:
//!
//! ```
//! use std::sync::Arc;
//!
//! use senseops::{Batch, Body, Event, Fields, Kind, LabelSet, Pipeline, sink_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let print = sink_fn(|batch: Batch| async move {
//!     batch.iter().for_each(|event| println!("{event:?}"));
//!     Ok(())
//! });
//! let pipeline = Pipeline::builder().sink("print", print).build().await?;
//! let handle = pipeline.handle();
//! let shop = async {
//!     let labels = Arc::new(LabelSet::from_iter([("till", "1")]));
//!     let order = Body::Measurement(Fields::default().with("items", 3));
//!     handle.emit(vec![Event::new(Kind::new("shop.order"), &labels, order)]).await.ignore();
//! };
//! // Runs until that is done, and delivers what is left.
//! let summary = pipeline.run_until(shop).await;
//! assert_eq!(summary.view.sinks[0].delivered, 1);
//! # Ok(())
//! # }
//! ```
//!
//! Where to go from here: [`Builder`] has sources, sinks and options; [`Handle`] looks into a running pipeline; [`Sink`],
//! [`Source`] and [`Relay`] are what a plugin implements. As it is, this crate has the contracts and the engine. More
//! comes with features: each plugin under [`sources`] and [`sinks`], plans from YAML (`config`), routes that look into a
//! pipeline (`web`), and the program `sos` as a function (`cli`), so that a distribution with plugins of its own is one
//! line:
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
