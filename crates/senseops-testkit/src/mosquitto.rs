//! A real MQTT broker for tests: Mosquitto.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use senseops_core::BoxError;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::ServerError;
use crate::mqtt::{Connect, Packet, Publish};
use crate::server::Server;

/// A private Mosquitto: own loopback ports, nothing on disk. Ended and removed when dropped.
#[derive(Debug)]
pub struct Mosquitto {
    server: Server,
    address: SocketAddr,
    /// Where subscribers of the test get in, whatever the options demand of others.
    side_door: SocketAddr,
    scheme: &'static str,
}

/// How a private Mosquitto is configured; the default lets everybody in without encryption.
#[derive(Clone, Debug, Default)]
pub struct MosquittoOptions {
    /// Name and password of the only user.
    pub login: Option<(String, String)>,
    /// Its certificate, and the CA of the client certificates that it then demands.
    pub tls: Option<MosquittoTls>,
    /// The largest packet in bytes (`max_packet_size`); whoever sends a larger one is disconnected.
    pub max_packet_bytes: Option<u64>,
}

/// Files of a TLS server, in PEM.
#[derive(Clone, Debug)]
pub struct MosquittoTls {
    /// The CA that signs client certificates.
    pub ca: PathBuf,
    /// The certificate of the broker.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A client that only listens.
#[derive(Debug)]
pub struct Subscriber(BufReader<TcpStream>);

impl Mosquitto {
    /// Starts a broker and waits until it accepts connections.
    ///
    /// # Errors
    /// When `mosquitto` is not installed or does not start.
    pub async fn start(options: MosquittoOptions) -> Result<Self, ServerError> {
        let mut server = Server::find("mosquitto", "mosquitto")?;
        let addresses @ [address, side_door] = server.addresses()?;
        let config = config(&server, address, side_door, &options)?;
        let config = server.write("mosquitto.conf", &config)?;
        server.start(vec!["-c".into(), config.display().to_string()], || accepts(addresses)).await?;
        let scheme = if options.tls.is_some() { "mqtts" } else { "mqtt" };
        Ok(Self { server, address, side_door, scheme })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `mqtt://127.0.0.1:port`, with TLS as `mqtts://localhost:port`.
    pub fn url(&self) -> String {
        let host = if self.scheme == "mqtts" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.address.port())
    }

    /// Asks the broker to end and waits until it has.
    pub async fn stop(&mut self) {
        self.server.stop().await;
    }

    /// Ends the broker as a crash would: all that it has not sent yet is gone.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        let addresses = [self.address, self.side_door];
        self.server.start_again(|| accepts(addresses)).await
    }

    /// Listens to topics, such as `#` for all. What is published from then on comes, after what is retained.
    ///
    /// # Errors
    /// When the broker is not there.
    pub async fn subscribe(&self, filter: &str) -> io::Result<Subscriber> {
        let mut stream = TcpStream::connect(self.side_door).await?;
        let client_id = format!("subscriber-{}", stream.local_addr()?.port());
        let hello = Packet::Connect(Connect { client_id, ..Connect::default() });
        stream.write_all(&hello.to_bytes()).await?;
        stream.write_all(&Packet::Subscribe { id: 1, filter: filter.to_owned() }.to_bytes()).await?;
        let mut stream = BufReader::new(stream);
        for expected in [Packet::ConnAck(0), Packet::SubAck(1)] {
            let packet = Packet::read(&mut stream).await?;
            if packet != expected {
                return Err(io::Error::other(format!("{packet:?} came instead of {expected:?}")));
            }
        }
        Ok(Subscriber(stream))
    }
}

impl Subscriber {
    /// The next message, however long it takes. Must not be dropped while it waits, or messages are lost.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self) -> io::Result<Publish> {
        let packet = Packet::read(&mut self.0).await?;
        if let Packet::Publish(message) = packet {
            Ok(message)
        } else {
            Err(io::Error::other(format!("a broker has no reason to send {packet:?}")))
        }
    }

    /// The next messages, so many of them.
    ///
    /// # Errors
    /// When the connection is lost before.
    pub async fn take(&mut self, count: usize) -> io::Result<Vec<Publish>> {
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            messages.push(self.next().await?);
        }
        Ok(messages)
    }
}

async fn accepts(addresses: [SocketAddr; 2]) -> Result<(), BoxError> {
    for address in addresses {
        drop(TcpStream::connect(address).await?);
    }
    Ok(())
}

fn config(
    server: &Server,
    address: SocketAddr,
    side_door: SocketAddr,
    options: &MosquittoOptions,
) -> Result<String, ServerError> {
    // As root it would become another user, who cannot read our files.
    let mut text = "user root
persistence false
per_listener_settings true
log_dest stdout
max_queued_messages 0
"
    .to_owned();
    if let Some(bytes) = options.max_packet_bytes {
        writeln!(text, "max_packet_size {bytes}").unwrap_or_default();
    }
    let mut listener = |address: SocketAddr, settings: &str| {
        let (port, host) = (address.port(), address.ip());
        writeln!(text, "\nlistener {port} {host}\n{settings}").unwrap_or_default();
    };
    let mut settings = match &options.login {
        Some(login) => {
            format!("allow_anonymous false\npassword_file {}\n", passwords(server, login)?.display())
        }
        None => "allow_anonymous true\n".to_owned(),
    };
    if let Some(MosquittoTls { ca, cert, key }) = &options.tls {
        let (ca, cert, key) = (ca.display(), cert.display(), key.display());
        write!(settings, "cafile {ca}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n")
            .unwrap_or_default();
    }
    listener(address, &settings);
    listener(side_door, "allow_anonymous true\n");
    Ok(text)
}

/// A file with the hash of one password, as Mosquitto's own tool makes it.
fn passwords(server: &Server, (name, password): &(String, String)) -> Result<PathBuf, ServerError> {
    let failed = |source| ServerError::Start { program: "mosquitto_passwd", source };
    let path = server.directory().join("passwords");
    let mut tool = Command::new("mosquitto_passwd");
    let output = tool.arg("-b").arg("-c").arg(&path).args([name, password]).output().map_err(failed)?;
    if output.status.success() {
        Ok(path)
    } else {
        Err(failed(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_published_comes_to_subscribers_before_and_after_a_crash() {
        let mut broker = Mosquitto::start(MosquittoOptions::default()).await.unwrap();
        for round in 0..2 {
            let mut subscriber = broker.subscribe("a/#").await.unwrap();
            let mut client = TcpStream::connect(broker.address()).await.unwrap();
            let hello = Connect { client_id: "publisher".into(), ..Connect::default() };
            client.write_all(&Packet::Connect(hello).to_bytes()).await.unwrap();
            let message = Publish { topic: "a/b".into(), payload: vec![round].into(), ..Publish::default() };
            client.write_all(&Packet::Publish(message.clone()).to_bytes()).await.unwrap();
            assert_eq!(subscriber.next().await.unwrap(), message);
            broker.kill();
            assert!(subscriber.next().await.is_err());
            broker.start_again().await.unwrap();
        }
    }

    #[tokio::test]
    async fn only_who_knows_the_password_gets_in() {
        let login = Some(("anna".to_owned(), "right".to_owned()));
        let broker =
            Mosquitto::start(MosquittoOptions { login, ..MosquittoOptions::default() }).await.unwrap();
        for (password, code) in [("right", 0), ("wrong", 5)] {
            let mut client = TcpStream::connect(broker.address()).await.unwrap();
            let hello = Connect {
                client_id: password.into(),
                username: Some("anna".into()),
                password: Some(password.into()),
                ..Connect::default()
            };
            client.write_all(&Packet::Connect(hello).to_bytes()).await.unwrap();
            assert_eq!(Packet::read(&mut client).await.unwrap(), Packet::ConnAck(code));
        }
    }
}
