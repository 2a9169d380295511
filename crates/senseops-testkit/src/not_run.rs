//! A test that cannot be run here.

use std::io::{self, Write};

/// Says that the calling test is not run, and why. It has to return then.
///
/// `cargo test` knows no tests that could not be run, so such a test is counted as passed by whoever runs it on a
/// machine of his own. A pipeline lacks nothing, so there it fails.
///
/// # Panics
/// [In a pipeline](in_ci).
pub fn not_run(why: &str) {
    assert!(!in_ci(), "not run: {why}");
    // Past the capture of the test's output, which nobody would see; whether it can be said does not matter.
    let _said = writeln!(io::stderr(), "not run: {why}");
}

/// Whether this is a pipeline: the environment has `CI`, with another value than nothing, `0` and `false`.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}
