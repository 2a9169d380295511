//! The program under measurement or attack: started, watched through `/proc` and its log, and ended.
#![expect(clippy::disallowed_methods, reason = "procfs answers from memory, and a tool may wait for a disk")]

mod said;
mod status;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::http;

pub(crate) use said::Ended;
use said::Said;
pub(crate) use status::Status;

/// How long it may take from the start of the process to a running pipeline, on a busy machine.
const RUNNING_WITHIN: Duration = Duration::from_mins(2);
/// How often a program that should come to something is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long it may take that something happens at all, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);
/// Any free port, for a source; [`Sos::udp`] says which.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// The table that a configuration needs for [`Sos::status`].
pub(crate) const WEB: &str = "web: { listen: '127.0.0.1:0' }\n";

/// A running `sos`. Killed when dropped.
pub(crate) struct Sos {
    child: Child,
    said: Arc<Mutex<Said>>,
    /// Reads the log until the process ends, so that it never waits for us.
    reader: Option<JoinHandle<()>>,
    started: Instant,
}

impl Sos {
    /// Starts the program with this configuration and waits until its pipeline runs.
    pub(crate) fn start(binary: &Path, yaml: &str) -> Result<Self, BoxError> {
        let dir = TempDir::with_prefix("sos-bench-")?;
        let config = dir.path().join("sos.yaml");
        fs::write(&config, yaml)?;
        // The program has read it when its pipeline runs.
        Self::start_as(Command::new(binary), &config)
    }

    /// Starts a command that takes the arguments of `sos` and becomes it, and waits until its pipeline runs.
    pub(crate) fn start_as(mut command: Command, config: &Path) -> Result<Self, BoxError> {
        let started = Instant::now();
        let mut child = command
            .args(["--log-format", "json", "run", "-c"])
            .arg(config)
            .env("RUST_LOG", "warn,senseops=info,senseops::cli::run=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().ok_or("no standard error")?;
        let said = Arc::new(Mutex::new(Said::default()));
        let (tell, running) = mpsc::channel();
        let reader = thread::spawn({
            let said = Arc::clone(&said);
            move || read(log, &said, &tell)
        });
        let sos = Self { child, said, reader: Some(reader), started };
        match running.recv_timeout(RUNNING_WITHIN) {
            Ok(()) => Ok(sos),
            Err(_) => Err(format!("no pipeline runs; sos said:\n{}", sos.said().tail()).into()),
        }
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long ago the process was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The seconds of CPU that it has used, in user and system mode, of all its threads, also those that have ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn cpu(&self) -> Result<f64, BoxError> {
        // To the nanosecond, where `/proc/PID/stat` counts hundredths of a second, and `schedstat` only threads that
        // live.
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        let used = nix::time::ClockId::pid_cpu_clock_id(id)?.now()?;
        Ok(Duration::from(used).as_secs_f64())
    }

    /// The CPU time of another process is not known here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn cpu(&self) -> Result<f64, BoxError> {
        Err("the CPU time of another process is only known on Linux".into())
    }

    /// The memory that it holds, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64, BoxError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// How often it has logged this message.
    pub(crate) fn times_said(&self, message: &str) -> u64 {
        self.said().times(message)
    }

    /// How many lines it has logged.
    pub(crate) fn lines(&self) -> u64 {
        self.said().lines()
    }

    /// Where it listens for HTTP, as it has logged.
    fn web(&self) -> Result<SocketAddr, BoxError> {
        self.said()
            .web()
            .ok_or_else(|| "it does not listen for http; the configuration needs a table `web`".into())
    }

    /// Where its source listens for datagrams, as it has logged.
    pub(crate) fn udp(&self) -> Result<SocketAddr, BoxError> {
        self.said().udp().ok_or_else(|| "no source listens for datagrams".into())
    }

    /// What it says about itself, at `/status`.
    pub(crate) fn status(&self) -> Result<Status, BoxError> {
        Ok(Status::read(&http::get(&self.web()?.to_string(), "/status")?)?)
    }

    /// Waits until it says that it is so, and gives how long that took.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut is_so: impl FnMut(&Status) -> bool,
    ) -> Result<Duration, BoxError> {
        let began = Instant::now();
        while !is_so(&self.status()?) {
            if began.elapsed() > PATIENCE {
                return Err(format!("not within {} s: {what}", PATIENCE.as_secs()).into());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(began.elapsed())
    }

    /// Waits until it has logged this message so often.
    pub(crate) async fn until_said(&self, message: &str, times: u64) -> Result<(), BoxError> {
        let began = Instant::now();
        while self.times_said(message) < times {
            if began.elapsed() > PATIENCE {
                return Err(
                    format!("not logged {times} times within {} s: {message}", PATIENCE.as_secs()).into()
                );
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Sends it a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) -> Result<(), BoxError> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill -s {name} {id}: {status}").into()) }
    }

    /// Ends it as a service manager would, and collects what it said at its end.
    pub(crate) fn stop(mut self) -> Result<Ended, BoxError> {
        self.signal("TERM")?;
        self.wait()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) -> Result<Ended, BoxError> {
        self.child.kill()?;
        self.wait()
    }

    fn wait(&mut self) -> Result<Ended, BoxError> {
        let status = self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_panic| "the reader of the log panicked")?;
        }
        Ok(Ended { code: status.code(), ..self.said().ended() })
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sos {
    fn drop(&mut self) {
        if self.reader.is_some() {
            // Nobody has ended it, so something else went wrong.
            eprintln!("the end of its log:\n{}", self.said().tail());
        }
        if self.child.kill().is_ok() {
            // Already ended if not; either way there is nothing left to collect.
            let _status = self.child.wait();
        }
    }
}

/// Reads the log to its end, and says once when the pipeline runs.
fn read(log: ChildStderr, said: &Mutex<Said>, running: &mpsc::Sender<()>) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.take(&line);
        if said.times("pipeline is running") == 1 && line.contains("pipeline is running") {
            // Whoever started the program may have given up.
            let _told = running.send(());
        }
    }
}
