//! Receives Qlik Sense user events as UDP datagrams.
//!
//! Log appenders of the Sense proxy service send one datagram when a session starts or stops and when a connection
//! opens or closes; each becomes one `qlik.user_event`.
//! UDP cannot be made to wait, so one task only receives, and everything it does per datagram is pure and cheap:
//! check the sender, decode, read, look up browser and app, emit.
//!
//! ```
//! use senseops_source_udp::UdpConfig;
//!
//! let mut users = UdpConfig::listen("0.0.0.0:9997".parse()?);
//! users.allow = Some(vec!["10.0.0.0/8".parse()?, "sense1.company.net".parse()?]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allow;
mod browser;
mod bursts;
mod code_page;
mod config;
mod exclude;
mod looks;
mod pauses;
mod reception;
mod refusals;
mod source;
mod user_event;

pub use allow::AllowEntry;
pub use code_page::CodePage;
pub use config::UdpConfig;
pub use exclude::{Pattern, UserPattern};
