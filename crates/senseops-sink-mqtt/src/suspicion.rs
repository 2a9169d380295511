//! Which message makes the broker hang up.
//!
//! A broker that dislikes a message may close the connection instead of saying so; Mosquitto does over a packet that is
//! larger than its `max_packet_size`. So after a break the window opens slowly, from one message on: if the connection
//! breaks again while only one message is on the way, it is known over which.

use crate::outbox::Key;

/// How often the broker must hang up over a message before it is guilty. Each time the broker had just answered
/// something else, and the message was the only one on the way.
const STRIKES: u32 = 5;

/// How many messages may be on the way, and which of them is suspected.
#[derive(Debug)]
pub(crate) struct Suspicion {
    window: usize,
    widest: usize,
    is_fresh: bool,
    suspect: Option<(Key, u32)>,
}

impl Suspicion {
    /// Nothing is suspected, and so many messages may be on the way.
    pub(crate) fn new(widest: usize) -> Self {
        Self { window: widest, widest, is_fresh: false, suspect: None }
    }

    /// How many messages may be on the way now.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Whether the last connection broke with messages on the way, and none was acknowledged since.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// A message was acknowledged.
    pub(crate) fn acknowledged(&mut self) {
        self.window = self.window.saturating_mul(2).min(self.widest);
        self.is_fresh = false;
    }

    /// The connection is lost while messages were on the way.
    pub(crate) fn lost(&mut self) {
        self.window = 1;
        self.is_fresh = true;
    }

    /// A broker that works hung up while only this message was on the way.
    pub(crate) fn strike(&mut self, key: Key) {
        let before = self.suspect.filter(|(suspect, _)| *suspect == key).map_or(0, |(_, strikes)| strikes);
        self.suspect = Some((key, before + 1));
    }

    /// Whether the broker hangs up over this message.
    pub(crate) fn is_guilty(&self, key: Key) -> bool {
        self.suspect.is_some_and(|(suspect, strikes)| suspect == key && strikes >= STRIKES)
    }
}

#[cfg(test)]
mod tests {
    use senseops_core::EventId;

    use super::*;

    fn key(name: &[u8], part: usize) -> Key {
        Key { event: EventId::keyed("test", name), part }
    }

    #[test]
    fn only_a_message_that_was_alone_each_time_is_guilty() {
        let mut suspicion = Suspicion::new(100);
        for _ in 1..STRIKES {
            suspicion.strike(key(b"a", 0));
            assert!(!suspicion.is_guilty(key(b"a", 0)));
        }
        suspicion.strike(key(b"a", 0));
        assert!(suspicion.is_guilty(key(b"a", 0)));
        assert!(!suspicion.is_guilty(key(b"a", 1)) && !suspicion.is_guilty(key(b"b", 0)));
        suspicion.strike(key(b"a", 1));
        assert!(!suspicion.is_guilty(key(b"a", 0)), "the broker hung up over others, too");
    }

    #[test]
    fn the_window_opens_slowly_after_a_break() {
        for (widest, expected) in [(5, [1, 2, 4, 5, 5]), (1, [1; 5])] {
            let mut suspicion = Suspicion::new(widest);
            assert!(suspicion.window() == widest && !suspicion.is_fresh());
            suspicion.lost();
            assert!(suspicion.is_fresh());
            let windows = [(); 5].map(|()| {
                let window = suspicion.window();
                suspicion.acknowledged();
                assert!(!suspicion.is_fresh());
                window
            });
            assert_eq!(windows, expected);
        }
    }
}
