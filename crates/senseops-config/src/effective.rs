//! The configuration as it applies, to be shown: all layers merged, without secrets.

use std::borrow::Cow;

use figment::value::{Tag, Value};
use senseops_core::settings::is_secret_name;

use crate::excerpt::{is_hidden, without_login};
use crate::layers::Locator;
use crate::read::Table;

/// What stands for a secret.
const HIDDEN: &str = "***";

impl Locator {
    /// What the files and the environment say together, as YAML in the order of the alphabet. Secrets are `***`; where
    /// one is kept, as in `{ env: NAME }`, is shown. Defaults of plugins are not among it.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn effective(&self) -> Result<String, serde_saphyr::ser_error::Error> {
        let shown = shown(Value::Dict(Tag::Default, self.merged()), &mut Vec::new());
        serde_saphyr::to_string(&shown)
    }
}

fn shown(value: Value, path: &mut Vec<String>) -> Value {
    match value {
        Value::Dict(tag, table) if says_where(&table) => Value::Dict(tag, table),
        Value::Dict(tag, table) => {
            let mut shown_table = Table::new();
            for (key, value) in table {
                path.push(key.clone());
                shown_table.insert(key, shown(value, path));
                path.pop();
            }
            Value::Dict(tag, shown_table)
        }
        Value::Array(tag, items) => {
            Value::Array(tag, items.into_iter().map(|item| shown(item, path)).collect())
        }
        Value::String(tag, _) | Value::Num(tag, _) | Value::Char(tag, _) if is_hidden(path) => {
            Value::String(tag, HIDDEN.to_owned())
        }
        Value::String(tag, text) => {
            Value::String(tag, without_parameters(&without_login(&text)).into_owned())
        }
        value @ (Value::Num(..) | Value::Char(..) | Value::Bool(..) | Value::Empty(..)) => value,
    }
}

/// Whether the table is a secret that is kept elsewhere, such as `{ env: NAME }`.
fn says_where(table: &Table) -> bool {
    table.len() == 1
        && table.iter().all(|(key, value)| matches!(key.as_str(), "env" | "file") && value.as_str().is_some())
}

/// An address without the secrets among its parameters: `https://host/?token=***`.
fn without_parameters(text: &str) -> Cow<'_, str> {
    let Some((address, parameters)) = text.split_once('?').filter(|_| text.contains("://")) else {
        return text.into();
    };
    let shown = parameters.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}={HIDDEN}"),
        Some(_) | None => parameter.to_owned(),
    });
    format!("{address}?{}", shown.collect::<Vec<_>>().join("&")).into()
}

#[cfg(test)]
mod tests {
    use crate::document::Document;

    use super::*;

    #[test]
    fn all_layers_are_shown_without_secrets() {
        let yaml = "\
web: { token: canary, tls: { key: server.key, passphrase: { env: PASS } } }
sources:
  sessions: { token_users: { url: 'https://admin:canary@a/?api_key=canary&x=1', count: 3 } }
sinks:
  mqtt: { main: { password: 12345, user: anna, headers: { X-Site: canary }, tokens: [ canary ] } }
";
        let document = Document::parse("sos.yaml", yaml).unwrap();
        let variables = [("SOS_SINKS__MQTT__MAIN__API_KEY".to_owned(), "canary".to_owned())];
        let (locator, problems) = Locator::new(vec![document], variables);
        assert_eq!(problems, []);
        insta::assert_snapshot!(locator.effective().unwrap(), @r#"
        sinks:
          mqtt:
            main:
              api_key: "***"
              headers:
                X-Site: "***"
              password: "***"
              tokens:
              - "***"
              user: anna
        sources:
          sessions:
            token_users:
              count: 3
              url: https://***@a/?api_key=***&x=1
        web:
          tls:
            key: server.key
            passphrase:
              env: PASS
          token: "***"
        "#);
    }

    #[test]
    fn what_is_shown_is_a_configuration_again() {
        let yaml = "pipeline:\n  labels: { a: 'yes', b: '1', c: '' }\n  shutdown_timeout: 5s\n";
        let parsed = |text: &str| Document::parse("a.yaml", text).unwrap();
        let (locator, _) = Locator::new(vec![parsed(yaml)], []);
        assert_eq!(parsed(&locator.effective().unwrap()).table(), parsed(yaml).table());
    }
}
