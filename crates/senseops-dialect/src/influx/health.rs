//! `qlik.engine.health`: eight measurements, one for each part of the engine's answer.

use senseops_qlik::kinds::{self, engine_health as health, server};

use super::table::{Content, Docs, Field, Measurement, PointTable, Text};
use crate::naming::Generation;
use crate::naming::Generation::{Nine, Two};

pub(super) const TABLE: PointTable = PointTable {
    kind: health::KIND,
    // Version 2 knew a server only by the name in its configuration, and called that the host.
    labels_until: (Two, &[(server::HOST, None), (server::NAME, Some("host")), (server::DESCRIPTION, None)]),
    tags: &[],
    measurements: &[
        measurement(
            "sense_server",
            Two,
            &[
                text("version", Text::Of(health::VERSION), Two),
                text("started", Text::Of(health::STARTED), Two),
                text("uptime", Text::Uptime, Two),
            ],
        ),
        measurement(
            "mem",
            Two,
            &[
                // The typo is what dashboards ask for.
                whole("comitted", health::COMMITTED_MB, Nine),
                whole("allocated", health::ALLOCATED_MB, Two),
                whole("free", health::FREE_MB, Two),
            ],
        ),
        measurement(
            "apps",
            Two,
            &[
                whole("active_docs_count", health::ACTIVE_DOCS.count, Two),
                whole("loaded_docs_count", health::LOADED_DOCS.count, Two),
                whole("in_memory_docs_count", health::IN_MEMORY_DOCS.count, Two),
                whole("calls", health::CALLS, Two),
                whole("selections", health::SELECTIONS, Two),
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
        measurement("cpu", Two, &[whole("total", health::TOTAL_PCT, Two)]),
        measurement(
            "session",
            Two,
            &[whole("active", health::ACTIVE_SESSIONS, Two), whole("total", health::TOTAL_SESSIONS, Two)],
        ),
        measurement(
            "users",
            Two,
            &[whole("active", health::ACTIVE_USERS, Two), whole("total", health::TOTAL_USERS, Two)],
        ),
        measurement(
            "cache",
            Two,
            &[
                whole("hits", health::HITS, Two),
                whole("lookups", health::LOOKUPS, Two),
                whole("added", health::ADDED, Two),
                whole("replaced", health::REPLACED, Two),
                whole("bytes_added", health::BYTES_ADDED, Two),
            ],
        ),
        // Since 2.3, which is more than a database that 2.1 filled knows.
        measurement(
            "saturated",
            Nine,
            &[Field { name: "saturated", content: Content::Truth(health::SATURATED), since: Nine }],
        ),
    ],
};

const fn measurement(name: &'static str, since: Generation, fields: &'static [Field]) -> Measurement {
    Measurement { name, since, fields }
}

const fn whole(name: &'static str, of: kinds::Field, since: Generation) -> Field {
    Field { name, content: Content::Whole(of), since }
}

const fn text(name: &'static str, text: Text, since: Generation) -> Field {
    Field { name, content: Content::Text(text), since }
}
