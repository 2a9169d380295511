//! Events as MQTT messages.
//!
//! Health becomes one message per value below the base topic, a user event one JSON object under topics that the
//! operator names; any other kind one JSON object under a topic made of the kind and what the event is about.

mod health;
mod topic;
mod user_event;

use bytes::Bytes;
use senseops_core::Event;
use senseops_qlik::kinds::{self, server};

use crate::Naming;
use crate::naming::Generation;

pub use self::topic::{InvalidTopic, check_topic};
pub use self::user_event::UserEventTopics;

/// The labels that say what an event is about, in the order of their levels. All others are tags: an operator who adds one
/// must not move the topics that somebody subscribes to.
const SUBJECTS: [&str; 3] = ["component", server::HOST, server::NAME];

/// Makes messages of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttDialect {
    /// Whose topics and payloads the messages get.
    pub naming: Naming,
    /// What all topics but those of user events begin with, up to and including the last `/`.
    pub base_topic: String,
    /// The topics of user events.
    pub user_events: UserEventTopics,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes; can be published to as it is.
    pub topic: String,
    /// What it says: a number, a text or a JSON object, in UTF-8.
    pub payload: Bytes,
}

/// The topics of the original.
impl Default for MqttDialect {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            base_topic: "butler-sos/".into(),
            user_events: UserEventTopics::default(),
        }
    }
}

impl MqttDialect {
    /// Hands each message of the event to `publish`, in the order in which they should be sent. There may be none.
    pub fn messages(&self, event: &Event, mut publish: impl FnMut(Message)) {
        match self.naming.generation() {
            Some(generation) if event.kind == kinds::user_event::KIND => {
                self.user_events.messages(event, generation, &mut publish);
            }
            Some(generation) if event.kind == kinds::engine_health::KIND => {
                self.health_messages(event, generation, &mut publish);
            }
            Some(_) | None => publish(self.default_form(event)),
        }
    }

    fn health_messages(&self, event: &Event, generation: Generation, publish: &mut impl FnMut(Message)) {
        let mut server = self.base_topic.clone();
        // Version 2 knew a server only by the name in its configuration.
        let name = if generation == Generation::Two { server::NAME } else { server::HOST };
        topic::push_level(event.labels.get(name).unwrap_or_default(), &mut server);
        health::messages(event, generation, &server, publish);
    }

    /// The whole event as JSON, under its kind and what it is about.
    fn default_form(&self, event: &Event) -> Message {
        let mut topic = self.base_topic.clone();
        for (index, part) in event.kind.as_str().split('.').enumerate() {
            if index > 0 {
                topic.push('/');
            }
            topic::push_level(part, &mut topic);
        }
        for text in SUBJECTS.into_iter().filter_map(|label| event.labels.get(label)) {
            topic.push('/');
            topic::push_level(text, &mut topic);
        }
        Message { topic: topic::cut(topic), payload: json(event) }
    }
}

/// Events and texts can always be written as JSON.
fn json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
