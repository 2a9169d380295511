//! `sos run`: from files to a running pipeline, and out again.

use std::io::{self, Write};

use senseops_config::{Loaded, Locator, Problems, Registry, environment};
use senseops_core::chain;
use senseops_engine::{OpenError, Pipeline, Summary};
use tracing::{debug, info, warn};

use super::args::Files;
use super::exit::Exit;
use super::{output, signals};

pub(super) async fn run(registry: &Registry, files: &Files) -> io::Result<Exit> {
    let (stop, stop_now) = signals::stop_requested()?;
    let mut stop = std::pin::pin!(stop);
    let Loaded { plan, warnings, locator } = match load(registry, files) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    for warning in &warnings {
        warn!(%warning, "configuration");
    }
    info!(version = env!("CARGO_PKG_VERSION"), "sos is starting");
    let opened = tokio::select! {
        opened = Pipeline::open(plan) => opened,
        () = &mut stop => return Ok(Exit::Done),
    };
    let pipeline = match opened {
        Ok(pipeline) => pipeline,
        Err(error) => return refuse_to_open(&locator, &error),
    };
    let summary = tokio::select! {
        summary = pipeline.run_until(stop) => summary,
        () = stop_now => {
            warn!("asked twice to stop, ending at once");
            return Ok(Exit::Undelivered);
        }
    };
    for source in &summary.view.sources {
        let readings: Vec<_> = source.readings.iter().map(ToString::to_string).collect();
        // A line for each of a thousand servers would bury those of the sinks.
        debug!(
            source = source.name,
            emitted = source.emitted,
            lost = source.lost,
            readings = readings.join(" "),
            "source has stopped"
        );
    }
    for sink in &summary.view.sinks {
        info!(
            sink = sink.name,
            delivered = sink.delivered,
            refused = sink.refused,
            discarded = sink.discarded,
            undelivered = sink.lag_events,
            "sink has stopped"
        );
    }
    Ok(exit_of(&summary))
}

pub(super) fn load(registry: &Registry, files: &Files) -> Result<Loaded, Problems> {
    senseops_config::load(registry, &files.config, environment())
}

/// Says everything that is wrong with a configuration.
pub(super) fn refuse(problems: &Problems) -> io::Result<Exit> {
    let mut out = output::stderr();
    for problem in problems {
        writeln!(out, "{problem:#}")?;
    }
    Ok(Exit::Config)
}

/// Says everything that could not be opened, and where the configuration asks for it.
pub(super) fn refuse_to_open(locator: &Locator, error: &OpenError) -> io::Result<Exit> {
    let problems = error.errors.iter().map(|failed| {
        let problem =
            locator.problem(&failed.component, &failed.source.key, chain(&failed.source).to_string());
        format!("{problem:#}")
    });
    let mut problems: Vec<_> = problems.collect();
    // Several components of one table fail for the same reason.
    problems.dedup();
    let mut out = output::stderr();
    for problem in problems {
        writeln!(out, "{problem}")?;
    }
    Ok(Exit::Open)
}

/// What the end of a pipeline means for whoever started the program.
pub(super) fn exit_of(summary: &Summary) -> Exit {
    if summary.view.undelivered() == 0 || summary.view.journal.outlives_the_program {
        Exit::Done
    } else {
        Exit::Undelivered
    }
}
