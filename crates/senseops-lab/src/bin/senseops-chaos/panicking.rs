//! A sink whose first writes panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use senseops::{Accepts, Batch, Build, BuildError, Plugin, Sink, WriteError, async_trait};
use serde::Deserialize;

/// `sinks.panicking.<name>` in a configuration file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PanickingConfig {
    /// How many writes panic, of all sinks of this process together.
    panics: u64,
}

struct Panicking {
    panics: u64,
}

/// Outlives the sinks, which are built anew after each panic.
static WRITES: AtomicU64 = AtomicU64::new(0);

#[async_trait]
impl Plugin for PanickingConfig {
    type Component = Arc<dyn Sink>;

    const TYPE: &'static str = "panicking";
    const ABOUT: &'static str = "Panics at its first writes, then takes everything and keeps nothing";
    const SAMPLE: &'static str = "panics: 5\n";

    async fn build(&self, _build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(Panicking { panics: self.panics }))
    }
}

#[async_trait]
impl Sink for Panicking {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        assert!(WRITES.fetch_add(1, Ordering::Relaxed) >= self.panics, "a plugin with a fault");
        Ok(())
    }
}
