//! The socket: one task that only receives.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::{Pin, pin};
use std::time::Duration;

use futures::{Stream, StreamExt};
use senseops_core::settings::Size;
use senseops_core::{
    BoxError, Build, BuildError, Condition, Context, Counter, Emitter, Health, Source, SourceError, UdpLease,
    async_trait,
};
use thiserror::Error;
use tokio::io::Interest;
use tokio::select;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::UdpConfig;
use crate::allow::{self, AllowList, Names};
use crate::bursts::Bursts;
use crate::config::NO_ALLOW_LIST;
use crate::looks::{Looks, Next};
use crate::pauses::Pauses;
use crate::reception::Reception;

/// The most datagrams that are emitted together, and taken before other tasks get their turn.
const MAX_CHUNK: usize = 1024;
/// What is taken at most after a stop was requested, so that a flood cannot keep the program from ending.
const LAST_DATAGRAMS: usize = 100_000;
/// For how long.
const LAST_TIME: Duration = Duration::from_millis(500);

pub(crate) struct UdpSource {
    config: UdpConfig,
    address: SocketAddr,
    socket: UdpSocket,
    /// The same socket, while we want to be woken: for as long as it is registered it wakes its runtime for each
    /// datagram, whether anybody waits or not.
    waking: Option<tokio::net::UdpSocket>,
    granted: u64,
    reception: Reception,
    bursts: Bursts,
    /// As many as the last chunk had: a guess at the next one.
    expected: usize,
    received: Counter,
}

#[derive(Debug, Error)]
#[error("{doing} udp {address}")]
struct SocketError {
    doing: &'static str,
    address: SocketAddr,
    #[source]
    source: io::Error,
}

#[async_trait]
impl Source for UdpSource {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let mut lookups = pin!(allow::lookups(self.config.allow.as_deref().unwrap_or_default()));
        if !self.reception.allow.unknown_names().is_empty() {
            // Nobody is refused because names are not looked up yet: the kernel holds what comes meanwhile, and after
            // a stop still does so for whoever gets the socket next.
            let Some(names) = cx.shutdown.unless_requested(lookups.next()).await else { return Ok(()) };
            self.reception.allow.set_names(names.unwrap_or_default());
        }
        let stopped = self.receive(&cx, lookups).await;
        let drained = self.receive_rest(&cx.emitter).await;
        Ok(stopped.and(drained).map_err(BoxError::from)?)
    }

    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        let granted = Size::from_bytes(self.granted);
        Ok(Some(format!("listening on udp {}, receive buffer granted {granted}", self.address)))
    }
}

impl UdpSource {
    /// A source around the leased socket.
    pub(crate) fn new(config: UdpConfig, build: &Build) -> Result<Self, BuildError> {
        let listen = config.listen;
        let lease = build.leases.udp(listen, config.receive_buffer.get());
        let UdpLease { socket, receive_buffer } = lease
            .map_err(|error| BuildError::at("listen", format!("cannot listen on {listen}")).because(error))?;
        let unreadable =
            |error: io::Error| BuildError::at("listen", format!("cannot use udp {listen}")).because(error);
        Ok(Self {
            address: socket.local_addr().map_err(unreadable)?,
            socket,
            waking: None,
            granted: u64::try_from(receive_buffer).unwrap_or(u64::MAX),
            reception: Reception::new(&config, build),
            bursts: Bursts::new(),
            expected: 1,
            received: build.meter.counter("received", "Datagrams that were received.", &[]),
            config,
        })
    }

    /// Receives until a stop is requested.
    async fn receive(
        &mut self,
        cx: &Context,
        mut lookups: Pin<&mut impl Stream<Item = Names>>,
    ) -> Result<(), SocketError> {
        let mut looks = Looks::new(self.granted);
        let mut pauses = Pauses::new().map_err(|source| self.failed("set a timer for", source))?;
        let (mut looked, mut next) = (Instant::now(), Next::WhenReadable);
        tell(&cx.health, self.condition());

        loop {
            select! {
                biased;
                () = cx.shutdown.requested() => return Ok(()),
                Some(names) = lookups.next() => {
                    self.reception.allow.set_names(names);
                    tell(&cx.health, self.condition());
                }
                waited = self.wait(next, &mut pauses) => {
                    waited?;
                    let taken = self.take_chunk(&cx.emitter)?;
                    let since = looked.elapsed();
                    looked += since;
                    next = looks.after(taken, taken == MAX_CHUNK, since);
                }
            }
        }
    }

    async fn wait(&mut self, next: Next, pauses: &mut Pauses) -> Result<(), SocketError> {
        match next {
            Next::Now => yield_now().await,
            Next::In(pause) => {
                self.waking = None;
                pauses.pause(pause).await.map_err(|source| self.failed("set a timer for", source))?;
            }
            Next::WhenReadable => self.readable().await.map_err(|source| self.failed("wait for", source))?,
        }
        Ok(())
    }

    async fn readable(&mut self) -> io::Result<()> {
        let waking = match self.waking.take() {
            Some(waking) => waking,
            None => tokio::net::UdpSocket::from_std(self.socket.try_clone()?)?,
        };
        let waking = self.waking.insert(waking);
        waking.readable().await?;
        // All that is there is taken next, from the socket itself, so that only a later datagram wakes us again.
        let _not_tried: io::Result<()> =
            waking.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
        Ok(())
    }

    /// Takes what the kernel has accepted by now, since nobody will send it again.
    async fn receive_rest(&mut self, emitter: &Emitter) -> Result<(), SocketError> {
        let deadline = Instant::now() + LAST_TIME;
        let mut taken = 0;
        while taken < LAST_DATAGRAMS && Instant::now() < deadline {
            let chunk = self.take_chunk(emitter)?;
            if chunk < MAX_CHUNK {
                break;
            }
            taken += chunk;
            yield_now().await;
        }
        Ok(())
    }

    /// Emits what can be received without waiting, at most [`MAX_CHUNK`] datagrams; gives how many they were.
    fn take_chunk(&mut self, emitter: &Emitter) -> Result<usize, SocketError> {
        let mut events = Vec::with_capacity(self.expected);
        let mut taken = 0;
        let mut failure = None;
        while taken < MAX_CHUNK {
            let Self { bursts, socket, reception, .. } = self;
            let show = |datagram: &[u8], sender| events.extend(reception.receive(datagram, sender));
            match bursts.receive(socket, MAX_CHUNK - taken, show) {
                Ok(burst) => {
                    taken += burst.taken;
                    if !burst.is_full {
                        break;
                    }
                }
                Err(error) => {
                    failure = Some(self.failed("receive from", error));
                    break;
                }
            }
        }
        self.received.add(u64::try_from(taken).unwrap_or(u64::MAX));
        self.expected = events.len().max(1);
        if !events.is_empty() {
            emitter.emit_now(events).ignore();
        }
        failure.map_or(Ok(taken), Err)
    }

    fn condition(&self) -> Condition {
        condition(&self.reception.allow, self.granted, self.config.receive_buffer)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> SocketError {
        SocketError { doing, address: self.address, source }
    }
}

fn condition(allow: &AllowList, granted: u64, asked: Size) -> Condition {
    let unknown = allow.unknown_names().join(", ");
    if allow.allows_nobody() && unknown.is_empty() {
        return Condition::Failing("nobody may send: the list allow is empty".to_owned());
    }
    if allow.allows_nobody() {
        return Condition::Failing(format!(
            "nobody may send: no address is known for {unknown}; check the name server"
        ));
    }
    let mut remarks = Vec::new();
    if allow.allows_everybody() {
        remarks.push(NO_ALLOW_LIST.to_owned());
    }
    if !unknown.is_empty() {
        remarks.push(format!("no address is known for {unknown}, so it may not send; check the name server"));
    }
    if !allow.stale_names().is_empty() {
        let stale = allow.stale_names().join(", ");
        remarks.push(format!(
            "the addresses of {stale} are old, since the name cannot be looked up; an hour after it last was, it may not send; check the name server"
        ));
    }
    if granted < asked.bytes() {
        let granted = Size::from_bytes(granted);
        remarks.push(format!("the system grants a receive buffer of {granted} instead of {asked}, so bursts may be lost; raise its limit (Linux: net.core.rmem_max)"));
    }
    if remarks.is_empty() { Condition::Ok } else { Condition::Warning(remarks.join("; ")) }
}

fn tell(health: &Health, condition: Condition) {
    match condition {
        Condition::Starting | Condition::Ok => health.ok(),
        Condition::Warning(reason) => health.warning(reason),
        Condition::Failing(reason) => health.failing(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(allow: &[&str], granted: u64) -> String {
        let entries: Vec<_> = allow.iter().map(|entry| entry.parse().unwrap()).collect();
        reason_of(&AllowList::new(Some(&entries)), granted)
    }

    fn reason_of(allow: &AllowList, granted: u64) -> String {
        match condition(allow, granted, Size::from_bytes(1000)) {
            Condition::Warning(reason) => format!("warning: {reason}"),
            Condition::Failing(reason) => format!("failing: {reason}"),
            fine @ (Condition::Starting | Condition::Ok) => format!("{fine:?}"),
        }
    }

    #[test]
    fn health_tells_what_an_operator_should_repair() {
        assert_eq!(reason(&["10.0.0.0/8"], 1000), "Ok");
        insta::assert_snapshot!(reason(&[], 1000), @"failing: nobody may send: the list allow is empty");
        insta::assert_snapshot!(reason_of(&AllowList::new(None), 1000), @"warning: no allow-list, so everybody who reaches the port can send events; list the Sense servers in allow");
        insta::assert_snapshot!(reason(&["sense1", "sense2"], 1000), @"failing: nobody may send: no address is known for sense1, sense2; check the name server");
        insta::assert_snapshot!(reason(&["10.0.0.1", "sense1"], 1000), @"warning: no address is known for sense1, so it may not send; check the name server");
        insta::assert_snapshot!(reason(&["10.0.0.1"], 500), @"warning: the system grants a receive buffer of 500 B instead of 1000 B, so bursts may be lost; raise its limit (Linux: net.core.rmem_max)");
        let mut list = AllowList::new(Some(&["sense1".parse().unwrap()]));
        list.set_names(Names::stale("sense1", "10.0.0.1".parse().unwrap()));
        insta::assert_snapshot!(reason_of(&list, 1000), @"warning: the addresses of sense1 are old, since the name cannot be looked up; an hour after it last was, it may not send; check the name server");
    }
}
