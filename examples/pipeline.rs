//! You will see user events of simulated Qlik Sense users, received over UDP and printed by a function.
//!
//! A pipeline written in code: no configuration file, no global state, and the runtime is yours.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;

use senseops::sources::udp::UdpConfig;
use senseops::{Batch, Pipeline, sink_fn};
use senseops_sim::{Amount, UserEvents, send};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pipeline = Pipeline::builder()
        // Any free port; a real listener has a fixed one, usually 9997.
        .source("users", UdpConfig::listen("127.0.0.1:0".parse()?))
        .sink(
            "print",
            sink_fn(|batch: Batch| async move {
                for event in batch.iter() {
                    println!("{event}");
                }
                Ok(())
            }),
        )
        .build()
        .await?;

    // The sockets are open from here on. The pipeline runs until this future ends, then delivers what is left.
    let listeners = pipeline.handle().view().listeners;
    let users = async {
        let datagrams: Vec<_> = UserEvents::new(1).take(10).collect();
        for listener in listeners {
            if let Err(error) = send(&datagrams, listener.address, 100, Amount::Count(10)).await {
                println!("nothing was sent: {error}");
            }
        }
    };
    let summary = pipeline.run_until(users).await;
    for sink in &summary.view.sinks {
        println!("{}: {} events delivered in {} writes", sink.name, sink.delivered, sink.writes);
    }
    Ok(())
}
