//! Samples: of everything that a configuration may hold, and of one plugin.

use crate::registry::{PluginInfo, Registry, Role};

/// Tells editors where the schema of the file is. `sos schema` prints it.
const MODELINE: &str = "# yaml-language-server: $schema=sos.schema.json\n";

/// What does not depend on plugins: the tables of the pipeline and of the program, and the keys that all components have.
const FRAME: &str = include_str!("reference/frame.yaml");

impl Registry {
    /// A sample of the whole configuration: every key of every plugin, commented at its default.
    pub fn reference(&self) -> String {
        let mut text = [MODELINE, FRAME].concat();
        for role in [Role::Source, Role::Relay, Role::Sink] {
            let plugins: Vec<_> = self.plugins().filter(|plugin| plugin.role == role).collect();
            if plugins.is_empty() {
                continue;
            }
            let entries: Vec<String> = plugins.iter().map(entry).collect();
            text.extend(["\n", role.section(), ":\n", &entries.join("\n")]);
        }
        text
    }

    /// A sample of the plugins of this type, ready to be run; `None` if there is none.
    pub fn sample(&self, type_name: &str) -> Option<String> {
        let plugins = self.plugins().filter(|plugin| plugin.type_name == type_name);
        let tables: Vec<String> =
            plugins.map(|plugin| format!("{}:\n{}", plugin.role.section(), entry(&plugin))).collect();
        (!tables.is_empty()).then(|| format!("{MODELINE}{}", tables.join("\n")))
    }
}

/// The sample of a plugin as a component named `main`.
fn entry(plugin: &PluginInfo) -> String {
    let PluginInfo { about, type_name, sample, .. } = plugin;
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("      {line}\n") };
    let sample: String = sample.lines().map(indented).collect();
    format!("  # {about}.\n  {type_name}:\n    main:\n{sample}")
}

#[cfg(test)]
mod tests {
    use senseops_core::LabelSet;
    use senseops_engine::{
        DeadLetterSettings, Delivery, JournalSettings, Only, PipelineSettings, RateLimit, SelfMetrics,
    };
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pipeline {
        pipeline: PipelineSettings,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnySource {
        enabled: bool,
        labels: LabelSet,
        rate_limit: RateLimit,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnyRelay {
        enabled: bool,
        labels: LabelSet,
        only: Only,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnySink {
        enabled: bool,
        only: Only,
        delivery: Delivery,
    }

    /// The text with the settings that are commented out, which are `key: value` after `mark`.
    fn switched_on(text: &str, mark: &str) -> String {
        let setting = |line: &str| {
            let (indent, rest) = line.split_once(mark)?;
            let (key, _) = rest.split_once(':')?;
            let is_key = key.trim_start().chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_key.then(|| format!("{indent}{rest}"))
        };
        text.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
    }

    #[test]
    fn the_frame_shows_every_default_of_the_pipeline() {
        let (pipeline, _) = FRAME.split_once("\n# Health, metrics").unwrap();
        let Pipeline { pipeline } = serde_saphyr::from_str(&switched_on(pipeline, "#")).unwrap();
        let (journal, dead_letters) = (JournalSettings::default(), DeadLetterSettings::default());
        let shown = PipelineSettings {
            state_dir: Some("/var/lib/sos".into()),
            journal: JournalSettings {
                path: Some("/var/lib/sos/journal".into()),
                max_bytes: Some(journal.max_bytes()),
                fsync: Some(journal.fsync()),
                max_age: Some("7d".parse().unwrap()),
            },
            dead_letters: DeadLetterSettings {
                path: Some("/var/lib/sos/dead-letters".into()),
                ..dead_letters
            },
            self_metrics: Some(SelfMetrics::default()),
            ..PipelineSettings::default()
        };
        assert_eq!(pipeline, shown);
    }

    #[test]
    fn the_frame_shows_every_default_of_components() {
        let (_, components) = FRAME.split_once("every source has:\n").unwrap();
        let (source, others) =
            components.split_once("#\n# and every relay, of which sos itself has none:\n").unwrap();
        let (relay, sink) = others.split_once("#\n# and every sink has:\n").unwrap();
        let source: AnySource = serde_saphyr::from_str(&switched_on(source, "#   ")).unwrap();
        // It has no default: most sources are not limited.
        let rate_limit = source.rate_limit;
        assert_eq!(source, AnySource { enabled: true, labels: LabelSet::default(), rate_limit });
        let relay: AnyRelay = serde_saphyr::from_str(&switched_on(relay, "#   ")).unwrap();
        assert_eq!(relay, AnyRelay { enabled: true, labels: LabelSet::default(), only: Only::default() });
        let sink: AnySink = serde_saphyr::from_str(&switched_on(sink, "#   ")).unwrap();
        assert_eq!(sink, AnySink { enabled: true, only: Only::default(), delivery: Delivery::default() });
    }
}
