//! Polls over real sockets and real TLS.

mod contract;
mod failures;
mod polls;
mod support;
