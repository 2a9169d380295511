//! What a table is made of, and how an event goes through one.

use std::borrow::Cow;

use senseops_core::{Event, Kind, Value};
use senseops_qlik::kinds::{self, engine_health, user_event};

use super::IncludedDocs;
use crate::naming::Generation;
use crate::{FieldValue, Point, derive};

/// What one kind of event becomes.
pub(super) struct PointTable {
    pub(super) kind: Kind,
    /// What becomes of labels, up to a generation: another name for the tag, or no tag. All others become tags.
    pub(super) labels_until: (Generation, &'static [(&'static str, Option<&'static str>)]),
    /// Tags made of fields of the event, best sorted by name. They win over labels of the same name.
    pub(super) tags: &'static [Tag],
    pub(super) measurements: &'static [Measurement],
}

/// One measurement.
pub(super) struct Measurement {
    pub(super) name: &'static str,
    pub(super) since: Generation,
    pub(super) fields: &'static [Field],
}

/// A tag made of a field of the event.
pub(super) struct Tag {
    pub(super) name: &'static str,
    pub(super) text: Text,
    pub(super) since: Generation,
}

/// A field.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) content: Content,
    pub(super) since: Generation,
}

/// Where the value of a field comes from.
pub(super) enum Content {
    /// A number without its decimals.
    Whole(kinds::Field),
    /// True or false.
    Truth(kinds::Field),
    /// Text.
    Text(Text),
}

/// Where a text comes from.
pub(super) enum Text {
    /// That of a field.
    Of(kinds::Field),
    /// That of a field, or empty text.
    OrEmpty(kinds::Field),
    /// `directory\id`, if there is a user.
    UserFull,
    /// The name of the app, if there is one, or that it is not known.
    AppName,
    /// How long the engine has been running, or empty text.
    Uptime,
    /// Ids of a list of apps.
    Ids(Docs),
    /// Names of the apps of a list, without session apps.
    Names(Docs),
    /// Session apps of a list.
    SessionApps(Docs),
}

/// A list of apps.
#[derive(Clone, Copy)]
pub(super) enum Docs {
    Active,
    Loaded,
    InMemory,
}

/// What the operator wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) generation: Generation,
    pub(super) include: IncludedDocs,
}

/// What the value of a column may depend on.
struct Row<'e> {
    event: &'e Event,
    wanted: Wanted,
}

impl PointTable {
    /// Hands each point of the event to `write`.
    pub(super) fn points<'e>(
        &self,
        event: &'e Event,
        wanted: Wanted,
        point: &mut Point<'e>,
        write: &mut impl FnMut(&Point<'e>),
    ) {
        point.start(event.time);
        let row = Row { event, wanted };
        for tag in self.tags.iter().filter(|tag| tag.since <= wanted.generation) {
            if let Some(text) = tag.text.text(&row) {
                point.tag(tag.name, text);
            }
        }
        for (name, text) in event.labels.iter() {
            if let Some(tag) = self.tag_of(name.as_str(), wanted.generation) {
                point.tag(tag, text);
            }
        }
        for measurement in
            self.measurements.iter().filter(|measurement| measurement.since <= wanted.generation)
        {
            measurement.fill(&row, point);
            write(point);
        }
    }

    fn tag_of<'e>(&self, label: &'e str, generation: Generation) -> Option<&'e str> {
        let (until, labels) = &self.labels_until;
        match labels.iter().find(|(name, _)| *name == label) {
            Some((_, tag)) if generation <= *until => *tag,
            Some(_) | None => Some(label),
        }
    }
}

impl Measurement {
    fn fill<'e>(&self, row: &Row<'e>, point: &mut Point<'e>) {
        point.measure(self.name);
        for field in self.fields.iter().filter(|field| field.since <= row.wanted.generation) {
            if let Some(value) = field.content.value(row) {
                point.field(field.name, value);
            }
        }
    }
}

impl<'e> Row<'e> {
    fn value(&self, field: kinds::Field) -> Option<&'e Value> {
        field.of(self.event.fields())
    }

    fn text(&self, field: kinds::Field) -> Option<&'e str> {
        field.text_of(self.event.fields())
    }

    fn list(&self, field: kinds::Field) -> Option<&'e [Value]> {
        if let Value::List(values) = self.value(field)? { Some(values) } else { None }
    }
}

impl Content {
    fn value<'e>(&self, row: &Row<'e>) -> Option<FieldValue<'e>> {
        match self {
            Self::Whole(field) => whole(row.value(*field)?).map(FieldValue::Int),
            Self::Truth(field) => truth(row.value(*field)?).map(FieldValue::Bool),
            Self::Text(text) => text.text(row).map(FieldValue::Text),
        }
    }
}

impl Text {
    fn text<'e>(&self, row: &Row<'e>) -> Option<Cow<'e, str>> {
        match self {
            Self::Of(field) => row.text(*field).map(Cow::Borrowed),
            Self::OrEmpty(field) => Some(Cow::Borrowed(row.text(*field).unwrap_or(""))),
            Self::UserFull => user_full(
                row.text(user_event::USER_DIRECTORY).unwrap_or(""),
                row.text(user_event::USER_ID).unwrap_or(""),
            ),
            Self::AppName => row
                .text(user_event::APP_ID)
                .map(|_| Cow::Borrowed(row.text(user_event::APP_NAME).unwrap_or(derive::UNKNOWN_APP))),
            Self::Uptime => {
                let started = row.text(engine_health::STARTED).unwrap_or("");
                Some(Cow::Owned(derive::uptime(started, row.event.time)))
            }
            Self::Ids(docs) => docs.list(row, derive::joined_ids),
            Self::Names(docs) => docs.names(row, false),
            Self::SessionApps(docs) => docs.names(row, true),
        }
    }
}

impl Docs {
    fn fields(self) -> engine_health::Docs {
        match self {
            Self::Active => engine_health::ACTIVE_DOCS,
            Self::Loaded => engine_health::LOADED_DOCS,
            Self::InMemory => engine_health::IN_MEMORY_DOCS,
        }
    }

    fn included(self, include: IncludedDocs) -> bool {
        match self {
            Self::Active => include.active_docs,
            Self::Loaded => include.loaded_docs,
            Self::InMemory => include.in_memory_docs,
        }
    }

    /// What `text` makes of the ids; empty text if the list is not included, nothing if there is no list.
    fn list<'e>(self, row: &Row<'e>, text: impl FnOnce(&'e [Value]) -> String) -> Option<Cow<'e, str>> {
        let ids = row.list(self.fields().ids)?;
        Some(if self.included(row.wanted.include) { Cow::Owned(text(ids)) } else { Cow::Borrowed("") })
    }

    /// Empty text as long as no app names are known at all.
    fn names<'e>(self, row: &Row<'e>, session_apps: bool) -> Option<Cow<'e, str>> {
        let names = row.list(self.fields().names);
        let quoted = row.wanted.generation >= Generation::Newest;
        self.list(row, |ids| derive::joined_names(ids, names.unwrap_or(&[]), session_apps, quoted))
    }
}

/// An event without a user has no full name either: a lone backslash would count as a user.
fn user_full<'e>(directory: &'e str, id: &'e str) -> Option<Cow<'e, str>> {
    match (directory, id) {
        (_, "") => None,
        ("", id) => Some(Cow::Borrowed(id)),
        (directory, id) => Some(Cow::Owned([directory, id].join("\\"))),
    }
}

fn truth(value: &Value) -> Option<bool> {
    if let Value::Bool(value) = value { Some(*value) } else { None }
}

/// The whole number below, as far as 64 bits reach.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => Some(i64::try_from(*number).unwrap_or(i64::MAX)),
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond 64 bits becomes the nearest end")]
        Value::Float(number) => number.is_finite().then(|| number.floor() as i64),
        Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) | _ => None,
    }
}
