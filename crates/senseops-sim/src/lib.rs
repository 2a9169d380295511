//! A simulated Qlik Sense estate, for demonstrations, tests and benches.
//!
//! Servers answer the engine's health API over mutual TLS with certificates that were made a moment ago, follow a
//! deterministic working day, and misbehave on demand. User events come as datagrams, the way a proxy service sends
//! them through its log appender.
//!
//! ```
//! use senseops_sim::{Amount, Behaviour, Estate, EstateConfig, UserEvents, send};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Three servers on which a day takes a minute.
//! let estate = Estate::start(EstateConfig { servers: 3, speed: 1440.0, ..EstateConfig::default() }).await?;
//! for server in estate.servers() {
//!     println!("{} answers at {}", server.name(), server.url());
//! }
//! println!("poll them with {}", estate.pem_files().cert.display());
//!
//! // One of them falls ill.
//! estate.servers()[0].behave(Behaviour::Hang);
//!
//! // Users come and go.
//! let listener = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! let events: Vec<_> = UserEvents::new(7).take(1000).collect();
//! let sent = send(&events, listener.local_addr()?, 2000, Amount::Count(100)).await?;
//! assert_eq!(sent.datagrams, 100);
//! # Ok(())
//! # }
//! ```

mod apps;
mod clock;
mod dice;
mod estate;
mod influx_target;
mod load;
mod pki;
mod sender;
mod server;
mod site;
mod user_events;

pub use apps::{APPS, App};
pub use clock::Clock;
pub use estate::{Estate, EstateConfig, EstateError};
pub use influx_target::InfluxTarget;
pub use load::Load;
pub use pki::{Certificate, ClientCheck, PemFiles, Pki, PkiError};
pub use sender::{Amount, SendError, Sent, send};
pub use server::{Behaviour, SenseServer, SenseServerBuilder, StartError};
pub use user_events::{Mix, UserEvents};
