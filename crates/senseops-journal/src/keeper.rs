//! The keeper: packs what waits for long in memory, and notices when the disk does not answer.

use std::sync::PoisonError;
use std::time::Duration;

use senseops_core::Outcome;
use tracing::warn;

use crate::block::Block;
use crate::books::{Books, Packing};
use crate::disk::settle_all;
use crate::shared::SharedJournal;
use crate::slot::Slot;

/// How long the disk may take for a turn of the writer. Then what waits for it is in memory only, as if the disk had
/// failed: whoever waits is told, and intake goes on.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What there is to do.
enum Chore<C> {
    Pack(Vec<Slot<C>>),
    GiveUpWaiting,
    End,
}

/// Does what is to be done until the journal is closed.
pub(crate) fn keep<C: Clone + 'static>(shared: &SharedJournal<C>) {
    loop {
        match next(shared) {
            Chore::Pack(slots) => pack(shared, &slots),
            Chore::GiveUpWaiting => give_up_waiting(shared),
            Chore::End => return,
        }
    }
}

fn next<C: Clone>(shared: &SharedJournal<C>) -> Chore<C> {
    let mut books = shared.lock();
    loop {
        if books.is_closed() {
            return Chore::End;
        }
        if books.is_packing_due() {
            return Chore::Pack(books.candidates());
        }
        if hangs(&books, shared) {
            return Chore::GiveUpWaiting;
        }
        books.keeper_waits();
        books = if shared.directory.is_some() {
            shared.chores.wait_timeout(books, LOOK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0
        } else {
            shared.chores.wait(books).unwrap_or_else(PoisonError::into_inner)
        };
    }
}

fn hangs<C>(books: &Books<C>, shared: &SharedJournal<C>) -> bool {
    books.writer_busy(shared.now()).is_some_and(|busy| busy >= HANGS_AFTER)
}

/// Packs the first of these chunks. What is dropped is dropped where nobody waits for the lock.
fn pack<C: 'static>(shared: &SharedJournal<C>, slots: &[Slot<C>]) {
    let packed = shared.codec.as_ref().and_then(|codec| Block::pack(slots, &**codec));
    let mut books = shared.lock();
    let Some(block) = packed else {
        books.packing = Packing::Never;
        drop(books);
        warn!("chunks cannot be packed; a backlog in memory stays as it is, and takes more room");
        return;
    };
    let unneeded = books.packed(block);
    drop(books);
    drop(unneeded);
    // There may be room for those who wait for it.
    shared.tell_of_room();
}

pub(crate) fn give_up_waiting<C>(shared: &SharedJournal<C>) {
    let directory = shared.directory.as_ref().map(|directory| directory.path.display().to_string());
    let directory = directory.unwrap_or_default();
    let seconds = HANGS_AFTER.as_secs();
    let reason =
        format!("the disk of {directory} has not answered for {seconds} s; what comes in is in memory only");
    let mut books = shared.lock();
    if !hangs(&books, shared) {
        return;
    }
    let waiting = books.hold(reason);
    drop(books);
    warn!(directory, seconds, "the disk does not answer, journal goes on in memory");
    settle_all(waiting, Outcome::Held);
    shared.tell_of_room();
}
