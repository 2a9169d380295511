//! What scenarios are made of: programs, directories, configurations, loads.
#![expect(clippy::disallowed_methods, reason = "a tool may wait for a disk")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use senseops_core::BoxError;
use tempfile::TempDir;

use super::account::Account;
use super::target::Target;
use crate::machine;
use crate::program::{Ended, Sos, WEB};

/// Events per second, unless a scenario says otherwise.
pub(crate) const RATE: u64 = 5_000;
/// How long all that waits may take to arrive once everything works again, where that is judged.
const BACKLOG_WITHIN: Duration = Duration::from_mins(3);

/// The programs, and how much time there is.
#[derive(Debug)]
pub(crate) struct Lab {
    /// As it is delivered.
    pub(crate) sos: PathBuf,
    /// With numbered events and parts that break.
    pub(crate) chaos: PathBuf,
    is_short: bool,
}

/// A directory with the configuration of a program, and whatever it keeps.
pub(crate) struct Scene(TempDir);

impl Lab {
    /// With the programs in this folder.
    pub(crate) fn new(folder: &Path, is_short: bool) -> Self {
        Self {
            sos: machine::program(folder, "sos"),
            chaos: machine::program(folder, "senseops-chaos"),
            is_short,
        }
    }

    /// An account that judges seconds and memory in the full form only.
    pub(crate) fn account(&self) -> Account {
        Account::new(!self.is_short)
    }

    /// Whether this is the short form.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short
    }

    /// The one of the full form, or the one of the short form.
    pub(crate) fn pick<T>(&self, full: T, short: T) -> T {
        if self.is_short { short } else { full }
    }

    /// So many seconds in the full form, or in the short one.
    pub(crate) fn seconds(&self, full: u64, short: u64) -> Duration {
        Duration::from_secs(self.pick(full, short))
    }
}

impl Scene {
    pub(crate) fn new() -> Result<Self, BoxError> {
        Ok(Self(TempDir::with_prefix("sos-chaos-")?))
    }

    /// The path of something in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, as a whole.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, BoxError> {
        let (path, new) = (self.path(name), self.path("new"));
        fs::write(&new, text)?;
        fs::rename(new, &path)?;
        Ok(path)
    }

    /// Writes the configuration of a program, which can be asked for its status. Gives the path.
    pub(crate) fn configure(&self, yaml: &str) -> Result<PathBuf, BoxError> {
        self.write("sos.yaml", &format!("{WEB}{yaml}"))
    }

    /// Starts a program with this configuration.
    pub(crate) fn start(&self, binary: &Path, yaml: &str) -> Result<Sos, BoxError> {
        self.start_as(Command::new(binary), yaml)
    }

    /// Starts a command that becomes a program, with this configuration.
    pub(crate) fn start_as(&self, command: Command, yaml: &str) -> Result<Sos, BoxError> {
        Sos::start_as(command, &self.configure(yaml)?)
    }

    /// The `pipeline` table with the journal in the directory, and these settings of it.
    pub(crate) fn on_disk(&self, journal: &str) -> String {
        format!(
            "pipeline: {{ shutdown_timeout: 10m, state_dir: '{}', journal: {{ {journal} }} }}\n",
            self.0.path().display()
        )
    }

    /// How many dead letters there are.
    pub(crate) fn dead_letters(&self) -> Result<u64, BoxError> {
        let mut letters = 0;
        for entry in fs::read_dir(self.path("dead-letters"))? {
            let entry = entry?;
            // Beside them are the lock and the version.
            if entry.file_name().to_string_lossy().starts_with("dead-letters.jsonl") {
                letters += fs::read_to_string(entry.path())?.lines().count();
            }
        }
        Ok(u64::try_from(letters)?)
    }
}

/// The `pipeline` table with the journal in memory.
pub(crate) const IN_MEMORY: &str = "pipeline: { shutdown_timeout: 10m }\n";

/// A `sources` table with a numbered load.
pub(crate) fn numbered(rate: u64, more: &str) -> String {
    format!("sources: {{ numbered: {{ load: {{ per_second: {rate}{more} }} }} }}\n")
}

/// A `sources` table that receives user events.
pub(crate) fn udp(listen: SocketAddr, more: &str) -> String {
    format!("sources: {{ udp: {{ users: {{ listen: '{listen}', allow: [ 127.0.0.1 ]{more} }} }} }}\n")
}

/// A `sinks` table with an InfluxDB, with these further settings of it and of its delivery. It is impatient, since a
/// scenario has no hours.
pub(crate) fn influx(url: &str, more: &str, delivery: &str) -> String {
    format!(
        "sinks: {{ influx: {{ main: {{ url: '{url}', database: chaos, naming: native{more}, {} }} }} }}\n",
        self::delivery(delivery)
    )
}

/// The `delivery` table of an impatient sink.
pub(crate) fn delivery(more: &str) -> String {
    format!(
        "delivery: {{ max_age: 100ms, timeout: 3s, retry: {{ initial: 100ms, max: 1s, denied: 1s }}{more} }}"
    )
}

/// Waits until everything is delivered that waited when this was called, however much comes meanwhile.
pub(crate) async fn caught_up(account: &mut Account, sos: &Sos) -> Result<(), BoxError> {
    let due = sos.status()?.journal("appended_events");
    let took = sos.until("all that waited is delivered", |status| status.settled() >= due).await?;
    account.demand_time("until all that waited was delivered", took, BACKLOG_WITHIN);
    account.remark = format!("backlog gone within {:.0} s", took.as_secs_f64());
    Ok(())
}

/// Stops the program, and accounts for what its sources emitted and the target has.
pub(crate) fn settle(account: &mut Account, sos: Sos, target: &Target) -> Result<Ended, BoxError> {
    let ended = sos.stop()?;
    let arrivals = target.arrivals();
    account.sent = ended.sources.of("emitted");
    account.arrived = arrivals.count();
    account.duplicates = arrivals.duplicates();
    account.count_losses(&ended);
    Ok(ended)
}
