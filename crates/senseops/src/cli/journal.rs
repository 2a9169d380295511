//! `sos journal`: what waits, and giving up cursors. Asks the running instance if there is one, looks at the files
//! otherwise.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use senseops_config::Registry;
use senseops_core::{Timestamp, chain};
use senseops_engine::{ForgetOfflineError, InspectError, Inspection, forget_offline, inspect};
use senseops_web::{CursorStatus, Forgotten, JournalStatus};
use tokio::task::spawn_blocking;

use super::args::{self, Access, Place};
use super::exit::Exit;
use super::instance::{self, Instance, InstanceError, PATIENCE};
use super::{output, run, table};

pub(super) async fn journal(registry: &Registry, command: &args::Journal) -> io::Result<Exit> {
    match command {
        args::Journal::Show(show) => self::show(registry, show).await,
        args::Journal::Forget { name, place } => forget(registry, place, name).await,
    }
}

async fn show(registry: &Registry, args: &args::View) -> io::Result<Exit> {
    let (directory, asked) = match whom_to_ask(registry, &args.place).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    match (asked, directory) {
        (Ok(status), _) => shown(&status, args.json, &[]),
        (Err(nobody), Some(directory)) if nobody.is_absence() => match inspected(directory.clone()).await? {
            Ok(inspection) => {
                let remarks = remarks(&inspection);
                shown(&status_of(&directory, inspection), args.json, &remarks)
            }
            Err(error) => failed(&error, Exit::Open),
        },
        (Err(error), _) => error.tell(),
    }
}

async fn inspected(directory: PathBuf) -> io::Result<Result<Inspection, InspectError>> {
    spawn_blocking(move || inspect(&directory)).await.map_err(io::Error::other)
}

async fn forget(registry: &Registry, place: &Place, name: &str) -> io::Result<Exit> {
    let (directory, asked) = match whom_to_ask(registry, place).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let forgotten = match (asked, directory) {
        (Ok(_status), _) => match Instance::find(registry, &place.access, PATIENCE).await {
            Ok(instance) => instance.delete("/api/v1/journal/cursors", name).await,
            Err(error) => Err(error),
        }
        .map_err(|error| error.tell()),
        (Err(nobody), Some(directory)) if nobody.is_absence() => forget_in(directory, name).await,
        (Err(error), _) => Err(error.tell()),
    };
    match forgotten {
        Ok(Forgotten { events }) => {
            writeln!(
                output::stdout(),
                "{name} is forgotten; {events} events that waited for it are given up"
            )?;
            Ok(Exit::Done)
        }
        Err(exit) => exit,
    }
}

/// The same where nobody uses the journal.
async fn forget_in(directory: PathBuf, name: &str) -> Result<Forgotten, io::Result<Exit>> {
    let events = match inspected(directory.clone()).await.map_err(Err)? {
        Ok(found) => found.readers.iter().find(|reader| reader.name == name).map_or(0, |one| one.lag.events),
        Err(error) => return Err(failed(&error, Exit::Open)),
    };
    let gone = name.to_owned();
    match spawn_blocking(move || forget_offline(&directory, &gone)).await.map_err(io::Error::other) {
        Ok(Ok(())) => Ok(Forgotten { events }),
        Ok(Err(error @ ForgetOfflineError::Unknown { .. })) => Err(failed(&error, Exit::Usage)),
        Ok(Err(error)) => Err(failed(&error, Exit::Open)),
        Err(panicked) => Err(Err(panicked)),
    }
}

/// The directory, if it is known, and what the running instance says about the journal. A directory that was named on
/// the command line is looked at itself; the instance is asked for it only when it is asked for by its URL.
async fn whom_to_ask(
    registry: &Registry,
    place: &Place,
) -> Result<(Option<PathBuf>, Result<JournalStatus, InstanceError>), io::Result<Exit>> {
    let directory = directory(registry, place)?;
    let asked = ask(registry, &place.access).await;
    // Another instance, with another journal, says nothing about this one.
    let asked = match (asked, &directory) {
        (Ok(status), Some(directory)) if place.access.url.is_none() && !is_of(&status, directory) => {
            Err(InstanceError::Elsewhere)
        }
        (asked, _) => asked,
    };
    Ok((directory, asked))
}

async fn ask(registry: &Registry, access: &Access) -> Result<JournalStatus, InstanceError> {
    Instance::find(registry, access, PATIENCE).await?.get("/api/v1/journal").await
}

fn is_of(status: &JournalStatus, directory: &Path) -> bool {
    let same = |path: &String| match (Path::new(path).canonicalize(), directory.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (_, _) => Path::new(path) == directory,
    };
    status.path.as_ref().is_some_and(same)
}

/// The directory of the journal: as said on the command line, or in the configuration.
fn directory(registry: &Registry, place: &Place) -> Result<Option<PathBuf>, io::Result<Exit>> {
    if let Some(path) = &place.path {
        return Ok(Some(path.clone()));
    }
    if place.access.config.is_empty() {
        return Ok(None);
    }
    match instance::load(registry, &place.access) {
        Ok(loaded) => Ok(loaded.plan.settings.journal().path),
        Err(problems) => Err(run::refuse(&problems)),
    }
}

fn failed(error: &(dyn std::error::Error + 'static), exit: Exit) -> io::Result<Exit> {
    output::complain(chain(error))?;
    Ok(exit)
}

/// What files tell, in the words of an instance.
fn status_of(directory: &Path, inspection: Inspection) -> JournalStatus {
    let Inspection { appended_events, disk_bytes, oldest, readers, damaged, quarantined, .. } = inspection;
    let count = |places: usize| u64::try_from(places).unwrap_or(u64::MAX);
    let cursors: Vec<_> = readers
        .into_iter()
        .map(|reader| CursorStatus {
            name: reader.name,
            attached: reader.attached,
            lag_events: reader.lag.events,
            lag_bytes: reader.lag.bytes,
            lag_age_seconds: reader.lag.age.as_secs_f64(),
            discarded: reader.discarded,
        })
        .collect();
    JournalStatus {
        path: Some(directory.display().to_string()),
        outlives_the_program: true,
        events: cursors.iter().map(|cursor| cursor.lag_events).max().unwrap_or(0),
        bytes: cursors.iter().map(|cursor| cursor.lag_bytes).max().unwrap_or(0),
        disk_bytes,
        age_seconds: oldest.map_or(0.0, |oldest| Timestamp::now().since(oldest).as_secs_f64()),
        appended_events,
        durable_events: appended_events,
        damaged: count(damaged.len()),
        quarantined: count(quarantined.len()),
        cursors,
        ..JournalStatus::default()
    }
}

/// What only files tell.
fn remarks(inspection: &Inspection) -> Vec<String> {
    let mut remarks = Vec::new();
    if inspection.in_use {
        let owner = inspection.owner.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
        remarks.push(format!("{owner} uses it now; what it holds in memory is not seen here"));
    }
    if inspection.cursors_damaged {
        remarks.push("the file of the cursors is damaged, so it is not known who has read what".to_owned());
    }
    let damaged = inspection.damaged.iter();
    remarks
        .extend(damaged.map(|place| format!("damaged: {} from byte {}", place.path.display(), place.offset)));
    remarks.extend(inspection.quarantined.iter().map(|path| format!("set aside: {}", path.display())));
    remarks
}

fn shown(status: &JournalStatus, json: bool, remarks: &[String]) -> io::Result<Exit> {
    let mut out = output::stdout();
    if json {
        let text = serde_json::to_string_pretty(status).map_err(io::Error::other)?;
        writeln!(out, "{text}")?;
    } else {
        print(&mut out, status)?;
        for remark in remarks {
            writeln!(out, "{remark}")?;
        }
    }
    Ok(Exit::Done)
}

fn print(out: &mut impl Write, status: &JournalStatus) -> io::Result<()> {
    let place = status.path.as_deref().map_or_else(|| "in memory".to_owned(), |path| format!("in {path}"));
    let waiting = match status.max_bytes {
        0 => table::size(status.bytes),
        max => format!("{} of {}", table::size(status.bytes), table::size(max)),
    };
    writeln!(out, "journal {place}: {} events wait, {waiting}", status.events)?;
    writeln!(
        out,
        "{} events ever, {} of them durable; {} on disk, {} damaged places, {} files set aside",
        status.appended_events,
        status.durable_events,
        table::size(status.disk_bytes),
        status.damaged,
        status.quarantined
    )?;
    if let Some(failure) = &status.failure {
        writeln!(out, "FAILING: {}", table::harmless(failure))?;
    }
    if let Some(reason) = &status.unreadable {
        writeln!(out, "WAITING: {}", table::harmless(reason))?;
    }
    let rows: Vec<_> = status
        .cursors
        .iter()
        .map(|cursor| {
            [
                cursor.name.clone(),
                if cursor.attached { "yes" } else { "no" }.to_owned(),
                cursor.lag_events.to_string(),
                table::size(cursor.lag_bytes),
                if cursor.lag_events > 0 { table::span(cursor.lag_age_seconds) } else { String::new() },
                cursor.discarded.to_string(),
            ]
        })
        .collect();
    table::write(out, ["cursor", "read", ">waiting", ">size", ">age", ">discarded"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shown_with_what_waits_for_them() {
        let cursor = |name: &str, attached, lag_events| CursorStatus {
            name: name.into(),
            attached,
            lag_events,
            lag_bytes: lag_events * 1000,
            lag_age_seconds: 90.0,
            discarded: 3,
        };
        let status = JournalStatus {
            path: Some("/var/lib/sos/journal".into()),
            events: 5000,
            bytes: 5 << 20,
            max_bytes: 1 << 30,
            disk_bytes: 6 << 20,
            appended_events: 9000,
            durable_events: 8990,
            failure: Some("no space left".into()),
            cursors: vec![cursor("influx.main", true, 0), cursor("mqtt.gone", false, 5000)],
            ..JournalStatus::default()
        };
        let mut out = Vec::new();
        print(&mut out, &status).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        journal in /var/lib/sos/journal: 5000 events wait, 5.0 MiB of 1.0 GiB
        9000 events ever, 8990 of them durable; 6.0 MiB on disk, 0 damaged places, 0 files set aside
        FAILING: no space left
        cursor       read  waiting     size   age  discarded
        influx.main  yes         0      0 B                3
        mqtt.gone    no       5000  4.8 MiB  90 s          3
        ");
    }
}
