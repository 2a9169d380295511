//! Where log lines go. Only the program installs a subscriber; libraries just use `tracing`.

use std::collections::VecDeque;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use senseops_core::chain;
use tracing::warn;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::{Args, Command, LogFormat};

/// How many lines the live picture can show.
const KEPT_LINES: usize = 50;

/// The last log lines, for a picture that owns the terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs(Arc<Mutex<VecDeque<String>>>);

/// Installs the subscriber. The demo keeps its lines for the picture, everything else writes to standard error.
pub(super) fn start(args: &Args) -> Logs {
    let logs = Logs::default();
    let level = match (args.quiet, args.verbose) {
        (0, 0) => "info,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn",
        (0, 1) => "debug,hyper=info,hyper_util=info,reqwest=info,rustls=info",
        (0, _) => "trace",
        (1, _) => "warn",
        (_, _) => "error",
    };
    let chosen = env::var_os(EnvFilter::DEFAULT_ENV).map(|_set| EnvFilter::try_from_default_env());
    let (filter, unreadable) = match chosen {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(level), Some(error)),
        None => (EnvFilter::new(level), None),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(args.verbose > 0);
    let picture = matches!(args.command, Command::Demo(_)) && io::stdout().is_terminal();
    match (args.log_format, picture) {
        (LogFormat::Json, true) => builder.json().with_writer(logs.clone()).init(),
        (LogFormat::Json, false) => builder.json().with_writer(io::stderr).init(),
        (LogFormat::Text, true) => builder.without_time().with_ansi(false).with_writer(logs.clone()).init(),
        (LogFormat::Text, false) => {
            builder.with_ansi(wants_colour() && io::stderr().is_terminal()).with_writer(io::stderr).init();
        }
    }
    if let Some(error) = unreadable {
        warn!(error = %chain(&error), "RUST_LOG cannot be read and is ignored");
    }
    logs
}

/// See <https://no-color.org>.
fn wants_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Logs {
    /// The last `count` lines, oldest first.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }
}

impl Write for &Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in String::from_utf8_lossy(bytes).lines() {
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}
