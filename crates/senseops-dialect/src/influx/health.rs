//! `qlik.engine.health`: eight measurements, one for each part of the engine's answer.

use senseops_core::Kind;

use super::table::{Content, Docs, Field, Measurement, Table, Text};
use crate::naming::Generation;
use crate::naming::Generation::{Nine, Two};

pub(super) const TABLE: Table = Table {
    kind: Kind::new("qlik.engine.health"),
    // Version 2 knew a server only by the name in its configuration, and called that the host.
    labels_until: (Two, &[("host", None), ("server_name", Some("host")), ("server_description", None)]),
    tags: &[],
    measurements: &[
        measurement(
            "sense_server",
            "",
            Two,
            &[
                text("version", Text::Of("version"), Two),
                text("started", Text::Of("started"), Two),
                text("uptime", Text::Uptime, Two),
            ],
        ),
        measurement(
            "mem",
            "mem",
            Two,
            &[
                // The typo is what dashboards ask for.
                whole("comitted", "committed_mb", Nine),
                whole("allocated", "allocated_mb", Two),
                whole("free", "free_mb", Two),
            ],
        ),
        measurement(
            "apps",
            "apps",
            Two,
            &[
                count("active_docs_count", Docs::Active),
                count("loaded_docs_count", Docs::Loaded),
                count("in_memory_docs_count", Docs::InMemory),
                whole("calls", "calls", Two),
                whole("selections", "selections", Two),
                text("active_docs", Text::Ids(Docs::Active), Nine),
                text("loaded_docs", Text::Ids(Docs::Loaded), Nine),
                text("in_memory_docs", Text::Ids(Docs::InMemory), Nine),
                text("active_docs_names", Text::Names(Docs::Active), Nine),
                text("loaded_docs_names", Text::Names(Docs::Loaded), Nine),
                text("in_memory_docs_names", Text::Names(Docs::InMemory), Nine),
                text("active_session_docs_names", Text::SessionApps(Docs::Active), Nine),
                text("loaded_session_docs_names", Text::SessionApps(Docs::Loaded), Nine),
                text("in_memory_session_docs_names", Text::SessionApps(Docs::InMemory), Nine),
            ],
        ),
        measurement("cpu", "cpu", Two, &[whole("total", "total_pct", Two)]),
        measurement(
            "session",
            "session",
            Two,
            &[whole("active", "active", Two), whole("total", "total", Two)],
        ),
        measurement("users", "users", Two, &[whole("active", "active", Two), whole("total", "total", Two)]),
        measurement(
            "cache",
            "cache",
            Two,
            &[
                whole("hits", "hits", Two),
                whole("lookups", "lookups", Two),
                whole("added", "added", Two),
                whole("replaced", "replaced", Two),
                whole("bytes_added", "bytes_added", Two),
            ],
        ),
        // Since 2.3, which is more than a database that 2.1 filled knows.
        measurement(
            "saturated",
            "",
            Nine,
            &[Field { name: "saturated", content: Content::Truth("saturated"), since: Nine }],
        ),
    ],
};

const fn measurement(
    name: &'static str,
    group: &'static str,
    since: Generation,
    fields: &'static [Field],
) -> Measurement {
    Measurement { name, group, since, fields }
}

const fn whole(name: &'static str, of: &'static str, since: Generation) -> Field {
    Field { name, content: Content::Whole(of), since }
}

const fn text(name: &'static str, text: Text, since: Generation) -> Field {
    Field { name, content: Content::Text(text), since }
}

const fn count(name: &'static str, docs: Docs) -> Field {
    Field { name, content: Content::Count(docs), since: Two }
}
