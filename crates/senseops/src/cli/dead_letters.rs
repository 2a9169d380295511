//! `sos dead-letters`: what targets refused, and trying it again.

use std::io::{self, Write};
use std::path::PathBuf;

use senseops_config::Registry;
use senseops_core::chain;
use senseops_engine::dead_letters::{DeadLetter, Listing, Summary, list, show};
use senseops_sink_console::Pretty;
use senseops_web::{ReplayReport, Status};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::args::{self, Place};
use super::exit::Exit;
use super::instance::{self, Instance, InstanceError, PATIENCE};
use super::{output, run, table};

pub(super) async fn dead_letters(registry: &Registry, command: &args::DeadLetters) -> io::Result<Exit> {
    match command {
        args::DeadLetters::List(args) => {
            let directory = match directory(registry, &args.place).await {
                Ok(directory) => directory,
                Err(exit) => return exit,
            };
            match spawn_blocking(move || list(&directory)).await.map_err(io::Error::other)? {
                Ok(listing) => print_list(&listing, args.json),
                Err(error) => unreadable(&error),
            }
        }
        args::DeadLetters::Show { sink, count, show: args } => {
            let directory = match directory(registry, &args.place).await {
                Ok(directory) => directory,
                Err(exit) => return exit,
            };
            let (of, count) = (sink.clone(), *count);
            let shown = spawn_blocking(move || show(&directory, of.as_deref(), count));
            match shown.await.map_err(io::Error::other)? {
                Ok(listing) => print_letters(&listing, sink.as_deref(), args.json),
                Err(error) => unreadable(&error),
            }
        }
        args::DeadLetters::Replay(args) => match replay(registry, args).await {
            Ok(report) => told(&report),
            Err(error) => error.tell(),
        },
    }
}

async fn replay(registry: &Registry, args: &args::Replay) -> Result<ReplayReport, InstanceError> {
    let instance = Instance::find(registry, &args.access, PATIENCE).await?;
    let query: Vec<_> = args.sink.iter().map(|sink| ("sink", sink.as_str())).collect();
    instance.post("/api/v1/dead-letters/replay", &query).await
}

/// The directory: as said on the command line, as the configuration has it, or as the running instance says.
async fn directory(registry: &Registry, place: &Place) -> Result<PathBuf, io::Result<Exit>> {
    let found = if let Some(path) = &place.path {
        Some(path.clone())
    } else if place.access.config.is_empty() {
        let status = ask(registry, place).await.map_err(|error| error.tell())?;
        status.dead_letters.path.map(PathBuf::from)
    } else {
        let loaded = instance::load(registry, &place.access).map_err(|problems| run::refuse(&problems))?;
        loaded.plan.settings.dead_letters()
    };
    found.ok_or_else(|| {
        output::complain("dead letters are not kept; set pipeline.state_dir or pipeline.dead_letters.path")?;
        Ok(Exit::Config)
    })
}

async fn ask(registry: &Registry, place: &Place) -> Result<Status, InstanceError> {
    Instance::find(registry, &place.access, PATIENCE).await?.get("/status").await
}

fn print_list(listing: &Listing<Summary>, json: bool) -> io::Result<Exit> {
    let mut out = output::stdout();
    if json {
        for Summary { sink, reason, events, first, last } in &listing.entries {
            let line =
                json!({ "sink": sink, "reason": reason, "events": events, "first": first, "last": last });
            writeln!(out, "{line}")?;
        }
    } else if listing.entries.is_empty() {
        writeln!(out, "there are no dead letters")?;
    } else {
        let rows: Vec<_> = listing
            .entries
            .iter()
            .map(|summary| {
                [
                    summary.events.to_string(),
                    summary.sink.clone(),
                    summary.first.to_string(),
                    summary.last.to_string(),
                    table::harmless(&summary.reason),
                ]
            })
            .collect();
        table::write(&mut out, [">events", "sink", "first", "last", "reason"], &rows)?;
    }
    tell_unreadable(listing.unreadable)
}

fn print_letters(listing: &Listing<DeadLetter>, sink: Option<&str>, json: bool) -> io::Result<Exit> {
    let mut out = output::stdout();
    if !json {
        let of = sink.map(|sink| format!(" of {sink}")).unwrap_or_default();
        match (listing.letters, listing.entries.len()) {
            (0, _) => writeln!(out, "there are no dead letters{of}")?,
            (all, shown) if all == shown as u64 => {}
            (all, shown) => {
                writeln!(out, "the newest {shown} of {all} dead letters{of}; --count shows more")?;
            }
        }
    }
    for DeadLetter { refused, sink, reason, event } in &listing.entries {
        if json {
            let line = json!({ "refused": refused, "sink": sink, "reason": reason, "event": event });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{refused} {sink} refused: {}", table::harmless(reason))?;
            writeln!(out, "    {}", Pretty::plain(event))?;
        }
    }
    tell_unreadable(listing.unreadable)
}

fn told(report: &ReplayReport) -> io::Result<Exit> {
    match report.events {
        0 => writeln!(output::stdout(), "there is nothing to try again")?,
        events => writeln!(output::stdout(), "{events} events are tried again")?,
    }
    for sink in &report.absent_sinks {
        output::complain(format_args!("what {sink} refused stays, since there is no such sink"))?;
    }
    tell_unreadable(report.unreadable)
}

fn tell_unreadable(lines: u64) -> io::Result<Exit> {
    if lines > 0 {
        output::complain(format_args!("{lines} lines cannot be read"))?;
    }
    Ok(Exit::Done)
}

fn unreadable(error: &io::Error) -> io::Result<Exit> {
    output::complain(chain(error))?;
    Ok(Exit::Open)
}
