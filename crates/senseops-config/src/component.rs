//! From a component's table to its planned components.

use std::collections::BTreeSet;

use figment::value::{Tag, Value};
use senseops_core::settings::{Warning, is_secret_name};
use senseops_core::{PlanError, PlannedSink, PlannedSource, SinkConfig, SourceConfig};

use crate::key_path::KeyPath;
use crate::read::{Reader, Table};

/// Keys that the engine takes out of the table of a source.
pub(crate) const SOURCE_KEYS: [&str; 2] = ["enabled", "labels"];
/// Keys that the engine takes out of the table of a sink.
pub(crate) const SINK_KEYS: [&str; 3] = ["enabled", "only", "delivery"];

pub(crate) fn plan_source<C: SourceConfig>(
    reader: &mut Reader<'_>,
    path: &KeyPath,
    table: Table,
) -> Option<Vec<PlannedSource>> {
    let config: C = reader.read(path, Value::Dict(Tag::Default, table), &SOURCE_KEYS)?;
    let warnings = config.warnings();
    planned(reader, path, warnings, config.plan(), |source| source.part.as_deref())
}

pub(crate) fn plan_sink<C: SinkConfig>(
    reader: &mut Reader<'_>,
    path: &KeyPath,
    table: Table,
) -> Option<Vec<PlannedSink>> {
    let config: C = reader.read(path, Value::Dict(Tag::Default, table), &SINK_KEYS)?;
    let warnings = config.warnings();
    planned(reader, path, warnings, config.plan(), |sink| sink.part.as_deref())
}

fn planned<P>(
    reader: &mut Reader<'_>,
    path: &KeyPath,
    warnings: Vec<Warning>,
    planned: Result<Vec<P>, PlanError>,
    part: fn(&P) -> Option<&str>,
) -> Option<Vec<P>> {
    note_warnings(reader, path, warnings);
    let components = match planned {
        Ok(components) => components,
        Err(error) => {
            reader.error(&path.dotted(&error.key), error.message);
            return None;
        }
    };
    // Cursors, health and counters are kept by name.
    let mut names = BTreeSet::new();
    if let Some(twice) = components.iter().map(part).find(|name| !names.insert(*name)) {
        reader.error(
            path,
            format!("two components of it are called {:?}; names must differ", twice.unwrap_or("")),
        );
        return None;
    }
    Some(components)
}

/// Notes what should be known about the table at `path`.
pub(crate) fn note_warnings(reader: &mut Reader<'_>, path: &KeyPath, warnings: Vec<Warning>) {
    for warning in warnings {
        let path = path.dotted(&warning.key);
        // A secret that a variable gives is where `{ env: NAME }` would have it, not in a file.
        let is_well_kept =
            path.last().is_some_and(is_secret_name) && reader.locator().is_from_environment(&path);
        if !is_well_kept {
            reader.warning(&path, warning.message);
        }
    }
}
