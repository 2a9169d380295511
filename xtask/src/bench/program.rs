//! The program under measurement: started, watched through `/proc`, and stopped.
#![expect(clippy::disallowed_methods, reason = "procfs answers from memory")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use serde_json::Value;
use tempfile::TempDir;

/// How Linux counts CPU time for programs, on every architecture that matters.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running `sos`.
pub(crate) struct Sos {
    child: Child,
    log: BufReader<ChildStderr>,
    started: Instant,
    /// Holds the configuration.
    _dir: TempDir,
}

/// What a source or sink said about itself at its end.
#[derive(Debug, Default)]
pub(crate) struct Counts(BTreeMap<String, u64>);

/// What the whole program said at its end.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) sources: Counts,
    pub(crate) sinks: Counts,
}

impl Sos {
    /// Starts the program with this configuration and waits until its pipeline runs.
    pub(crate) fn start(binary: &Path, yaml: &str) -> Result<Self, BoxError> {
        let dir = TempDir::with_prefix("sos-bench-")?;
        let config: PathBuf = dir.path().join("sos.yaml");
        fs::write(&config, yaml)?;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["--log-format", "json", "run", "-c"])
            .arg(&config)
            .env("RUST_LOG", "warn,senseops=info,senseops::cli::run=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().map(BufReader::new).ok_or("no standard error")?;
        let mut sos = Self { child, log, started, _dir: dir };
        let mut said = String::new();
        while !said.contains("pipeline is running") {
            said.clear();
            if sos.log.read_line(&mut said)? == 0 {
                return Err("sos ended before its pipeline ran".into());
            }
        }
        Ok(sos)
    }

    /// How long ago the process was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The seconds of CPU that it has used, in user and system mode.
    pub(crate) fn cpu(&self) -> Result<f64, BoxError> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold blanks; the 14th and 15th fields are the 12th and 13th behind it.
        let behind = stat.rsplit_once(") ").ok_or("an odd /proc/…/stat")?.1;
        let ticks: u32 = behind.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?;
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// The memory that it holds, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64, BoxError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Ends it as a service manager would, and collects what it said at its end.
    pub(crate) fn stop(mut self) -> Result<Ended, BoxError> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let mut ended = Ended::default();
        let mut line = String::new();
        while self.log.read_line(&mut line)? > 0 {
            if let Ok(said) = serde_json::from_str::<Value>(&line) {
                ended.take(said.get("fields").unwrap_or(&Value::Null));
            }
            line.clear();
        }
        self.child.wait()?;
        Ok(ended)
    }
}

impl Ended {
    fn take(&mut self, said: &Value) {
        let counts = match said.get("message").and_then(Value::as_str) {
            Some("source has stopped") => &mut self.sources,
            Some("sink has stopped") => &mut self.sinks,
            _ => return,
        };
        for (name, value) in said.as_object().into_iter().flatten() {
            match value {
                Value::Number(number) => counts.add(name, number.as_u64().unwrap_or(0)),
                // What a component counts itself: `received=5 kernel_drops=0`.
                Value::String(text) if name == "readings" => {
                    for (name, number) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
                        counts.add(name, number.parse().unwrap_or(0));
                    }
                }
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {}
            }
        }
    }
}

impl Counts {
    fn add(&mut self, name: &str, number: u64) {
        *self.0.entry(name.to_owned()).or_default() += number;
    }

    /// The count of this name, summed over components; zero if nobody counted it.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

impl Drop for Sos {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            // Already ended if not; either way there is nothing left to collect.
            let _status = self.child.wait();
        }
    }
}
