//! You will see what a program can decide about its pipeline, and what it sees of it and changes while it runs.
//!
//! The features that it needs of SenseOps Stats are `source-udp` and `sink-console`.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use senseops::dead_letters::ReplayFilter;
use senseops::settings::{Size, Span};
use senseops::sinks::console::ConsoleConfig;
use senseops::sources::udp::UdpConfig;
use senseops::{
    Batch, Body, Builder, Delivery, Event, Fields, Handle, JournalSettings, Kind, LabelSet, Only, Overflow,
    Pipeline, PipelineSettings, RateLimit, SinkOptions, SourceOptions, Tapped, sink_fn,
};

/// A measurement with the field `items`.
const ORDER: Kind = Kind::new("shop.order");

/// What an operator would write in a file.
fn builder(state_dir: &Path, users_per_second: NonZeroU32) -> Result<Builder, Box<dyn Error>> {
    let settings = PipelineSettings {
        state_dir: Some(state_dir.to_owned()),
        journal: JournalSettings { max_bytes: Some(Size::from_mib(64)), ..JournalSettings::default() },
        shutdown_timeout: Span::from_secs(5),
        ..PipelineSettings::default()
    };
    let users = SourceOptions {
        labels: LabelSet::from_iter([("network", "intranet")]),
        rate_limit: Some(RateLimit { events_per_second: users_per_second, burst: None }),
    };
    let orders = SinkOptions {
        only: Only { kinds: vec!["shop.*".parse()?], sources: vec![] },
        delivery: Delivery {
            overflow: Overflow::Block,
            max_age: Span::from_millis(100),
            ..Delivery::default()
        },
    };
    let count = sink_fn(|batch: Batch| async move {
        println!("{} orders", batch.len());
        Ok(())
    });
    Ok(Pipeline::builder()
        .program("shop", env!("CARGO_PKG_VERSION"))
        .settings(settings)
        .labels(LabelSet::from_iter([("site", "north")]))
        .source_with("users", users, UdpConfig::listen("127.0.0.1:0".parse()?))
        .sink("print", ConsoleConfig::default())
        .sink_with("orders", orders, count))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let pipeline = builder(directory.path(), NonZeroU32::MIN)?.build().await?;
    let handle = pipeline.handle();
    let mut result = Ok(());
    let summary = pipeline.run_until(async { result = shop(&handle, directory.path()).await }).await;
    println!("{} events are not delivered, aborted: {:?}", summary.view.undelivered(), summary.aborted);
    result
}

/// A day in the shop.
async fn shop(pipeline: &Handle, state_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut tap = pipeline.tap(Only { kinds: vec![ORDER.into()], ..Only::default() });
    let labels = Arc::new(LabelSet::from_iter([("till", "1")]));
    let order = Event::new(ORDER, &labels, Body::Measurement(Fields::default().with("items", 3)));
    println!("{:?}", pipeline.emit(vec![order]).await.outcome().await);
    if let Some(Tapped::Events { source, events }) = tap.next().await {
        println!("{source} emitted {} event", events.len());
    }

    let reloaded = pipeline.reload(builder(state_dir, NonZeroU32::MAX)?.plan()?).await?;
    println!("restarted {:?}, left alone {}", reloaded.restarted, reloaded.unchanged);
    let replayed = pipeline.replay(ReplayFilter::default()).await?;
    println!("{} dead letters are tried again", replayed.events);
    println!("to be looked at: {:?}, stalled: {:?}", pipeline.health(), pipeline.stalled());
    for listener in pipeline.view().listeners {
        println!("{} listens on {}", listener.component, listener.protocol);
    }
    Ok(())
}
