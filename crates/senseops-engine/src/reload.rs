//! Running a new plan in place of the old one, without losing what is on its way.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use senseops_core::host::ShutdownTrigger;
use senseops_core::{Chunk, LabelSet};
use senseops_journal::Reader;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::components::Components;
use crate::opened::{Opened, OpenedRelay, OpenedSink, OpenedSource, Runners};
use crate::opener::Opener;
use crate::parts::Parts;
use crate::plan::{OpenError, Specs, path};
use crate::reload_request::Reloaded;
use crate::settings::PipelineSettings;
use crate::sink::LONGEST_RELEASE;
use crate::supervise::SourceRunner;
use crate::tasks::Tasks;

/// A pipeline that runs.
pub(crate) struct Running {
    pub(crate) opener: Opener,
    pub(crate) settings: PipelineSettings,
    pub(crate) parts: Arc<Parts>,
    pub(crate) sources: Tasks,
    pub(crate) relays: Tasks,
    pub(crate) sinks: Tasks,
    /// Of sinks. Relays have one each.
    pub(crate) drain: ShutdownTrigger,
}

/// Names of components by their roles.
#[derive(Default)]
struct Names {
    sources: HashSet<String>,
    relays: HashSet<String>,
    sinks: HashSet<String>,
}

impl Running {
    fn start_sources(&mut self, runners: Vec<SourceRunner>) {
        for runner in runners {
            self.sources.spawn(runner.context.component.clone(), runner.run());
        }
    }

    /// Starts what reads the journal, and leaves the sources.
    fn start_readers(&mut self, components: &Components, runners: Runners) -> Vec<SourceRunner> {
        for runner in runners.relays {
            let name = runner.build.component.clone();
            let part = components.relay(&name);
            let [drain, release] = part
                .map(|part| [&part.drain, &part.release].map(ShutdownTrigger::shutdown))
                .unwrap_or_default();
            self.relays.spawn(name, runner.run(drain, release));
        }
        for runner in runners.sinks {
            let name = runner.slot.name().to_owned();
            let release = components.sink(&name).map(|part| part.release.shutdown()).unwrap_or_default();
            self.sinks.spawn(name, runner.run(self.drain.shutdown(), release));
        }
        runners.sources
    }

    /// Starts everything.
    pub(crate) fn start(&mut self, runners: Runners) {
        let sources = self.start_readers(&self.parts.components(), runners);
        self.start_sources(sources);
    }

    /// Opens what is new in a plan. Nothing has changed as long as the answer is not switched to.
    pub(crate) async fn open(&self, labels: &LabelSet, specs: Specs) -> Result<Opened, OpenError> {
        self.opener.open(labels, specs, &self.parts.components()).await
    }

    /// Runs what was opened. Relays and sinks change while the sources go on, whose events wait in the journal
    /// meanwhile. So nobody reads the sockets only as long as it takes a source to stop, and every event finds its
    /// readers.
    pub(crate) async fn switch_to(&mut self, settings: PipelineSettings, opened: Opened) -> Reloaded {
        let before = self.parts.components();
        let (kept, new) = names(&opened);
        let mut reloaded = Reloaded {
            unchanged: kept.sources.len() + kept.relays.len() + kept.sinks.len(),
            not_applied: self.not_applied(&settings),
            ..Reloaded::default()
        };
        // Those that are quite new see what is emitted while the others go.
        let places = self.places_of_new(&opened, &before);
        for name in new.relays.iter().chain(&new.sinks) {
            self.opener.journal.expect_back(name);
        }
        let left_relays = self.release_relays(&before, &kept.relays).await;
        let left_sinks = self.release_sinks(&before, &kept.sinks).await;
        let (components, runners) = opened.attach(&self.opener.journal, &self.opener.dead_letters);
        drop(places);
        let new_sources = self.start_readers(&components, runners);
        let longest = settings.shutdown_timeout.get() / 2;
        let left_sources = self.stop_sources(&before, &kept.sources, longest).await;
        self.opener.common.sockets.complete_handover(&kept.paths());
        self.start_sources(new_sources);
        self.parts.replace(components);
        if self.settings.labels != settings.labels {
            self.parts.emit_through(self.opener.emitters(&settings.labels, &self.parts.embedder));
        }
        // The rest takes effect at the next start, and until then a change is named each time.
        self.settings.labels = settings.labels;
        self.settings.shutdown_timeout = settings.shutdown_timeout;
        reloaded.note("sources", &left_sources, &new.sources);
        reloaded.note("relays", &left_relays, &new.relays);
        reloaded.note("sinks", &left_sinks, &new.sinks);
        reloaded.left_behind = self.parts.left_behind(&self.parts.journal.status(), 0);
        reloaded.log();
        reloaded
    }

    /// Places in the journal for those that had none.
    fn places_of_new(&self, opened: &Opened, before: &Components) -> Vec<Reader<Chunk>> {
        let journal = &self.opener.journal;
        let relays = opened.relays.iter().filter_map(|relay| match relay {
            OpenedRelay::New(new) if before.relay(new.name()).is_none() => Some(new.reader(journal)),
            OpenedRelay::New(_) | OpenedRelay::Kept(_) => None,
        });
        let sinks = opened.sinks.iter().filter_map(|sink| match sink {
            OpenedSink::New(new) if before.sink(new.name()).is_none() => Some(new.reader(journal)),
            OpenedSink::New(_) | OpenedSink::Kept(_) => None,
        });
        relays.chain(sinks).collect()
    }

    /// Ends the relays that are not `kept`, and names them. Those of the same name go on where they were.
    async fn release_relays(&mut self, before: &Components, kept: &HashSet<String>) -> HashSet<String> {
        let relays = before.relays.iter().map(|part| (&*part.build.component, &part.release));
        let leaving = ask(relays, kept);
        warn_of(&self.relays.join_named(&leaving, Instant::now() + LONGEST_RELEASE).await);
        leaving
    }

    /// The same for sinks.
    async fn release_sinks(&mut self, before: &Components, kept: &HashSet<String>) -> HashSet<String> {
        let leaving = ask(before.sinks.iter().map(|part| (part.slot.name(), &part.release)), kept);
        warn_of(&self.sinks.join_named(&leaving, Instant::now() + LONGEST_RELEASE).await);
        leaving
    }

    /// The same for sources.
    async fn stop_sources(
        &mut self,
        before: &Components,
        kept: &HashSet<String>,
        longest: Duration,
    ) -> HashSet<String> {
        let leaving = ask(before.sources.iter().map(|part| (&*part.build.component, &part.stop)), kept);
        warn_of(&self.sources.join_named(&leaving, Instant::now() + longest).await);
        leaving
    }

    /// Returns if a runner has ended unasked, which only a fault of ours can be. Its component is failing then.
    pub(crate) async fn watch_runners(&mut self) {
        let (role, (name, panic)) = tokio::select! {
            ended = self.sources.next_ended() => ("source", ended),
            ended = self.relays.next_ended() => ("relay", ended),
            ended = self.sinks.next_ended() => ("sink", ended),
        };
        let components = self.parts.components();
        let health = components.health_of(role, &name);
        if let Some(health) = health {
            let reason = panic.unwrap_or_else(|| "without a reason".into());
            health.failing(format!(
                "it has ended, and is not started again before a reload changes it: {reason}"
            ));
        }
    }

    fn not_applied(&self, settings: &PipelineSettings) -> Vec<&'static str> {
        let before = &self.settings;
        let changed = [
            ("pipeline.state_dir", settings.state_dir != before.state_dir),
            ("pipeline.journal", settings.journal != before.journal),
            ("pipeline.dead_letters", settings.dead_letters != before.dead_letters),
            ("pipeline.self_metrics", settings.self_metrics != before.self_metrics),
        ];
        changed.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
    }
}

impl Names {
    fn paths(&self) -> HashSet<String> {
        let sources = self.sources.iter().map(|name| path("sources", name));
        let relays = self.relays.iter().map(|name| path("relays", name));
        sources.chain(relays).chain(self.sinks.iter().map(|name| path("sinks", name))).collect()
    }
}

/// Asks those to stop that are not `kept`, and names them.
fn ask<'a>(
    running: impl Iterator<Item = (&'a str, &'a ShutdownTrigger)>,
    kept: &HashSet<String>,
) -> HashSet<String> {
    let leaving = running.filter(|(name, _)| !kept.contains(*name));
    leaving
        .map(|(name, stop)| {
            stop.request();
            name.to_owned()
        })
        .collect()
}

/// The names of the components that run on, and of those that are new or changed.
fn names(opened: &Opened) -> (Names, Names) {
    let (mut kept, mut new) = (Names::default(), Names::default());
    for source in &opened.sources {
        match source {
            OpenedSource::Kept(part) => kept.sources.insert(part.build.component.clone()),
            OpenedSource::New(part, _) => new.sources.insert(part.build.component.clone()),
        };
    }
    for relay in &opened.relays {
        match relay {
            OpenedRelay::Kept(part) => kept.relays.insert(part.build.component.clone()),
            OpenedRelay::New(relay) => new.relays.insert(relay.name().to_owned()),
        };
    }
    for sink in &opened.sinks {
        match sink {
            OpenedSink::Kept(part) => kept.sinks.insert(part.slot.name().to_owned()),
            OpenedSink::New(sink) => new.sinks.insert(sink.name().to_owned()),
        };
    }
    (kept, new)
}

fn warn_of(late: &[String]) {
    if !late.is_empty() {
        warn!(components = late.join(", "), "components did not stop in time and were aborted");
    }
}

impl Reloaded {
    fn note(&mut self, role: &str, left: &HashSet<String>, new: &HashSet<String>) {
        let named = |names: Vec<&String>| {
            let mut names: Vec<String> = names.into_iter().map(|name| format!("{role}.{name}")).collect();
            names.sort();
            names
        };
        self.started.extend(named(new.difference(left).collect()));
        self.restarted.extend(named(new.intersection(left).collect()));
        self.stopped.extend(named(left.difference(new).collect()));
    }

    fn log(&self) {
        info!(
            started = self.started.join(", "),
            restarted = self.restarted.join(", "),
            stopped = self.stopped.join(", "),
            unchanged = self.unchanged,
            "new configuration is in use"
        );
        if !self.not_applied.is_empty() {
            let settings = self.not_applied.join(", ");
            warn!(settings, "changed settings take effect at the next start only");
        }
        for cursor in &self.left_behind {
            warn!("{cursor}");
        }
    }
}
