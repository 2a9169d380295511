//! Sense servers that misbehave beside one that does not.

use senseops_core::BoxError;
use senseops_sim::{Behaviour, SenseServer};
use tokio::time::sleep;

use super::account::Account;
use super::lab::{IN_MEMORY, Lab, Scene, influx, settle};
use super::target::Target;

/// What a document may not be.
const FLOOD_BYTES: u64 = 100 * 1024 * 1024;
/// The most that memory may grow by, in MiB: far less than one such document. A poll reads 4 MiB of it before it gives
/// up, in buffers that grow by doubling, and the allocator keeps some of them for the next.
const GROWTH_MIB: f64 = 64.0;

/// How often each server is polled at least, however busy the machine is.
const POLLS: u64 = 3;

/// It takes the request and never answers.
pub(super) async fn hangs(lab: &Lab) -> Result<Account, BoxError> {
    beside(lab, Behaviour::Hang).await
}

/// It answers with 100 MB.
pub(super) async fn floods(lab: &Lab) -> Result<Account, BoxError> {
    beside(lab, Behaviour::TooLarge(FLOOD_BYTES)).await
}

async fn beside(lab: &Lab, behaviour: Behaviour) -> Result<Account, BoxError> {
    let target = Target::start().await?;
    let good = SenseServer::over_http().name("good").start().await?;
    let bad = SenseServer::over_http().name("bad").start().await?;
    let servers: Vec<_> =
        [&good, &bad].map(|server| format!("{{ name: {}, url: '{}' }}", server.name(), server.url())).into();
    let polling = format!(
        "sources: {{ healthcheck: {{ qlik: {{ interval: 500ms, timeout: 400ms, servers: [ {} ] }} }} }}\n",
        servers.join(", ")
    );
    let yaml = IN_MEMORY.to_owned() + &polling + &influx(&target.url(), "", "");
    let sos = Scene::new()?.start(&lab.sos, &yaml)?;
    sleep(lab.seconds(5, 1)).await;
    let (resident, polls, asked) = (sos.resident_mib()?, good.requests(), bad.requests());
    bad.behave(behaviour);
    let time = lab.seconds(60, 4);
    sleep(time).await;
    let polled = || (good.requests() - polls, bad.requests() - asked);
    target.until("polls of both servers", |_| polled().0 >= POLLS && polled().1 >= POLLS).await?;
    let (polls, asked) = polled();
    let mut account = Account { resident: Some((resident, sos.resident_mib()?)), ..lab.account() };
    let lines = sos.lines();
    settle(&mut account, sos, &target)?;
    account.demand_all();
    account.demand_memory(GROWTH_MIB);
    let expected = time.as_secs() * 2;
    account.demand_of_machine(polls + 2 >= expected, || {
        format!("the other server was polled {polls} times, not {expected}")
    });
    account.demand_of_machine(asked > expected / 4, || format!("it was asked {asked} times only"));
    account.demand(lines < 50, || format!("{lines} lines in the log"));
    account.remark = format!("{polls} polls of the other server, {asked} of this one");
    Ok(account)
}
