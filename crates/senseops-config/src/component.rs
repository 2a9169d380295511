//! From a component's table to its planned components.

use std::collections::BTreeSet;

use figment::value::{Tag, Value};
use senseops_core::settings::{Warning, is_secret_name};
use senseops_core::{Planned, Plugin};

use crate::key_path::KeyPath;
use crate::read::{Reader, Table};

/// Reads the table of a component as the plugin's own struct, and plans it. The engine has read `engine_keys`.
pub(crate) fn plan_component<P: Plugin>(
    reader: &mut Reader<'_>,
    path: &KeyPath,
    table: Table,
    engine_keys: &'static [&'static str],
) -> Option<Vec<Planned<P::Component>>> {
    let config: P = reader.read(path, Value::Dict(Tag::Default, table), engine_keys)?;
    let warnings = config.warnings();
    note_warnings(reader, path, warnings);
    let components = match config.plan() {
        Ok(components) => components,
        Err(error) => {
            reader.error(&path.dotted(&error.key), error.message);
            return None;
        }
    };
    // Cursors, health and counters are kept by name.
    let mut names = BTreeSet::new();
    if let Some(twice) =
        components.iter().map(|planned| planned.part.as_deref()).find(|name| !names.insert(*name))
    {
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
