//! What becomes of a datagram, from its bytes to an event or a refusal. Nothing here waits.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use senseops_core::{Build, Counter, Event};
use senseops_qlik::{AppNames, user_event};
use tracing::{debug, warn};

use crate::allow::AllowList;
use crate::refusals::Refusals;
use crate::user_event::UserEvents;
use crate::{CodePage, UdpConfig, UserPattern};

/// How many characters of a refused datagram are logged.
const SAMPLE_CHARACTERS: usize = 200;

/// Takes datagrams and makes events.
pub(crate) struct Reception {
    component: String,
    pub(crate) allow: AllowList,
    exclude: Vec<UserPattern>,
    code_page: Option<CodePage>,
    user_events: UserEvents,
    refusals: Refusals,
    excluded: Counter,
    recoded: Counter,
    undecodable: Counter,
    unknown_commands: Counter,
}

impl Reception {
    /// A reception under these rules, that counts with the meter of the component.
    pub(crate) fn new(config: &UdpConfig, build: &Build) -> Self {
        let counter = |name, help| build.meter.counter(name, help, &[]);
        Self {
            component: build.component.clone(),
            allow: AllowList::new(config.allow.as_deref()),
            exclude: config.exclude.clone(),
            code_page: config.fallback_encoding,
            user_events: UserEvents::new(build.shared.get::<AppNames>()),
            refusals: Refusals::new(&build.meter),
            excluded: counter("excluded", "Events of users that `exclude` names."),
            recoded: counter(
                "recoded",
                "Events whose text was read in the code page of `fallback_encoding`.",
            ),
            undecodable: counter(
                "undecodable",
                "Events of whose text bytes were replaced, since they are no UTF-8.",
            ),
            unknown_commands: counter(
                "unknown_command",
                "Events with a command that Qlik Sense is not known to send.",
            ),
        }
    }

    /// The event in the datagram, unless it is refused or its user is excluded.
    pub(crate) fn receive(&mut self, datagram: &[u8], sender: IpAddr) -> Option<Event> {
        if !self.allow.allows(sender) {
            self.refuse_sender(sender);
            return None;
        }
        let (text, oddity) = self.decode(datagram);
        let user_event = match user_event::parse(&text) {
            Ok(user_event) => user_event,
            Err(malformed) => {
                self.refuse(malformed.as_str(), sender, &text);
                return None;
            }
        };
        let directory = user_event.user_directory.as_deref().unwrap_or_default();
        let user_id = user_event.user_id.as_deref().unwrap_or_default();
        if self.exclude.iter().any(|users| users.matches(directory, user_id)) {
            self.excluded.add(1);
            return None;
        }
        if user_event.known_command().is_none() {
            self.unknown_commands.add(1);
        }
        if let Some(oddity) = oddity {
            oddity.add(1);
        }
        Some(self.user_events.event(&user_event))
    }

    /// The text of a datagram, and the counter of events whose text was not simply there.
    fn decode<'a>(&self, datagram: &'a [u8]) -> (Cow<'a, str>, Option<&Counter>) {
        match (std::str::from_utf8(datagram), self.code_page) {
            (Ok(text), _) => (Cow::Borrowed(text), None),
            (Err(_), Some(code_page)) => (code_page.decode(datagram), Some(&self.recoded)),
            (Err(_), None) => (String::from_utf8_lossy(datagram), Some(&self.undecodable)),
        }
    }

    // What a stranger sends is not put into the log.
    fn refuse_sender(&mut self, sender: IpAddr) {
        if let Some(count) = self.refusals.count("source_not_allowed", Instant::now()) {
            let (component, sender) = (&self.component, sender.to_canonical());
            warn!(component, reason = "source_not_allowed", %sender, count, "datagram refused");
        }
    }

    fn refuse(&mut self, reason: &'static str, sender: IpAddr, text: &str) {
        if let Some(count) = self.refusals.count(reason, Instant::now()) {
            let (component, sender) = (&self.component, sender.to_canonical());
            warn!(component, reason, %sender, count, "datagram refused");
            // It may name users, and anybody can send it.
            debug!(component, reason, %sender, sample = sample(text), "text of a refused datagram");
        }
    }
}

/// The beginning of a text. Subscribers escape what would control a terminal or begin another line.
fn sample(text: &str) -> String {
    text.chars().take(SAMPLE_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        id: String,
        datagram: String,
    }

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn reception(build: &Build, adapt: impl FnOnce(&mut UdpConfig)) -> Reception {
        let mut config = UdpConfig::listen("127.0.0.1:0".parse().unwrap());
        adapt(&mut config);
        Reception::new(&config, build)
    }

    fn shown(event: Option<Event>) -> String {
        event.map_or("nothing".into(), |event| {
            format!("{} {:?} {}", event.kind, event.message(), event.fields())
        })
    }

    fn counts(build: &Build) -> String {
        let lines = build
            .meter
            .readings()
            .into_iter()
            .filter(|reading| reading.value > 0)
            .map(|reading| format!("{}{{{}}} {}\n", reading.name, reading.labels, reading.value));
        lines.collect()
    }

    #[test]
    fn the_fixtures_become_these_events() {
        let build = Build::detached("udp.users");
        let sales = ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f".into(), "Sales, EMEA".into());
        build.shared.get::<AppNames>().replace([sales]);
        let mut reception = reception(&build, |config| {
            config.exclude = vec![UserPattern { directory: "lab".into(), user_id: "testuser?".into() }];
        });
        let fixtures = include_str!("../tests/fixtures/user-events.jsonl").lines();
        let events = fixtures.map(|line| {
            let fixture: Fixture = serde_json::from_str(line).unwrap();
            let event = reception.receive(fixture.datagram.as_bytes(), LOOPBACK);
            format!("{}: {}\n", fixture.id, shown(event))
        });
        insta::assert_snapshot!(events.collect::<String>(), @r#"
        U1: qlik.user_event "Start session for user: 'LAB\\anna'. Session: '3f2c' UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36'" message_type=qseow-proxy-session host=pro2-win1 command=Start session user_directory=LAB user_id=anna origin=Not available context= browser_name=Chrome browser_major_version=119 os_name=Windows os_version=NT 10.0
        U2: qlik.user_event "Web socket connection Opened for session '3f2c' with client '10.0.0.7'. UserAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0'" message_type=qseow-proxy-connection host=pro2-win1 command=Open connection user_directory=LAB user_id=anna origin=AppAccess context=/app/1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f?reloaduri=https%3a%2f%2fsense%2fsense%2fapp app_id=1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f app_name=Sales, EMEA browser_name=Microsoft Edge browser_major_version=119 os_name=Windows os_version=NT 10.0
        U3: qlik.user_event "Web socket connection Closed for session '3f2c'; reason: a;b;c" message_type=qseow-proxy-connection host=pro2-win1 command=Close connection user_directory=LAB user_id=bo berg origin=AppAccess context=/app/9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f app_id=9f9e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f
        U4: qlik.user_event "Stop session for user: 'LAB\\anna'" message_type=qseow-proxy-session host=pro2-win1 command=Stop session user_directory=LAB user_id=anna origin= context=
        U5: qlik.user_event "" message_type=qseow-proxy-session host=pro2-win1 command=Start session
        U6: nothing
        U7: nothing
        U8: qlik.user_event "no user" message_type=qseow-proxy-session host=pro2-win1 command=Start session user_directory= user_id= origin=Not available context=
        U9: qlik.user_event "msg UserAgent:" message_type=qseow-proxy-connection host=pro2-win1 command=Open connection user_directory=LAB user_id=anna origin=AppAccess context=/app/1A1E4C6B-1F8B-4B1A-9D56-2A3B4C5D6E7F/hubUrl/x
        U10: nothing
        U11: qlik.user_event "tabherenewline" message_type=qseow-proxy-session host=pro2-win1 command=Start session user_directory=LAB user_id=uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu origin=Not available context=ctx
        "#);
        insta::assert_snapshot!(counts(&build), @"
        excluded{} 1
        refused{reason=empty} 1
        refused{reason=unknown_type} 1
        ");
    }

    #[test]
    fn a_datagram_that_is_not_utf_8_is_read_in_the_code_page() {
        let datagram = b"sense1;Start session;LAB;J\xf6rg";
        for (code_page, expected, counter) in
            [(Some("windows-1252"), "Jörg", "recoded"), (None, "J\u{fffd}rg", "undecodable")]
        {
            let build = Build::detached("udp.users");
            let mut reception = reception(&build, |config| {
                config.fallback_encoding = code_page.map(|label| label.parse().unwrap());
            });
            let event = reception.receive(datagram, LOOPBACK).unwrap();
            assert_eq!(event.fields().text("user_id"), Some(expected));
            assert_eq!(build.meter.counter(counter, "", &[]).value(), 1);
        }
    }

    #[test]
    fn only_events_are_counted_by_how_they_were_decoded() {
        let build = Build::detached("udp.users");
        let lab = UserPattern { directory: "LAB".into(), user_id: "*".into() };
        let mut reception = reception(&build, |config| config.exclude = vec![lab]);
        assert_eq!(reception.receive(b"\xff", LOOPBACK), None);
        assert_eq!(reception.receive(b"sense1;Start session;LAB;J\xf6rg", LOOPBACK), None);
        insta::assert_snapshot!(counts(&build), @"
        excluded{} 1
        refused{reason=unknown_type} 1
        ");
    }

    #[test]
    fn utf_8_is_never_read_in_the_code_page() {
        let build = Build::detached("udp.users");
        let mut reception =
            reception(&build, |config| config.fallback_encoding = Some("windows-1252".parse().unwrap()));
        let event = reception.receive("sense1;Start session;LAB;Jörg".as_bytes(), LOOPBACK).unwrap();
        assert_eq!(event.fields().text("user_id"), Some("Jörg"));
        assert_eq!(build.meter.counter("recoded", "", &[]).value(), 0);
    }

    #[test]
    fn a_sender_that_is_not_listed_is_refused_whatever_it_sends() {
        let build = Build::detached("udp.users");
        let mut reception =
            reception(&build, |config| config.allow = Some(vec!["10.0.0.0/8".parse().unwrap()]));
        assert_eq!(reception.receive(b"sense1;Start session;LAB;anna", LOOPBACK), None);
        assert_eq!(reception.receive(b"garbage", LOOPBACK), None);
        assert!(
            reception.receive(b"sense1;Start session;LAB;anna", "::ffff:10.0.0.1".parse().unwrap()).is_some()
        );
        insta::assert_snapshot!(counts(&build), @"refused{reason=source_not_allowed} 2");
    }

    #[test]
    fn an_unknown_command_becomes_an_event_and_is_counted() {
        let build = Build::detached("udp.users");
        let event =
            reception(&build, |_| {}).receive(b"/proxy-session/;sense1;Lock session;LAB;anna", LOOPBACK);
        assert_eq!(event.unwrap().fields().text("command"), Some("Lock session"));
        insta::assert_snapshot!(counts(&build), @"unknown_command{} 1");
    }

    proptest! {
        #[test]
        fn no_bytes_can_break_the_reception(bytes in prop::collection::vec(any::<u8>(), 0..200), fields in any::<bool>()) {
            let build = Build::detached("udp.users");
            let mut datagram = if fields { b"/proxy-session/;sense1;".to_vec() } else { Vec::new() };
            datagram.extend(bytes);
            let event = reception(&build, |_| {}).receive(&datagram, LOOPBACK);
            let refused: u64 =
                build.meter.readings().iter().filter(|reading| reading.name == "refused").map(|r| r.value).sum();
            prop_assert_eq!(u64::from(event.is_none()), refused, "either an event or a refusal");
        }
    }
}
