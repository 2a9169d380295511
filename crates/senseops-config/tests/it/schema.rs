//! What editors are told, and whether it is what the program says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use insta::assert_snapshot;
use serde_json::Value;

use crate::plugins::registry;

fn schema() -> Value {
    serde_json::from_str(&registry().schema()).unwrap()
}

fn at(pointer: &str) -> String {
    serde_json::to_string_pretty(schema().pointer(pointer).unwrap()).unwrap()
}

#[test]
fn a_component_has_the_keys_of_its_plugin_and_those_of_the_engine() {
    assert_snapshot!(at("/properties/sinks/properties/influx"), @r##"
    {
      "additionalProperties": {
        "additionalProperties": false,
        "description": "Writes to a database: a login that must be complete, a secret, words to choose from.",
        "properties": {
          "database": {
            "type": "string"
          },
          "delivery": {
            "anyOf": [
              {
                "$ref": "#/$defs/Delivery"
              },
              {
                "type": "null"
              }
            ],
            "description": "How events are delivered."
          },
          "enabled": {
            "default": true,
            "description": "Whether it is there at all.",
            "type": [
              "boolean",
              "null"
            ]
          },
          "gzip": {
            "default": false,
            "type": [
              "boolean",
              "null"
            ]
          },
          "naming": {
            "anyOf": [
              {
                "$ref": "#/$defs/Naming"
              },
              {
                "type": "null"
              }
            ]
          },
          "only": {
            "anyOf": [
              {
                "$ref": "#/$defs/Only"
              },
              {
                "type": "null"
              }
            ],
            "description": "The events that it gets."
          },
          "password": {
            "anyOf": [
              {
                "$ref": "#/$defs/Secret"
              },
              {
                "type": "null"
              }
            ]
          },
          "url": {
            "type": "string"
          },
          "username": {
            "type": [
              "string",
              "null"
            ]
          },
          "version": {
            "default": 0,
            "format": "uint8",
            "maximum": 255,
            "minimum": 0,
            "type": [
              "integer",
              "null"
            ]
          }
        },
        "required": [
          "url",
          "database"
        ],
        "type": [
          "object",
          "null"
        ]
      },
      "description": "writes to a database.",
      "propertyNames": {
        "pattern": "^[a-z0-9_]+$"
      },
      "type": [
        "object",
        "null"
      ]
    }
    "##);
}

#[test]
fn values_with_units_have_a_pattern_and_choices_are_listed() {
    assert_snapshot!(at("/$defs/Duration"), @r#"
    {
      "description": "A length of time with its unit, such as 250ms, 30s, 5m, 1h 30m or 7d.",
      "pattern": "^\\s*([0-9]+(\\.[0-9]+)?\\s*(ns|nsec|nanos|us|usec|µs|micros|ms|msec|millis|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|M|months?|y|yrs?|years?)\\s*)+$",
      "type": "string"
    }
    "#);
    assert_snapshot!(at("/$defs/Delivery/properties"), @r##"
    {
      "max_age": {
        "anyOf": [
          {
            "$ref": "#/$defs/Duration"
          },
          {
            "type": "null"
          }
        ],
        "default": "500ms",
        "description": "The longest that an event waits for others to be written with. Default 500ms."
      },
      "max_bytes": {
        "anyOf": [
          {
            "$ref": "#/$defs/Size"
          },
          {
            "type": "null"
          }
        ],
        "default": "8MiB",
        "description": "The most memory that the events written at once take, estimated. Default 8MiB."
      },
      "max_events": {
        "default": 5000,
        "description": "The most events that are written at once. Default 5000.",
        "format": "uint",
        "minimum": 1,
        "type": [
          "integer",
          "null"
        ]
      },
      "max_in_flight": {
        "default": 1,
        "description": "How many writes run at the same time. Default 1, which keeps the order.",
        "format": "uint",
        "minimum": 1,
        "type": [
          "integer",
          "null"
        ]
      },
      "overflow": {
        "anyOf": [
          {
            "$ref": "#/$defs/Overflow"
          },
          {
            "type": "null"
          }
        ],
        "default": "drop_oldest",
        "description": "What happens when the journal is full and this sink is behind. Default `drop_oldest`."
      },
      "retry": {
        "anyOf": [
          {
            "$ref": "#/$defs/Retry"
          },
          {
            "type": "null"
          }
        ],
        "description": "How failed writes are repeated."
      },
      "timeout": {
        "anyOf": [
          {
            "$ref": "#/$defs/Duration"
          },
          {
            "type": "null"
          }
        ],
        "default": "30s",
        "description": "The longest that one write may take. Default 30s."
      }
    }
    "##);
}

#[test]
fn a_plugin_without_a_schema_may_have_any_key() {
    assert_snapshot!(at("/properties/sinks/properties/console/additionalProperties"), @r##"
    {
      "properties": {
        "delivery": {
          "anyOf": [
            {
              "$ref": "#/$defs/Delivery"
            },
            {
              "type": "null"
            }
          ],
          "description": "How events are delivered."
        },
        "enabled": {
          "default": true,
          "description": "Whether it is there at all.",
          "type": [
            "boolean",
            "null"
          ]
        },
        "only": {
          "anyOf": [
            {
              "$ref": "#/$defs/Only"
            },
            {
              "type": "null"
            }
          ],
          "description": "The events that it gets."
        }
      },
      "type": [
        "object",
        "null"
      ]
    }
    "##);
}
