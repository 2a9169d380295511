//! Datagrams of user events, in every form that log appenders have sent them.
//!
//! Since Butler 5 a datagram reads `/prefix/;host;command;directory;user;origin;context;message`; the prefix is
//! `/qseow-proxy-…/` where Butler SOS listens and `/proxy-…/` where Butler does, and the message may hold
//! semicolons. Before, it was just `host;command;directory;user`.

mod vocabulary;

use crate::apps::{APPS, App};
use crate::dice::Dice;
use vocabulary::{AGENTS, HOSTS, MALFORMED, USERS, User};

/// An endless stream of datagrams in which users log in, open and close apps, and log out. The same seed gives the
/// same stream.
#[derive(Clone, Debug)]
pub struct UserEvents {
    dice: Dice,
    mix: Mix,
    hosts: Vec<String>,
    sessions: Vec<Session>,
}

/// How often each form of datagram occurs, as weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// With `/qseow-proxy-session/` and `/qseow-proxy-connection/`.
    pub qseow: u32,
    /// With `/proxy-session/` and `/proxy-connection/`.
    pub proxy: u32,
    /// With prefixes of either kind whose slashes are missing or doubled.
    pub odd_slashes: u32,
    /// Four fields without a prefix.
    pub four_fields: u32,
    /// What nobody should accept: other types, missing fields, bytes that are no text.
    pub malformed: u32,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
struct Session {
    id: String,
    user: User,
    host: String,
    agent: &'static str,
    address: String,
    /// The app that is open.
    app: Option<App>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    StartSession,
    StopSession,
    OpenConnection,
    CloseConnection,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Qseow,
    Proxy,
    OddSlashes,
    FourFields,
    Malformed,
}

/// Beyond this many somebody logs out first.
const MAX_SESSIONS: usize = 500;

impl UserEvents {
    /// A stream of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            mix: Mix::default(),
            hosts: HOSTS.map(str::to_owned).to_vec(),
            sessions: Vec::new(),
        }
    }

    /// The same stream in another mix of forms.
    #[must_use]
    pub fn mix(mut self, mix: Mix) -> Self {
        self.mix = mix;
        self
    }

    /// The same stream from proxies on these hosts.
    #[must_use]
    pub fn hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    fn datagram(&mut self) -> Vec<u8> {
        let form = self.mix.pick(&mut self.dice);
        if let Form::Malformed = form {
            return self.dice.pick(&MALFORMED).to_vec();
        }
        let (command, session) = self.happen();
        match form {
            Form::Qseow => session.datagram(command, "/qseow-proxy-", "/", &mut self.dice),
            Form::Proxy => session.datagram(command, "/proxy-", "/", &mut self.dice),
            Form::OddSlashes => {
                let (start, end) = self.dice.pick(&[
                    ("qseow-proxy-", ""),
                    ("//qseow-proxy-", "//"),
                    ("proxy-", "/"),
                    ("/proxy-", "//"),
                ]);
                session.datagram(command, start, end, &mut self.dice)
            }
            Form::FourFields | Form::Malformed => session.four_fields(command),
        }
        .into_bytes()
    }

    /// Somebody does something: who, and the session as it was when it was done.
    fn happen(&mut self) -> (Command, Session) {
        let session = self.dice.below(self.sessions.len());
        let choice = self.dice.below(100);
        let full = self.sessions.len() >= MAX_SESSIONS;
        match self.sessions.get_mut(session) {
            Some(_) if choice < 12 && !full => self.log_in(),
            Some(_) if choice < 20 || full => (Command::StopSession, self.sessions.swap_remove(session)),
            Some(session) => session.open_or_close(&mut self.dice),
            None => self.log_in(),
        }
    }

    fn log_in(&mut self) -> (Command, Session) {
        let host = self.dice.below(self.hosts.len());
        let session = Session {
            id: self.dice.guid(),
            user: self.dice.pick(&USERS),
            host: self.hosts.get(host).cloned().unwrap_or_default(),
            agent: self.dice.pick(&AGENTS),
            address: format!(
                "10.{}.{}.{}",
                self.dice.below(4),
                self.dice.below(256),
                1 + self.dice.below(254)
            ),
            app: None,
        };
        self.sessions.push(session.clone());
        (Command::StartSession, session)
    }
}

impl Iterator for UserEvents {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        Some(self.datagram())
    }
}

/// As an estate that was brought up to date: mostly the newest form, nothing malformed.
impl Default for Mix {
    fn default() -> Self {
        Self { qseow: 85, proxy: 8, odd_slashes: 4, four_fields: 3, malformed: 0 }
    }
}

impl Mix {
    /// Nothing but the newest form.
    pub const QSEOW_ONLY: Self = Self { qseow: 1, proxy: 0, odd_slashes: 0, four_fields: 0, malformed: 0 };

    fn pick(self, dice: &mut Dice) -> Form {
        let weights = [
            (self.qseow, Form::Qseow),
            (self.proxy, Form::Proxy),
            (self.odd_slashes, Form::OddSlashes),
            (self.four_fields, Form::FourFields),
            (self.malformed, Form::Malformed),
        ];
        let total = weights.iter().map(|(weight, _)| u64::from(*weight)).sum::<u64>();
        let mut at = dice.roll() % total.max(1);
        for (weight, form) in weights {
            match at.checked_sub(u64::from(weight)) {
                Some(left) => at = left,
                None => return form,
            }
        }
        Form::Qseow
    }
}

impl Session {
    fn open_or_close(&mut self, dice: &mut Dice) -> (Command, Self) {
        if self.app.is_some() {
            let before = self.clone();
            self.app = None;
            (Command::CloseConnection, before)
        } else {
            self.app = Some(dice.pick(&APPS));
            (Command::OpenConnection, self.clone())
        }
    }

    fn datagram(&self, command: Command, prefix: &str, end: &str, dice: &mut Dice) -> String {
        let Self { host, user: User { directory, id }, .. } = self;
        let (origin, context) = self.origin_and_context(command, dice);
        let (subject, command_text, message) = (command.subject(), command.as_str(), self.message(command));
        format!("{prefix}{subject}{end};{host};{command_text};{directory};{id};{origin};{context};{message}")
    }

    fn four_fields(&self, command: Command) -> String {
        format!("{};{};{};{}", self.host, command.as_str(), self.user.directory, self.user.id)
    }

    fn origin_and_context(&self, command: Command, dice: &mut Dice) -> (&'static str, String) {
        match (command, self.app) {
            (Command::OpenConnection | Command::CloseConnection, Some(App { id, .. })) => {
                match dice.below(10) {
                    0..3 => {
                        ("AppAccess", format!("/app/{id}?reloadUri=https%3a%2f%2fsense%2fsense%2fapp%2f{id}"))
                    }
                    3 => ("HubAccess", "/hub/".to_owned()),
                    _ => ("AppAccess", format!("/app/{id}")),
                }
            }
            (Command::StartSession | Command::StopSession, _) | (_, None) => match dice.below(40) {
                0 => ("", String::new()),
                1..10 => ("HubAccess", "/hub/my/work".to_owned()),
                _ => ("Not available", String::new()),
            },
        }
    }

    fn message(&self, command: Command) -> String {
        let Self { id, user, agent, address, .. } = self;
        let User { directory, id: user } = user;
        match command {
            Command::StartSession => {
                format!("Start session for user: '{directory}\\{user}'. Session: '{id}' UserAgent: '{agent}'")
            }
            Command::StopSession => {
                format!("Stop session for user: '{directory}\\{user}'. Session: '{id}'; reason: logout")
            }
            Command::OpenConnection => {
                format!(
                    "Web socket connection Opened for session '{id}' with client '{address}'. UserAgent: '{agent}'"
                )
            }
            Command::CloseConnection => {
                format!(
                    "Web socket connection Closed for session '{id}'; client '{address}'; reason: going away"
                )
            }
        }
    }
}

impl Command {
    const fn as_str(self) -> &'static str {
        match self {
            Self::StartSession => "Start session",
            Self::StopSession => "Stop session",
            Self::OpenConnection => "Open connection",
            Self::CloseConnection => "Close connection",
        }
    }

    /// The part of the prefix that tells what the event is about.
    const fn subject(self) -> &'static str {
        match self {
            Self::StartSession | Self::StopSession => "session",
            Self::OpenConnection | Self::CloseConnection => "connection",
        }
    }
}

#[cfg(test)]
mod tests;
