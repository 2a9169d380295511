//! The source on real sockets.

mod contract;
mod receiving;
mod refusing;
mod stopping;
mod support;
