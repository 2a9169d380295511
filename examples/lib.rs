//! Examples of SenseOps Stats: run them with `cargo run --example NAME`.
