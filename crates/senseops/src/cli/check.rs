//! `sos check`: what is wrong with a configuration, and with `--connect`, what answers.

use std::io::{self, Write};

use senseops_config::{Loaded, Locator, Registry};
use senseops_core::chain;
use senseops_engine::{Plan, Probe, ProbeOutcome};

use super::args;
use super::exit::Exit;
use super::{output, run};

pub(super) async fn check(registry: &Registry, args: &args::Check) -> io::Result<Exit> {
    let Loaded { plan, warnings, locator, .. } = match run::load(registry, &args.files) {
        Ok(loaded) => loaded,
        Err(problems) => return run::refuse(&problems),
    };
    for warning in &warnings {
        writeln!(output::stderr(), "warning: {warning:#}")?;
    }
    if args.connect {
        let probes = plan.probe().await;
        return report(&probes, &locator);
    }
    writeln!(output::stdout(), "{}", what_it_holds(&plan))?;
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

fn report(probes: &[Probe], locator: &Locator) -> io::Result<Exit> {
    let width = probes.iter().map(|probe| probe.component.len()).max().unwrap_or(0);
    let mut out = output::stdout();
    let mut exit = Exit::Done;
    for Probe { component, outcome } in probes {
        let (verdict, text) = match outcome {
            ProbeOutcome::Answered(answer) => ("ok", answer.clone()),
            ProbeOutcome::NothingToTry => ("ok", "nothing to connect to".to_owned()),
            ProbeOutcome::Closed(error) => {
                exit = Exit::Open;
                ("FAILED", locator.problem(component, &error.key, chain(error).to_string()).to_string())
            }
            ProbeOutcome::Failed(error) => {
                if exit == Exit::Done {
                    exit = Exit::Unreachable;
                }
                ("FAILED", chain(&**error).to_string())
            }
        };
        writeln!(out, "{verdict:<8}{component:<width$}  {text}")?;
    }
    Ok(exit)
}
