//! Pipelines as an embedder sees them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "helpers of tests")]

mod adds;
mod attempts;
mod background;
mod batching;
mod contained;
mod dead_letters;
mod delivery;
mod disk;
mod forward;
mod health;
mod lanes;
mod leases;
mod opening;
mod relays;
mod reload;
mod routing;
mod self_events;
mod shutdown;
mod sources;
mod states;
mod support;
