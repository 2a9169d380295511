//! `sos demo`: a simulated estate, a real pipeline, and a live picture of both.

mod board;
mod picture;
mod story;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use senseops_config::{Loaded, Registry, load_str};
use senseops_core::{Planned, chain};
use senseops_engine::{Delivery, Handle, Only, Pipeline, SinkSpec};
use senseops_sim::{Amount, Estate, EstateConfig, InfluxTarget, SendError, UserEvents, send};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::args;
use super::exit::Exit;
use super::logging::Logs;
use super::run::{exit_of, refuse, refuse_to_open};
use super::screen::Screen;
use super::signals::{self, Hangup};
use board::Board;
use picture::{Picture, Rates};

/// A simulated day takes ten minutes: quick enough to see the morning rush, slow enough to read.
const SPEED: f64 = 144.0;
/// How many different datagrams the simulated users cycle through.
const DATAGRAMS: usize = 5_000;

/// How many log lines are shown under the picture.
const LOG_LINES: usize = 4;

/// Everything that runs beside the pipeline. Dropping it ends it all.
struct World {
    estate: Estate,
    target: InfluxTarget,
}

/// What pictures are drawn from.
struct Show<'a> {
    handle: Handle,
    board: &'a Board,
    world: &'a World,
    logs: Logs,
    started: Instant,
    duration: Option<Duration>,
}

pub(super) async fn demo(registry: &Registry, args: &args::Demo, logs: Logs) -> io::Result<Exit> {
    let (stop, stop_now) = signals::stop_requested(Hangup::Stops)?;
    let world = World::start(usize::from(args.servers)).await?;
    let board = Arc::new(Board::default());
    let Loaded { mut plan, locator, .. } = match load_str(registry, "demo.yaml", &world.yaml(), []) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    plan.sinks.push(picture_sink(&board));
    let pipeline = match Pipeline::open(plan).await {
        Ok(pipeline) => pipeline,
        Err(error) => return refuse_to_open(&locator, &error),
    };
    let handle = pipeline.handle();
    let listeners = handle.view().listeners;
    let users = listeners.first().map(|listener| listener.address).ok_or(io::ErrorKind::AddrNotAvailable)?;
    let show =
        Show { handle, board: &board, world: &world, logs, started: Instant::now(), duration: args.duration };
    let mut beside = JoinSet::new();
    beside.spawn(send_users(users, args.rate));
    let mut shown = Ok(());
    let until_stopped = async {
        shown = tokio::select! {
            () = stop => Ok(()),
            () = time_is_up(args.duration) => Ok(()),
            () = story::tell(&world.estate, &world.target) => Ok(()),
            result = show.run() => result,
        };
        // Whatever the story was about to tell, the demo ends well.
        world.target.come_back();
    };
    let summary = tokio::select! {
        summary = pipeline.run_until(until_stopped) => summary,
        () = stop_now => return Ok(Exit::Undelivered),
    };
    shown?;
    if let Some(Ok(Err(error))) = beside.try_join_next() {
        warn!(error = %chain(&error), "the simulated users stopped");
    }
    let words = picture::closing_words(&summary, world.target.points(), show.started.elapsed());
    writeln!(io::stdout().lock(), "{words}")?;
    Ok(exit_of(&summary))
}

impl World {
    async fn start(servers: usize) -> io::Result<Self> {
        let estate = EstateConfig { servers, speed: SPEED, ..EstateConfig::default() };
        let estate = Estate::start(estate).await.map_err(io::Error::other)?;
        let target = InfluxTarget::start().await?;
        Ok(Self { estate, target })
    }

    /// The configuration that a user would write for this estate.
    fn yaml(&self) -> String {
        let pem = self.estate.pem_files();
        let servers: Vec<_> = self
            .estate
            .servers()
            .iter()
            .map(|server| format!("        - {{ name: {:?}, url: {:?} }}\n", server.name(), server.url()))
            .collect();
        format!(
            "pipeline: {{ labels: {{ qs_env: demo }}, journal: {{ max_bytes: 4MiB }} }}\n\
             sources:\n  healthcheck:\n    estate:\n      interval: 1s\n      timeout: 900ms\n      tls: {{ ca: {:?}, cert: {:?}, key: {:?} }}\n      servers:\n{}  \
             udp:\n    users: {{ listen: \"127.0.0.1:0\", allow: [ 127.0.0.1 ] }}\n\
             sinks:\n  influx:\n    target: {{ url: {:?}, database: senseops }}\n",
            pem.ca.display().to_string(),
            pem.cert.display().to_string(),
            pem.key.display().to_string(),
            servers.concat(),
            self.target.url(),
        )
    }
}

/// The board as one more sink beside the configured ones.
fn picture_sink(board: &Arc<Board>) -> SinkSpec {
    let components = vec![Planned::ready(Arc::clone(board))];
    SinkSpec { name: "picture".into(), only: Only::default(), delivery: Delivery::default(), components }
}

async fn send_users(to: SocketAddr, rate: u32) -> Result<(), SendError> {
    let datagrams: Vec<_> = UserEvents::new(7).take(DATAGRAMS).collect();
    loop {
        send(&datagrams, to, rate, Amount::Count(u64::from(rate))).await?;
    }
}

async fn time_is_up(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

impl Show<'_> {
    /// Draws picture after picture until the user wants to leave.
    async fn run(&self) -> io::Result<()> {
        let mut screen = Screen::open(io::stdout().is_terminal())?;
        let mut rates = Rates::default();
        while screen.pause().await?.is_continue() {
            let view = self.handle.view();
            rates.take(&view);
            screen.draw(&Picture {
                view,
                servers: self.board.servers(),
                commands: self.board.commands(),
                rates: &rates,
                second: self.world.estate.clock().second(),
                target_is_up: self.world.target.is_up(),
                elapsed: self.started.elapsed(),
                duration: self.duration,
                log: self.logs.last(LOG_LINES),
            })?;
        }
        Ok(())
    }
}
