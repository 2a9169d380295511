//! What can be published to.
//!
//! MQTT 3.1.1, 1.5.3 and 4.7: UTF-8 of up to 65,535 bytes, no U+0000 and no wildcards. A receiver may close the
//! connection over other control characters and over code points that are no characters, and Mosquitto does.

use thiserror::Error;

/// The longest topic, in bytes.
const MAX_BYTES: usize = 65_535;

/// Why nothing can be published to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTopic {
    /// It has no characters.
    #[error("a topic must not be empty")]
    Empty,
    /// It has more bytes than MQTT can say.
    #[error("a topic must not be longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It has `+` or `#`.
    #[error("nothing can be published to a topic with {0:?}, a wildcard")]
    Wildcard(char),
    /// It has a control character, or a code point that is no character.
    #[error("brokers refuse a topic with {0:?}")]
    NoText(char),
}

/// Whether messages can be published to the topic.
///
/// # Errors
/// The first reason why they cannot.
pub fn check_topic(topic: &str) -> Result<(), InvalidTopic> {
    if topic.is_empty() {
        return Err(InvalidTopic::Empty);
    }
    if topic.len() > MAX_BYTES {
        return Err(InvalidTopic::TooLong);
    }
    match topic.chars().find(|&char| is_wildcard(char) || is_no_text(char)) {
        Some(char) if is_wildcard(char) => Err(InvalidTopic::Wildcard(char)),
        Some(char) => Err(InvalidTopic::NoText(char)),
        None => Ok(()),
    }
}

/// Appends a text from outside as one level: what would make other levels, or no topic at all, becomes `_`.
pub(super) fn push_level(text: &str, topic: &mut String) {
    let replaced = |char| char == '/' || is_wildcard(char) || is_no_text(char);
    if text.contains(replaced) {
        topic.extend(text.chars().map(|char| if replaced(char) { '_' } else { char }));
    } else {
        topic.push_str(text);
    }
}

/// The topic, no longer than it may be.
pub(super) fn cut(mut topic: String) -> String {
    topic.truncate(topic.floor_char_boundary(MAX_BYTES));
    topic
}

fn is_wildcard(char: char) -> bool {
    matches!(char, '+' | '#')
}

fn is_no_text(char: char) -> bool {
    let code = u32::from(char);
    char.is_control() || matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> String {
        let mut topic = "base/".to_owned();
        push_level(text, &mut topic);
        topic
    }

    #[test]
    fn a_text_is_one_level_whatever_is_in_it() {
        assert_eq!(level("sense1.lab"), "base/sense1.lab");
        assert_eq!(level("/app/#1+2\0\u{7f}\u{fdd0}\u{1ffff}é"), "base/_app__1_2____é");
        for text in ["", "a/b", "+", "\u{9f}", "\u{fffe}", "ü"] {
            assert_eq!(check_topic(&level(text)), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_topic_is_cut_between_characters() {
        assert_eq!(cut("é".repeat(40_000)).len(), MAX_BYTES - 1);
        assert_eq!(cut("a".into()), "a");
    }

    #[test]
    fn what_cannot_be_published_to_is_told() {
        let said = |topic: &str| check_topic(topic).unwrap_err().to_string();
        insta::assert_snapshot!(said(""), @"a topic must not be empty");
        insta::assert_snapshot!(said("qlik/#"), @"nothing can be published to a topic with '#', a wildcard");
        insta::assert_snapshot!(said("a\nb"), @r"brokers refuse a topic with '\n'");
        insta::assert_snapshot!(said(&"a".repeat(65_536)), @"a topic must not be longer than 65535 bytes");
    }
}
