//! `sos check`: what is wrong with a configuration, what is missing on this machine, and with `--connect`, what answers.

mod connect;

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

use senseops_config::{Loaded, Locator, Problem, Registry};
use senseops_core::{BuildError, chain};
use senseops_engine::Plan;
use senseops_web::{Web, WebConfig};

use super::args;
use super::exit::Exit;
use super::{output, run};

pub(super) async fn check(registry: &Registry, args: &args::Check) -> io::Result<Exit> {
    let loaded = match run::load(registry, &args.files) {
        Ok(loaded) => loaded,
        Err(problems) => return run::refuse(&problems),
    };
    if args.print_config {
        return print_config(&loaded);
    }
    let web = loaded.section::<WebConfig>().cloned();
    let Loaded { plan, warnings, locator, .. } = loaded;
    for warning in &warnings {
        writeln!(output::stderr(), "warning: {warning:#}")?;
    }
    if args.connect {
        return connect::connect(registry, &args.files, plan, web.as_ref(), &locator).await;
    }
    let missing = missing_here(&plan, web.as_ref(), &locator).await;
    for problem in &missing {
        writeln!(output::stderr(), "warning: {problem:#}")?;
    }
    let warnings = match warnings.len() + missing.len() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        several => format!(", {several} warnings"),
    };
    writeln!(output::stdout(), "{}{warnings}", what_it_holds(&plan))?;
    Ok(Exit::Done)
}

fn print_config(loaded: &Loaded) -> io::Result<Exit> {
    let text = loaded.locator.effective().map_err(io::Error::other)?;
    output::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

fn what_it_holds(plan: &Plan) -> String {
    let count = |components: usize, role: &str| {
        format!("{components} {role}{}", if components == 1 { "" } else { "s" })
    };
    let sources = plan.sources.iter().map(|spec| spec.components.len()).sum();
    let relays = plan.relays.iter().map(|spec| spec.components.len()).sum();
    let sinks = plan.sinks.iter().map(|spec| spec.components.len()).sum();
    let relays = if relays == 0 { String::new() } else { format!("{}, ", count(relays, "relay")) };
    format!("ok: {}, {relays}{}", count(sources, "source"), count(sinks, "sink"))
}

/// What the configuration names and this machine does not have. It may be there where the program will run, so nothing of
/// it is an error.
async fn missing_here(plan: &Plan, web: Option<&WebConfig>, locator: &Locator) -> Vec<Problem> {
    let mut told = Told::default();
    let mut missing = Vec::new();
    if let Some(web) = web {
        // Everything but its port, which somebody may have.
        let elsewhere = WebConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..web.clone() };
        missing.extend(Web::bind(&elsewhere).await.err().map(|error| here(locator, "web", &error)));
    }
    let errors = plan.inspect().await;
    missing.extend(errors.iter().map(|error| here(locator, &error.component, &error.source)));
    missing.retain(|problem| told.is_new(problem));
    missing
}

fn here(locator: &Locator, table: &str, error: &BuildError) -> Problem {
    locator.problem(table, &error.key, format!("on this machine: {}", chain(error)))
}

/// What was told already: several components of one table fail for the same reason.
#[derive(Default)]
struct Told(HashSet<(String, String)>);

impl Told {
    fn is_new(&mut self, problem: &Problem) -> bool {
        self.0.insert((problem.place.to_string(), problem.message.clone()))
    }
}
