//! The real servers that tests talk to, and the Debian packages that bring them.

use std::io::{self, BufRead, IsTerminal, Write};

use thiserror::Error;

use crate::error::BoxError;
use crate::shell;

/// A server that some test starts for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The executable.
    pub(crate) program: &'static str,
    /// The Debian package that brings it.
    pub(crate) package: &'static str,
}

/// Every server that some test starts.
pub(crate) const SERVERS: &[Server] = &[
    Server { name: "influxdb", program: "influxd", package: "influxdb" },
    Server { name: "mosquitto", program: "mosquitto", package: "mosquitto" },
];

/// Other programs that `cargo xtask chaos` makes use of.
pub(crate) const TOOLS: &[Server] = &[Server { name: "faketime", program: "faketime", package: "faketime" }];

/// Whether packages may be installed without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Given,
    Ask,
}

/// What cannot be repaired from here.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum PackageError {
    #[error("{programs} not found, and there is no apt-get: install {names} with what this system has")]
    NoApt { programs: String, names: String },
    #[error("{programs} not found. Run this, then try again: sudo apt-get install {packages}")]
    NoRight { programs: String, packages: String },
    #[error("{programs} not found, and nobody can be asked: pass --yes to install {packages}")]
    NobodyToAsk { programs: String, packages: String },
    #[error("{programs} not found. `cargo test -p PACKAGE` runs the tests of one package without it")]
    Declined { programs: String },
    #[error("{packages} installed, but {programs} still not found")]
    NoProgram { programs: String, packages: String },
}

/// What this machine allows.
#[derive(Clone, Copy, Debug)]
struct Means {
    apt: bool,
    root: Option<Root>,
    terminal: bool,
}

/// How to do something as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    /// We are root.
    Ourselves,
    /// `sudo` asks for no password.
    Sudo,
}

impl Consent {
    /// From `--yes`, or because nobody watches.
    pub(crate) fn from_flag(yes: bool) -> Self {
        if yes || shell::in_ci() { Self::Given } else { Self::Ask }
    }
}

/// Makes sure that the servers are installed, and says where they are.
pub(crate) fn ensure(servers: &[Server], consent: Consent) -> Result<String, BoxError> {
    let missing = missing(servers);
    if !missing.is_empty() {
        let root = decide(&missing, consent, Means::of_this_machine())?;
        let packages = join(&missing, |server| server.package);
        println!("  {} needed; installing with apt-get: {packages}", join(&missing, |server| server.program));
        if consent == Consent::Ask && !confirmed()? {
            return Err(PackageError::Declined { programs: join(&missing, |server| server.program) }.into());
        }
        install(&missing, root)?;
    }
    let found = servers.iter().filter_map(|server| shell::find(server.program));
    Ok(found.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))
}

fn missing(servers: &[Server]) -> Vec<Server> {
    servers.iter().copied().filter(|server| shell::find(server.program).is_none()).collect()
}

/// How to install, or why it is not possible.
fn decide(missing: &[Server], consent: Consent, means: Means) -> Result<Root, PackageError> {
    let programs = join(missing, |server| server.program);
    let packages = join(missing, |server| server.package);
    if !means.apt {
        return Err(PackageError::NoApt { programs, names: join(missing, |server| server.name) });
    }
    let Some(root) = means.root else { return Err(PackageError::NoRight { programs, packages }) };
    if consent == Consent::Ask && !means.terminal {
        return Err(PackageError::NobodyToAsk { programs, packages });
    }
    Ok(root)
}

fn confirmed() -> io::Result<bool> {
    print!("  go on? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn install(servers: &[Server], root: Root) -> Result<(), BoxError> {
    let mut command = match root {
        Root::Ourselves => shell::program("sh"),
        Root::Sudo => shell::program("sudo"),
    };
    if root == Root::Sudo {
        command.args(["--non-interactive", "sh"]);
    }
    command.args(["-c", include_str!("packages/install.sh"), "install"]);
    command.args(servers.iter().map(|server| server.package));
    shell::run_as(&format!("apt-get install {}", join(servers, |server| server.package)), &mut command)?;
    match missing(servers) {
        still if still.is_empty() => Ok(()),
        still => Err(PackageError::NoProgram {
            programs: join(&still, |server| server.program),
            packages: join(&still, |server| server.package),
        }
        .into()),
    }
}

impl Means {
    fn of_this_machine() -> Self {
        let root = if shell::answer(shell::program("id").arg("-u")).is_some_and(|id| id == "0") {
            Some(Root::Ourselves)
        } else {
            shell::answer(shell::program("sudo").args(["--non-interactive", "true"]))
                .map(|_granted| Root::Sudo)
        };
        Self { apt: shell::find("apt-get").is_some(), root, terminal: io::stdin().is_terminal() }
    }
}

fn join(servers: &[Server], part: impl Fn(&Server) -> &'static str) -> String {
    servers.iter().map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: &[Server] = &[Server { name: "influxdb", program: "influxd", package: "influxdb" }];
    const DEBIAN: Means = Means { apt: true, root: Some(Root::Ourselves), terminal: true };

    fn refusal(consent: Consent, means: Means) -> String {
        decide(GONE, consent, means).unwrap_err().to_string()
    }

    #[test]
    fn a_person_with_rights_is_asked_and_ci_is_not() {
        assert_eq!(decide(GONE, Consent::Ask, DEBIAN), Ok(Root::Ourselves));
        assert_eq!(decide(GONE, Consent::Given, Means { terminal: false, ..DEBIAN }), Ok(Root::Ourselves));
    }

    #[test]
    fn what_cannot_be_installed_is_named_with_what_to_do() {
        assert_eq!(
            refusal(Consent::Given, Means { apt: false, ..DEBIAN }),
            "influxd not found, and there is no apt-get: install influxdb with what this system has"
        );
        assert_eq!(
            refusal(Consent::Given, Means { root: None, ..DEBIAN }),
            "influxd not found. Run this, then try again: sudo apt-get install influxdb"
        );
        assert_eq!(
            refusal(Consent::Ask, Means { terminal: false, ..DEBIAN }),
            "influxd not found, and nobody can be asked: pass --yes to install influxdb"
        );
    }

    #[test]
    fn a_program_that_no_folder_has_is_missing() {
        let ghost = Server { name: "ghost", program: "no-such-program-anywhere", package: "ghost" };
        let shell = Server { name: "shell", program: "sh", package: "dash" };
        assert_eq!(missing(&[ghost, shell]), [ghost]);
    }
}
