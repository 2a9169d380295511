//! The sink behind the picture: remembers the latest of each server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use senseops_core::{Accepts, Batch, Body, Event, Fields, Level, Sink, Value, WriteError, async_trait};
use senseops_qlik::kinds::{Field, engine_health, server, target_up, user_event};

/// How many CPU readings of a server are drawn.
pub(super) const CPU_HISTORY: usize = 24;

/// What the picture shows of the events that went through the pipeline.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    servers: BTreeMap<String, Server>,
    commands: BTreeMap<String, u64>,
}

/// The latest of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) name: String,
    /// Why it does not answer, if so.
    pub(super) failure: Option<String>,
    pub(super) poll_ms: f64,
    pub(super) cpu_pct: VecDeque<f64>,
    pub(super) committed_mb: f64,
    pub(super) free_mb: f64,
    pub(super) sessions: f64,
    pub(super) users: f64,
    pub(super) apps: usize,
}

impl Board {
    /// The servers by number: `Server2` before `Server10`.
    pub(super) fn servers(&self) -> Vec<Server> {
        let contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut servers: Vec<_> = contents.servers.values().cloned().collect();
        servers.sort_by_key(|server| (server.name.len(), server.name.clone()));
        servers
    }

    /// How often each command of users was seen.
    pub(super) fn commands(&self) -> Vec<(String, u64)> {
        let contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contents.commands.iter().map(|(command, count)| (command.clone(), *count)).collect()
    }
}

#[async_trait]
impl Sink for Board {
    fn accepts(&self) -> Accepts {
        Accepts::kinds([engine_health::KIND, user_event::KIND, target_up::KIND])
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in batch.iter() {
            contents.take(event);
        }
        Ok(())
    }
}

impl Contents {
    fn take(&mut self, event: &Event) {
        if let Some(command) = user_event::COMMAND.text_of(event.fields()) {
            // Simulated users know four commands, so the map stays small.
            *self.commands.entry(command.to_owned()).or_default() += 1;
        }
        let Some(name) = event.labels.get(server::NAME) else { return };
        let server = self.servers.entry(name.to_owned()).or_default();
        name.clone_into(&mut server.name);
        match &event.body {
            Body::Measurement(fields) => server.health(fields),
            Body::State(state) => {
                let failed = state.level != Level::Ok;
                server.failure =
                    failed.then(|| target_up::REASON.text_of(&state.fields).unwrap_or("down").to_owned());
                server.poll_ms =
                    target_up::DURATION_MS.of(&state.fields).and_then(Value::as_f64).unwrap_or(0.0);
            }
            Body::Record(_) | _ => {}
        }
    }
}

impl Server {
    fn health(&mut self, fields: &Fields) {
        let number = |field: Field| field.of(fields).and_then(Value::as_f64).unwrap_or(0.0);
        if self.cpu_pct.len() == CPU_HISTORY {
            self.cpu_pct.pop_front();
        }
        self.cpu_pct.push_back(number(engine_health::TOTAL_PCT));
        self.committed_mb = number(engine_health::COMMITTED_MB);
        self.free_mb = number(engine_health::FREE_MB);
        self.sessions = number(engine_health::ACTIVE_SESSIONS);
        self.users = number(engine_health::ACTIVE_USERS);
        self.apps = match engine_health::IN_MEMORY_DOCS.count.of(fields) {
            Some(Value::Int(count)) => usize::try_from(*count).unwrap_or(0),
            _ => 0,
        };
    }
}
