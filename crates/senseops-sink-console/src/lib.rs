//! Prints events to standard output, one line each: to read, or as JSON for another program.
//!
//! ```
//! use senseops_core::{Batch, Body, Event, Fields, Kind, Sink};
//! use senseops_sink_console::{ConsoleSink, Format};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), senseops_core::WriteError> {
//! let fields = Fields::default().with("cpu_pct", 7);
//! let event = Event::new(Kind::new("demo.sample"), &Default::default(), Body::Measurement(fields));
//! ConsoleSink::stdout(Format::Pretty).write(&Batch::from(vec![event])).await
//! # }
//! ```

mod config;
mod pretty;
mod sink;

pub use config::{ConsoleConfig, Format};
pub use pretty::Pretty;
pub use sink::ConsoleSink;
