//! What must hold for any datagram.

use proptest::prelude::*;
use senseops_qlik::user_event::parse;

/// A type as appenders write it: up to two slashes, letters in any case.
fn decorated(name: &'static str) -> impl Strategy<Value = String> {
    let letters = prop::collection::vec(any::<bool>(), name.len());
    let slashes =
        prop::sample::select(vec![("", ""), ("/", ""), ("", "/"), ("/", "/"), ("//", ""), ("", "//")]);
    (letters, slashes).prop_map(move |(upper, (before, after))| {
        let name: String = name
            .chars()
            .zip(upper)
            .map(|(letter, upper)| if upper { letter.to_ascii_uppercase() } else { letter })
            .collect();
        format!("{before}{name}{after}")
    })
}

fn any_type() -> impl Strategy<Value = (&'static str, String)> {
    prop::sample::select(vec![
        "qseow-proxy-session",
        "qseow-proxy-connection",
        "proxy-session",
        "proxy-connection",
    ])
    .prop_flat_map(|name| (Just(name), decorated(name)))
}

proptest! {
    #[test]
    fn no_bytes_can_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(datagram) = parse(&String::from_utf8_lossy(&bytes)) {
            datagram.app_id();
            datagram.user_agent();
        }
    }

    #[test]
    fn no_fields_can_break_the_parser((_, kind) in any_type(), rest in "\\PC{0,40}(;\\PC{0,40}){0,9}(UserAgent:)?.{0,40}") {
        let text = format!("{kind};{rest}");
        if let Ok(datagram) = parse(&text) {
            datagram.app_id();
            datagram.user_agent();
            let fields = [&datagram.user_directory, &datagram.user_id, &datagram.origin, &datagram.message];
            for field in fields.into_iter().flatten() {
                prop_assert!(!field.contains(|character: char| character.is_ascii_control()));
                prop_assert!(field.encode_utf16().count() <= 1000);
            }
        }
    }

    #[test]
    fn the_message_keeps_every_semicolon(message in "[^\\x00-\\x1f\\x7f]{0,200};[^\\x00-\\x1f\\x7f]{0,200}") {
        let text = format!("/qseow-proxy-session/;sense1;Start session;LAB;anna;AppAccess;;{message}");
        prop_assert_eq!(parse(&text).unwrap().message.unwrap(), message);
    }

    #[test]
    fn how_the_type_is_written_does_not_matter((name, kind) in any_type(), user in "[a-z]{0,9}") {
        let rest = format!("sense1;Start session;LAB;{user};AppAccess;/hub;hello");
        let plain = format!("{name};{rest}");
        let decorated = format!("{kind};{rest}");
        prop_assert_eq!(parse(&decorated).unwrap().message_type.unwrap().as_str(), name);
        prop_assert_eq!(parse(&decorated), parse(&plain));
    }
}
