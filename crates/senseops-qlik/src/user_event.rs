//! User events: what the proxy service of Sense sends when sessions start and stop and connections open and close.
//!
//! A datagram is
//! `[<type>;]<host>;<command>;<user directory>;<user id>[;<origin>;<context>;<message>]`, where the message may
//! contain `;`. With a type, any fields at the end may be missing. The appenders of Butler SOS send the types `/qseow-proxy-session/` and `/qseow-proxy-connection/`,
//! those of Butler 5 and 6 `/proxy-session/` and `/proxy-connection/`; Butler before version 5 has no type and ends
//! with the user id.
//! There is no time, level or sequence number in it.

use std::borrow::Cow;

use crate::datagram::{self, Malformed, clean};

/// The longest host, command, user directory and user id, in UTF-16 units.
const MAX_NAME: usize = 100;
/// The longest origin.
const MAX_ORIGIN: usize = 200;
/// The longest context.
const MAX_CONTEXT: usize = 500;
/// The longest message.
const MAX_MESSAGE: usize = 1000;

/// A user event as its datagram has it. Texts are free of control characters and cut at their limits; they borrow
/// from the datagram unless that changed them. A field that the datagram does not have is `None`, one that it has but
/// leaves empty is `""`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEventDatagram<'a> {
    /// What the datagram says that it is; `None` in the form without a type.
    pub message_type: Option<MessageType>,
    /// The Sense node, as it calls itself.
    pub host: Option<Cow<'a, str>>,
    /// What the user did: one of [`Command`], or whatever else was sent.
    pub command: Option<Cow<'a, str>>,
    /// The user directory, such as a Windows domain.
    pub user_directory: Option<Cow<'a, str>>,
    /// The user's name in the directory.
    pub user_id: Option<Cow<'a, str>>,
    /// Where in Sense it happened: `AppAccess`, `HubAccess`, `Not available`.
    pub origin: Option<Cow<'a, str>>,
    /// The path that was accessed, such as `/app/<id>?…`.
    pub context: Option<Cow<'a, str>>,
    /// What happened, in words.
    pub message: Option<Cow<'a, str>>,
}

/// The types of user event datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// A session, from an appender of Butler SOS.
    QseowProxySession,
    /// A connection, from an appender of Butler SOS.
    QseowProxyConnection,
    /// A session, from an appender of Butler.
    ProxySession,
    /// A connection, from an appender of Butler.
    ProxyConnection,
}

/// What users do, as Sense spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `Start session`
    StartSession,
    /// `Stop session`
    StopSession,
    /// `Open connection`
    OpenConnection,
    /// `Close connection`
    CloseConnection,
}

/// Reads a user event datagram of any generation.
///
/// # Errors
/// When it is empty or of no known type.
pub fn parse(text: &str) -> Result<UserEventDatagram<'_>, Malformed> {
    let text = datagram::without_line_end(text);
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    let (first, rest) = text.split_once(';').map_or((text, None), |(first, rest)| (first, Some(rest)));
    let message_type = MessageType::parse(first);
    let fields = match message_type {
        Some(_) => rest,
        None if begins_with_host(first, rest) => Some(text),
        None => return Err(Malformed::UnknownType),
    };
    let mut fields = fields.into_iter().flat_map(|fields| fields.splitn(7, ';'));
    let mut next = |limit| fields.next().map(|field| clean(field, limit));
    Ok(UserEventDatagram {
        message_type,
        host: next(MAX_NAME),
        command: next(MAX_NAME),
        user_directory: next(MAX_NAME),
        user_id: next(MAX_NAME),
        origin: next(MAX_ORIGIN),
        context: next(MAX_CONTEXT),
        message: next(MAX_MESSAGE),
    })
}

/// Whether this is the form without a type, in which the command is the second field. A field in slashes is a type
/// that we do not know, never a host.
fn begins_with_host(first: &str, rest: Option<&str>) -> bool {
    let second = rest.and_then(|rest| rest.split(';').next());
    !first.starts_with('/') && second.and_then(Command::parse).is_some()
}

impl UserEventDatagram<'_> {
    /// The command, if it is one that Sense is known to send.
    pub fn known_command(&self) -> Option<Command> {
        self.command.as_deref().and_then(Command::parse)
    }

    /// The id of the app that was accessed, spelled as in the context. Only a context that ends with the id or goes
    /// on with a query names an app; `/app/<id>/sheet/…` does not.
    pub fn app_id(&self) -> Option<&str> {
        let path = self.context.as_deref()?.strip_prefix("/app/")?;
        let path = path.split_once("/app/").map_or(path, |(before, _)| before);
        let id = path.split_once('?').map_or(path, |(before, _)| before);
        datagram::is_uuid(id).then_some(id)
    }

    /// The user agent that the message ends with, without the quotes around it.
    pub fn user_agent(&self) -> Option<Cow<'_, str>> {
        let agent = self.message.as_deref()?.split("UserAgent:").nth(1)?.trim().trim_matches('\'');
        match agent {
            "" => None,
            _ if agent.contains('\'') => Some(Cow::Owned(agent.replace('\'', ""))),
            _ => Some(Cow::Borrowed(agent)),
        }
    }
}

impl MessageType {
    const ALL: [Self; 4] =
        [Self::QseowProxySession, Self::QseowProxyConnection, Self::ProxySession, Self::ProxyConnection];

    /// The type, without the slashes around it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QseowProxySession => "qseow-proxy-session",
            Self::QseowProxyConnection => "qseow-proxy-connection",
            Self::ProxySession => "proxy-session",
            Self::ProxyConnection => "proxy-connection",
        }
    }

    /// The type that a first field names.
    fn parse(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| datagram::is_type(field, known.as_str()))
    }
}

impl Command {
    const ALL: [Self; 4] =
        [Self::StartSession, Self::StopSession, Self::OpenConnection, Self::CloseConnection];

    /// The command as Sense spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartSession => "Start session",
            Self::StopSession => "Stop session",
            Self::OpenConnection => "Open connection",
            Self::CloseConnection => "Close connection",
        }
    }

    /// The command that Sense spells like this, letter by letter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_context(context: &str) -> String {
        format!("/proxy-connection/;sense1;Open connection;LAB;anna;AppAccess;{context};")
    }

    fn with_message(message: &str) -> String {
        format!("/proxy-connection/;sense1;Open connection;LAB;anna;AppAccess;;{message}")
    }

    #[test]
    fn the_form_without_type_is_known_by_its_command() {
        let datagram = parse("sense1;Stop session;LAB;anna").unwrap();
        assert_eq!(datagram.message_type, None);
        assert_eq!(datagram.known_command(), Some(Command::StopSession));
        assert_eq!((datagram.user_id.as_deref(), datagram.origin), (Some("anna"), None));
        assert_eq!(parse("sense1;stop session;LAB;anna"), Err(Malformed::UnknownType));
        assert_eq!(parse("/scheduler-reload-failed/;Stop session;LAB;anna"), Err(Malformed::UnknownType));
    }

    #[test]
    fn a_type_is_enough() {
        for text in ["/qseow-proxy-session/", "//QSEOW-Proxy-Session\r\n", "qseow-proxy-session//"] {
            let datagram = parse(text).unwrap();
            assert_eq!(datagram.message_type, Some(MessageType::QseowProxySession), "{text}");
            assert_eq!((datagram.host, datagram.command, datagram.user_id), (None, None, None), "{text}");
        }
        let datagram = parse("/proxy-connection/;sense1").unwrap();
        assert_eq!((datagram.host.as_deref(), datagram.command), (Some("sense1"), None));
    }

    #[test]
    fn an_unknown_command_is_kept_as_text() {
        let datagram = parse("/proxy-session/;sense1;Steal session;LAB;anna").unwrap();
        assert_eq!(datagram.command.as_deref(), Some("Steal session"));
        assert_eq!(datagram.known_command(), None);
    }

    #[test]
    fn every_reason_to_refuse_a_datagram_has_its_class() {
        for (text, expected) in [
            ("", "empty"),
            ("\r\n", "empty"),
            ("/qseow-engine/;14;…", "unknown_type"),
            ("hello", "unknown_type"),
            ("//proxy-session//;sense1;Start session", "unknown_type"),
            ("proxy-session///", "unknown_type"),
            (";sense1;Start session", "unknown_type"),
        ] {
            assert_eq!(parse(text).unwrap_err().as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_a_context_that_is_just_an_app_names_an_app() {
        const ID: &str = "1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f";
        for (context, expected) in [
            (format!("/app/{ID}"), Some(ID)),
            (format!("/app/{ID}?reloaduri=https%3a%2f%2fsense"), Some(ID)),
            (format!("/app/{ID}/app/other"), Some(ID)),
            (format!("/app/{ID}/sheet/1"), None),
            (format!("/hub/app/{ID}"), None),
            ("/app/engineData".into(), None),
            ("/app/?x".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(&with_context(&context)).unwrap().app_id(), expected, "{context}");
        }
    }

    #[test]
    fn the_user_agent_is_what_follows_its_name_without_quotes() {
        for (message, expected) in [
            ("Opened. UserAgent: 'Mozilla/5.0 (X11)'", Some("Mozilla/5.0 (X11)")),
            ("UserAgent:Mozilla/5.0", Some("Mozilla/5.0")),
            ("UserAgent: 'it's me'", Some("its me")),
            ("UserAgent: 'one' UserAgent: 'two'", Some("one")),
            ("UserAgent: ''", None),
            ("UserAgent:", None),
            ("useragent: 'x'", None),
            ("", None),
        ] {
            assert_eq!(parse(&with_message(message)).unwrap().user_agent().as_deref(), expected, "{message}");
        }
    }

    #[test]
    fn a_datagram_whose_texts_need_no_change_is_not_copied() {
        let text = with_message("Opened; UserAgent: 'Mozilla/5.0 (X11)'\r\n");
        let datagram = parse(&text).unwrap();
        assert!(matches!(datagram.message, Some(Cow::Borrowed(_))));
        assert!(matches!(datagram.user_agent(), Some(Cow::Borrowed(_))));
    }
}
