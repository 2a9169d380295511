//! `qlik.user_event`: one measurement, most of it tags.
//!
//! The original stored only events with a user and an origin. Every event is stored here: what is missing has no
//! tag, and `userId` is always a field, since a point needs one.

use senseops_core::Kind;

use super::table::{Content, Field, Measurement, Table, Tag, Text};
use crate::naming::Generation;
use crate::naming::Generation::{Newest, Two};

pub(super) const TABLE: Table = Table {
    kind: Kind::new("qlik.user_event"),
    labels_until: (Two, &[]),
    tags: &[
        tag("appId", Text::Of("app_id"), Newest),
        tag("appName", Text::AppName, Newest),
        tag("event_action", Text::Of("command"), Two),
        tag("host", Text::Of("host"), Two),
        tag("origin", Text::Of("origin"), Two),
        tag("uaBrowserMajorVersion", Text::Of("browser_major_version"), Newest),
        tag("uaBrowserName", Text::Of("browser_name"), Newest),
        tag("uaOsName", Text::Of("os_name"), Newest),
        tag("uaOsVersion", Text::Of("os_version"), Newest),
        tag("userDirectory", Text::Of("user_directory"), Two),
        tag("userFull", Text::UserFull, Two),
        tag("userId", Text::Of("user_id"), Two),
    ],
    measurements: &[Measurement {
        name: "user_events",
        group: "",
        since: Two,
        fields: &[
            field("userFull", Text::UserFull, Two),
            field("userId", Text::OrEmpty("user_id"), Two),
            field("appId", Text::Of("app_id"), Newest),
            field("appName", Text::AppName, Newest),
        ],
    }],
};

const fn tag(name: &'static str, text: Text, since: Generation) -> Tag {
    Tag { name, text, since }
}

const fn field(name: &'static str, text: Text, since: Generation) -> Field {
    Field { name, content: Content::Text(text), since }
}
