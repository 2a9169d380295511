//! Identities of events.

use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Version};

/// The identity of an event: it stays the same through retries, restarts and replays.
///
/// UUID version 7 for events that are seen once; version 8 (a hash) for events whose origin has a key, so that
/// an event that is read twice has one identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// A new identity, ordered by time to the millisecond.
    pub fn new() -> Self {
        let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        Self(
            Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(u64::MAX), &random)
                .into_uuid(),
        )
    }

    /// The identity of the event that `origin` knows under `key`, the same each time.
    pub fn keyed(origin: &str, key: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((origin.len() as u64).to_le_bytes());
        hash.update(origin);
        hash.update(key);
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        Self(Uuid::new_v8(bytes))
    }

    /// Whether the identity comes from a key of the origin (see [`EventId::keyed`]).
    pub fn is_keyed(self) -> bool {
        self.0.get_version() == Some(Version::Custom)
    }

    /// The sixteen bytes, big-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The reverse of [`EventId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyed_id_is_the_same_each_time_and_on_every_machine() {
        let id = EventId::keyed("logdb.qlogs", &42_u64.to_be_bytes());
        assert!(id.is_keyed());
        assert_eq!(id, EventId::keyed("logdb.qlogs", &42_u64.to_be_bytes()));
        assert_eq!(id.to_string(), "c7ebc765-930b-855b-b14d-340876e5ec25");
    }

    #[test]
    fn origin_and_key_cannot_be_shifted_into_each_other() {
        assert_ne!(EventId::keyed("ab", b"c"), EventId::keyed("a", b"bc"));
    }

    #[test]
    fn a_new_id_is_unique_and_not_keyed() {
        let (one, other) = (EventId::new(), EventId::new());
        assert_ne!(one, other);
        assert!(!one.is_keyed());
        assert_eq!(EventId::from_bytes(one.to_bytes()), one);
    }
}
