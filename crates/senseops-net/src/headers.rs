//! Extra request headers that an operator configures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use senseops_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use senseops_core::settings::{Secret, Warning, is_secret_name};
use senseops_core::{BuildError, Files};
use serde::Deserialize;

use crate::resolve;

/// Names and texts of headers. A text may be a secret: `{ env: NAME }` or `{ file: path }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Secret>")]
pub struct Headers(BTreeMap<String, Secret>);

/// The client sets these itself, and a second opinion breaks the connection.
const RESERVED: [HeaderName; 5] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TE, header::TRANSFER_ENCODING, header::UPGRADE];

impl Headers {
    /// These headers over those of `base`: where both have a name, these win.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let mut merged = base.0.clone();
        merged.extend(self.0);
        Self(merged)
    }

    /// Finds the secrets. `key` is the setting that holds the headers, for the error; each file is noted in `files`.
    ///
    /// # Errors
    /// When a secret cannot be read, or its text cannot be sent as a header.
    pub async fn resolve(&self, key: &str, files: &Files) -> Result<HeaderMap, BuildError> {
        let mut headers = HeaderMap::with_capacity(self.0.len());
        for (name, secret) in &self.0 {
            let key = format!("{key}.{name}");
            let text = resolve(secret, &key, files).await?;
            let failed = || BuildError::at(&key, "the text cannot be sent as an HTTP header");
            let mut value = HeaderValue::from_str(&text).map_err(|cause| failed().because(cause))?;
            value.set_sensitive(true);
            let name: HeaderName =
                name.parse().map_err(|cause: header::InvalidHeaderName| failed().because(cause))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Whether there is a header of this name, in lower case.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether anyone who reads them on the way could use them.
    pub fn are_confidential(&self) -> bool {
        self.0.iter().any(|(name, secret)| is_confidential(name) || !matches!(secret, Secret::Text(_)))
    }

    /// What an operator should know about them. `key` is the setting that holds them.
    pub fn warnings(&self, key: &str) -> Vec<Warning> {
        self.0
            .iter()
            .filter(|(name, _)| is_confidential(name))
            .filter_map(|(name, secret)| secret.warning(&format!("{key}.{name}")))
            .collect()
    }
}

/// Whether the text of this header gives access to something.
fn is_confidential(name: &str) -> bool {
    is_secret_name(name) || name.ends_with("-key")
}

impl JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Names of request headers and their texts.",
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" },
            "additionalProperties": generator.subschema_for::<Secret>(),
        })
    }
}

impl TryFrom<BTreeMap<String, Secret>> for Headers {
    type Error = String;

    fn try_from(written: BTreeMap<String, Secret>) -> Result<Self, String> {
        let mut headers = BTreeMap::new();
        for (name, secret) in written {
            // Not repeated, since what follows the colon is meant as the text.
            if name.contains(':') {
                return Err(
                    "a header is written as a key and its text, not as one text with a colon in it".into()
                );
            }
            let parsed: HeaderName = name.parse().map_err(|_invalid| {
                format!("{name:?} is not the name of an HTTP header: letters, digits and dashes")
            })?;
            if RESERVED.contains(&parsed) {
                return Err(format!("the header {name:?} is set by the HTTP client itself"));
            }
            if let Secret::Text(text) = &secret
                && HeaderValue::from_str(text).is_err()
            {
                return Err(format!(
                    "the text of the header {name:?} contains a line break or control character"
                ));
            }
            // Names differ only by case: HTTP does not tell them apart.
            if headers.insert(parsed.as_str().to_owned(), secret).is_some() {
                return Err(format!("the header {name:?} is given twice"));
            }
        }
        Ok(Self(headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Headers, String> {
        serde_json::from_str(json).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn headers_that_cannot_be_sent_are_refused_when_they_are_read() {
        insta::assert_snapshot!(parse(r#"{"X Qlik": "a"}"#).unwrap_err(), @r#""X Qlik" is not the name of an HTTP header: letters, digits and dashes"#);
        insta::assert_snapshot!(parse(r#"{"Cookie: canary": ""}"#).unwrap_err(), @"a header is written as a key and its text, not as one text with a colon in it");
        insta::assert_snapshot!(parse(r#"{"Content-Length": "5"}"#).unwrap_err(), @r#"the header "Content-Length" is set by the HTTP client itself"#);
        insta::assert_snapshot!(parse(r#"{"X-User": "a\nb"}"#).unwrap_err(), @r#"the text of the header "X-User" contains a line break or control character"#);
        insta::assert_snapshot!(parse(r#"{"X-User": "a", "x-user": "b"}"#).unwrap_err(), @r#"the header "x-user" is given twice"#);
    }

    #[tokio::test]
    async fn the_headers_of_one_server_win_over_those_of_all() {
        let all = parse(r#"{"X-Site": "all", "X-Keep": "yes"}"#).unwrap();
        let one = parse(r#"{"x-site": "one"}"#).unwrap();
        let resolved = one.over(&all).resolve("headers", &Files::default()).await.unwrap();
        assert_eq!(resolved.get("x-site").unwrap(), "one");
        assert_eq!(resolved.get("x-keep").unwrap(), "yes");
    }

    #[test]
    fn only_headers_that_give_access_are_warned_about() {
        let headers = parse(
            r#"{"Authorization": "canary", "Subscription-Key": "canary", "X-Auth-Token": "canary",
                "X-Qlik-Session": "canary", "X-Qlik-User": "me", "X-Qlik-Xrfkey": "0123456789abcdef"}"#,
        )
        .unwrap();
        let keys: Vec<_> = headers.warnings("h").into_iter().map(|warning| warning.key).collect();
        assert_eq!(keys, ["h.authorization", "h.subscription-key", "h.x-auth-token", "h.x-qlik-session"]);
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn headers_are_confidential_by_their_name_or_because_they_are_kept_apart() {
        for (json, expected) in [
            (r#"{"Cookie": "canary"}"#, true),
            (r#"{"X-Site": {"env": "SITE"}}"#, true),
            (r#"{"X-Qlik-User": "me"}"#, false),
            ("{}", false),
        ] {
            assert_eq!(parse(json).unwrap().are_confidential(), expected, "{json}");
        }
    }
}
