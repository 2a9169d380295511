//! What happens in the demo, so that there is something to see: a server falls ill, the target goes away.

use std::time::Duration;

use senseops_sim::{Behaviour, Estate, InfluxTarget};
use tokio::time::sleep;

/// Between two incidents.
const QUIET: Duration = Duration::from_secs(7);
/// How long an incident lasts.
const INCIDENT: Duration = Duration::from_secs(5);

/// Goes through the incidents again and again. Never returns.
pub(super) async fn tell(estate: &Estate, target: &InfluxTarget) {
    let incidents = [Behaviour::Hang, Behaviour::LoginPage, Behaviour::Reset];
    for (behaviour, server) in incidents.iter().cycle().zip(estate.servers().iter().cycle().skip(1)) {
        sleep(QUIET).await;
        server.behave(behaviour.clone());
        sleep(INCIDENT).await;
        server.behave(Behaviour::Healthy);
        sleep(QUIET).await;
        target.go_away();
        sleep(INCIDENT).await;
        target.come_back();
    }
}
