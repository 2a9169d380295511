//! Packets of MQTT 3.1.1, as far as a test needs them, decoded independently of every client library.

use std::io;

use bytes::{Buf, BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest packet that is read; no test sends more.
const MAX_PACKET_BYTES: usize = 16 * 1024 * 1024;

/// A packet in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// A client introduces itself.
    Connect(Connect),
    /// The answer to it: 0 when it is welcome.
    ConnAck(u8),
    /// A message.
    Publish(Publish),
    /// The message of this number has arrived.
    PubAck(u16),
    /// A client wants messages of these topics, at `QoS` 0.
    Subscribe {
        /// Of the packet.
        id: u16,
        /// The topics, with wildcards.
        filter: String,
    },
    /// The answer to the subscription of this number.
    SubAck(u16),
    /// Is anybody there?
    PingReq,
    /// Yes.
    PingResp,
    /// A client leaves, and its last will is void.
    Disconnect,
}

/// How a client introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Its name for itself.
    pub client_id: String,
    /// The message that the broker publishes if the client is lost.
    pub will: Option<Publish>,
    /// Who it is.
    pub username: Option<String>,
    /// And what proves it.
    pub password: Option<Bytes>,
    /// How often it says something at least; 0 for never.
    pub keep_alive_seconds: u16,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// The number to acknowledge, at `QoS` 1.
    pub id: Option<u16>,
    /// Whether the broker keeps it for later subscribers; or, from a broker, whether it was kept.
    pub retain: bool,
}

impl Publish {
    /// The payload as text, with a replacement for what is not.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl Packet {
    /// Reads one packet.
    ///
    /// # Errors
    /// When the connection ends, or what comes is not MQTT, or longer than any test sends.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let first = stream.read_u8().await?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = stream.read_u8().await?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 21 {
                return Err(invalid("a length of more than four bytes"));
            }
        }
        if length > MAX_PACKET_BYTES {
            return Err(invalid("a packet that is too long"));
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Self::decode(first, body.into()).ok_or_else(|| invalid("a packet that cannot be read"))
    }

    /// The bytes of the packet.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let first = match self {
            Self::Connect(connect) => {
                connect.encode(&mut body);
                0x10
            }
            Self::ConnAck(code) => {
                body.extend([0, *code]);
                0x20
            }
            Self::Publish(publish) => {
                put_text(&publish.topic, &mut body);
                if let Some(id) = publish.id {
                    body.put_u16(id);
                }
                body.extend(&publish.payload);
                0x30 | (u8::from(publish.id.is_some()) << 1) | u8::from(publish.retain)
            }
            Self::PubAck(id) => {
                body.put_u16(*id);
                0x40
            }
            Self::Subscribe { id, filter } => {
                body.put_u16(*id);
                put_text(filter, &mut body);
                body.push(0);
                0x82
            }
            Self::SubAck(id) => {
                body.put_u16(*id);
                body.push(0);
                0x90
            }
            Self::PingReq => 0xc0,
            Self::PingResp => 0xd0,
            Self::Disconnect => 0xe0,
        };
        let mut bytes = vec![first];
        let mut length = body.len();
        while length > 0x7f {
            bytes.push(0x80 | low_bits(length));
            length >>= 7;
        }
        bytes.push(low_bits(length));
        bytes.extend(body);
        bytes
    }

    fn decode(first: u8, mut body: Bytes) -> Option<Self> {
        Some(match first >> 4 {
            1 => Self::Connect(Connect::decode(&mut body)?),
            2 => Self::ConnAck(*body.get(1)?),
            3 => {
                let topic = take_text(&mut body)?;
                let id = if first & 0b0110 > 0 { Some(body.try_get_u16().ok()?) } else { None };
                Self::Publish(Publish { topic, payload: body, id, retain: first & 1 > 0 })
            }
            4 => Self::PubAck(body.try_get_u16().ok()?),
            8 => Self::Subscribe { id: body.try_get_u16().ok()?, filter: take_text(&mut body)? },
            9 => Self::SubAck(body.try_get_u16().ok()?),
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            _ => return None,
        })
    }
}

impl Connect {
    const WILL: u8 = 0b0000_0100;
    const WILL_AT_LEAST_ONCE: u8 = 0b0000_1000;
    const WILL_RETAIN: u8 = 0b0010_0000;
    const PASSWORD: u8 = 0b0100_0000;
    const USERNAME: u8 = 0b1000_0000;
    const CLEAN_SESSION: u8 = 0b0000_0010;

    fn encode(&self, body: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        put_text("MQTT", body);
        body.push(4);
        body.push(
            Self::CLEAN_SESSION
                | flag(self.will.is_some(), Self::WILL)
                | flag(self.will.as_ref().is_some_and(|will| will.id.is_some()), Self::WILL_AT_LEAST_ONCE)
                | flag(self.will.as_ref().is_some_and(|will| will.retain), Self::WILL_RETAIN)
                | flag(self.username.is_some(), Self::USERNAME)
                | flag(self.password.is_some(), Self::PASSWORD),
        );
        body.put_u16(self.keep_alive_seconds);
        put_text(&self.client_id, body);
        if let Some(will) = &self.will {
            put_text(&will.topic, body);
            put_bytes(&will.payload, body);
        }
        if let Some(username) = &self.username {
            put_text(username, body);
        }
        if let Some(password) = &self.password {
            put_bytes(password, body);
        }
    }

    fn decode(body: &mut Bytes) -> Option<Self> {
        if take_text(body)? != "MQTT" || body.try_get_u8().ok()? != 4 {
            return None;
        }
        let flags = body.try_get_u8().ok()?;
        let is_set = |flag: u8| flags & flag > 0;
        Some(Self {
            keep_alive_seconds: body.try_get_u16().ok()?,
            client_id: take_text(body)?,
            will: if is_set(Self::WILL) {
                Some(Publish {
                    topic: take_text(body)?,
                    payload: take_bytes(body)?,
                    id: is_set(Self::WILL_AT_LEAST_ONCE).then_some(0),
                    retain: is_set(Self::WILL_RETAIN),
                })
            } else {
                None
            },
            username: if is_set(Self::USERNAME) { Some(take_text(body)?) } else { None },
            password: if is_set(Self::PASSWORD) { Some(take_bytes(body)?) } else { None },
        })
    }
}

fn low_bits(length: usize) -> u8 {
    u8::try_from(length & 0x7f).unwrap_or_default()
}

fn put_text(text: &str, body: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), body);
}

fn put_bytes(bytes: &[u8], body: &mut Vec<u8>) {
    body.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    body.extend(bytes.iter().take(usize::from(u16::MAX)));
}

fn take_bytes(body: &mut Bytes) -> Option<Bytes> {
    let length = usize::from(body.try_get_u16().ok()?);
    (length <= body.len()).then(|| body.split_to(length))
}

fn take_text(body: &mut Bytes) -> Option<String> {
    String::from_utf8(take_bytes(body)?.into()).ok()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every packet comes out as it went in.
    #[tokio::test]
    async fn packets_are_read_as_they_were_written() {
        let publish = |length, id| {
            let payload = vec![7; length].into();
            Publish { topic: "a/b".into(), payload, id, retain: id.is_some() }
        };
        let connect = Connect {
            client_id: "me".into(),
            will: Some(publish(7, Some(0))),
            username: Some("anna".into()),
            password: Some("secret".into()),
            keep_alive_seconds: 30,
        };
        let packets = [
            Packet::Connect(connect),
            Packet::Connect(Connect::default()),
            Packet::ConnAck(5),
            Packet::Publish(publish(0, None)),
            Packet::Publish(publish(127, Some(1))),
            Packet::Publish(publish(20_000, Some(u16::MAX))),
            Packet::Publish(publish(3_000_000, None)),
            Packet::PubAck(7),
            Packet::Subscribe { id: 1, filter: "#".into() },
            Packet::SubAck(1),
            Packet::PingReq,
            Packet::PingResp,
            Packet::Disconnect,
        ];
        for packet in packets {
            let bytes = packet.to_bytes();
            assert_eq!(Packet::read(&mut bytes.as_slice()).await.unwrap(), packet);
        }
    }

    #[tokio::test]
    async fn what_is_not_mqtt_is_an_error() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x10\xff\xff\xff\xff\x01", b"\x10\x02\x00", b"\x30\x01a"]
        {
            assert!(Packet::read(&mut &*bytes).await.is_err(), "{bytes:?}");
        }
    }
}
