//! Running one sink component: collect a batch, deliver it, move the cursor, until everything is drained.

mod collect;
mod deliver;
mod slot;

use std::sync::Arc;

use futures::stream::{FuturesOrdered, StreamExt};
use senseops_core::Shutdown;
use tracing::warn;

pub(crate) use collect::{Collect, Collected, Wanted};
pub(crate) use deliver::Deliver;
pub(crate) use slot::SinkSlot;

use crate::codec::Chunk;
use crate::settings::Delivery;
use senseops_journal::{Position, Reader};

/// One sink component, ready to run.
pub(crate) struct SinkRunner {
    pub(crate) slot: Arc<SinkSlot>,
    pub(crate) deliver: Deliver,
    pub(crate) reader: Reader<Chunk>,
    pub(crate) wanted: Wanted,
    pub(crate) delivery: Delivery,
}

impl SinkRunner {
    /// Delivers until `drain` is requested and nothing is left.
    pub(crate) async fn run(self, drain: Shutdown) {
        let Self { slot, deliver, mut reader, wanted, delivery } = self;
        let (deliver, drain) = (&deliver, &drain);
        let deliveries = async {
            let mut collect = Collect::new(wanted, &delivery);
            let mut in_flight = FuturesOrdered::new();
            loop {
                tokio::select! {
                    biased;
                    Some(through) = in_flight.next() => commit(&mut reader, through),
                    collected = collect.next(&mut reader, drain), if in_flight.len() < delivery.max_in_flight.get() => {
                        match collected {
                            Some(Collected { batch, through }) => in_flight.push_back(async move {
                                deliver.batch(batch, drain).await;
                                through
                            }),
                            None => break,
                        }
                    }
                }
            }
            while let Some(through) = in_flight.next().await {
                commit(&mut reader, through);
            }
        };
        tokio::select! {
            () = deliveries => {}
            () = slot.run_background() => {}
        }
        if let Err(error) = slot.current().close().await {
            warn!(component = slot.name(), error = %senseops_core::chain(&*error), "sink did not close cleanly");
        }
    }
}

fn commit(reader: &mut Reader<Chunk>, through: Option<Position>) {
    if let Some(position) = through {
        reader.commit(position);
    }
}
