//! Which plugins there are.

use std::fmt;

use senseops_core::settings::Warning;
use senseops_core::{PlanError, PlannedSink, PlannedSource, SinkConfig, SourceConfig};
use serde::de::DeserializeOwned;

use crate::component::{plan_sink, plan_source};
use crate::key_path::KeyPath;
use crate::read::{Reader, Table};
use crate::section::Section;

/// The plugins that a configuration can name. A list: nothing registers itself.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    sources: Vec<Entry<PlannedSource>>,
    sinks: Vec<Entry<PlannedSink>>,
    sections: Vec<Section>,
}

/// A kind of source or sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Whether it is a source or a sink.
    pub role: Role,
    /// The name in `sources.<type>` or `sinks.<type>`.
    pub type_name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// A complete sample in YAML.
    pub sample: &'static str,
}

/// Which way events go through a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It emits events.
    Source,
    /// It writes events to a target.
    Sink,
}

/// A plugin, and how its table becomes components.
pub(crate) struct Entry<P> {
    pub(crate) plugin: Plugin,
    pub(crate) plan: PlanTable<P>,
}

/// Reads a component's table as the plugin's own struct and plans it. Problems go to the reader.
pub(crate) type PlanTable<P> = fn(&mut Reader<'_>, &KeyPath, Table) -> Option<Vec<P>>;

impl Registry {
    /// A registry without plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more kind of source.
    #[must_use]
    pub fn source<C: SourceConfig>(mut self) -> Self {
        let plugin = Plugin { role: Role::Source, type_name: C::TYPE, about: C::ABOUT, sample: C::SAMPLE };
        self.sources.push(Entry { plugin, plan: plan_source::<C> });
        self
    }

    /// With one more kind of sink.
    #[must_use]
    pub fn sink<C: SinkConfig>(mut self) -> Self {
        let plugin = Plugin { role: Role::Sink, type_name: C::TYPE, about: C::ABOUT, sample: C::SAMPLE };
        self.sinks.push(Entry { plugin, plan: plan_sink::<C> });
        self
    }

    /// With one more table at the root of the configuration, for the program itself; see
    /// [`Loaded::section`](crate::Loaded::section). `check` gives what should be known about it, or what is wrong with it
    /// although every value has the right type.
    #[must_use]
    pub fn section<C: DeserializeOwned + Send + Sync + 'static>(
        mut self,
        key: &'static str,
        check: fn(&C) -> Result<Vec<Warning>, PlanError>,
    ) -> Self {
        self.sections.push(Section::new(key, check));
        self
    }

    /// All plugins: sources, then sinks, each in the order in which they were added.
    pub fn plugins(&self) -> impl Iterator<Item = Plugin> + '_ {
        self.sources.iter().map(|entry| entry.plugin).chain(self.sinks.iter().map(|entry| entry.plugin))
    }

    pub(crate) fn sources(&self) -> &[Entry<PlannedSource>] {
        &self.sources
    }

    pub(crate) fn sinks(&self) -> &[Entry<PlannedSink>] {
        &self.sinks
    }

    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// A plugin whose name is taken by another of the same role, so that it is not clear which one is meant.
    pub(crate) fn ambiguous(&self) -> Option<Plugin> {
        let plugins: Vec<Plugin> = self.plugins().collect();
        let same = |a: &Plugin, b: &Plugin| (a.role, a.type_name) == (b.role, b.type_name);
        let twice = |plugin: &&Plugin| plugins.iter().filter(|other| same(plugin, other)).count() > 1;
        plugins.iter().find(twice).copied()
    }
}

impl Role {
    /// The table of the configuration that has components of this role.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Sink => "sink",
        })
    }
}

impl<P> Clone for Entry<P> {
    fn clone(&self) -> Self {
        Self { plugin: self.plugin, plan: self.plan }
    }
}

impl<P> fmt::Debug for Entry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plugin.fmt(f)
    }
}
