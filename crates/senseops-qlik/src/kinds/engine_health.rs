//! `qlik.engine.health`: what the engine of a server says about itself. A measurement.
//!
//! Numbers are whole or have decimals as the engine sent them, and may be negative: engines let counters overflow.

use senseops_core::Kind;

use super::Field;

/// What is known about a list of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Docs {
    /// How many there are, also if not all are listed.
    pub count: Field,
    /// Their ids, in the engine's order. A list of texts.
    pub ids: Field,
    /// Their names in the same order, the id where no name is known. A list of texts, there if any name is known.
    pub names: Field,
}

/// The kind.
pub const KIND: Kind = Kind::new("qlik.engine.health");

/// The version of the engine. Text.
pub const VERSION: Field = Field::new("version");
/// When the engine was started, in UTC: `20240115T083000.000Z`. Text.
pub const STARTED: Field = Field::new("started");
/// Whether the engine has more to do than it can. True or false.
pub const SATURATED: Field = Field::new("saturated");

/// The map of what is about memory.
pub const MEM: &str = "mem";
/// Memory that the engine has committed, in MB with decimals.
pub const COMMITTED_MB: Field = Field::within(MEM, "committed_mb");
/// Memory that the engine has from the system, committed or reserved, in MB with decimals.
pub const ALLOCATED_MB: Field = Field::within(MEM, "allocated_mb");
/// Memory that the machine has left, in MB with decimals.
pub const FREE_MB: Field = Field::within(MEM, "free_mb");

/// The map of what is about the processor.
pub const CPU: &str = "cpu";
/// How busy the processors are, in percent, mean of 30 seconds.
pub const TOTAL_PCT: Field = Field::within(CPU, "total_pct");

/// The map of what is about engine sessions.
pub const SESSION: &str = "session";
/// Sessions in use.
pub const ACTIVE_SESSIONS: Field = Field::within(SESSION, "active");
/// Sessions, in use or not.
pub const TOTAL_SESSIONS: Field = Field::within(SESSION, "total");

/// The map of what is about users.
pub const USERS: &str = "users";
/// Users of sessions in use.
pub const ACTIVE_USERS: Field = Field::within(USERS, "active");
/// Users of all sessions.
pub const TOTAL_USERS: Field = Field::within(USERS, "total");

/// The map of what is about apps.
pub const APPS: &str = "apps";
/// The apps that somebody uses.
pub const ACTIVE_DOCS: Docs = Docs::of("active_docs_count", "active_docs", "active_docs_names");
/// The apps that are open.
pub const LOADED_DOCS: Docs = Docs::of("loaded_docs_count", "loaded_docs", "loaded_docs_names");
/// The apps that are in memory.
pub const IN_MEMORY_DOCS: Docs = Docs::of("in_memory_docs_count", "in_memory_docs", "in_memory_docs_names");
/// Calls since the engine was started.
pub const CALLS: Field = Field::within(APPS, "calls");
/// Selections since the engine was started.
pub const SELECTIONS: Field = Field::within(APPS, "selections");

/// The map of what is about the cache of results.
pub const CACHE: &str = "cache";
/// Results that were found, since the engine was started.
pub const HITS: Field = Field::within(CACHE, "hits");
/// Results that were looked for.
pub const LOOKUPS: Field = Field::within(CACHE, "lookups");
/// Results that were put in.
pub const ADDED: Field = Field::within(CACHE, "added");
/// Results that made room for others.
pub const REPLACED: Field = Field::within(CACHE, "replaced");
/// Bytes of the results that were put in.
pub const BYTES_ADDED: Field = Field::within(CACHE, "bytes_added");

impl Docs {
    const fn of(count: &'static str, ids: &'static str, names: &'static str) -> Self {
        let within = Field::within;
        Self { count: within(APPS, count), ids: within(APPS, ids), names: within(APPS, names) }
    }
}
