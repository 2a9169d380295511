//! `cargo xtask ci`: everything that must be true before a change goes in, in one table at the end.
//!
//! Its parts can be run one by one: `.ci/run` shows the result of `cargo xtask test` first, and then runs the checks.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use cargo_metadata::{MetadataCommand, Target, TargetKind};
use clap::{Args, ValueEnum};

use crate::error::BoxError;
use crate::packages::Consent;
use crate::report::{Done, Report};
use crate::tree::Tree;
use crate::{readme, shell, test};

/// The arguments of the task.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Which parts; all if none is named.
    parts: Vec<Part>,
    /// Install missing Debian packages without asking. So does CI=true in the environment.
    #[arg(long)]
    yes: bool,
}

/// Steps that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What `cargo xtask test` does.
    Tests,
    /// What the toolchain and the programs themselves can tell besides.
    Checks,
    /// What needs tools that not everybody has.
    Tools,
}

/// The platform of most users.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// How long an example or a command of the README may take, on a busy machine.
const EXAMPLE_LIMIT: Duration = Duration::from_mins(10);

/// A tool that does not come with the toolchain.
struct Tool {
    step: &'static str,
    program: &'static str,
    install: &'static str,
    args: &'static [&'static str],
}

const TOOLS: [Tool; 4] = [
    Tool {
        step: "features",
        program: "cargo-hack",
        install: "cargo install --locked cargo-hack",
        args: &["hack", "check", "--each-feature", "--no-dev-deps", "--package", "senseops"],
    },
    Tool {
        step: "machete",
        program: "cargo-machete",
        install: "cargo install --locked cargo-machete",
        args: &["machete"],
    },
    Tool {
        step: "deny",
        program: "cargo-deny",
        install: "cargo install --locked cargo-deny",
        // Advisories need a database from the network, which not every pipeline reaches.
        args: &["deny", "check", "bans", "licenses", "sources"],
    },
    Tool { step: "typos", program: "typos", install: "pip install typos", args: &[] },
];

/// Does every step, whatever became of those before.
pub(crate) fn run(ci: &Ci) -> Result<ExitCode, BoxError> {
    let wants = |part| ci.parts.is_empty() || ci.parts.contains(&part);
    let mut report = Report::new();
    let mut tests = None;
    if wants(Part::Tests) {
        tests = Some(test::steps(&mut report, Consent::from_flag(ci.yes)));
    }
    if wants(Part::Checks) {
        checks(&mut report)?;
    }
    if wants(Part::Tools) {
        for tool in &TOOLS {
            report.step(tool.step, || tool.run());
        }
    }
    let code = report.finish();
    if let Some(tests) = tests {
        println!("tests: {tests}");
    }
    Ok(code)
}

/// That the tree is tidy is a test, so there is no step for it.
fn checks(report: &mut Report) -> Result<(), BoxError> {
    let tree = Tree::read(shell::root())?;
    report.step("fmt", || cargo(&["fmt", "--all", "--check"]));
    report.step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]));
    report.step("doc", || {
        let mut doc = shell::cargo(["doc", "--workspace", "--no-deps"]);
        Ok(shell::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?.into())
    });
    report.step("windows", windows);
    report.step("examples", examples);
    report.step("configs", || configs(&tree));
    report.step("readme", || readme_commands(&tree));
    Ok(())
}

fn cargo(args: &[&str]) -> Result<Done, BoxError> {
    Ok(shell::run(&mut shell::cargo(args))?.into())
}

/// Everything but the tests compiles for Windows, where most of the users are.
fn windows() -> Result<Done, BoxError> {
    let libraries =
        shell::answer(shell::program("rustc").args(["--print", "target-libdir", "--target", WINDOWS]));
    if !libraries.is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(Done::NotRun(format!("no standard library for it: rustup target add {WINDOWS}")));
    }
    // Two crates that we build on have parts in C.
    if shell::find("x86_64-w64-mingw32-gcc").is_none() {
        return Ok(Done::NotRun("no C compiler for it: apt-get install gcc-mingw-w64-x86-64".into()));
    }
    cargo(&["check", "--workspace", "--lib", "--bins", "--examples", "--target", WINDOWS])
}

impl Tool {
    fn run(&self) -> Result<Done, BoxError> {
        let Some(program) = shell::find(self.program) else {
            return Ok(Done::NotRun(format!("{} is not installed: {}", self.program, self.install)));
        };
        let mut command =
            if self.args.is_empty() { shell::program(program) } else { shell::cargo(self.args) };
        Ok(shell::run(&mut command)?.into())
    }
}

/// Runs each program of `examples/`; each has to end by itself.
fn examples() -> Result<Done, BoxError> {
    let metadata = MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    let package = metadata.packages.iter().find(|package| package.name == "senseops-examples");
    let programs: Vec<(&str, &Target)> = package
        .into_iter()
        .flat_map(|package| &package.targets)
        .filter_map(|target| Some((flag(target)?, target)))
        .collect();
    shell::run(&mut shell::cargo(["build", "--package", "senseops-examples", "--bins", "--examples"]))?;
    for (flag, target) in &programs {
        let mut example =
            shell::cargo(["run", "--quiet", "--package", "senseops-examples", flag, &target.name]);
        shell::run_within(&mut example, EXAMPLE_LIMIT)?;
    }
    Ok(Done::Passed(format!("{} programs", programs.len())))
}

/// How cargo is told to run the target, if it is a program.
fn flag(target: &Target) -> Option<&'static str> {
    let is = |kind| target.kind.contains(&kind);
    if is(TargetKind::Example) { Some("--example") } else { is(TargetKind::Bin).then_some("--bin") }
}

/// Checks each file of `config/` as an operator would.
fn configs(tree: &Tree) -> Result<Done, BoxError> {
    let files: Vec<&str> = tree
        .ending(".yaml")
        .map(|file| file.path.as_str())
        .filter(|path| path.starts_with("config/"))
        .collect();
    shell::run(&mut shell::cargo(["build", "--package", "sos"]))?;
    for file in &files {
        let sos = ["run", "--quiet", "--package", "sos", "--", "check", "-c", file];
        shell::run_within(&mut shell::cargo(sos), EXAMPLE_LIMIT)?;
    }
    Ok(Done::Passed(format!("{} files", files.len())))
}

fn readme_commands(tree: &Tree) -> Result<Done, BoxError> {
    let page = tree.files().find(|file| file.path == "README.md");
    let examples = page.map(readme::examples).unwrap_or_default();
    for example in &examples {
        println!("  README.md:{}", example.line);
        shell::run_within(shell::program("sh").args(["-c", &example.command]), EXAMPLE_LIMIT)?;
    }
    Ok(Done::Passed(format!("{} commands", examples.len())))
}
