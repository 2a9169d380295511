//! `qlik.user_event`: one measurement, most of it tags.
//!
//! The original stored only events with a user and an origin. Every event is stored here: what is missing has no
//! tag, and `userId` is always a field, since a point needs one.

use senseops_qlik::kinds::user_event;

use super::table::{Content, Field, Measurement, PointTable, Tag, Text};
use crate::naming::Generation;
use crate::naming::Generation::{Newest, Two};

pub(super) const TABLE: PointTable = PointTable {
    kind: user_event::KIND,
    labels_until: (Two, &[]),
    tags: &[
        tag("appId", Text::Of(user_event::APP_ID), Newest),
        tag("appName", Text::AppName, Newest),
        tag("event_action", Text::Of(user_event::COMMAND), Two),
        tag("host", Text::Of(user_event::HOST), Two),
        tag("origin", Text::Of(user_event::ORIGIN), Two),
        tag("uaBrowserMajorVersion", Text::Of(user_event::BROWSER_MAJOR_VERSION), Newest),
        tag("uaBrowserName", Text::Of(user_event::BROWSER_NAME), Newest),
        tag("uaOsName", Text::Of(user_event::OS_NAME), Newest),
        tag("uaOsVersion", Text::Of(user_event::OS_VERSION), Newest),
        tag("userDirectory", Text::Of(user_event::USER_DIRECTORY), Two),
        tag("userFull", Text::UserFull, Two),
        tag("userId", Text::Of(user_event::USER_ID), Two),
    ],
    measurements: &[Measurement {
        name: "user_events",
        since: Two,
        fields: &[
            field("userFull", Text::UserFull, Two),
            field("userId", Text::OrEmpty(user_event::USER_ID), Two),
            field("appId", Text::Of(user_event::APP_ID), Newest),
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
