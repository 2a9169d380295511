//! What answers, and what a running instance has already.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use senseops_config::{Locator, Problem, Registry};
use senseops_core::{BuildError, chain};
use senseops_engine::{Held, Plan, Probe, ProbeOutcome};
use senseops_web::{Status, Web, WebConfig};

use super::Told;
use crate::cli::args::{self, Access};
use crate::cli::exit::Exit;
use crate::cli::instance::Instance;
use crate::cli::output;

/// The longest that a running instance may take to tell what it has.
const PATIENCE: Duration = Duration::from_secs(5);

/// The name of the listener among the components.
const WEB: &str = "web";

/// An instance that runs with this configuration, or the one before it.
struct Running {
    pid: Option<u32>,
    /// Where it listens, if it says so.
    listeners: Option<Vec<SocketAddr>>,
}

/// What came of trying one thing, as a line.
enum Verdict {
    Ok(String),
    Failed(Exit, String),
    /// Another component was told to fail for the same reason.
    Told,
}

pub(super) async fn connect(
    registry: &Registry,
    files: &args::Files,
    plan: Plan,
    web: Option<&WebConfig>,
    locator: &Locator,
) -> io::Result<Exit> {
    let mut probes = plan.probe().await;
    if let Some(web) = web {
        probes.push(listener(web).await);
    }
    let running = running(registry, files, web, &probes).await;
    report(&probes, running.as_ref(), locator)
}

/// Opens the listener as the program would.
async fn listener(web: &WebConfig) -> Probe {
    let outcome = match Web::bind(web).await {
        Ok(_open) => ProbeOutcome::Answered(format!("can listen on {}", web.listen)),
        Err(error) if is_taken(&error) => {
            ProbeOutcome::Held(Held::Socket(senseops_core::host::Protocol::Tcp, web.listen), error)
        }
        Err(error) => ProbeOutcome::Closed(error),
    };
    Probe { component: WEB.to_owned(), table: WEB.to_owned(), outcome }
}

fn is_taken(error: &BuildError) -> bool {
    let cause = error.source.as_ref().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::AddrInUse)
}

/// The instance that has what the probes could not have: the owner of the journal, or who answers at the web address.
async fn running(
    registry: &Registry,
    files: &args::Files,
    web: Option<&WebConfig>,
    probes: &[Probe],
) -> Option<Running> {
    let held = |probe: &Probe| match probe.outcome {
        ProbeOutcome::Held(held, _) => Some(held),
        ProbeOutcome::Answered(_)
        | ProbeOutcome::NothingToTry
        | ProbeOutcome::Closed(_)
        | ProbeOutcome::Failed(_) => None,
    };
    let owner = probes.iter().filter_map(held).find_map(|held| match held {
        Held::Directory(owner) => Some(owner),
        Held::Socket(..) => None,
    });
    let is_web_held = probes.iter().any(|probe| probe.component == WEB && held(probe).is_some());
    let status = match web {
        Some(web) if is_web_held => asked(registry, files).await.map(|status| (web.listen, status)),
        Some(_) | None => None,
    };
    match (owner, status) {
        (None, None) => None,
        (Some(pid), None) => Some(Running { pid, listeners: None }),
        (owner, Some((web, status))) => {
            let pid = owner.flatten().or(status.process.map(|process| process.pid));
            let listeners = status.listeners.iter().map(|listener| listener.address).chain([web]);
            Some(Running { pid, listeners: Some(listeners.collect()) })
        }
    }
}

/// What the instance says that listens where the `web` table tells. `None` if it is not one of ours, or does not let us in.
async fn asked(registry: &Registry, files: &args::Files) -> Option<Status> {
    let access = Access { config: files.config.clone(), ..Access::default() };
    let instance = Instance::find(registry, &access, PATIENCE).await.ok()?;
    instance.get("/status").await.ok()
}

impl Running {
    /// Whether it is this instance that has it. Without a word from it, the owner of the journal is taken for who has the
    /// sockets of the same configuration too.
    fn has(&self, held: Held) -> bool {
        match (held, &self.listeners) {
            (Held::Socket(_, address), Some(listeners)) => listeners.contains(&address),
            (Held::Socket(..), None) | (Held::Directory(_), _) => true,
        }
    }

    fn sentence(&self) -> String {
        match self.pid {
            Some(pid) => format!("held by the running instance, pid {pid}"),
            None => "held by the running instance".to_owned(),
        }
    }
}

fn report(probes: &[Probe], running: Option<&Running>, locator: &Locator) -> io::Result<Exit> {
    let mut told = Told::default();
    let lines: Vec<(&str, Verdict)> = probes
        .iter()
        .map(|probe| (name(probe, probes), judged(probe, running, locator, &mut told)))
        .collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = output::stdout();
    let mut exit = Exit::Done;
    for (name, verdict) in lines {
        match verdict {
            Verdict::Ok(text) => writeln!(out, "{:<8}{name:<width$}  {text}", "ok")?,
            Verdict::Failed(because, text) => {
                // What cannot be opened here weighs more than who does not answer.
                exit = if exit == Exit::Open { exit } else { because };
                writeln!(out, "{:<8}{name:<width$}  {text}", "FAILED")?;
            }
            Verdict::Told => {}
        }
    }
    Ok(exit)
}

/// What a line is about: the table, where that is why several components of it cannot be opened.
fn name<'p>(probe: &'p Probe, probes: &[Probe]) -> &'p str {
    let is_closed = |probe: &Probe| matches!(probe.outcome, ProbeOutcome::Closed(_));
    let of_table = probes.iter().filter(|other| other.table == probe.table && is_closed(other)).count();
    if is_closed(probe) && of_table > 1 { &probe.table } else { &probe.component }
}

fn judged(probe: &Probe, running: Option<&Running>, locator: &Locator, told: &mut Told) -> Verdict {
    let mut cannot_be_opened = |error: &BuildError| {
        let problem: Problem = locator.problem(&probe.table, &error.key, chain(error).to_string());
        if told.is_new(&problem) { Verdict::Failed(Exit::Open, problem.to_string()) } else { Verdict::Told }
    };
    match &probe.outcome {
        ProbeOutcome::Answered(answer) => Verdict::Ok(answer.clone()),
        ProbeOutcome::NothingToTry => Verdict::Ok("nothing to connect to".to_owned()),
        ProbeOutcome::Held(held, error) => match running.filter(|running| running.has(*held)) {
            Some(running) => Verdict::Ok(running.sentence()),
            None => cannot_be_opened(error),
        },
        ProbeOutcome::Closed(error) => cannot_be_opened(error),
        ProbeOutcome::Failed(error) => Verdict::Failed(Exit::Unreachable, chain(&**error).to_string()),
    }
}
