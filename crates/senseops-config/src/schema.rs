//! What a configuration may hold, as a JSON Schema for editors.

use senseops_core::LabelSet;
use senseops_core::host::{Delivery, Only};
use senseops_core::schemars::transform::{Transform, transform_subschemas};
use senseops_core::schemars::{JsonSchema, Schema, SchemaGenerator};
use senseops_engine::{PipelineSettings, RateLimit};
use serde_json::{Map, Value, json};

use crate::registry::{Entry, Registry, Role};

/// Writes the schema of a table.
pub(crate) type WriteSchema = fn(&mut SchemaGenerator) -> Schema;

/// The names of components.
const NAME: &str = "^[a-z0-9_]+$";

impl Registry {
    /// The JSON Schema (draft 2020-12) of the configuration, with the tables of every plugin.
    pub fn schema(&self) -> String {
        let generator = &mut SchemaGenerator::default();
        let mut tables = Map::new();
        tables.insert("pipeline".into(), inline(PipelineSettings::json_schema, generator));
        for section in self.sections() {
            tables.insert(section.key.into(), inline(section.schema, generator));
        }
        tables.insert("sources".into(), types(Role::Source, self.sources(), generator));
        tables.insert("relays".into(), types(Role::Relay, self.relays(), generator));
        tables.insert("sinks".into(), types(Role::Sink, self.sinks(), generator));
        let mut schema =
            Schema::from(table(&format!("A configuration of {}.", self.program().name), &tables));
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), self.program().name.into());
        schema.insert("$defs".into(), generator.take_definitions(true).into());
        Emptied.transform(&mut schema);
        Prose.transform(&mut schema);
        let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text + "\n"
    }
}

/// The keys of a table.
pub(crate) fn keys_of(write: WriteSchema) -> impl Iterator<Item = String> {
    let schema = write(&mut SchemaGenerator::default());
    let properties = schema.get("properties").and_then(Value::as_object).cloned();
    properties.unwrap_or_default().into_iter().map(|(key, _)| key)
}

/// The table of a role: types, then names.
fn types<T>(role: Role, entries: &[Entry<T>], generator: &mut SchemaGenerator) -> Value {
    let mut types = Map::new();
    for entry in entries {
        let named = json!({
            "description": format!("{}.", entry.plugin.about),
            "type": "object",
            "propertyNames": { "pattern": NAME },
            "additionalProperties": component(role, entry.schema, generator),
        });
        types.insert(entry.plugin.type_name.into(), named);
    }
    let description = match role {
        Role::Source => "Where events come from: types of sources, below each the names of your choice.",
        Role::Relay => "What makes events of events: types of relays, below each the names of your choice.",
        Role::Sink => "Where events go: types of sinks, below each the names of your choice.",
    };
    table(description, &types).into()
}

/// The table of a component: the keys of its plugin, and those of the engine.
fn component(role: Role, write: WriteSchema, generator: &mut SchemaGenerator) -> Value {
    let mut schema = write(generator);
    let engine = role.engine_keys().iter().map(|key| ((*key).to_owned(), engine_key(key, generator)));
    match schema.get_mut("properties").and_then(Value::as_object_mut) {
        Some(properties) => properties.extend(engine),
        // A plugin without a schema of its own, or without keys.
        None => {
            schema.insert("properties".into(), engine.collect::<Map<_, _>>().into());
        }
    }
    schema.insert("type".into(), json!(["object", "null"]));
    schema.remove("title");
    schema.into()
}

fn engine_key(key: &str, generator: &mut SchemaGenerator) -> Value {
    let (description, schema) = match key {
        "labels" => {
            ("Labels of its events, over those of the pipeline.", generator.subschema_for::<LabelSet>())
        }
        "rate_limit" => ("How much each of its components may emit.", generator.subschema_for::<RateLimit>()),
        "only" => ("The events that it gets.", generator.subschema_for::<Only>()),
        "delivery" => ("How events are delivered.", generator.subschema_for::<Delivery>()),
        _enabled => {
            return json!({ "description": "Whether it is there at all.", "type": "boolean", "default": true });
        }
    };
    let mut schema = schema;
    schema.insert("description".into(), description.into());
    schema.into()
}

/// The schema itself, not a reference to it.
fn inline(write: WriteSchema, generator: &mut SchemaGenerator) -> Value {
    let mut schema = write(generator);
    schema.remove("title");
    schema.into()
}

/// A table with these keys and no others.
fn table(description: &str, properties: &Map<String, Value>) -> Map<String, Value> {
    let mut table = Map::new();
    table.insert("description".into(), description.into());
    table.insert("type".into(), "object".into());
    table.insert("additionalProperties".into(), false.into());
    table.insert("properties".into(), properties.clone().into());
    table
}

/// Makes doc comments what is shown to people, and leaves out that nothing is the default of nothing.
struct Prose;

impl Transform for Prose {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ").replace("[`", "`").replace("`]", "`");
        }
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        transform_subschemas(self, schema);
    }
}

/// Lets every key be emptied: `null` puts it back to its default.
struct Emptied;

impl Transform for Emptied {
    fn transform(&mut self, schema: &mut Schema) {
        let required: Vec<Value> = match schema.get("required") {
            Some(Value::Array(required)) => required.clone(),
            Some(_) | None => Vec::new(),
        };
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            for (key, property) in properties {
                if !required.iter().any(|required| required == key.as_str()) {
                    let_be_null(property);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

fn let_be_null(property: &mut Value) {
    let Some(schema) = property.as_object_mut() else { return };
    let null = json!({ "type": "null" });
    match schema.get_mut("type") {
        Some(Value::String(only)) => {
            let both = json!([only, "null"]);
            schema.insert("type".into(), both);
        }
        Some(Value::Array(several)) if !several.iter().any(|one| one == "null") => {
            several.push("null".into());
        }
        Some(_) => {}
        None => match schema.get_mut("anyOf") {
            Some(Value::Array(several)) if !several.contains(&null) => several.push(null),
            Some(_) => {}
            None => {
                let Some(reference) = schema.remove("$ref") else { return };
                schema.insert("anyOf".into(), [json!({ "$ref": reference }), null].into_iter().collect());
            }
        },
    }
    // The choices must have it, too.
    if let Some(Value::Array(choices)) = schema.get_mut("enum")
        && !choices.contains(&Value::Null)
    {
        choices.push(Value::Null);
    }
}
