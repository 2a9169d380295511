//! What the crate reads, on recorded and on made-up input.

mod user_event_fixtures;
mod user_event_properties;
