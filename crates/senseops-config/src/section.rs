//! Tables at the root of the configuration that belong to the program, such as `web`.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use figment::value::{Tag, Value};
use senseops_core::PlanError;
use senseops_core::schemars::JsonSchema;
use senseops_core::settings::Warning;
use serde::de::DeserializeOwned;

use crate::component::note_warnings;
use crate::key_path::KeyPath;
use crate::read::{Reader, Table};
use crate::schema::WriteSchema;

/// A table of the program, and how it is read.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) key: &'static str,
    /// What may be written in it.
    pub(crate) schema: WriteSchema,
    read: Arc<ReadTable>,
}

/// Reads a table as the program's own struct. Problems go to the reader.
type ReadTable = dyn Fn(&mut Reader<'_>, &KeyPath, Table) -> Option<Contents> + Send + Sync;

/// What a table of the program says.
type Contents = Box<dyn Any + Send + Sync>;

/// The tables of the program that were written.
#[derive(Default)]
pub(crate) struct Sections(Vec<Contents>);

impl Section {
    pub(crate) fn new<C: DeserializeOwned + JsonSchema + Send + Sync + 'static>(
        key: &'static str,
        check: fn(&C) -> Result<Vec<Warning>, PlanError>,
    ) -> Self {
        let read = move |reader: &mut Reader<'_>, path: &KeyPath, table| {
            let config: C = reader.read(path, Value::Dict(Tag::Default, table), &[])?;
            match check(&config) {
                Ok(warnings) => {
                    note_warnings(reader, path, warnings);
                    Some(Box::new(config) as Contents)
                }
                Err(error) => {
                    reader.error(&path.dotted(&error.key), error.message);
                    None
                }
            }
        };
        Self { key, schema: C::json_schema, read: Arc::new(read) }
    }
}

impl Sections {
    /// Reads the table of a section.
    pub(crate) fn read(&mut self, section: &Section, table: Table, reader: &mut Reader<'_>) {
        self.0.extend((section.read)(reader, &KeyPath::root(section.key), table));
    }

    pub(crate) fn of<C: 'static>(&self) -> Option<&C> {
        self.0.iter().find_map(|contents| contents.downcast_ref())
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sections").finish_non_exhaustive()
    }
}
