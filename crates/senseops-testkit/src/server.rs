//! A real server of the test's own: a process in a directory of its own, on loopback, ended with the test.

use std::fs::{self, File};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use senseops_core::BoxError;
use tempfile::TempDir;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::Reserved;

/// How long a server may take to answer after its start, on a machine that is busy with other things.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// How long a server may take to end when asked to.
const STOP_WITHIN: Duration = Duration::from_mins(1);

/// How often a server that starts or stops is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of the end of a log an error shows.
const LOG_TAIL_LINES: usize = 15;

/// Where packages put servers when `PATH` is that of an ordinary user.
const SYSTEM_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// A real server cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is no such program.
    #[error(
        "{program} is not installed; `cargo xtask services install` installs the Debian package {package}"
    )]
    NotInstalled {
        /// The program that was looked for.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// Its files cannot be prepared, or it cannot be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("{program} ended at once; the end of its log:\n{log}")]
    Ended {
        /// The program.
        program: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// It runs but does not answer as it should.
    #[error("{program} did not answer; the end of its log:\n{log}")]
    Silent {
        /// The program.
        program: &'static str,
        /// The last lines of its log.
        log: String,
        /// The last answer.
        #[source]
        source: BoxError,
    },
}

/// The process and its directory. Ended and removed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    program: &'static str,
    executable: PathBuf,
    arguments: Vec<String>,
    /// The ports that it is told to listen on, also while it is away.
    ports: Vec<Reserved>,
    /// Declared before the directory, so that the process is gone when its files go.
    child: Running,
    directory: TempDir,
}

/// A process that is ended when dropped.
#[derive(Debug, Default)]
struct Running(Option<Child>);

impl Server {
    /// Finds the program and makes a directory for it; starts nothing.
    pub(crate) fn find(program: &'static str, package: &'static str) -> Result<Self, ServerError> {
        let executable = executable(program).ok_or(ServerError::NotInstalled { program, package })?;
        let directory = tempfile::Builder::new().prefix(program).tempdir();
        let directory = directory.map_err(|source| ServerError::Start { program, source })?;
        let (arguments, ports, child) = (Vec::new(), Vec::new(), Running::default());
        Ok(Self { program, executable, arguments, ports, child, directory })
    }

    /// Loopback addresses for it alone, as long as it lives.
    pub(crate) fn addresses<const N: usize>(&mut self) -> Result<[SocketAddr; N], ServerError> {
        let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
        for address in &mut addresses {
            let reserved = Reserved::tcp().map_err(|source| self.start_error(source))?;
            *address = reserved.address();
            self.ports.push(reserved);
        }
        Ok(addresses)
    }

    /// Where its configuration, data and log are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the directory and gives its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, ServerError> {
        let path = self.directory().join(name);
        fs::write(&path, content).map_err(|source| self.start_error(source))?;
        Ok(path)
    }

    /// Starts the process and waits until `ready` succeeds.
    pub(crate) async fn start<F>(
        &mut self,
        arguments: Vec<String>,
        ready: impl Fn() -> F,
    ) -> Result<(), ServerError>
    where
        F: Future<Output = Result<(), BoxError>>,
    {
        self.arguments = arguments;
        self.start_again(ready).await
    }

    /// Starts the process with the arguments and files of before.
    pub(crate) async fn start_again<F>(&mut self, ready: impl Fn() -> F) -> Result<(), ServerError>
    where
        F: Future<Output = Result<(), BoxError>>,
    {
        self.child.end();
        self.child = self.spawn().map_err(|source| self.start_error(source))?;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let answer = tokio::time::timeout(READY_WITHIN, ready()).await;
            let reason: BoxError = match answer {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(reason)) => reason,
                Err(elapsed) => elapsed.into(),
            };
            if self.child.has_ended() {
                return Err(ServerError::Ended { program: self.program, log: self.log_tail() });
            }
            if Instant::now() >= deadline {
                let (program, log) = (self.program, self.log_tail());
                return Err(ServerError::Silent { program, log, source: reason });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the process to end and waits until it has; one that does not is killed.
    pub(crate) async fn stop(&mut self) {
        if self.child.ask_to_end() {
            let deadline = Instant::now() + STOP_WITHIN;
            while !self.child.has_ended() && Instant::now() < deadline {
                sleep(LOOK_EVERY).await;
            }
        }
        self.child.end();
    }

    /// Ends the process as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.end();
    }

    /// The last lines of the log, for messages.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default().join("\n")
    }

    fn spawn(&self) -> io::Result<Running> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let child = Command::new(&self.executable)
            .args(&self.arguments)
            .current_dir(self.directory())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Running(Some(child)))
    }

    fn log_path(&self) -> PathBuf {
        self.directory().join("log")
    }

    fn start_error(&self, source: io::Error) -> ServerError {
        ServerError::Start { program: self.program, source }
    }
}

impl Running {
    fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Whether the process can be asked.
    #[cfg(unix)]
    fn ask_to_end(&self) -> bool {
        use rustix::process::{Pid, Signal, kill_process};
        // A child that nobody has waited for keeps its number, so nobody else can be meant.
        self.0.as_ref().is_some_and(|child| kill_process(Pid::from_child(child), Signal::TERM).is_ok())
    }

    #[cfg(not(unix))]
    fn ask_to_end(&self) -> bool {
        false
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Both fail only for a process that has ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn executable(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_DIRECTORIES.map(PathBuf::from))
        .map(|directory| directory.join(program).with_extension(std::env::consts::EXE_EXTENSION))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_installed_is_named_with_its_package() {
        let error = Server::find("no-such-server", "no-such-package").unwrap_err();
        insta::assert_snapshot!(error, @"no-such-server is not installed; `cargo xtask services install` installs the Debian package no-such-package");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_server_that_ends_at_once_shows_the_end_of_its_log() {
        let mut server = Server::find("sh", "dash").unwrap();
        let script = "for line in $(seq 20); do echo line $line; done; exit 1";
        let never = || async { Err("never".into()) };
        let error = server.start(vec!["-c".into(), script.into()], never).await.unwrap_err();
        let ServerError::Ended { log, .. } = error else { panic!("{error:?}") };
        assert_eq!(log.lines().next(), Some("line 6"));
        assert_eq!(log.lines().last(), Some("line 20"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_dropped_server_is_gone_with_its_directory() {
        let mut server = Server::find("sleep", "coreutils").unwrap();
        server.start(vec!["1000".into()], || async { Ok(()) }).await.unwrap();
        let pid = rustix::process::Pid::from_child(server.child.0.as_ref().unwrap());
        let directory = server.directory().to_owned();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(server);
        assert!(rustix::process::test_kill_process(pid).is_err());
        assert!(!directory.exists());
    }
}
