//! From what the engine shows to what is answered.

use std::time::Duration;

use senseops_core::Condition;
use senseops_engine::{
    CertificateView, CursorView, DeadLettersView, EmbedderView, Handle, Histogram, JournalView, ListenerView,
    Overflow, RelayView, SinkView, SourceView,
};

use super::{
    CertificateStatus, CursorStatus, DeadLettersStatus, EmbedderStatus, Health, HistogramStatus,
    JournalStatus, ListenerStatus, Readiness, Reading, RelayStatus, SinkStatus, SourceStatus, State, Status,
};

impl Status {
    /// The pipeline and this process now.
    pub fn of(handle: &Handle) -> Self {
        let view = handle.view();
        Self {
            program: view.program.name.to_owned(),
            version: view.program.version.to_owned(),
            uptime_seconds: view.uptime.as_secs_f64(),
            ready: Readiness::of(&handle.conditions()).ready,
            journal: view.journal.into(),
            sources: view.sources.into_iter().map(Into::into).collect(),
            embedder: view.embedder.into(),
            relays: view.relays.into_iter().map(Into::into).collect(),
            sinks: view.sinks.into_iter().map(Into::into).collect(),
            listeners: view.listeners.into_iter().map(Into::into).collect(),
            dead_letters: view.dead_letters.into(),
            process: view.process,
        }
    }
}

impl Readiness {
    /// Ready unless a component is failing. One that has not said anything yet, or only wants attention, does its work.
    pub fn of(conditions: &[(String, Condition)]) -> Self {
        Self {
            ready: !conditions.iter().any(|(_, condition)| matches!(condition, Condition::Failing(_))),
            components: conditions.iter().map(|(name, condition)| (name.clone(), condition.into())).collect(),
        }
    }
}

impl From<&Condition> for Health {
    fn from(condition: &Condition) -> Self {
        let state = match condition {
            Condition::Starting => State::Starting,
            Condition::Ok => State::Ok,
            Condition::Warning(_) => State::Warning,
            Condition::Failing(_) => State::Failing,
        };
        Self { state, reason: condition.reason().to_owned() }
    }
}

impl From<JournalView> for JournalStatus {
    fn from(view: JournalView) -> Self {
        Self {
            path: view.path.map(|path| path.display().to_string()),
            outlives_the_program: view.outlives_the_program,
            events: view.events,
            bytes: view.bytes,
            max_bytes: view.max_bytes,
            age_seconds: view.age.as_secs_f64(),
            disk_bytes: view.disk_bytes,
            appended_events: view.appended_events,
            durable_events: view.durable_events,
            fsync_seconds: view.fsync.as_ref().map(Duration::as_secs_f64),
            damaged: view.damaged,
            quarantined: view.quarantined,
            failure: view.failure,
            unreadable: view.unreadable,
            cursors: view.cursors.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CursorView> for CursorStatus {
    fn from(view: CursorView) -> Self {
        Self {
            name: view.name,
            attached: view.attached,
            lag_events: view.lag_events,
            lag_bytes: view.lag_bytes,
            lag_age_seconds: view.lag_age.as_secs_f64(),
            discarded: view.discarded,
        }
    }
}

impl From<SourceView> for SourceStatus {
    fn from(view: SourceView) -> Self {
        Self {
            health: (&view.condition).into(),
            name: view.name,
            emitted: view.emitted,
            lost: view.lost,
            rate_limited: view.rate_limited,
            restarts: view.restarts,
            readings: view.readings.into_iter().map(Into::into).collect(),
            certificates: view.certificates.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<RelayView> for RelayStatus {
    fn from(view: RelayView) -> Self {
        Self {
            health: (&view.condition).into(),
            name: view.name,
            emitted: view.emitted,
            lost: view.lost,
            discarded: view.discarded,
            lag_events: view.lag_events,
            lag_age_seconds: view.lag_age.as_secs_f64(),
            restarts: view.restarts,
            readings: view.readings.into_iter().map(Into::into).collect(),
            certificates: view.certificates.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ListenerView> for ListenerStatus {
    fn from(ListenerView { component, protocol, address }: ListenerView) -> Self {
        Self { component, protocol, address }
    }
}

impl From<EmbedderView> for EmbedderStatus {
    fn from(view: EmbedderView) -> Self {
        Self { emitted: view.emitted, lost: view.lost }
    }
}

impl From<SinkView> for SinkStatus {
    fn from(view: SinkView) -> Self {
        Self {
            health: (&view.condition).into(),
            name: view.name,
            overflow: match view.overflow {
                Overflow::DropOldest => "drop_oldest",
                Overflow::Block => "block",
            }
            .to_owned(),
            delivered: view.delivered,
            refused: view.refused,
            dead_letters: view.dead_letters,
            discarded: view.discarded,
            retries: view.retries,
            writes: view.writes,
            attempts: view.attempts,
            write_seconds: view.write_seconds.into(),
            lag_events: view.lag_events,
            lag_bytes: view.lag_bytes,
            lag_age_seconds: view.lag_age.as_secs_f64(),
            restarts: view.restarts,
            last_success_seconds: view.last_success.as_ref().map(Duration::as_secs_f64),
            readings: view.readings.into_iter().map(Into::into).collect(),
            certificates: view.certificates.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<DeadLettersView> for DeadLettersStatus {
    fn from(view: DeadLettersView) -> Self {
        Self {
            path: view.path.map(|path| path.display().to_string()),
            bytes: view.bytes,
            max_bytes: view.max_bytes,
            kept: view.kept,
            not_kept: view.not_kept,
            given_up: view.given_up,
            failure: view.failure,
        }
    }
}

impl From<Histogram> for HistogramStatus {
    fn from(histogram: Histogram) -> Self {
        Self { bounds: histogram.bounds.to_vec(), counts: histogram.counts, sum: histogram.sum }
    }
}

impl From<senseops_core::host::Reading> for Reading {
    fn from(reading: senseops_core::host::Reading) -> Self {
        let labels = reading.labels.iter().map(|(name, text)| (name.to_string(), text.to_owned()));
        Self {
            name: reading.name.to_owned(),
            labels: labels.collect(),
            value: reading.value,
            is_counter: reading.is_counter,
        }
    }
}

impl From<CertificateView> for CertificateStatus {
    fn from(view: CertificateView) -> Self {
        let nanos = view.expires.as_nanos();
        Self {
            path: view.path.display().to_string(),
            #[expect(clippy::cast_precision_loss, reason = "certificates end on whole seconds")]
            expires_unix_seconds: (nanos / 1_000_000_000) as f64,
        }
    }
}
