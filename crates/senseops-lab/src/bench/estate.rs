//! A simulated estate in a process of its own, so that it costs no more than it must on cores that it shares.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use senseops_core::BoxError;

use crate::http;

/// Servers and an InfluxDB, until it is dropped.
pub(crate) struct Estate {
    child: Child,
    /// Kept open, since it says something at its end.
    stdout: BufReader<ChildStdout>,
    /// What `sos` needs to poll the servers and write to the InfluxDB.
    pub(crate) config: String,
    /// Where the InfluxDB listens.
    target: String,
}

impl Estate {
    /// Starts so many servers, to be polled at this interval.
    pub(crate) fn start(sim: &Path, servers: usize, interval: &str) -> Result<Self, BoxError> {
        let mut child = Command::new(sim)
            .args(["--influx", "--servers", &servers.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let stdout = BufReader::new(stdout);
        let mut estate = Self { child, stdout, config: String::new(), target: String::new() };
        let mut line = String::new();
        while estate.stdout.read_line(&mut line)? > 0 {
            let line = std::mem::take(&mut line);
            let line = line.trim_end();
            estate.config.extend([line, "\n"]);
            if line == "    sim:" {
                estate.config.extend(["      interval: ", interval, "\n"]);
            }
            // The last line of the configuration.
            if let Some((_, rest)) = line.split_once("url: \"http://") {
                let (address, _) = rest.split_once('"').ok_or("the estate printed an odd address")?;
                address.clone_into(&mut estate.target);
                return Ok(estate);
            }
        }
        Err("the estate ended before it was ready".into())
    }

    /// How many points were written to its InfluxDB.
    pub(crate) fn points(&self) -> Result<u64, BoxError> {
        Ok(http::get(&self.target, "/points")?.trim().parse()?)
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // Asked to, it removes its certificates.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if asked.is_ok_and(|status| status.success()) {
            // There is nothing to learn from how it ends.
            let _status = self.child.wait();
        }
    }
}
