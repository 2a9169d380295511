//! What can be written on the command line.

mod instance;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

pub(super) use instance::{Access, DeadLetters, Journal, Place, Replay, Tap, Top, View};

/// Collects operational events and delivers them where people look.
#[derive(Debug, Parser)]
#[command(version, after_help = super::exit::HELP, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Log more; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log only warnings; twice for only errors.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(super) quiet: u8,
    /// How log lines look. `RUST_LOG`, if set, chooses which ones there are.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a pipeline until SIGTERM or Ctrl-C, then deliver what is left. SIGHUP reloads.
    Run(Run),
    /// Check a configuration without running it.
    Check(Check),
    /// Make a running instance read its configuration anew.
    Reload(Access),
    /// Show what a running instance does, live on a terminal.
    Top(Top),
    /// Show events of a running instance as they happen.
    Tap(Tap),
    /// Look into the journal, or give up a cursor in it.
    #[command(subcommand)]
    Journal(Journal),
    /// Look at events that targets refused, or try them again.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Run a simulated Qlik Sense estate with a live picture; needs no server, file or privilege.
    Demo(Demo),
    /// List the sources, relays and sinks of this build.
    Plugins,
    /// Print a sample with every key at its default: of the whole configuration, or of one plugin.
    Sample {
        /// The plugin, as listed by `sos plugins`. Without it: everything.
        #[arg(value_name = "TYPE")]
        plugin: Option<String>,
    },
    /// Print the JSON Schema of the configuration, by which editors complete and check it.
    Schema,
    /// Print the version.
    Version,
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// The configuration, in one or more files.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Files {
    /// A configuration file; later ones go over earlier ones, and SOS_… environment variables over all.
    #[arg(short, long = "config", value_name = "FILE", required = true)]
    pub(super) config: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) files: Files,
    /// Reload when a configuration file has changed.
    #[arg(long)]
    pub(super) watch: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) files: Files,
    /// Try every port, server and target too, and print what answers.
    #[arg(long)]
    pub(super) connect: bool,
    /// Print instead what the files and the environment say together, without secrets.
    #[arg(long, conflicts_with = "connect")]
    pub(super) print_config: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// End after this time, such as 30s; without it Ctrl-C or `q` ends the demo.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) duration: Option<Duration>,
    /// How many Sense servers are simulated.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(super) servers: u16,
    /// User events per second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) rate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_has_no_contradictions() {
        Args::command().debug_assert();
    }
}
