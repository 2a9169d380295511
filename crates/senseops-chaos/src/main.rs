//! The program `sos` with a source that numbers its events and tells which are stored, and a sink that panics.
//!
//! A distribution as anybody could build one, used by `cargo xtask chaos` and `cargo xtask bench`.

mod numbered;
mod panicking;

use std::process::ExitCode;

use numbered::NumberedConfig;
use panicking::PanickingConfig;

fn main() -> ExitCode {
    senseops::cli::run(senseops::builtin().source::<NumberedConfig>().sink::<PanickingConfig>())
}
