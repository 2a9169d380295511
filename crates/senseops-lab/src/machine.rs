//! This machine: where the repository and the programs are, and what took part in a measurement.
#![expect(clippy::disallowed_methods, reason = "procfs answers from memory")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.ancestors().nth(2).unwrap_or(lab)
}

/// The folder of this program, which is that of the others that were built with it.
pub(crate) fn built() -> io::Result<PathBuf> {
    let this = env::current_exe()?;
    this.parent().map(Path::to_owned).ok_or_else(|| io::Error::other("a program without a folder"))
}

/// A program of this name in a folder.
pub(crate) fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// Where the program is: on the `PATH`, or where administrators' programs are.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| program(&folder, name))
        .find(|candidate| candidate.is_file())
}

/// What it prints, or `None` if it fails or cannot be started.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The cores, the CPU and the kernel.
pub(crate) fn hardware() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores ({}), Linux {}", model.trim_start_matches(['\t', ' ', ':']), kernel.trim())
}

/// The versions of all that takes part: the program, the compiler, the servers.
pub(crate) fn versions(sos: &Path) -> String {
    let sos = first_line(Command::new(sos).arg("--version"));
    let rustc = first_line(Command::new("rustc").arg("--version").current_dir(root()));
    let influxdb = first_line(Command::new("influxd").arg("version"));
    let mosquitto = first_line(Command::new(find("mosquitto").unwrap_or_default()).arg("-h"));
    [
        sos,
        // Without the commit and the day.
        rustc.split(" (").next().unwrap_or_default().to_owned(),
        influxdb.split(" (").next().unwrap_or_default().to_owned(),
        mosquitto.replace("mosquitto version", "Mosquitto"),
    ]
    .join(", ")
}

/// The first line of what it prints, whatever it exits with; some count being asked for help as a failure.
fn first_line(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("something unknown").to_owned()
}
