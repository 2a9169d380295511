//! Plugins panic beside others that do not.

use senseops_core::BoxError;
use tokio::time::sleep;

use super::account::Account;
use super::lab::{Lab, RATE, Scene, caught_up, delivery, settle};
use super::target::Target;

/// How often the sink panics.
const PANICS: u64 = 5;
/// How many events the source emits before it panics again.
const EVENTS_BETWEEN_PANICS: u64 = 500;
/// Far above the numbers of the other source.
const FIRST_OF_FAULTY: u64 = 1_000_000_000_000;

/// A source panics again and again, and a sink does at its first writes. Neither costs anybody an event.
pub(super) async fn plugins(lab: &Lab) -> Result<Account, BoxError> {
    let (scene, target) = (Scene::new()?, Target::start().await?);
    let (url, delivery) = (target.url(), delivery(""));
    let components = format!(
        "sources:\n  numbered:\n    load: {{ per_second: {RATE} }}\n    faulty: {{ first: {FIRST_OF_FAULTY}, per_second: 500, panics_after: {EVENTS_BETWEEN_PANICS} }}\n\
         sinks:\n  influx: {{ main: {{ url: '{url}', database: chaos, naming: native, {delivery} }} }}\n  panicking: {{ faulty: {{ panics: {PANICS}, {delivery} }} }}\n"
    );
    let sos = scene.start(&lab.chaos, &(scene.on_disk("") + &components))?;
    sleep(lab.seconds(60, 7)).await;
    let is_beyond = |newest: u64| newest > FIRST_OF_FAULTY + EVENTS_BETWEEN_PANICS;
    target
        .until("the source goes on after a panic", |arrivals| arrivals.largest().is_some_and(is_beyond))
        .await?;
    let mut account = lab.account();
    caught_up(&mut account, &sos).await?;
    let ended = settle(&mut account, sos, &target)?;
    account.demand_all();
    let (faulty, main) = (ended.component("panicking.faulty"), ended.component("influx.main"));
    let (through, emitted) = (faulty.of("delivered"), ended.sources.of("emitted"));
    account.demand(through == emitted, || format!("{through} of {emitted} through the sink that panicked"));
    account.demand(main.of("delivered") == emitted, || "the other sink lost events".into());
    let from_faulty = ended.component("numbered.faulty").of("emitted");
    account.demand(from_faulty > EVENTS_BETWEEN_PANICS, || {
        format!("the source that panics emitted {from_faulty} events only")
    });
    account.remark = format!("{from_faulty} events from the source that panics");
    Ok(account)
}
