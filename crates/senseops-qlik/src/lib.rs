//! What the APIs of Qlik Sense share: the kinds of events that come of them, app names, and the grammar of the datagrams
//! that log appenders send.
//!
//! Everything here is pure: text in, values out, no I/O and no clock.
//!
//! ```
//! use senseops_qlik::user_event;
//!
//! let datagram = user_event::parse("/qseow-proxy-session/;sense1;Start session;LAB;anna;AppAccess;;Hello; again")?;
//! assert_eq!(datagram.user_id.as_deref(), Some("anna"));
//! assert_eq!(datagram.message.as_deref(), Some("Hello; again"));
//! # Ok::<(), senseops_qlik::Malformed>(())
//! ```

mod app_names;
mod datagram;
pub mod kinds;
pub mod user_event;

pub use app_names::AppNames;
pub use datagram::Malformed;
