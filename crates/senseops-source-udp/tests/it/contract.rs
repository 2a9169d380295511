//! The contract that every source keeps.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::net::UdpSocket;

use senseops_core::host::IntoComponents;
use senseops_core::{BoxError, Build, Event, Leases, Source, async_trait};
use senseops_testkit::{Keeps, OriginBehaviour, Sockets, SourceHarness, source_contract};

use crate::support::{local, loopback, numbered};

/// Sense servers that send to a socket, which outlives the sources.
struct Senders;

struct Sender {
    leases: Leases,
    socket: UdpSocket,
}

#[async_trait]
impl SourceHarness for Senders {
    type Origin = Sender;

    async fn origin(&self) -> Sender {
        let leases = Leases::new(Sockets::default());
        let target = leases.udp(loopback(), 0).unwrap().socket.local_addr().unwrap();
        let socket = UdpSocket::bind(loopback()).unwrap();
        socket.connect(target).unwrap();
        Sender { leases, socket }
    }

    async fn source(&self, origin: &Sender, build: Build) -> Result<Box<dyn Source>, BoxError> {
        let build = Build { leases: origin.leases.clone(), ..build };
        let planned = local().into_components()?.pop().unwrap();
        Ok(planned.factory.build(build).await?)
    }

    async fn provoke(&self, origin: &Sender, number: u64) {
        origin.socket.send(&numbered(number)).unwrap();
    }

    fn number(&self, event: &Event) -> Option<u64> {
        event.message().parse().ok()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Everything
    }

    async fn behave(&self, origin: &Sender, behaviour: OriginBehaviour) -> bool {
        match behaviour {
            OriginBehaviour::Answer => true,
            OriginBehaviour::Garbage => {
                for datagram in [&b""[..], b";;;;;;;;", b"//proxy-session//", &vec![0xff; 60_000]] {
                    origin.socket.send(datagram).unwrap();
                }
                true
            }
            // Nobody can tell a sender that is down from one that has nothing to say.
            OriginBehaviour::Down | OriginBehaviour::Hang | _ => false,
        }
    }
}

#[tokio::test]
async fn the_source_keeps_the_contract() {
    let kept = source_contract(&Senders).await.unwrap();
    assert_eq!(kept.untried(), ["down", "down at start", "stops while waiting"]);
}
