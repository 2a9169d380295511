//! What the user writes.

use std::sync::Arc;

use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::{Build, BuildError, Plugin, Sink, async_trait};
use serde::{Deserialize, Serialize};

use crate::ConsoleSink;

/// The table of a console sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// How a line looks. Default pretty.
    pub format: Format,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people: time, level, kind, labels, message and fields.
    #[default]
    Pretty,
    /// For programs: the event as a JSON object.
    Json,
}

#[async_trait]
impl Plugin for ConsoleConfig {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "console";
    const ABOUT: &'static str = "Prints events to standard output, one line each";
    const SAMPLE: &'static str = include_str!("../sample.yaml");

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        Self::json_schema(generator)
    }

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(ConsoleSink::stdout(self.format)))
    }
}

#[cfg(test)]
mod tests {
    use senseops_testkit::sample;

    use super::*;

    fn read(yaml: &str) -> Result<ConsoleConfig, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_lists_every_key_at_its_default() {
        let sample = sample::uncommented(ConsoleConfig::SAMPLE);
        let keys: Vec<_> = sample.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(keys, ["format: pretty"]);
        assert_eq!(read(&sample), Ok(ConsoleConfig::default()));
    }

    #[test]
    fn a_format_is_pretty_or_json() {
        assert_eq!(read("format: json"), Ok(ConsoleConfig { format: Format::Json }));
        insta::assert_snapshot!(read("format: yaml").unwrap_err(), @"
        error: line 1 column 9: unknown variant `yaml`, expected one of pretty, json
         --> <input>:1:9
          |
        1 | format: yaml
          |         ^ unknown variant `yaml`, expected one of pretty, json
        ");
        insta::assert_snapshot!(read("colour: true").unwrap_err(), @"
        error: line 1 column 1: unknown field `colour`, expected one of format
         --> <input>:1:1
          |
        1 | colour: true
          | ^ unknown field `colour`, expected one of format
        ");
    }
}
