//! `cargo xtask ci`: everything that must be true before a change goes in, in one table at the end.

use std::process::ExitCode;
use std::time::Duration;

use cargo_metadata::{MetadataCommand, Target, TargetKind};

use crate::error::BoxError;
use crate::packages::Consent;
use crate::report::{Done, Report};
use crate::tree::Tree;
use crate::{readme, shell, test, tidy};

/// How long an example or a command of the README may take.
const EXAMPLE_LIMIT: Duration = Duration::from_mins(2);

/// A tool that is used where it is installed, and not missed where it is not.
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
pub(crate) fn run(consent: Consent) -> Result<ExitCode, BoxError> {
    let tree = Tree::read(shell::root())?;
    let mut report = Report::default();
    report.step("fmt", || cargo(&["fmt", "--all", "--check"]));
    report.step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]));
    report.step("tidy", untidy);
    let tests = test::steps(&mut report, consent);
    report.step("doc", || {
        let mut doc = shell::cargo(["doc", "--workspace", "--no-deps"]);
        Ok(shell::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?.into())
    });
    for tool in &TOOLS {
        report.step(tool.step, || tool.run());
    }
    report.step("examples", examples);
    report.step("configs", || configs(&tree));
    report.step("readme", || readme_commands(&tree));
    let code = report.finish();
    println!("tests: {tests}");
    Ok(code)
}

fn cargo(args: &[&str]) -> Result<Done, BoxError> {
    Ok(shell::run(&mut shell::cargo(args))?.into())
}

fn untidy() -> Result<Done, BoxError> {
    let findings = tidy::findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { Ok(().into()) } else { Err(format!("{} findings", findings.len()).into()) }
}

impl Tool {
    fn run(&self) -> Result<Done, BoxError> {
        let Some(program) = shell::find(self.program) else {
            return Ok(Done::Skipped(format!("{} is not installed: {}", self.program, self.install)));
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
    for file in &files {
        let sos = ["run", "--quiet", "--package", "senseops", "--bin", "sos", "--", "check", "-c", file];
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
