//! `sos top`: what a running instance does.

mod columns;
mod components;
mod picture;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use senseops_config::Registry;
use senseops_web::Status;
use tokio::time::{Instant, sleep};

use super::args;
use super::exit::Exit;
use super::instance::{Instance, InstanceError};
use super::screen::Screen;
use super::{output, table};
use components::{Row, rows};
use picture::Picture;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the instance is asked.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn top(registry: &Registry, args: &args::Top) -> io::Result<Exit> {
    let instance = match Instance::find(registry, &args.access, PATIENCE).await {
        Ok(instance) => instance,
        Err(error) => return error.tell(),
    };
    let first = match ask(&instance).await {
        Ok(status) => status,
        Err(error) => return error.tell(),
    };
    if args.json {
        let text = serde_json::to_string_pretty(&first).map_err(io::Error::other)?;
        writeln!(output::stdout(), "{text}")?;
        return Ok(Exit::Done);
    }
    if io::stdout().is_terminal() {
        live(&instance, first).await?;
    } else {
        // A rate takes two looks.
        let begin = Instant::now();
        sleep(INTERVAL).await;
        match ask(&instance).await {
            Ok(status) => print(&rows(&status, Some((&first, begin.elapsed().as_secs_f64()))))?,
            Err(error) => return error.tell(),
        }
    }
    Ok(Exit::Done)
}

async fn ask(instance: &Instance) -> Result<Status, InstanceError> {
    instance.get("/status").await
}

/// Draws picture after picture until the user wants to leave.
async fn live(instance: &Instance, first: Status) -> io::Result<()> {
    let mut screen = Screen::open(true)?;
    let mut picture = Picture { rows: rows(&first, None), status: first, trouble: None };
    let mut asked = Instant::now();
    loop {
        screen.draw(&picture)?;
        if screen.pause().await?.is_break() {
            return Ok(());
        }
        if asked.elapsed() < INTERVAL {
            continue;
        }
        match ask(instance).await {
            Ok(status) => {
                let before = (&picture.status, asked.elapsed().as_secs_f64());
                picture = Picture { rows: rows(&status, Some(before)), status, trouble: None };
                asked = Instant::now();
            }
            Err(error) => picture.trouble = Some(format!("{}: {error}", instance.url())),
        }
    }
}

fn print(rows: &[Row]) -> io::Result<()> {
    let cells: Vec<_> = rows.iter().cloned().map(Row::cells).collect();
    table::write(&mut output::stdout(), Row::HEADER, &cells)
}
