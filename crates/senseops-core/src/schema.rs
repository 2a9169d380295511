//! How values that people write are described to editors.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::settings::{Secret, Size, Span};
use crate::{KindPattern, LabelSet};

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time with its unit, such as 250ms, 30s, 5m, 1h 30m or 7d.",
            "type": "string",
            "pattern": SPAN,
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes with its unit, such as 64kB, 512MiB or 1GiB.",
            "type": "string",
            "pattern": SIZE,
        })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let place = |key: &str, what: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "description": what, "type": "string" } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "A secret: { env: NAME }, { file: path } or, with a warning, the text itself.",
            "anyOf": [
                place("env", "The environment variable that holds it."),
                place("file", "The file that holds it."),
                { "type": "string" },
            ],
        })
    }
}

impl JsonSchema for LabelSet {
    fn schema_name() -> Cow<'static, str> {
        "Labels".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Names of labels and their texts.",
            "type": "object",
            "propertyNames": { "pattern": r"\S" },
            "additionalProperties": { "type": ["string", "integer", "boolean", "null"] },
        })
    }
}

impl JsonSchema for KindPattern {
    fn schema_name() -> Cow<'static, str> {
        "KindPattern".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A kind of events such as qlik.user_event, a pattern such as qlik.*, or *.",
            "type": "string",
            "pattern": r"^(\*|[^*\s]+\.\*|[^*\s]+)$",
        })
    }
}

/// The units of `humantime`.
const SPAN: &str = concat!(
    r"^\s*([0-9]+(\.[0-9]+)?\s*(ns|nsec|nanos|us|usec|µs|micros|ms|msec|millis|s|secs?|seconds?|m|mins?|minutes?|",
    r"h|hrs?|hours?|d|days?|w|wks?|weeks?|M|months?|y|yrs?|years?)\s*)+$",
);

/// The units of `bytesize`.
const SIZE: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtTpPeE][iI]?)?[bB]?\s*$";
