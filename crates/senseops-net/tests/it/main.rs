//! TLS and HTTP over real sockets and real files.

mod body;
mod canary;
mod explain;
mod identity;
mod listener;
mod listener_tls;
mod noted;
mod support;
