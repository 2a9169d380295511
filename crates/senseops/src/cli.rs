//! The program: arguments, logging, commands, exit codes.

mod args;
mod check;
mod dead_letters;
mod demo;
mod exit;
mod instance;
mod journal;
mod logging;
mod output;
mod reload;
mod run;
mod screen;
mod signals;
mod table;
mod tap;
mod top;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use senseops_config::Registry;
use senseops_core::chain;
use senseops_engine::Program;
use senseops_web::WebConfig;
use tokio::runtime;

use args::{Args, Command};
pub use exit::Exit;

/// The longest that the runtime may take to end.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Runs the program with the plugins of `registry` and the arguments of this process.
pub fn run(registry: Registry) -> ExitCode {
    run_with(registry, env::args_os())
}

/// Runs the program with the plugins of `registry` and these arguments, the first of which is its name.
pub fn run_with(registry: Registry, arguments: impl IntoIterator<Item: Into<OsString> + Clone>) -> ExitCode {
    output::speak_as(registry.program().name);
    let parsed = command(&registry)
        .try_get_matches_from(arguments)
        .and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(answer) => return usage(&answer),
    };
    let registry = registry.section("web", WebConfig::check);
    let logs = logging::start(&args);
    match dispatch(&args.command, &registry, logs) {
        Ok(exit) => exit.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done.into(),
        Err(error) => {
            // Standard error is the last place to say so.
            let _unheard = output::complain(chain(&error));
            Exit::Failed.into()
        }
    }
}

fn dispatch(command: &Command, registry: &Registry, logs: logging::Logs) -> io::Result<Exit> {
    match command {
        Command::Run(run) => on_runtime(run::run(registry, run)),
        Command::Check(check) => on_runtime(check::check(registry, check)),
        Command::Reload(access) => on_runtime(reload::reload(registry, access)),
        Command::Top(top) => on_runtime(top::top(registry, top)),
        Command::Tap(tap) => on_runtime(tap::tap(registry, tap)),
        Command::Journal(journal) => on_runtime(journal::journal(registry, journal)),
        Command::DeadLetters(command) => on_runtime(dead_letters::dead_letters(registry, command)),
        Command::Demo(demo) => on_runtime(demo::demo(registry, demo, logs)),
        Command::Plugins => plugins(registry),
        Command::Sample { plugin } => sample(registry, plugin.as_deref()),
        Command::Schema => print(&registry.schema()),
        Command::Version => {
            let Program { name, version } = registry.program();
            writeln!(output::stdout(), "{name} {version}").map(|()| Exit::Done)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                *shell,
                &mut self::command(registry),
                registry.program().name,
                &mut script,
            );
            output::stdout().write_all(&script).map(|()| Exit::Done)
        }
    }
}

/// The command line of the program that has these plugins.
fn command(registry: &Registry) -> clap::Command {
    let Program { name, version } = registry.program();
    Args::command().name(name).version(version)
}

/// Help and version are answers on standard output, everything else is a mistake.
fn usage(answer: &clap::Error) -> ExitCode {
    let printed = answer.print();
    match (printed, answer.use_stderr()) {
        (Ok(()), false) => Exit::Done.into(),
        (_, _) => Exit::Usage.into(),
    }
}

fn on_runtime(work: impl Future<Output = io::Result<Exit>>) -> io::Result<Exit> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(work);
    // A plugin that blocks its thread must not keep the program from ending.
    runtime.shutdown_timeout(LAST_MOMENT);
    exit
}

fn plugins(registry: &Registry) -> io::Result<Exit> {
    let mut out = output::stdout();
    for plugin in registry.plugins() {
        let role = plugin.role.to_string();
        writeln!(out, "{role:<8}{:<14}{}", plugin.type_name, plugin.about)?;
    }
    Ok(Exit::Done)
}

fn sample(registry: &Registry, wanted: Option<&str>) -> io::Result<Exit> {
    let Some(wanted) = wanted else { return print(&registry.reference()) };
    if let Some(sample) = registry.sample(wanted) {
        return print(&sample);
    }
    let known: Vec<_> = registry.plugins().map(|plugin| plugin.type_name).collect();
    output::complain(format_args!("there is no plugin {wanted:?}; there are {}", known.join(", ")))?;
    Ok(Exit::Usage)
}

fn print(text: &str) -> io::Result<Exit> {
    output::stdout().write_all(text.as_bytes()).map(|()| Exit::Done)
}
