//! You will see the plugins of a program of your own: everything that comes with `sos`, and a sink of yours.
//!
//! The whole program is one expression. Give it arguments to use it: `cargo run --example distribution -- demo`.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use senseops::{Accepts, Batch, Build, BuildError, Plugin, Sink, WriteError, async_trait};
use serde::Deserialize;

fn main() -> ExitCode {
    let registry = senseops::builtin().called("acme-sos", "2.1.0").sink::<BlackHole>();
    // Without arguments it shows what it has instead of an error, so that there is something to see.
    let arguments: Vec<_> = env::args_os().collect();
    if arguments.len() > 1 {
        senseops::cli::run(registry)
    } else {
        senseops::cli::run_with(registry, ["acme-sos", "plugins"])
    }
}

/// `sinks.black_hole.<name>` in a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BlackHole {}

#[async_trait]
impl Plugin for BlackHole {
    type Component = Arc<dyn Sink>;
    const TYPE: &'static str = "black_hole";
    const ABOUT: &'static str = "Takes everything and keeps nothing";
    const SAMPLE: &'static str = "# a black hole has no settings\n{}\n";

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Sink for BlackHole {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        Ok(())
    }
}
