//! Writes events to InfluxDB 1.x.
//!
//! [`InfluxConfig`] is what an operator writes. An event becomes points under the names that dashboards know (crate
//! `senseops-dialect`), points become lines ([`encode`]), and a batch is one request. Points carry the time of their
//! event, so writing twice stores once.
//!
//! ```
//! use senseops_core::host::IntoComponents;
//! use senseops_sink_influx::InfluxConfig;
//!
//! let config: InfluxConfig = serde_json::from_str(r#"{ "url": "http://influx:8086", "database": "senseops" }"#)?;
//! assert_eq!(config.into_components()?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod config;
mod encode;
mod lines;
mod series;
mod server;
mod settings;
mod sink;
mod verdict;

pub use config::{Gzip, InfluxConfig, InfluxVersion, RetentionPolicy};
pub use encode::encode;
pub use settings::{Influx, Name, Retention, Username};
