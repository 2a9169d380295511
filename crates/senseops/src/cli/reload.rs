//! `sos reload`: a running instance reads its configuration anew.

use std::io::{self, Write};

use senseops_config::Registry;
use senseops_web::ReloadReport;

use super::args::Access;
use super::exit::Exit;
use super::instance::{Instance, InstanceError, PATIENCE};
use super::output;

pub(super) async fn reload(registry: &Registry, access: &Access) -> io::Result<Exit> {
    match ask(registry, access).await {
        Ok(report) => {
            for warning in &report.warnings {
                writeln!(output::stderr(), "warning: {warning}")?;
            }
            writeln!(output::stdout(), "{report}")?;
            Ok(Exit::Done)
        }
        Err(error) => error.tell(),
    }
}

async fn ask(registry: &Registry, access: &Access) -> Result<ReloadReport, InstanceError> {
    Instance::find(registry, access, PATIENCE).await?.post("/api/v1/reload", &[]).await
}
