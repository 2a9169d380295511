//! The program `sos`.

use std::process::ExitCode;

fn main() -> ExitCode {
    senseops::cli::run(senseops::builtin())
}
