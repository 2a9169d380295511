//! `qlik.user_event`: a user did something. A record, whose message is that of the datagram. All fields are texts.

use senseops_core::Kind;

use super::Field;

/// The kind.
pub const KIND: Kind = Kind::new("qlik.user_event");

/// The type of the datagram: see [`MessageType`](crate::user_event::MessageType).
pub const MESSAGE_TYPE: Field = Field::new("message_type");
/// The Sense node, as it calls itself.
pub const HOST: Field = Field::new("host");
/// What the user did: see [`Command`](crate::user_event::Command).
pub const COMMAND: Field = Field::new("command");
/// The user directory, such as a Windows domain.
pub const USER_DIRECTORY: Field = Field::new("user_directory");
/// The user's name in the directory.
pub const USER_ID: Field = Field::new("user_id");
/// Where in Sense it happened.
pub const ORIGIN: Field = Field::new("origin");
/// The path that was accessed.
pub const CONTEXT: Field = Field::new("context");
/// The app that was accessed, as the path spells its id.
pub const APP_ID: Field = Field::new("app_id");
/// The name of that app, if it is known.
pub const APP_NAME: Field = Field::new("app_name");
/// The browser of the user.
pub const BROWSER_NAME: Field = Field::new("browser_name");
/// The digits before the first point of the browser's version.
pub const BROWSER_MAJOR_VERSION: Field = Field::new("browser_major_version");
/// The operating system of the browser.
pub const OS_NAME: Field = Field::new("os_name");
/// The version of that system.
pub const OS_VERSION: Field = Field::new("os_version");
