//! The kit itself, tested from outside.

mod http_sinks;
mod http_target;
mod influxd;
mod relays;
mod sinks;
mod sources;
