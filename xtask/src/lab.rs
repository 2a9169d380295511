//! What `cargo xtask` hands over to the lab: it builds the programs and becomes the one of them that runs the task.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::BoxError;
use crate::shell::{self, CommandError};

/// The packages whose programs a run starts; the lab finds them beside itself.
const PACKAGES: [&str; 3] = ["sos", "senseops-sim", "senseops-lab"];

/// The arguments of a task that the lab does, as it takes them.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Handed {
    /// Passed on; `--help` shows what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// How the programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As the tests are.
    Tests,
    /// As they are delivered.
    Release,
}

impl Build {
    /// The short form of a run is made on the build of the tests.
    fn for_args(args: &[OsString]) -> Self {
        if args.iter().any(|arg| arg == "--short") { Self::Tests } else { Self::Release }
    }

    fn profile(self) -> &'static str {
        match self {
            Self::Tests => "dev",
            Self::Release => "release",
        }
    }

    /// The folder where cargo puts programs that are built so.
    fn folder(self) -> &'static str {
        match self {
            Self::Tests => "debug",
            Self::Release => "release",
        }
    }

    /// Where the lab is once it is built.
    pub(crate) fn lab(self) -> PathBuf {
        shell::built(self.folder()).join("senseops-lab").with_extension(std::env::consts::EXE_EXTENSION)
    }
}

/// Builds what a run needs, and becomes the lab.
pub(crate) fn run(task: &str, handed: Handed) -> Result<ExitCode, BoxError> {
    let build = Build::for_args(&handed.args);
    println!(
        "building the programs with the profile {}; the first time this takes some minutes",
        build.profile()
    );
    let packages = PACKAGES.map(|name| ["--package", name]);
    let mut cargo = shell::cargo(["build", "--bins", "--profile", build.profile()]);
    shell::run(cargo.args(packages.as_flattened()))?;
    Ok(start(build, task, handed.args)?)
}

/// Builds the lab alone, and becomes it.
pub(crate) fn become_lab(task: &str, args: Vec<OsString>) -> Result<ExitCode, BoxError> {
    shell::run(&mut shell::cargo(["build", "--package", "senseops-lab", "--bin", "senseops-lab"]))?;
    Ok(start(Build::Tests, task, args)?)
}

fn start(build: Build, task: &str, args: Vec<OsString>) -> Result<ExitCode, CommandError> {
    shell::become_program(shell::program(build.lab()).arg(task).args(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_short_form_runs_on_the_build_of_the_tests() {
        let build = |args: &[&str]| Build::for_args(&args.iter().map(Into::into).collect::<Vec<_>>());
        assert_eq!(build(&["--only", "kill-9", "--short"]), Build::Tests);
        assert_eq!(build(&["--quick"]), Build::Release);
    }
}
