//! `cargo xtask demo`: builds `sos` and becomes its demo.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::error::BoxError;
use crate::shell;

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Passed on to `sos demo`, such as `--for 30s`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(demo: Demo) -> Result<ExitCode, BoxError> {
    println!("building sos; the first time this takes some minutes");
    shell::run(&mut shell::cargo(["build", "--package", "sos"]))?;
    let mut sos = shell::cargo(["run", "--quiet", "--package", "sos", "--", "demo"]);
    Ok(shell::become_program(sos.args(demo.args))?)
}
