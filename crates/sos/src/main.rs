//! The program `sos`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A backlog that was delivered must not stay in memory for ever, as it does with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    senseops::cli::run(senseops::builtin())
}
