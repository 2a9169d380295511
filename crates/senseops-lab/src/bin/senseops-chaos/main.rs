//! The program `sos` with a source that numbers its events and says which are stored, and a sink that panics.
//!
//! A distribution as anybody could build one, used by `cargo xtask chaos` and `cargo xtask bench`.

mod numbered;
mod panicking;

use std::process::ExitCode;

use mimalloc::MiMalloc;

use numbered::NumberedConfig;
use panicking::PanickingConfig;

/// A backlog that was delivered must not stay in memory for ever, as it does with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let registry = senseops::builtin().called("senseops-chaos", env!("CARGO_PKG_VERSION"));
    senseops::cli::run(registry.source::<NumberedConfig>().sink::<PanickingConfig>())
}
