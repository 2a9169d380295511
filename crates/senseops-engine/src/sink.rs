//! Running one sink component: collect a batch, deliver it, move the cursor, until everything is drained.

mod collect;
mod deliver;
mod refusals;
mod slot;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt};
use senseops_core::host::Delivery;
use senseops_core::{Chunk, Shutdown};
use tracing::warn;

pub(crate) use collect::{Collect, Collected, Reached, Through, Wanted};
pub(crate) use deliver::{Abandoned, Deliver};
pub(crate) use refusals::Refusals;
pub(crate) use slot::{Instance, SinkSlot};

use senseops_journal::{Reader, ReaderWatch};
use tokio::time::sleep;

/// How often losses are reported while they go on.
const LOSS_REPORTS: Duration = Duration::from_mins(1);

/// How long a sink that is replaced may take to finish what is under way, and again to close.
const RELEASE_GRACE: Duration = Duration::from_secs(2);

/// The longest that a sink may take to let go of what it has.
pub(crate) const LONGEST_RELEASE: Duration = Duration::from_secs(5);

/// One sink component, ready to run.
pub(crate) struct SinkRunner {
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) deliver: Deliver,
    pub(crate) reader: Reader<Chunk>,
    pub(crate) wanted: Wanted,
    pub(crate) delivery: Delivery,
}

impl SinkRunner {
    /// Delivers until `drain` is requested and nothing is left, or `release` is: then what is under way may end, and
    /// the rest is left to whoever reads the journal under this name next.
    pub(crate) async fn run(self, drain: Shutdown, release: Shutdown) {
        let Self { slot, deliver, mut reader, wanted, delivery } = self;
        let watch = reader.watch();
        let (deliver, drain) = (&deliver, &drain);
        let deliveries = async {
            let mut collect = Collect::new(wanted, &delivery);
            let mut in_flight = FuturesOrdered::new();
            loop {
                tokio::select! {
                    biased;
                    Some(delivered) = in_flight.next() => match delivered {
                        Ok(through) => commit(&mut reader, through),
                        Err(Abandoned) => return,
                    },
                    () = release.requested() => break,
                    collected = collect.next(&mut reader, drain), if in_flight.len() < delivery.max_in_flight.get() => {
                        match collected {
                            Some(Collected { batch, through }) => in_flight.push_back(async move {
                                deliver.batch(batch, drain).await.map(|()| through)
                            }),
                            None => break,
                        }
                    }
                }
            }
            while let Some(Ok(through)) = in_flight.next().await {
                commit(&mut reader, through);
            }
        };
        // The background work goes on until the sink is closed: it may be what delivers.
        let work = async {
            tokio::select! {
                () = deliveries => {}
                () = released_for(RELEASE_GRACE, &release) => {}
            }
            if let Err(error) = slot.current().close().await {
                warn!(component = slot.name(), error, "sink did not close cleanly");
            }
        };
        tokio::select! {
            () = work => {}
            () = released_for(2 * RELEASE_GRACE, &release) => {}
            () = slot.run_background(drain) => {}
            () = slot.follow_files() => {}
            () = report_losses(&slot, &watch) => {}
        }
    }
}

/// Returns so long after the release was requested.
async fn released_for(time: Duration, release: &Shutdown) {
    release.requested().await;
    sleep(time).await;
}

fn commit(reader: &mut Reader<Chunk>, through: Option<Through>) {
    if let Some(Through { position, .. }) = through {
        reader.commit(position);
    }
}

/// Says that events are being discarded, once a minute at most. Never returns.
#[expect(clippy::infinite_loop, reason = "the runner drops it when it is done")]
async fn report_losses(slot: &SinkSlot, reader: &ReaderWatch<Chunk>) {
    loop {
        sleep(LOSS_REPORTS).await;
        let total = reader.discarded();
        let events = total.saturating_sub(slot.counters.discarded_told.swap(total, Ordering::Relaxed));
        if events > 0 {
            warn!(
                sink = slot.name(),
                events, total, "events are discarded, they waited too long or the journal is full"
            );
        }
    }
}
