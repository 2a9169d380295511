//! Events as points of InfluxDB 1.x.
//!
//! A table says what a kind becomes: measurements with tags and fields, each from the generation of Butler SOS on
//! that has it. Later versions of InfluxDB store the same measurements with other types (unsigned, floats) and some
//! other field names, so they are a second axis beside the generation, in these tables.

mod health;
mod table;
mod user_event;

use senseops_core::Event;
use senseops_core::schemars::{self, JsonSchema};
use serde::Deserialize;

use self::table::{PointTable, Wanted};
use crate::{Naming, Point, default_form};

/// Makes points of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InfluxDialect {
    /// Whose names the points get.
    pub naming: Naming,
    /// Which lists of apps health points carry.
    pub include: IncludedDocs,
}

/// Which lists of apps the points of a server's health carry, each as ids and as names. A list that is not included
/// is written as empty text; the number of its apps is always there. Default: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncludedDocs {
    /// Apps that somebody is using.
    pub active_docs: bool,
    /// Apps that are open.
    pub loaded_docs: bool,
    /// Apps that the engine holds in memory.
    pub in_memory_docs: bool,
}

/// The kinds that Butler SOS has names for.
const TABLES: &[PointTable] = &[user_event::TABLE, health::TABLE];

impl InfluxDialect {
    /// Hands each point of the event to `write`. There may be several, or none when the event has no usable field.
    /// `point` is the buffer that they are made in; keep it for the next event.
    pub fn points<'e>(&self, event: &'e Event, point: &mut Point<'e>, mut write: impl FnMut(&Point<'e>)) {
        let mut write_unless_empty = |point: &Point<'e>| {
            if !point.fields().is_empty() {
                write(point);
            }
        };
        let table = TABLES.iter().find(|table| table.kind == event.kind);
        if let (Some(table), Some(generation)) = (table, self.naming.generation()) {
            let wanted = Wanted { generation, include: self.include };
            table.points(event, wanted, point, &mut write_unless_empty);
        } else {
            default_form::point(event, point);
            write_unless_empty(point);
        }
    }
}
