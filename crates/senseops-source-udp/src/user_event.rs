//! From a user event datagram to an event.

use std::borrow::Cow;
use std::sync::Arc;

use senseops_core::{Body, Event, Fields, LabelSet, Record, Severity, Text};
use senseops_qlik::AppNames;
use senseops_qlik::kinds::{Field, user_event};
use senseops_qlik::user_event::UserEventDatagram;

use crate::browser::{Browser, Browsers};

/// As many fields as a user event can have, so that they are allocated once.
const MOST_FIELDS: usize = 13;

/// Makes events, with what is known beside the datagram: names of apps and browsers.
pub(crate) struct UserEvents {
    names: Arc<AppNames>,
    browsers: Browsers,
    labels: Arc<LabelSet>,
}

impl UserEvents {
    /// Takes the names of apps from this table.
    pub(crate) fn new(names: Arc<AppNames>) -> Self {
        Self { names, browsers: Browsers::default(), labels: Arc::default() }
    }

    /// An event of now. There is no time in the datagram, so that of its receipt is the best there is.
    pub(crate) fn event(&mut self, datagram: &UserEventDatagram<'_>) -> Event {
        let mut fields = Fields::with_capacity(MOST_FIELDS);
        let mut add = |field: Field, text: Option<Text>| {
            if let Some(text) = text {
                fields.push(field.name(), text);
            }
        };
        add(
            user_event::MESSAGE_TYPE,
            datagram.message_type.map(|message_type| Text::const_new(message_type.as_str())),
        );
        add(user_event::HOST, text(datagram.host.as_ref()));
        add(user_event::COMMAND, text(datagram.command.as_ref()));
        add(user_event::USER_DIRECTORY, text(datagram.user_directory.as_ref()));
        add(user_event::USER_ID, text(datagram.user_id.as_ref()));
        add(user_event::ORIGIN, text(datagram.origin.as_ref()));
        add(user_event::CONTEXT, text(datagram.context.as_ref()));
        if let Some(id) = datagram.app_id() {
            add(user_event::APP_ID, Some(id.into()));
            add(user_event::APP_NAME, self.names.get(id));
        }
        if let Some(user_agent) = datagram.user_agent() {
            let Browser { name, major_version, os_name, os_version } = self.browsers.read(&user_agent);
            add(user_event::BROWSER_NAME, name);
            add(user_event::BROWSER_MAJOR_VERSION, major_version);
            add(user_event::OS_NAME, os_name);
            add(user_event::OS_VERSION, os_version);
        }
        let message = text(datagram.message.as_ref()).unwrap_or_default();
        let record = Record { severity: Severity::Info, message, fields };
        Event::new(user_event::KIND, &self.labels, Body::Record(record))
    }
}

fn text(field: Option<&Cow<'_, str>>) -> Option<Text> {
    field.map(|text| Text::new(text))
}
