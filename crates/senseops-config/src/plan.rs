//! From the merged tables to the plan of a pipeline.

use std::collections::BTreeSet;

use figment::value::{Tag, Value};
use senseops_core::schemars::JsonSchema;
use senseops_core::{Kind, KindPattern, LabelSet, Planned};
use senseops_engine::{
    Delivery, Only, PipelineSettings, Plan, RateLimit, RelaySpec, SELF_KINDS, SinkSpec, SourceSpec,
};
use serde::de::DeserializeOwned;

use crate::key_path::KeyPath;
use crate::read::{Reader, Table};
use crate::registry::{Entry, Registry, Role};
use crate::schema::keys_of;
use crate::section::Sections;
use crate::sentence;
use crate::suggest::{listed, nearest};

/// The top-level keys that every program has.
const SECTIONS: [&str; 4] = ["pipeline", "sources", "relays", "sinks"];

/// The top-level key of configuration files of Butler SOS.
const BUTLER_SOS: &str = "Butler-SOS";

/// A component's table, and where it is.
struct Component {
    path: KeyPath,
    /// `udp.users`
    name: String,
    table: Table,
    enabled: bool,
}

/// Plans everything, as far as that is possible; what is not is noted by the reader.
pub(crate) fn plan(registry: &Registry, mut root: Table, reader: &mut Reader<'_>) -> (Plan, Sections) {
    if root.contains_key(BUTLER_SOS) {
        reader.key_error(
            &KeyPath::root(BUTLER_SOS),
            "this is a configuration file of Butler SOS, which cannot be read yet; \
             docs/compatibility.md names the key that stands for each of its keys",
        );
        return Default::default();
    }
    let sections = read_sections(registry, &mut root, reader);
    let mut section = |key: &str| root.remove(key).unwrap_or(Value::Dict(Tag::Default, Table::new()));
    let [pipeline, sources, relays, sinks] = SECTIONS.map(&mut section);
    let known: Vec<_> =
        SECTIONS.into_iter().chain(registry.sections().iter().map(|section| section.key)).collect();
    for key in root.keys() {
        let misplaced = out_of_its_table(registry, key);
        let message = misplaced.unwrap_or_else(|| sentence::unknown_key(key, &known));
        reader.key_error(&KeyPath::root(key), message);
    }

    let pipeline_path = KeyPath::root("pipeline");
    let pipeline = optional_table(reader, &pipeline_path, pipeline, "its settings").unwrap_or_default();
    let settings = reader.read(&pipeline_path, Value::Dict(Tag::Default, pipeline), &[]).unwrap_or_default();
    let sources = plan_sources(registry, sources, reader);
    let mut plan = Plan { program: registry.program(), settings, sources, ..Plan::default() };
    plan.relays = plan_relays(registry, relays, reader);
    plan.sinks = plan_sinks(registry, sinks, reader);
    warn_of_absent_sources(&plan, reader);
    warn_of_absent_kinds(registry, &plan, reader);
    if !reader.failed() {
        something_to_run(&plan, reader);
    }
    (plan, sections)
}

/// Where a key belongs that was found at the beginning of a line.
fn out_of_its_table(registry: &Registry, key: &str) -> Option<String> {
    if let Some(plugin) = registry.plugins().find(|plugin| plugin.type_name == key) {
        let (role, section) = (plugin.role, plugin.role.section());
        return Some(format!("`{key}` is a type of {role}; it belongs into `{section}`, indented below it"));
    }
    let is_setting = keys_of(PipelineSettings::json_schema).any(|known| known == key);
    is_setting.then(|| {
        format!("`{key}` is a setting of the pipeline; it belongs into `pipeline`, indented below it")
    })
}

/// The tables of the program. One that is not written, or emptied, is not there.
fn read_sections(registry: &Registry, root: &mut Table, reader: &mut Reader<'_>) -> Sections {
    let mut sections = Sections::default();
    for section in registry.sections() {
        let Some(value) = root.remove(section.key).filter(|value| !matches!(value, Value::Empty(..))) else {
            continue;
        };
        if let Some(table) = optional_table(reader, &KeyPath::root(section.key), value, "its settings") {
            sections.read(section, table, reader);
        }
    }
    sections
}

fn plan_sources(registry: &Registry, section: Value, reader: &mut Reader<'_>) -> Vec<SourceSpec> {
    let mut specs = Vec::new();
    for (entry, mut component) in components(registry, Role::Source, registry.sources(), section, reader) {
        let labels: LabelSet = take(reader, &mut component, "labels");
        let rate_limit: Option<RateLimit> = take(reader, &mut component, "rate_limit");
        let name = component.name.clone();
        if let Some(components) = planned(entry, component, reader) {
            specs.push(SourceSpec { name, labels, rate_limit, components });
        }
    }
    specs
}

fn plan_relays(registry: &Registry, section: Value, reader: &mut Reader<'_>) -> Vec<RelaySpec> {
    let mut specs = Vec::new();
    for (entry, mut component) in components(registry, Role::Relay, registry.relays(), section, reader) {
        let labels: LabelSet = take(reader, &mut component, "labels");
        let only: Only = take(reader, &mut component, "only");
        let name = component.name.clone();
        if let Some(components) = planned(entry, component, reader) {
            specs.push(RelaySpec { name, labels, only, components });
        }
    }
    specs
}

fn plan_sinks(registry: &Registry, section: Value, reader: &mut Reader<'_>) -> Vec<SinkSpec> {
    let mut specs = Vec::new();
    for (entry, mut component) in components(registry, Role::Sink, registry.sinks(), section, reader) {
        let only: Only = take(reader, &mut component, "only");
        let delivery: Delivery = take(reader, &mut component, "delivery");
        let name = component.name.clone();
        if let Some(components) = planned(entry, component, reader) {
            specs.push(SinkSpec { name, only, delivery, components });
        }
    }
    specs
}

/// What the plugin makes of the rest of the table, unless it is switched off.
fn planned<T>(entry: &Entry<T>, component: Component, reader: &mut Reader<'_>) -> Option<Vec<Planned<T>>> {
    let planned = (entry.plan)(reader, &component.path, component.table, entry.plugin.role.engine_keys());
    if let (None, Some(name)) = (&planned, component.path.last().filter(|name| entry.has_key(name))) {
        let type_name = entry.plugin.type_name;
        let message = format!(
            "`{name}` is the name of a component here; if the setting of `{type_name}` is meant, indent it below a name, \
             as in {}.main.{name}",
            component.path.parent()
        );
        reader.key_error(&component.path, message);
    }
    planned.filter(|_| component.enabled)
}

/// The components of one section in the order of the file, each with its plugin.
fn components<'r, P>(
    registry: &Registry,
    role: Role,
    entries: &'r [Entry<P>],
    section: Value,
    reader: &mut Reader<'_>,
) -> Vec<(&'r Entry<P>, Component)> {
    let section_path = KeyPath::root(role.section());
    let contents = format!("types of {}, such as {}", role.section(), types(entries));
    let mut found = Vec::new();
    let types = optional_table(reader, &section_path, section, &contents).unwrap_or_default();
    let empty_type = emptied(&types);
    for (type_name, named) in types {
        let type_path = section_path.child(&type_name);
        let Some(entry) = entries.iter().find(|entry| entry.plugin.type_name == type_name) else {
            let message = unknown_type(registry, role, entries, &type_name);
            let advice =
                empty_type.as_ref().map(|above| format!("; a name is indented deeper than `{above}`"));
            reader.key_error(&type_path, message + &advice.unwrap_or_default());
            continue;
        };
        let contents = format!("names of your choice, each with the settings of one {type_name} {role}");
        let named = optional_table(reader, &type_path, named, &contents).unwrap_or_default();
        let emptied = emptied(&named);
        for (name, value) in named {
            let component = component(reader, &type_path, &name, value, emptied.as_deref());
            found.extend(component.map(|component| (entry, component)));
        }
    }
    found.sort_by_cached_key(|(_, component)| reader.locator().order(&component.path));
    found
}

/// The first key without a value, which may be meant as the table of what follows.
fn emptied(table: &Table) -> Option<String> {
    table.iter().find(|(_, value)| matches!(value, Value::Empty(..))).map(|(key, _)| key.clone())
}

/// The table of one component, without `enabled`. `emptied` is a component of the same type that has no settings.
fn component(
    reader: &mut Reader<'_>,
    type_path: &KeyPath,
    name: &str,
    value: Value,
    emptied: Option<&str>,
) -> Option<Component> {
    let path = type_path.child(name);
    let type_name = type_path.last().unwrap_or_default();
    if let Some(slip) = value.as_str().and_then(sentence::slip) {
        reader.error(&path, slip);
        return None;
    }
    if matches!(value, Value::String(..) | Value::Bool(..) | Value::Num(..)) {
        // The usual reason: settings directly below the type.
        let message = match emptied {
            Some(above) => format!(
                "expected a name with settings below it; if this is a setting of `{above}`, indent it deeper than `{above}`"
            ),
            None => format!(
                "expected a name with settings below it; between `{type_name}` and its settings belongs a name \
                 of your choice, as in {type_path}.main.{name}"
            ),
        };
        reader.key_error(&path, message);
        return None;
    }
    let valid = !name.is_empty() && name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
    if !valid {
        reader.key_error(&path, format!("{name:?} cannot be a name; use a to z, 0 to 9 and _ only"));
    }
    let table = optional_table(reader, &path, value, "its settings")?;
    let mut component = Component { path, name: format!("{type_name}.{name}"), table, enabled: true };
    component.enabled = match component.table.remove("enabled") {
        None | Some(Value::Empty(..)) => true,
        Some(enabled) => reader.read(&component.path.child("enabled"), enabled, &[]).unwrap_or_default(),
    };
    Some(component)
}

/// Takes what the engine reads itself out of a component's table.
fn take<T: DeserializeOwned + Default>(reader: &mut Reader<'_>, component: &mut Component, key: &str) -> T {
    match component.table.remove(key) {
        None | Some(Value::Empty(..)) => T::default(),
        Some(value) => reader.read(&component.path.child(key), value, &[]).unwrap_or_default(),
    }
}

/// A table that may have been emptied; `contents` says what belongs into it.
fn optional_table(reader: &mut Reader<'_>, path: &KeyPath, value: Value, contents: &str) -> Option<Table> {
    if let Some(slip) = value.as_str().and_then(sentence::slip) {
        reader.error(path, slip);
        return None;
    }
    let found = match value {
        Value::Dict(_, table) => return Some(table),
        Value::Empty(..) => return Some(Table::new()),
        Value::Array(..) => "a list; leave out the dashes",
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
    };
    reader.error(path, format!("expected a table with {contents}; found {found}"));
    None
}

/// A misspelled source in `only.sources` would leave a component without events, and nobody would be told.
fn warn_of_absent_sources(plan: &Plan, reader: &mut Reader<'_>) {
    let sources = plan.sources.iter().map(|spec| (&spec.name, parts(&spec.components)));
    let relays = plan.relays.iter().map(|spec| (&spec.name, parts(&spec.components)));
    let names: Vec<String> = sources
        .chain(relays)
        .flat_map(|(name, parts)| {
            let parts = parts.into_iter().map(move |part| format!("{name}.{part}"));
            std::iter::once(name.clone()).chain(parts)
        })
        .collect();
    let relays = plan.relays.iter().map(|spec| (Role::Relay, &spec.name, &spec.only));
    let sinks = plan.sinks.iter().map(|spec| (Role::Sink, &spec.name, &spec.only));
    for (role, name, only) in relays.chain(sinks) {
        for (index, pattern) in only.sources.iter().enumerate() {
            let alone = Only { kinds: Vec::new(), sources: vec![pattern.clone()] };
            if names.iter().any(|name| alone.source(name)) {
                continue;
            }
            let advice = match nearest(pattern, names.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => String::new(),
            };
            let path = KeyPath::root(role.section()).dotted(name).child("only").child("sources");
            let message = format!("no enabled source is called `{pattern}`{advice}");
            reader.warning(&path.child(index.to_string()), message);
        }
    }
}

/// The same for a misspelled kind in `only.kinds`. Nothing is said if some source or relay does not tell what it emits.
fn warn_of_absent_kinds(registry: &Registry, plan: &Plan, reader: &mut Reader<'_>) {
    let sources = plan.sources.iter().map(|spec| (Role::Source, &spec.name));
    let relays = plan.relays.iter().map(|spec| (Role::Relay, &spec.name));
    let mut kinds: Vec<Kind> = Vec::new();
    for (role, name) in sources.chain(relays) {
        match registry.kinds_of(role, name) {
            Some(emitted) if !emitted.is_empty() => kinds.extend(emitted),
            Some(_) | None => return,
        }
    }
    if plan.settings.self_metrics.is_some() {
        kinds.extend(SELF_KINDS);
    }
    let relays = plan.relays.iter().map(|spec| (Role::Relay, &spec.name, &spec.only));
    let sinks = plan.sinks.iter().map(|spec| (Role::Sink, &spec.name, &spec.only));
    for (role, name, only) in relays.chain(sinks) {
        for (index, pattern) in only.kinds.iter().enumerate() {
            if kinds.iter().any(|kind| pattern.matches(*kind)) {
                continue;
            }
            let path = KeyPath::root(role.section()).dotted(name).child("only").child("kinds");
            reader.warning(&path.child(index.to_string()), absent_kind(pattern, &kinds));
        }
    }
}

fn absent_kind(pattern: &KindPattern, kinds: &[Kind]) -> String {
    if SELF_KINDS.iter().any(|kind| pattern.matches(*kind)) {
        return format!("nothing emits `{pattern}` without pipeline.self_metrics");
    }
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    match nearest(&pattern.to_string(), names.iter().copied()) {
        Some(near) => format!("no enabled source emits `{pattern}`; did you mean `{near}`?"),
        None => format!("no enabled source emits `{pattern}`; they emit {}", listed(names, "and")),
    }
}

fn parts<T>(components: &[Planned<T>]) -> Vec<&str> {
    components.iter().filter_map(|planned| planned.part.as_deref()).collect()
}

/// Without a source or a sink nothing would ever happen, and nobody would be told.
fn something_to_run(plan: &Plan, reader: &mut Reader<'_>) {
    for (role, none) in [(Role::Source, plan.sources.is_empty()), (Role::Sink, plan.sinks.is_empty())] {
        if none {
            let message = match role {
                Role::Source => "no source is configured and enabled, so there would be no events",
                Role::Relay | Role::Sink => "no sink is configured and enabled, so events would go nowhere",
            };
            reader.error(&KeyPath::root(role.section()), message);
        }
    }
}

fn unknown_type<P>(registry: &Registry, role: Role, entries: &[Entry<P>], written: &str) -> String {
    let sections = SECTIONS.into_iter().chain(registry.sections().iter().map(|section| section.key));
    if sections.into_iter().any(|section| section == written) {
        return format!(
            "`{written}` is a table of its own; let it begin in column 1, without blanks before it"
        );
    }
    if let Some(other) = registry.plugins().find(|plugin| plugin.type_name == written) {
        return format!("`{written}` is a {}; it belongs into `{}`", other.role, other.role.section());
    }
    if let Some(feature) = registry.feature_of(role, written) {
        return format!("this program was built without `{written}`; build it with the feature `{feature}`");
    }
    match nearest(written, entries.iter().map(|entry| entry.plugin.type_name)) {
        Some(meant) => format!("there is no type of {role} called `{written}`; did you mean `{meant}`?"),
        None => format!("there is no type of {role} called `{written}`; there are {}", types(entries)),
    }
}

fn types<P>(entries: &[Entry<P>]) -> String {
    if entries.is_empty() {
        "none".to_owned()
    } else {
        listed(entries.iter().map(|e| e.plugin.type_name), "and")
    }
}
