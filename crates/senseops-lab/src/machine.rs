//! Where things are on this machine: the repository, the programs that were built with this one, other programs.

use std::env;
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
