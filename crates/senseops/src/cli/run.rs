//! `sos run`: from files to a running pipeline, and out again.

mod front;
mod reloads;
mod service;
mod watch;

use std::io::{self, Write};

use senseops_config::{Loaded, Locator, Problem, Problems, Registry, Severity, environment};
use senseops_core::{BuildError, chain};
use senseops_engine::{OpenError, Pipeline, Program, Summary};
use senseops_web::WebConfig;
use tracing::{debug, info, warn};

use super::args;
use super::exit::Exit;
use super::output;
use super::signals::{self, Hangup};
use reloads::Reloads;
use service::{News, keep_informed, tell};
use watch::Watch;

pub(super) async fn run(registry: &Registry, args: &args::Run) -> io::Result<Exit> {
    let (stop, stop_now) = signals::stop_requested(Hangup::Reloads)?;
    let mut stop = std::pin::pin!(stop);
    // Before the files are read, so that no change is missed.
    let watch = if args.watch { Some(Watch::new(&args.files.config).await) } else { None };
    let loaded = match load(registry, &args.files) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    let web = loaded.section::<WebConfig>().cloned();
    let Loaded { plan, warnings, locator, .. } = loaded;
    for warning in &warnings {
        warn!(%warning, "configuration");
    }
    let Program { name, version } = plan.program;
    info!(version, "{name} is starting");
    let opened = tokio::select! {
        opened = Pipeline::open(plan) => opened,
        () = &mut stop => return Ok(Exit::Done),
    };
    let pipeline = match opened {
        Ok(pipeline) => pipeline,
        Err(error) => return refuse_to_open(&locator, &error),
    };
    let handle = pipeline.handle();
    let mut reloads = Reloads::new(registry, args, handle.clone(), watch)?;
    let opened = tokio::select! {
        opened = reloads.open_front(web.as_ref()) => opened,
        () = &mut stop => return Ok(Exit::Done),
    };
    if let Err(error) = opened {
        return tell_problems(&[web_problem(&locator, &error)]);
    }
    tell(&News::Ready);
    let summary = tokio::select! {
        summary = pipeline.run_until(reloads.until(stop)) => summary,
        never = keep_informed(&handle) => match never {},
        () = stop_now => {
            warn!("asked twice to stop, ending at once");
            return Ok(Exit::Undelivered);
        }
    };
    reloads.end().await;
    sum_up(&summary);
    Ok(exit_of(&summary))
}

/// What became of every event.
fn sum_up(summary: &Summary) {
    let view = &summary.view;
    for source in &view.sources {
        let readings: Vec<_> = source.readings.iter().map(ToString::to_string).collect();
        // A line for each of a thousand servers would bury those of the sinks.
        debug!(
            source = source.name,
            emitted = source.emitted,
            lost = source.lost,
            rate_limited = source.rate_limited,
            readings = readings.join(" "),
            "source has stopped"
        );
    }
    for relay in &view.relays {
        info!(
            relay = relay.name,
            emitted = relay.emitted,
            lost = relay.lost,
            discarded = relay.discarded,
            "relay has stopped"
        );
    }
    for sink in &view.sinks {
        info!(
            sink = sink.name,
            delivered = sink.delivered,
            refused = sink.refused,
            dead_letters = sink.dead_letters,
            discarded = sink.discarded,
            undelivered = sink.lag_events,
            "sink has stopped"
        );
    }
    let emitted: u64 = view.sources.iter().map(|source| source.emitted).sum();
    let rate_limited: u64 = view.sources.iter().map(|source| source.rate_limited).sum();
    let refused: u64 = view.sinks.iter().map(|sink| sink.refused).sum();
    let (name, lost, undelivered) = (view.program.name, view.lost(), view.undelivered());
    info!(emitted, lost, refused, rate_limited, undelivered, "{name} has stopped");
}

pub(super) fn load(registry: &Registry, files: &args::Files) -> Result<Loaded, Problems> {
    senseops_config::load(registry, &files.config, environment())
}

/// Says everything that is wrong with a configuration.
pub(super) fn refuse(problems: &Problems) -> io::Result<Exit> {
    let mut out = output::stderr();
    for problem in problems {
        let kind = if problem.severity == Severity::Warning { "warning: " } else { "" };
        writeln!(out, "{kind}{problem:#}")?;
    }
    Ok(Exit::Config)
}

/// Says everything that could not be opened, and where the configuration asks for it.
pub(super) fn refuse_to_open(locator: &Locator, error: &OpenError) -> io::Result<Exit> {
    tell_problems(&problems_of(locator, error))
}

fn tell_problems(problems: &[Problem]) -> io::Result<Exit> {
    let mut out = output::stderr();
    for problem in problems {
        writeln!(out, "{problem:#}")?;
    }
    Ok(Exit::Open)
}

/// Everything that could not be opened, once.
fn problems_of(locator: &Locator, error: &OpenError) -> Vec<Problem> {
    let problems = error.errors.iter().map(|failed| {
        locator.problem(&failed.component, &failed.source.key, chain(&failed.source).to_string())
    });
    let mut problems: Vec<_> = problems.collect();
    // Several components of one table fail for the same reason.
    problems.dedup_by(|one, other| (&one.place, &one.message) == (&other.place, &other.message));
    problems
}

fn web_problem(locator: &Locator, error: &BuildError) -> Problem {
    locator.problem("web", &error.key, chain(error).to_string())
}

/// What the end of a pipeline means for whoever started the program.
pub(super) fn exit_of(summary: &Summary) -> Exit {
    if summary.view.undelivered() == 0 || summary.view.journal.outlives_the_program {
        Exit::Done
    } else {
        Exit::Undelivered
    }
}
