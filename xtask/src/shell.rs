//! Other programs: found, started in the root of the workspace, watched, and waited for.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

/// A program could not do its work.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    #[error("run `{command}`")]
    Run { command: String, source: io::Error },
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    #[error("`{command}` did not end within {} s", limit.as_secs())]
    TooLong { command: String, limit: Duration },
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it builds with this profile.
pub(crate) fn built(folder: &str) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from).join(folder)
}

/// Whether the environment says that nobody watches.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// The cargo that runs this program, in the root of the workspace.
pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    if in_ci() {
        // Each crate is compiled once there, so what incremental compilation writes is never read.
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// A program, in the root of the workspace.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// Where the program is: on the `PATH`, where cargo installs, or where administrators' programs are.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .map(|cargo| cargo.join("bin"));
    env::split_paths(&path)
        .chain(home)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name).with_extension(env::consts::EXE_EXTENSION))
        .find(|candidate| candidate.is_file())
}

/// Runs it to its end, with its output shown.
pub(crate) fn run(command: &mut Command) -> Result<(), CommandError> {
    run_as(&shown(command), command)
}

/// Runs it to its end, with its output shown, under a name that says more than its arguments.
pub(crate) fn run_as(name: &str, command: &mut Command) -> Result<(), CommandError> {
    println!("  $ {name}");
    let status = command.status().map_err(|source| CommandError::Run { command: name.to_owned(), source })?;
    if status.success() { Ok(()) } else { Err(CommandError::Failed { command: name.to_owned(), status }) }
}

/// Runs it with its output shown, and stops it when the time is up.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<(), CommandError> {
    announce(command);
    let mut child = command.spawn().map_err(failed_to_run(command))?;
    let ended = wait_until(&mut child, Instant::now() + limit).map_err(failed_to_run(command))?;
    let Some(status) = ended else {
        return Err(CommandError::TooLong { command: shown(command), limit });
    };
    check(command, status)
}

/// Runs it with its output shown, and gives each line of it, without colours, to `read`.
pub(crate) fn watch(command: &mut Command, read: impl Fn(&str) + Sync) -> Result<(), CommandError> {
    announce(command);
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed_to_run(command))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copied = thread::scope(|scope| {
        let copy = scope.spawn(|| stdout.map_or(Ok(()), |pipe| copy_lines(pipe, io::stdout(), &read)));
        let stderr = stderr.map_or(Ok(()), |pipe| copy_lines(pipe, io::stderr(), &read));
        let stdout = copy.join().unwrap_or_else(|_panic| Err(io::Error::other("a reader panicked")));
        stdout.and(stderr)
    });
    let status = child.wait().map_err(failed_to_run(command))?;
    copied.map_err(failed_to_run(command))?;
    check(command, status)
}

/// What it prints, or `None` if it fails or cannot be started.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Becomes the other program, so that Ctrl-C and its exit code are its own matter.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode, CommandError> {
    use std::os::unix::process::CommandExt;
    let source = command.exec();
    Err(CommandError::Run { command: shown(command), source })
}

/// Runs the other program and ends with its exit code.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode, CommandError> {
    let status = command.status().map_err(failed_to_run(command))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = [name].into_iter().chain(command.get_args()).map(|word| word.to_string_lossy());
    words
        .map(|word| if word.contains(' ') { format!("{word:?}") } else { word.into() })
        .collect::<Vec<_>>()
        .join(" ")
}

fn announce(command: &Command) {
    println!("  $ {}", shown(command));
}

fn failed_to_run(command: &Command) -> impl FnOnce(io::Error) -> CommandError + use<> {
    let command = shown(command);
    |source| CommandError::Run { command, source }
}

fn check(command: &Command, status: ExitStatus) -> Result<(), CommandError> {
    if status.success() { Ok(()) } else { Err(CommandError::Failed { command: shown(command), status }) }
}

/// The status of a child that ended in time; kills it otherwise.
fn wait_until(child: &mut Child, end: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        #[expect(clippy::disallowed_methods, reason = "there is no runtime here to block")]
        thread::sleep(Duration::from_millis(50));
    }
}

fn copy_lines(from: impl Read, mut to: impl Write, read: impl Fn(&str)) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        read(without_colours(&String::from_utf8_lossy(&line)).trim_end());
        line.clear();
    }
    Ok(())
}

/// Leaves out the escape sequences that colour a terminal: `ESC [ … m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_colour, rest)| rest))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn colours_are_left_out() {
        assert_eq!(without_colours("\u{1b}[32;1m Summary\u{1b}[0m 3 tests"), " Summary 3 tests");
    }

    #[test]
    #[cfg(unix)]
    fn a_watched_program_is_read_on_both_streams() {
        let lines = Mutex::new(Vec::new());
        let mut command = program("sh");
        command.args(["-c", "echo out; echo err >&2"]);
        watch(&mut command, |line| lines.lock().unwrap().push(line.to_owned())).unwrap();
        let mut lines = lines.into_inner().unwrap();
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_program_that_fails_is_named_with_its_status() {
        let error = run(program("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c \"exit 3\"` failed: exit status: 3");
    }

    #[test]
    #[cfg(unix)]
    fn a_program_that_does_not_end_is_stopped() {
        let error = run_within(program("sleep").arg("60"), Duration::from_millis(1)).unwrap_err();
        assert!(matches!(error, CommandError::TooLong { .. }), "{error}");
    }
}
