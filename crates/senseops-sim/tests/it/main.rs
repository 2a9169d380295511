//! Simulated servers and senders, seen from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod client;
mod estate;
mod influx;
mod pki;
mod sender;
mod server;
