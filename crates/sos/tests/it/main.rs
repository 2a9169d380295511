//! The whole way: real sockets and servers in, real targets out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

mod canary;
mod check;
mod control;
mod cursors;
mod golden;
mod launch;
mod outage;
mod program;
mod reference;
mod screens;
mod support;
