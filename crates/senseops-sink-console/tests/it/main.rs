//! The console sink as the engine sees it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod contract;
mod paper;
mod writes;
