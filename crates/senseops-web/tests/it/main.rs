//! Every address of a router over a real pipeline, and what a listener lets in.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod listener;
mod metrics;
mod routes;
mod support;
