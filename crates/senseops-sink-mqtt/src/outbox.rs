//! What is to be sent, what is on the way, and what became of it. No I/O.

use std::collections::VecDeque;

use bytes::Bytes;
use rumqttc::{Publish, QoS};
use senseops_core::{EventId, Rejection, WriteError};
use tokio::sync::oneshot;

use crate::explain::Lost;

/// The last number of a message. The one above is that of the birth message.
const LAST_ID: u16 = u16::MAX - 1;

/// How many writes wait here at most; further ones wait in the channel. The engine has one on the way unless the
/// operator allows more.
const MAX_JOBS: usize = 16;

/// The messages of one write.
#[derive(Debug)]
pub(crate) struct Job {
    messages: Vec<Outgoing>,
    /// How many events were written, with and without messages.
    events: usize,
    refused: Vec<Rejection>,
    /// The first message that was not sent.
    next: usize,
    unsettled: usize,
    done: oneshot::Sender<Result<(), WriteError>>,
}

/// One message of an event.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The position of the event in the batch.
    pub(crate) event: usize,
    pub(crate) key: Key,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    is_settled: bool,
}

/// A message, recognised when it comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) event: EventId,
    /// Which message of the event.
    pub(crate) part: usize,
}

/// Writes, oldest first, and which of their messages are on the way.
#[derive(Debug)]
pub(crate) struct Outbox {
    jobs: VecDeque<Job>,
    /// How many jobs came before the first of them.
    gone: usize,
    /// Messages of `QoS` 1 without an acknowledgement, in the order in which they were sent. Their numbers are
    /// consecutive.
    flight: VecDeque<Place>,
    /// The number of the first of them.
    first_id: u16,
    next_id: u16,
    /// Messages of `QoS` 0 that are not known to be in the socket.
    unflushed: Vec<Place>,
}

/// Where a message is found.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Counted from the first job ever.
    job: usize,
    message: usize,
    is_settled: bool,
}

impl Outgoing {
    pub(crate) fn new(event: usize, key: Key, topic: String, payload: Bytes) -> Self {
        Self { event, key, topic, payload, qos: QoS::AtLeastOnce, retain: false, is_settled: false }
    }

    /// The size of the packet that it becomes, with its number.
    pub(crate) fn packet_bytes(&self) -> usize {
        let body = 2 + self.topic.len() + 2 + self.payload.len();
        let length_bytes = match body {
            0..0x80 => 1,
            0x80..0x4000 => 2,
            0x4000..0x20_0000 => 3,
            _ => 4,
        };
        1 + length_bytes + body
    }
}

impl Job {
    /// The messages of a write of so many events, some of which are refused already, and where it hears of its end.
    pub(crate) fn new(
        messages: Vec<Outgoing>,
        events: usize,
        refused: Vec<Rejection>,
    ) -> (Self, oneshot::Receiver<Result<(), WriteError>>) {
        let (done, outcome) = oneshot::channel();
        let unsettled = messages.len();
        (Self { messages, events, refused, next: 0, unsettled, done }, outcome)
    }

    /// Whether nobody waits for its end any more.
    fn is_cancelled(&self) -> bool {
        self.done.is_closed()
    }

    /// Forgets what was not sent.
    fn cancel(&mut self) {
        self.unsettled -= self.messages.len() - self.next;
        self.messages.truncate(self.next);
    }

    /// Refuses the event that the next message is of, together with its other messages.
    fn refuse(&mut self, reason: &str) {
        let Some(event) = self.messages.get(self.next).map(|message| message.event) else { return };
        let rest = self.messages.iter().skip(self.next).take_while(|message| message.event == event).count();
        self.next += rest;
        self.unsettled -= rest;
        self.refused.push(Rejection { index: event, reason: reason.to_owned() });
    }

    fn settle(&mut self, message: usize) {
        if let Some(message) = self.messages.get_mut(message)
            && !message.is_settled
        {
            message.is_settled = true;
            self.unsettled -= 1;
        }
    }

    fn is_done(&self) -> bool {
        self.unsettled == 0
    }

    /// Tells the write how it ended. Whoever does not listen any more has given it up.
    fn answer(mut self, lost: Option<&Lost>) {
        self.refused.sort_by_key(|rejection| rejection.index);
        let mut retry: Vec<usize> = Vec::new();
        for message in self.messages.iter().filter(|message| !message.is_settled) {
            let is_refused = self.refused.binary_search_by_key(&message.event, |each| each.index).is_ok();
            if !is_refused && retry.last() != Some(&message.event) {
                retry.push(message.event);
            }
        }
        let result = match lost {
            Some(lost) if retry.len() == self.events => Err(lost.to_error()),
            _ if retry.is_empty() && self.refused.is_empty() => Ok(()),
            _ => Err(WriteError::Partial { retry, refused: self.refused }),
        };
        drop(self.done.send(result));
    }
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            jobs: VecDeque::new(),
            gone: 0,
            flight: VecDeque::new(),
            first_id: 1,
            next_id: 1,
            unflushed: Vec::new(),
        }
    }

    /// Whether one more job may come.
    pub(crate) fn has_room(&self) -> bool {
        self.jobs.len() < MAX_JOBS
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
        self.answer_done();
    }

    /// How many messages wait for their acknowledgement.
    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// The message to send next, if there is one.
    pub(crate) fn peek(&mut self) -> Option<Key> {
        let job = self.sending()?;
        let job = self.jobs.get(job)?;
        job.messages.get(job.next).map(|message| message.key)
    }

    /// Takes the message to send next; it is on the way from then on.
    pub(crate) fn take(&mut self) -> Option<Publish> {
        let at = self.sending()?;
        let job = self.jobs.get_mut(at)?;
        let message = job.messages.get_mut(job.next)?;
        let place = Place { job: self.gone + at, message: job.next, is_settled: false };
        job.next += 1;
        let (topic, payload) = (std::mem::take(&mut message.topic), std::mem::take(&mut message.payload));
        let mut publish = Publish::from_bytes(topic, message.qos, payload);
        publish.retain = message.retain;
        if message.qos == QoS::AtMostOnce {
            self.unflushed.push(place);
        } else {
            publish.pkid = self.next_id;
            self.next_id = if self.next_id == LAST_ID { 1 } else { self.next_id + 1 };
            self.flight.push_back(place);
        }
        Some(publish)
    }

    /// Refuses the event that the next message is of.
    pub(crate) fn refuse(&mut self, reason: &str) {
        if let Some(at) = self.sending()
            && let Some(job) = self.jobs.get_mut(at)
        {
            job.refuse(reason);
        }
        self.answer_done();
    }

    /// Everything that was taken is in the socket. Gives how many messages that settled.
    pub(crate) fn flushed(&mut self) -> usize {
        let settled = self.unflushed.len();
        for place in std::mem::take(&mut self.unflushed) {
            self.settle(place);
        }
        self.answer_done();
        settled
    }

    /// The message of this number has arrived. Whether there was one.
    pub(crate) fn acknowledged(&mut self, id: u16) -> bool {
        // Brokers acknowledge in order, as they must; one that does not is understood as well.
        let distance = (u32::from(id) + u32::from(LAST_ID) - u32::from(self.first_id)) % u32::from(LAST_ID);
        let place = usize::try_from(distance).ok().and_then(|distance| self.flight.get_mut(distance));
        let Some(place) = place.filter(|place| id != 0 && id <= LAST_ID && !place.is_settled) else {
            return false;
        };
        place.is_settled = true;
        let place = *place;
        while self.flight.pop_front_if(|place| place.is_settled).is_some() {
            self.first_id = if self.first_id == LAST_ID { 1 } else { self.first_id + 1 };
        }
        self.settle(place);
        true
    }

    /// The connection is gone: every write ends, and what is not settled goes back. Gives how many messages were on
    /// the way, and the only one if it was only one.
    pub(crate) fn lost(&mut self, lost: &Lost) -> (usize, Option<Key>) {
        let on_the_way: Vec<Place> = self.flight.drain(..).filter(|place| !place.is_settled).collect();
        let only = match *on_the_way {
            [place] => {
                self.job(place).and_then(|job| job.messages.get(place.message)).map(|message| message.key)
            }
            _ => None,
        };
        self.gone += self.jobs.len();
        for job in self.jobs.drain(..) {
            job.answer(Some(lost));
        }
        self.unflushed.clear();
        (self.first_id, self.next_id) = (1, 1);
        (on_the_way.len(), only)
    }

    /// The job whose messages are sent now; those that nobody waits for are skipped.
    fn sending(&mut self) -> Option<usize> {
        let mut found = None;
        let mut was_cancelled = false;
        for (at, job) in self.jobs.iter_mut().enumerate() {
            if job.next == job.messages.len() {
                continue;
            }
            if job.is_cancelled() {
                job.cancel();
                was_cancelled = true;
                continue;
            }
            found = Some(at);
            break;
        }
        if was_cancelled {
            let before = self.gone;
            self.answer_done();
            found = found.map(|at| at - (self.gone - before));
        }
        found
    }

    fn job(&mut self, place: Place) -> Option<&mut Job> {
        self.jobs.get_mut(place.job.checked_sub(self.gone)?)
    }

    fn settle(&mut self, place: Place) {
        if let Some(job) = self.job(place) {
            job.settle(place.message);
            if job.is_done() {
                self.answer_done();
            }
        }
    }

    /// Answers the jobs at the front that are done, so that the first job is never a done one.
    fn answer_done(&mut self) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.is_done()) {
            self.gone += 1;
            job.answer(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use senseops_net::{Failure, Reason};

    use super::*;
    use crate::explain::End;

    type Outcome = oneshot::Receiver<Result<(), WriteError>>;

    /// A write of events with so many messages each.
    fn job(messages: &[usize], qos: QoS) -> (Job, Outcome) {
        let outgoing = messages.iter().enumerate().flat_map(|(event, count)| {
            (0..*count).map(move |part| {
                let key = Key { event: EventId::keyed("test", &[u8::try_from(event).unwrap()]), part };
                let mut message = Outgoing::new(event, key, format!("{event}/{part}"), Bytes::new());
                message.qos = qos;
                message
            })
        });
        Job::new(outgoing.collect(), messages.len(), Vec::new())
    }

    fn outbox(messages: &[usize]) -> (Outbox, Outcome) {
        let (job, outcome) = job(messages, QoS::AtLeastOnce);
        let mut outbox = Outbox::new();
        outbox.push(job);
        (outbox, outcome)
    }

    fn sent(outbox: &mut Outbox) -> Vec<(u16, String)> {
        std::iter::from_fn(|| outbox.take()).map(|publish| (publish.pkid, publish.topic)).collect()
    }

    fn lost() -> Lost {
        Lost { failure: Failure::new(Reason::Reset, "it broke", ""), end: End::HungUp }
    }

    fn ended(outcome: &mut Outcome) -> String {
        match outcome.try_recv() {
            Ok(Ok(())) => "written".into(),
            Ok(Err(error)) => format!("{error:?}"),
            Err(_nothing_yet) => "waiting".into(),
        }
    }

    #[test]
    fn a_write_ends_with_its_last_acknowledgement_in_any_order() {
        let (mut outbox, mut outcome) = outbox(&[1, 2]);
        assert_eq!(sent(&mut outbox), [(1, "0/0".into()), (2, "1/0".into()), (3, "1/1".into())]);
        for (id, is_known) in [(3, true), (3, false), (9, false), (0, false), (1, true)] {
            assert_eq!(outbox.acknowledged(id), is_known, "{id}");
        }
        assert_eq!((outbox.in_flight(), ended(&mut outcome)), (2, "waiting".into()));
        assert!(outbox.acknowledged(2));
        assert_eq!((outbox.in_flight(), ended(&mut outcome)), (0, "written".into()));
    }

    #[test]
    fn numbers_begin_again_without_a_gap() {
        let (mut outbox, mut outcome) = outbox(&[70_000]);
        for count in 0..70_000_u32 {
            let id = outbox.take().unwrap().pkid;
            assert_eq!(u32::from(id), count % u32::from(LAST_ID) + 1);
            assert!(outbox.acknowledged(id));
        }
        assert_eq!(ended(&mut outcome), "written");
    }

    #[test]
    fn what_is_not_acknowledged_goes_back() {
        let (mut outbox, mut outcome) = outbox(&[1, 2, 1, 1]);
        for _ in 0..4 {
            outbox.take();
        }
        assert!(outbox.acknowledged(1) && outbox.acknowledged(2));
        assert_eq!(outbox.lost(&lost()), (2, None));
        insta::assert_snapshot!(ended(&mut outcome), @"Partial { retry: [1, 2, 3], refused: [] }");
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn a_write_of_which_nothing_arrived_fails_as_a_whole() {
        let (mut outbox, mut outcome) = outbox(&[1, 1]);
        let key = outbox.peek().unwrap();
        outbox.take();
        assert_eq!(outbox.lost(&lost()), (1, Some(key)));
        assert!(ended(&mut outcome).starts_with("Unavailable"));
    }

    #[test]
    fn an_event_is_refused_with_all_its_messages() {
        let (mut outbox, mut outcome) = outbox(&[1, 3, 1]);
        outbox.take();
        outbox.take();
        outbox.refuse("no");
        assert_eq!(sent(&mut outbox), [(3, "2/0".into())]);
        assert!(outbox.acknowledged(1) && outbox.acknowledged(2) && outbox.acknowledged(3));
        insta::assert_snapshot!(ended(&mut outcome), @r#"Partial { retry: [], refused: [Rejection { index: 1, reason: "no" }] }"#);
    }

    #[test]
    fn a_write_that_nobody_waits_for_sends_nothing_more() {
        let (mut outbox, outcome) = outbox(&[1, 1]);
        let (next, mut next_outcome) = job(&[1], QoS::AtLeastOnce);
        outbox.push(next);
        outbox.take();
        drop(outcome);
        assert_eq!(sent(&mut outbox), [(2, "0/0".into())]);
        assert!(outbox.acknowledged(1) && outbox.acknowledged(2));
        assert_eq!(ended(&mut next_outcome), "written");
    }

    #[test]
    fn qos_0_is_settled_once_it_is_in_the_socket() {
        let (job, mut outcome) = job(&[2], QoS::AtMostOnce);
        let mut outbox = Outbox::new();
        outbox.push(job);
        assert_eq!(sent(&mut outbox), [(0, "0/0".into()), (0, "0/1".into())]);
        assert_eq!((outbox.in_flight(), ended(&mut outcome)), (0, "waiting".into()));
        assert_eq!(outbox.flushed(), 2);
        assert_eq!(ended(&mut outcome), "written");
    }

    #[test]
    fn the_size_of_a_packet_is_known_beforehand() {
        for bytes in [0, 100, 123, 124, 20_000, 2_097_000, 3_000_000] {
            let key = Key { event: EventId::new(), part: 0 };
            let message = Outgoing::new(0, key, "a/b".into(), vec![0; bytes].into());
            let mut publish = Publish::from_bytes("a/b", QoS::AtLeastOnce, message.payload.clone());
            publish.pkid = 1;
            assert_eq!(message.packet_bytes(), publish.size());
        }
    }
}
