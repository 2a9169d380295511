//! A working day on a Sense server.
//!
//! Pure: the same seed, server and second give the same bytes on every machine. People come at eight, go for lunch
//! and leave at six; reloads run from one to four in the morning. The document has the shape of the engine's
//! `GET /engine/healthcheck`: memory in MB with fractions of a page of 4 KiB, processor in percent, `started` as
//! `yyyyMMddTHHmmss.SSSZ` in UTC, active ⊆ loaded ⊆ in-memory apps, and counters since the start.

mod curve;

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::APPS;
use crate::dice::Dice;
use curve::{Curve, DAY};

/// The load of one simulated server.
#[derive(Clone, Debug)]
pub struct Load {
    seed: u64,
    server: u64,
    started: String,
    /// How much is going on at this server, around 1.
    scale: f64,
}

/// How busy people are.
const PEOPLE: Curve = Curve(&[
    (0.0, 0.02),
    (5.0, 0.03),
    (6.5, 0.10),
    (8.0, 0.60),
    (9.5, 1.0),
    (11.5, 0.95),
    (12.25, 0.50),
    (13.0, 0.60),
    (14.0, 0.98),
    (15.5, 0.92),
    (17.0, 0.60),
    (18.5, 0.20),
    (21.0, 0.08),
    (24.0, 0.02),
]);

/// How busy the scheduler is.
const RELOADS: Curve =
    Curve(&[(0.0, 0.05), (1.0, 0.05), (1.5, 1.0), (3.5, 0.90), (4.25, 0.0), (12.0, 0.08), (24.0, 0.05)]);

const STARTED: &str = "20240115T083000.000Z";
const VERSION: &str = "12.2315.0";
const MEMORY_MB: f64 = 65_536.0;
const CALLS_PER_SECOND: f64 = 14.0;
const SELECTIONS_PER_SECOND: f64 = 0.4;
const LOOKUPS_PER_SECOND: f64 = 6.0;
const BYTES_PER_RESULT: i64 = 74_051;

/// What a value is called when it asks the dice, so that no two values move together.
#[derive(Clone, Copy)]
enum Noise {
    Scale,
    People,
    Processor,
    Memory,
    Sessions,
    Pace,
    Uptime,
}

#[derive(Serialize)]
struct Health<'a> {
    version: &'static str,
    started: &'a str,
    mem: Memory,
    cpu: Processor,
    session: Population,
    apps: Apps,
    users: Population,
    cache: Cache,
    saturated: bool,
}

#[derive(Serialize)]
struct Memory {
    committed: f64,
    allocated: f64,
    free: f64,
}

#[derive(Serialize)]
struct Processor {
    total: i64,
}

#[derive(Serialize)]
struct Population {
    active: i64,
    total: i64,
}

#[derive(Serialize)]
struct Apps {
    active_docs: Vec<String>,
    loaded_docs: Vec<String>,
    in_memory_docs: Vec<String>,
    calls: i64,
    selections: i64,
}

#[derive(Serialize)]
struct Cache {
    hits: i64,
    lookups: i64,
    added: i64,
    replaced: i64,
    bytes_added: i64,
}

impl Load {
    /// The load of the server with this index in the estate of this seed.
    pub fn new(seed: u64, server: u64) -> Self {
        let scale = 1.0 + 0.25 * Dice::for_question(&[seed, server, Noise::Scale.id()]).deviation();
        Self { seed, server, started: STARTED.to_owned(), scale }
    }

    /// The same load on a server that was started some days before `now`.
    #[must_use]
    pub fn started_before(mut self, now: SystemTime) -> Self {
        let mut dice = Dice::for_question(&[self.seed, self.server, Noise::Uptime.id()]);
        let hours = 60 + u64::try_from(dice.below(30 * 24)).unwrap_or_default();
        let started = now.checked_sub(Duration::from_secs(hours * 3600)).unwrap_or(SystemTime::UNIX_EPOCH);
        if let Ok(started) = jiff::Timestamp::try_from(started) {
            self.started = started.strftime("%Y%m%dT%H%M%S.000Z").to_string();
        }
        self
    }

    /// The body of a health answer at this second, counted from the midnight before the start of the simulation.
    pub fn body(&self, second: u64) -> Vec<u8> {
        let people = self.people(second);
        let reloads = RELOADS.at(second % DAY);
        let cpu =
            whole(4.0 + 82.0 * people + 45.0 * reloads + 5.0 * self.noise(Noise::Processor, second, 45))
                .clamp(0, 100);
        let health = Health {
            version: VERSION,
            started: &self.started,
            mem: self.memory(second, people, reloads),
            cpu: Processor { total: cpu },
            session: self.population(second, 72.0),
            users: self.population(second, 60.0),
            apps: self.apps(second, people.max(0.6 * reloads)),
            cache: self.cache(second),
            saturated: cpu >= 90,
        };
        // Numbers and texts that are ours: serializing them cannot fail.
        serde_json::to_vec(&health).unwrap_or_default()
    }

    /// How busy the people of this server are, around 0 to 1.
    fn people(&self, second: u64) -> f64 {
        (self.scale * PEOPLE.at(second % DAY) * (1.0 + 0.08 * self.noise(Noise::People, second, 300)))
            .max(0.0)
    }

    fn memory(&self, second: u64, people: f64, reloads: f64) -> Memory {
        let noise = self.noise(Noise::Memory, second, 120);
        let committed = pages(2_900.0 + 13_000.0 * people + 21_000.0 * reloads + 350.0 * noise);
        let allocated = pages(committed * 1.17 + 640.0);
        Memory { committed, allocated, free: pages((MEMORY_MB - 4_100.0 - allocated).max(0.0)) }
    }

    /// Those who work, and with them those who have worked within half an hour.
    fn population(&self, second: u64, at_peak: f64) -> Population {
        let noise = 1.0 + 0.05 * self.noise(Noise::Sessions, second, 180);
        let active = whole(at_peak * self.people(second) * noise).max(0);
        let idle = whole(0.35 * at_peak * self.people(second.saturating_sub(1800))).max(0);
        Population { active, total: active + idle }
    }

    /// Apps are taken from the estate's list in an order that is the server's own, more of them the busier it is.
    fn apps(&self, second: u64, busy: f64) -> Apps {
        let first = Dice::for_question(&[self.seed, self.server]).below(APPS.len());
        let ids = || APPS.iter().cycle().skip(first).map(|app| app.id.to_owned());
        let sessions = self.session_apps(second, busy);
        let docs = |share: f64| {
            let count = usize::try_from(whole(share * busy * 16.0)).unwrap_or_default().min(APPS.len());
            ids().take(count).chain(sessions.iter().take(count).cloned()).collect()
        };
        let (calls, selections) =
            (self.counter(second, CALLS_PER_SECOND), self.counter(second, SELECTIONS_PER_SECOND));
        Apps { active_docs: docs(0.4), loaded_docs: docs(0.7), in_memory_docs: docs(1.1), calls, selections }
    }

    /// Session apps live for a while and have names that nobody has seen before.
    fn session_apps(&self, second: u64, busy: f64) -> Vec<String> {
        let count = u64::try_from(whole(3.0 * busy)).unwrap_or_default();
        let born = second / 1200;
        (0..count)
            .map(|n| format!("SessionApp_{}", Dice::for_question(&[self.seed, self.server, born, n]).guid()))
            .collect()
    }

    fn cache(&self, second: u64) -> Cache {
        let lookups = self.counter(second, LOOKUPS_PER_SECOND);
        let hits = lookups * 7 / 10;
        let added = lookups - hits;
        Cache { hits, lookups, added, replaced: added / 30, bytes_added: added * BYTES_PER_RESULT }
    }

    /// A number that has grown at `per_second` (when all are busy) since the first midnight.
    fn counter(&self, second: u64, per_second: f64) -> i64 {
        whole(self.scale * per_second * PEOPLE.integral(self.uneven(second)))
    }

    /// The second, moved within its ten minutes, so that counters do not grow like a machine. Never goes back.
    fn uneven(&self, second: u64) -> f64 {
        const BLOCK: u64 = 600;
        let skew =
            Dice::for_question(&[self.seed, self.server, Noise::Pace.id(), second / BLOCK]).deviation();
        let passed = float(second % BLOCK) / float(BLOCK);
        // The slope stays between 0.5 and 1.5.
        let passed = passed + 0.5 * skew * passed * (1.0 - passed);
        float(second / BLOCK * BLOCK) + passed * float(BLOCK)
    }

    /// A number from -1 to 1 that moves from one value to the next in `period` seconds.
    fn noise(&self, what: Noise, second: u64, period: u64) -> f64 {
        let value = |block| Dice::for_question(&[self.seed, self.server, what.id(), block]).deviation();
        let (before, after) = (value(second / period), value(second / period + 1));
        before + (after - before) * float(second % period) / float(period)
    }
}

impl Noise {
    const fn id(self) -> u64 {
        self as u64
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "values of a simulation are far below 2⁶³, and it saturates"
)]
fn whole(value: f64) -> i64 {
    value as i64
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a simulation are far below 2⁵³")]
fn float(second: u64) -> f64 {
    second as f64
}

/// Megabytes in whole pages of 4 KiB, as an engine counts them.
fn pages(megabytes: f64) -> f64 {
    (megabytes * 256.0).floor() / 256.0
}

#[cfg(test)]
mod tests;
