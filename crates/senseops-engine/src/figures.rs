//! The figures of the engine, each listed once: what it is called, what it counts, and where it is in a
//! [`View`](crate::View). The metrics and the events `sos.self.*` are made from these lists.

use Number::{Flag, Integer, Real};

use crate::process::ProcessStatus;
use crate::view::{CursorView, DeadLettersView, EmbedderView, JournalView, RelayView, SinkView, SourceView};

/// A figure of a `T`.
#[derive(Clone, Copy, Debug)]
pub struct Figure<T> {
    /// Its name among those of a `T`, as a field of an event and in `/status`.
    pub name: &'static str,
    /// Its name as a Prometheus metric.
    pub metric: &'static str,
    /// A label of the metric, if several figures share one.
    pub label: Option<(&'static str, &'static str)>,
    /// What it counts.
    pub help: &'static str,
    /// Reads it. `None` where there is nothing to read yet.
    pub read: fn(&T) -> Option<Number>,
}

/// The value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Events, bytes, files.
    Integer(u64),
    /// Seconds.
    Real(f64),
    /// Whether it is so.
    Flag(bool),
}

impl<T> Figure<T> {
    const fn new(
        name: &'static str,
        metric: &'static str,
        help: &'static str,
        read: fn(&T) -> Option<Number>,
    ) -> Self {
        Self { name, metric, label: None, help, read }
    }

    const fn labelled(self, name: &'static str, text: &'static str) -> Self {
        Self { label: Some((name, text)), ..self }
    }

    /// Whether it only grows while the program runs; then the name of the metric ends in `_total`.
    pub fn is_counter(&self) -> bool {
        self.metric.ends_with("_total")
    }
}

/// Of the journal.
pub const JOURNAL: &[Figure<JournalView>] = &[
    Figure::new("events", "sos_journal_events", "Events that wait for at least one sink or relay.", |it| {
        Some(Integer(it.events))
    }),
    Figure::new("bytes", "sos_journal_bytes", "The bytes that waiting events take.", |it| {
        Some(Integer(it.bytes))
    }),
    Figure::new("max_bytes", "sos_journal_max_bytes", "The bytes that waiting events may take.", |it| {
        Some(Integer(it.max_bytes))
    }),
    Figure::new(
        "disk_bytes",
        "sos_journal_disk_bytes",
        "The bytes that the files of the journal take.",
        |it| Some(Integer(it.disk_bytes)),
    ),
    Figure::new("age_seconds", "sos_journal_age_seconds", "How old the oldest waiting event is.", |it| {
        Some(Real(it.age.as_secs_f64()))
    }),
    Figure::new(
        "failing",
        "sos_journal_failing",
        "1 while the disk cannot be used, so that events are kept in memory only.",
        |it| Some(Flag(it.failure.is_some())),
    ),
    Figure::new(
        "unreadable",
        "sos_journal_unreadable",
        "1 while what is on disk cannot be read, so that it waits.",
        |it| Some(Flag(it.unreadable.is_some())),
    ),
    Figure::new("durable", "sos_journal_durable", "1 if what waits is there at the next start.", |it| {
        Some(Flag(it.outlives_the_program))
    }),
    Figure::new(
        "appended_events",
        "sos_journal_appended_events_total",
        "Events that were ever appended to the journal.",
        |it| Some(Integer(it.appended_events)),
    ),
    Figure::new(
        "durable_events",
        "sos_journal_durable_events_total",
        "Appended events that are as safe as the journal can make them: a watermark.",
        |it| Some(Integer(it.durable_events)),
    ),
    Figure::new("damaged", "sos_journal_damaged_total", "Damaged places that were found on disk.", |it| {
        Some(Integer(it.damaged))
    }),
    Figure::new(
        "quarantined",
        "sos_journal_quarantined",
        "Damaged files that are set aside in the directory of the journal.",
        |it| Some(Integer(it.quarantined)),
    ),
];

/// Of each cursor in the journal.
pub const CURSOR: &[Figure<CursorView>] = &[
    Figure::new(
        "attached",
        "sos_journal_cursor_attached",
        "1 while the sink or relay of this cursor is there; sos journal forget gives up a cursor.",
        |it| Some(Flag(it.attached)),
    ),
    Figure::new("lag_events", "sos_journal_cursor_lag_events", "Events that wait at this cursor.", |it| {
        Some(Integer(it.lag_events))
    }),
    Figure::new(
        "lag_bytes",
        "sos_journal_cursor_lag_bytes",
        "The bytes of the events that wait at this cursor.",
        |it| Some(Integer(it.lag_bytes)),
    ),
    Figure::new(
        "lag_age_seconds",
        "sos_journal_cursor_lag_age_seconds",
        "How old the oldest event is that waits at this cursor.",
        |it| Some(Real(it.lag_age.as_secs_f64())),
    ),
    Figure::new(
        "discarded",
        "sos_journal_cursor_discarded_events_total",
        "Events that this cursor missed since the program started.",
        |it| Some(Integer(it.discarded)),
    ),
];

/// Of the dead letters.
pub const DEAD_LETTERS: &[Figure<DeadLettersView>] = &[
    Figure::new(
        "kept",
        "sos_dead_letters_kept_total",
        "Refused events that were kept as dead letters.",
        |it| Some(Integer(it.kept)),
    ),
    Figure::new(
        "not_kept",
        "sos_dead_letters_not_kept_total",
        "Refused events that could not be kept as dead letters.",
        |it| Some(Integer(it.not_kept)),
    ),
    Figure::new(
        "given_up",
        "sos_dead_letters_given_up_total",
        "Dead letters that were given up because newer ones needed the room.",
        |it| Some(Integer(it.given_up)),
    ),
    Figure::new("bytes", "sos_dead_letters_bytes", "The bytes that dead letters take.", |it| {
        Some(Integer(it.bytes))
    }),
    Figure::new("max_bytes", "sos_dead_letters_max_bytes", "The bytes that dead letters may take.", |it| {
        Some(Integer(it.max_bytes))
    }),
    Figure::new("failing", "sos_dead_letters_failing", "1 while refused events cannot be kept.", |it| {
        Some(Flag(it.failure.is_some()))
    }),
];

/// Of the process, with the names and meaning that the Prometheus client libraries give them.
pub const PROCESS: &[Figure<ProcessStatus>] = &[
    Figure::new(
        "cpu_seconds",
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        |it| Some(Real(it.cpu_seconds)),
    ),
    Figure::new(
        "resident_memory_bytes",
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        |it| Some(Integer(it.resident_memory_bytes)),
    ),
    Figure::new(
        "virtual_memory_bytes",
        "process_virtual_memory_bytes",
        "Virtual memory size in bytes.",
        |it| Some(Integer(it.virtual_memory_bytes)),
    ),
    Figure::new("open_fds", "process_open_fds", "Number of open file descriptors.", |it| {
        Some(Integer(it.open_fds))
    }),
    Figure::new("max_fds", "process_max_fds", "Maximum number of open file descriptors.", |it| {
        it.max_fds.map(Integer)
    }),
    Figure::new("threads", "process_threads", "Number of OS threads in the process.", |it| {
        Some(Integer(it.threads))
    }),
    Figure::new(
        "start_time_unix_seconds",
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        |it| Some(Real(it.start_time_unix_seconds)),
    ),
];

/// Of what the host program emits.
pub const EMBEDDER: &[Figure<EmbedderView>] = &[
    Figure::new(
        "emitted",
        "sos_embedder_emitted_events_total",
        "Events that the host program emitted itself.",
        |it| Some(Integer(it.emitted)),
    ),
    Figure::new(
        "lost",
        "sos_embedder_lost_events_total",
        "Events of the host program that the journal did not take.",
        |it| Some(Integer(it.lost)),
    ),
];

const SOURCE_LOST: &str = "Events of a source that went nowhere: the journal did not take them, or there were more than its rate limit allows.";

/// Of each source.
pub const SOURCE: &[Figure<SourceView>] = &[
    Figure::new("emitted", "sos_source_emitted_events_total", "Events that a source emitted.", |it| {
        Some(Integer(it.emitted))
    }),
    Figure::new("lost", "sos_source_lost_events_total", SOURCE_LOST, |it: &SourceView| {
        Some(Integer(it.lost))
    })
    .labelled("reason", "journal"),
    Figure::new("rate_limited", "sos_source_lost_events_total", SOURCE_LOST, |it: &SourceView| {
        Some(Integer(it.rate_limited))
    })
    .labelled("reason", "rate_limit"),
    Figure::new("restarts", "sos_source_restarts_total", "How often a source was built anew.", |it| {
        Some(Integer(it.restarts))
    }),
];

/// Of each relay.
pub const RELAY: &[Figure<RelayView>] = &[
    Figure::new("emitted", "sos_relay_emitted_events_total", "Events that a relay emitted.", |it| {
        Some(Integer(it.emitted))
    }),
    Figure::new(
        "lost",
        "sos_relay_lost_events_total",
        "Events of a relay that the journal did not take.",
        |it| Some(Integer(it.lost)),
    ),
    Figure::new(
        "discarded",
        "sos_relay_discarded_events_total",
        "Events that were pushed out of the journal before a relay could see them, or that it does not look at since it fails.",
        |it| Some(Integer(it.discarded)),
    ),
    Figure::new("restarts", "sos_relay_restarts_total", "How often a relay was built anew.", |it| {
        Some(Integer(it.restarts))
    }),
    Figure::new("lag_events", "sos_relay_lag_events", "Events that wait for a relay.", |it| {
        Some(Integer(it.lag_events))
    }),
    Figure::new(
        "lag_age_seconds",
        "sos_relay_lag_age_seconds",
        "How old the oldest event is that waits.",
        |it| Some(Real(it.lag_age.as_secs_f64())),
    ),
];

/// Of each sink.
pub const SINK: &[Figure<SinkView>] = &[
    Figure::new(
        "delivered",
        "sos_sink_delivered_events_total",
        "Events that the target of a sink has.",
        |it| Some(Integer(it.delivered)),
    ),
    Figure::new(
        "refused",
        "sos_sink_refused_events_total",
        "Events that the target refuses for good.",
        |it| Some(Integer(it.refused)),
    ),
    Figure::new(
        "dead_letters",
        "sos_sink_dead_letters_total",
        "Refused events that are kept as dead letters.",
        |it| Some(Integer(it.dead_letters)),
    ),
    Figure::new(
        "discarded",
        "sos_sink_discarded_events_total",
        "Events that were pushed out of the journal before they could be delivered.",
        |it| Some(Integer(it.discarded)),
    ),
    Figure::new("retries", "sos_sink_retries_total", "Writes that failed and were repeated.", |it| {
        Some(Integer(it.retries))
    }),
    Figure::new("writes", "sos_sink_writes_total", "Writes that succeeded.", |it| Some(Integer(it.writes))),
    Figure::new("restarts", "sos_sink_restarts_total", "How often a sink was built anew.", |it| {
        Some(Integer(it.restarts))
    }),
    Figure::new("lag_events", "sos_sink_lag_events", "Events that wait for a sink.", |it| {
        Some(Integer(it.lag_events))
    }),
    Figure::new("lag_bytes", "sos_sink_lag_bytes", "The bytes of the events that wait for a sink.", |it| {
        Some(Integer(it.lag_bytes))
    }),
    Figure::new(
        "lag_age_seconds",
        "sos_sink_lag_age_seconds",
        "How old the oldest event is that waits.",
        |it| Some(Real(it.lag_age.as_secs_f64())),
    ),
];
