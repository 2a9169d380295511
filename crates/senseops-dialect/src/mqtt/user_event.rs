//! `qlik.user_event`: one JSON object, under the topic of everything and under that of what the user did.

use senseops_core::schemars::{self, JsonSchema};
use senseops_core::{Event, LabelSet};
use senseops_qlik::kinds::{Field, user_event};
use senseops_qlik::user_event::Command;
use serde::{Deserialize, Serialize};

use super::{Message, json};
use crate::derive;
use crate::naming::Generation;

/// The full topics of user events. An event goes to `everything`, and to the topic of its command if it has one. A
/// topic that is `null` gets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserEventTopics {
    /// Every user event.
    pub everything: Option<String>,
    /// `Start session`.
    pub session_start: Option<String>,
    /// `Stop session`.
    pub session_stop: Option<String>,
    /// `Open connection`.
    pub connection_open: Option<String>,
    /// `Close connection`.
    pub connection_close: Option<String>,
}

/// The keys of the original, in its order. What the datagram did not have is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_type: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_dir: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'e str>,
    tags: &'e LabelSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ua_browser_name: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ua_browser_major_version: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ua_os_name: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ua_os_version: Option<&'e str>,
}

/// The topics of the original.
impl Default for UserEventTopics {
    fn default() -> Self {
        let below = |tail: &str| Some(format!("qliksense/userevent{tail}"));
        Self {
            everything: below(""),
            session_start: below("/session/start"),
            session_stop: below("/session/stop"),
            connection_open: below("/connection/open"),
            connection_close: below("/connection/close"),
        }
    }
}

impl UserEventTopics {
    /// Every topic that is set, with the name of its setting.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { everything, session_start, session_stop, connection_open, connection_close } = self;
        [
            ("everything", everything),
            ("session_start", session_start),
            ("session_stop", session_stop),
            ("connection_open", connection_open),
            ("connection_close", connection_close),
        ]
        .into_iter()
        .filter_map(|(name, topic)| Some((name, topic.as_deref()?)))
    }

    pub(super) fn messages(&self, event: &Event, generation: Generation, publish: &mut impl FnMut(Message)) {
        let command = user_event::COMMAND.text_of(event.fields()).and_then(Command::parse);
        let of_command = match command {
            Some(Command::StartSession) => &self.session_start,
            Some(Command::StopSession) => &self.session_stop,
            Some(Command::OpenConnection) => &self.connection_open,
            Some(Command::CloseConnection) => &self.connection_close,
            None => &None,
        };
        if self.everything.is_none() && of_command.is_none() {
            return;
        }
        let payload = json(&Payload::of(event, generation));
        for topic in [&self.everything, of_command].into_iter().flatten() {
            publish(Message { topic: topic.clone(), payload: payload.clone() });
        }
    }
}

impl<'e> Payload<'e> {
    fn of(event: &'e Event, generation: Generation) -> Self {
        let of = |field: Field| field.text_of(event.fields());
        // Message, app and user agent are what the newest generation added.
        let added = |field| of(field).filter(|_| generation >= Generation::Newest);
        Self {
            message_type: of(user_event::MESSAGE_TYPE),
            host: of(user_event::HOST),
            command: of(user_event::COMMAND),
            user_dir: of(user_event::USER_DIRECTORY),
            user_id: of(user_event::USER_ID),
            origin: of(user_event::ORIGIN),
            context: of(user_event::CONTEXT),
            message: (generation >= Generation::Newest).then(|| event.message()),
            tags: &event.labels,
            app_id: added(user_event::APP_ID),
            app_name: added(user_event::APP_ID)
                .map(|_| of(user_event::APP_NAME).unwrap_or(derive::UNKNOWN_APP)),
            ua_browser_name: added(user_event::BROWSER_NAME),
            ua_browser_major_version: added(user_event::BROWSER_MAJOR_VERSION),
            ua_os_name: added(user_event::OS_NAME),
            ua_os_version: added(user_event::OS_VERSION),
        }
    }
}
