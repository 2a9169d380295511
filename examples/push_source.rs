//! You will see lines that were sent over TCP, and that each was answered once its event was in the journal.
//!
//! A source that others call listens where it is built, so that its socket outlives it, and answers what the receipt
//! says. `cargo test --example push_source` runs its contract.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use senseops::{
    Batch, Body, BoxError, Build, BuildError, Context, Emitter, Event, Fields, Kind, LabelSet, Outcome,
    Pipeline, Plugin, Record, Severity, Source, SourceError, async_trait, sink_fn,
};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A record whose message is the line.
const LINE: Kind = Kind::new("example.line");

/// How long a client may take for what it has to say: others wait for it.
const CLIENT_WITHIN: Duration = Duration::from_secs(5);
/// How much that may be.
const CLIENT_BYTES: u64 = 64 * 1024;

/// `sources.lines.<name>` in a configuration file: takes lines of text over TCP.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesConfig {
    listen: SocketAddr,
}

#[async_trait]
impl Plugin for LinesConfig {
    type Component = Box<dyn Source>;
    const TYPE: &'static str = "lines";
    const ABOUT: &'static str = "Takes lines of text over TCP";
    const SAMPLE: &'static str = "listen: 127.0.0.1:5170\n";

    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        let listener = build.leases.tcp(self.listen);
        let listener =
            listener.map_err(|error| BuildError::at("listen", "cannot listen there").because(error))?;
        Ok(Box::new(Lines { listener, labels: Arc::default() }))
    }
}

struct Lines {
    listener: std::net::TcpListener,
    labels: Arc<LabelSet>,
}

#[async_trait]
impl Source for Lines {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let listener = self.listener.try_clone().and_then(TcpListener::from_std).map_err(BoxError::from)?;
        cx.health.ok();
        while let Some(accepted) = cx.shutdown.unless_requested(listener.accept()).await {
            let (client, _) = accepted.map_err(BoxError::from)?;
            let served = timeout(CLIENT_WITHIN, self.serve(client, &cx.emitter));
            match cx.shutdown.unless_requested(served).await {
                Some(Ok(Ok(()))) => cx.health.ok(),
                Some(Ok(Err(error))) => cx.health.warning(format!("a client could not be served: {error}")),
                Some(Err(_elapsed)) => cx.health.warning("a client took too long"),
                None => break,
            }
        }
        Ok(())
    }
}

impl Lines {
    /// Takes the lines of one client. The next one waits, since a source does not spawn.
    async fn serve(&self, client: TcpStream, emitter: &Emitter) -> io::Result<()> {
        let (from, mut to) = client.into_split();
        let mut lines = BufReader::new(from.take(CLIENT_BYTES)).lines();
        while let Some(line) = lines.next_line().await? {
            let record = Record { severity: Severity::Info, message: line.into(), fields: Fields::default() };
            let event = Event::new(LINE, &self.labels, Body::Record(record));
            let answer = match emitter.emit(vec![event]).await.outcome_now().await {
                Outcome::Stored => "stored\n",
                Outcome::Held => "in memory\n",
                Outcome::Lost => "send it again\n",
            };
            to.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let print = sink_fn(|batch: Batch| async move {
        for event in batch.iter() {
            println!("{event}");
        }
        Ok(())
    });
    let lines = LinesConfig { listen: "127.0.0.1:0".parse()? };
    let pipeline = Pipeline::builder().source("lines", lines).sink("print", print).build().await?;
    let listeners = pipeline.handle().view().listeners;
    let client = async {
        for listener in listeners {
            match say(listener.address, "hello\nworld\n").await {
                Ok(answers) => println!("{answers}"),
                Err(error) => println!("nothing was sent: {error}"),
            }
        }
    };
    pipeline.run_until(client).await;
    Ok(())
}

/// Sends this and gives the answers.
async fn say(address: SocketAddr, lines: &str) -> io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(lines.as_bytes()).await?;
    client.shutdown().await?;
    let mut answers = String::new();
    client.read_to_string(&mut answers).await?;
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use senseops::Leases;
    use senseops_testkit::{Keeps, OriginBehaviour, Sockets, SourceHarness, source_contract};

    use super::*;

    /// How long a client waits for its answer. Then it gives up, and does not come again.
    const PATIENCE: Duration = Duration::from_millis(100);

    struct Clients;

    /// Clients know the address, so the socket is leased for all sources that the suite builds.
    struct Client {
        leases: Leases,
        address: SocketAddr,
        silent: Mutex<Vec<TcpStream>>,
    }

    #[async_trait]
    impl SourceHarness for Clients {
        type Origin = Client;

        async fn origin(&self) -> Client {
            let leases = Leases::new(Sockets::default());
            let address = leases.tcp(any_port()).unwrap().local_addr().unwrap();
            Client { leases, address, silent: Mutex::default() }
        }

        async fn source(&self, client: &Client, build: Build) -> Result<Box<dyn Source>, BoxError> {
            let build = Build { leases: client.leases.clone(), ..build };
            Ok(Plugin::build(&LinesConfig { listen: any_port() }, build).await?)
        }

        async fn provoke(&self, client: &Client, number: u64) {
            // It may find nobody there.
            let _answer = timeout(PATIENCE, say(client.address, &format!("{number}\n"))).await;
        }

        fn number(&self, event: &Event) -> Option<u64> {
            event.message().parse().ok()
        }

        fn keeps(&self) -> Keeps {
            Keeps::Nothing
        }

        async fn behave(&self, client: &Client, behaviour: OriginBehaviour) -> bool {
            match behaviour {
                OriginBehaviour::Answer => client.silent.lock().unwrap().clear(),
                OriginBehaviour::Hang => {
                    let silent = TcpStream::connect(client.address).await.unwrap();
                    client.silent.lock().unwrap().push(silent);
                }
                OriginBehaviour::Garbage => {
                    let mut client = TcpStream::connect(client.address).await.unwrap();
                    client.write_all(&[0xff; 1000]).await.unwrap();
                }
                // Who does not call cannot be told from who is not there.
                OriginBehaviour::Down | _ => return false,
            }
            true
        }
    }

    fn any_port() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_sources() {
        let kept = source_contract(&Clients).await.unwrap();
        assert_eq!(kept.untried(), ["down", "down at start"], "{kept}");
    }
}
