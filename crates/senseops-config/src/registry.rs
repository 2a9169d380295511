//! Which plugins there are.

use std::fmt;
use std::sync::Arc;

use senseops_core::schemars::JsonSchema;
use senseops_core::settings::Warning;
use senseops_core::{Kind, PlanError, Planned, Plugin, Relay, Sink, Source};
use senseops_engine::Program;
use serde::de::DeserializeOwned;

use crate::component::plan_component;
use crate::key_path::KeyPath;
use crate::read::{Reader, Table};
use crate::schema::{WriteSchema, keys_of};
use crate::section::Section;

/// The plugins that a configuration can name. A list: nothing registers itself.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    program: Program,
    sources: Vec<Entry<Box<dyn Source>>>,
    relays: Vec<Entry<Box<dyn Relay>>>,
    sinks: Vec<Entry<Arc<dyn Sink>>>,
    absent: Vec<AbsentPlugin>,
    sections: Vec<Section>,
}

/// What is known of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// Whether it is a source, a relay or a sink.
    pub role: Role,
    /// The name in `sources.<type>`, `relays.<type>` or `sinks.<type>`.
    pub type_name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// A complete sample in YAML.
    pub sample: &'static str,
    /// The kinds of the events that it emits; empty if they are not known, and for sinks.
    pub kinds: &'static [Kind],
}

/// Which way events go through a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It emits events.
    Source,
    /// It makes events of events.
    Relay,
    /// It writes events to a target.
    Sink,
}

/// A plugin that this program could have, if it had been built with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbsentPlugin {
    pub(crate) role: Role,
    pub(crate) type_name: &'static str,
    /// The cargo feature that brings it.
    pub(crate) feature: &'static str,
}

/// A kind of component, and how its table becomes components.
pub(crate) struct Entry<T> {
    pub(crate) plugin: PluginInfo,
    pub(crate) plan: PlanTable<T>,
    /// What may be written in its table.
    pub(crate) schema: WriteSchema,
}

/// Reads a component's table as the plugin's own struct and plans it; the engine has read these keys of it. Problems go
/// to the reader.
pub(crate) type PlanTable<T> =
    fn(&mut Reader<'_>, &KeyPath, Table, &'static [&'static str]) -> Option<Vec<Planned<T>>>;

impl Registry {
    /// A registry without plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the program is called that has these plugins; `sos` unless said.
    #[must_use]
    pub fn called(mut self, name: &'static str, version: &'static str) -> Self {
        self.program = Program { name, version };
        self
    }

    /// The program that has these plugins.
    pub fn program(&self) -> Program {
        self.program
    }

    /// With one more kind of source.
    #[must_use]
    pub fn source<P: Plugin<Component = Box<dyn Source>>>(mut self) -> Self {
        self.sources.push(Entry::new::<P>(Role::Source));
        self
    }

    /// With one more kind of relay.
    #[must_use]
    pub fn relay<P: Plugin<Component = Box<dyn Relay>>>(mut self) -> Self {
        self.relays.push(Entry::new::<P>(Role::Relay));
        self
    }

    /// With one more kind of sink.
    #[must_use]
    pub fn sink<P: Plugin<Component = Arc<dyn Sink>>>(mut self) -> Self {
        self.sinks.push(Entry::new::<P>(Role::Sink));
        self
    }

    /// Remembers a plugin that is not there because a cargo feature is off, so that a configuration that names it can be
    /// told which one.
    #[must_use]
    pub fn absent(mut self, role: Role, type_name: &'static str, feature: &'static str) -> Self {
        self.absent.push(AbsentPlugin { role, type_name, feature });
        self
    }

    /// With one more table at the root of the configuration, for the program itself; see
    /// [`Loaded::section`](crate::Loaded::section). `check` gives what should be known about it, or what is wrong with it
    /// although every value has the right type.
    #[must_use]
    pub fn section<C: DeserializeOwned + JsonSchema + Send + Sync + 'static>(
        mut self,
        key: &'static str,
        check: fn(&C) -> Result<Vec<Warning>, PlanError>,
    ) -> Self {
        self.sections.push(Section::new(key, check));
        self
    }

    /// All plugins: sources, relays, sinks, each in the order in which they were added.
    pub fn plugins(&self) -> impl Iterator<Item = PluginInfo> + '_ {
        let sources = self.sources.iter().map(|entry| entry.plugin);
        let relays = self.relays.iter().map(|entry| entry.plugin);
        sources.chain(relays).chain(self.sinks.iter().map(|entry| entry.plugin))
    }

    pub(crate) fn sources(&self) -> &[Entry<Box<dyn Source>>] {
        &self.sources
    }

    pub(crate) fn relays(&self) -> &[Entry<Box<dyn Relay>>] {
        &self.relays
    }

    pub(crate) fn sinks(&self) -> &[Entry<Arc<dyn Sink>>] {
        &self.sinks
    }

    /// The feature without which there is no such plugin.
    pub(crate) fn feature_of(&self, role: Role, type_name: &str) -> Option<&'static str> {
        let absent = self.absent.iter().find(|absent| absent.role == role && absent.type_name == type_name);
        absent.map(|absent| absent.feature)
    }

    /// The kinds that a component of this name emits, such as `udp.users`.
    pub(crate) fn kinds_of(&self, role: Role, name: &str) -> Option<&'static [Kind]> {
        let (type_name, _) = name.split_once('.')?;
        let mut plugins = self.plugins();
        Some(plugins.find(|plugin| plugin.role == role && plugin.type_name == type_name)?.kinds)
    }

    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// A plugin whose name is taken by another of the same role, so that it is not clear which one is meant.
    pub(crate) fn ambiguous(&self) -> Option<PluginInfo> {
        let plugins: Vec<PluginInfo> = self.plugins().collect();
        let same = |a: &PluginInfo, b: &PluginInfo| (a.role, a.type_name) == (b.role, b.type_name);
        let twice = |plugin: &&PluginInfo| plugins.iter().filter(|other| same(plugin, other)).count() > 1;
        plugins.iter().find(twice).copied()
    }
}

impl Role {
    /// The table of the configuration that has components of this role.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Relay => "relays",
            Self::Sink => "sinks",
        }
    }

    /// The keys that the engine takes out of the table of a component.
    pub(crate) const fn engine_keys(self) -> &'static [&'static str] {
        match self {
            Self::Source => &["enabled", "labels", "rate_limit"],
            Self::Relay => &["enabled", "labels", "only"],
            Self::Sink => &["enabled", "only", "delivery"],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Relay => "relay",
            Self::Sink => "sink",
        })
    }
}

impl<T> Entry<T> {
    /// Whether components of this type have a setting of this name.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.plugin.role.engine_keys().contains(&key) || keys_of(self.schema).any(|known| known == key)
    }

    fn new<P: Plugin<Component = T>>(role: Role) -> Self {
        let plugin =
            PluginInfo { role, type_name: P::TYPE, about: P::ABOUT, sample: P::SAMPLE, kinds: P::KINDS };
        Self { plugin, plan: plan_component::<P>, schema: P::schema }
    }
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { plugin: self.plugin, plan: self.plan, schema: self.schema }
    }
}

impl<T> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plugin.fmt(f)
    }
}
