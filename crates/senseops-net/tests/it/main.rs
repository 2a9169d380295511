//! TLS and HTTP over real sockets and real files.

mod body;
mod explain;
mod identity;
mod support;
