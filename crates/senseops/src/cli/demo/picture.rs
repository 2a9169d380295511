//! The picture of a running pipeline.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Gauge, Paragraph, Row, Sparkline, Table, Widget};
use senseops_core::Condition;
use senseops_engine::{SinkView, Summary, View};
use tokio::time::Instant;

use super::board::{CPU_HISTORY, Server};

/// How many rates are drawn.
const RATE_HISTORY: usize = 120;
const GOOD: Color = Color::Green;
const BAD: Color = Color::Red;

/// Everything that one picture shows.
pub(super) struct Picture<'a> {
    pub(super) view: View,
    pub(super) servers: Vec<Server>,
    pub(super) commands: Vec<(String, u64)>,
    pub(super) rates: &'a Rates,
    /// The second of the simulated day.
    pub(super) second: u64,
    pub(super) target_is_up: bool,
    pub(super) elapsed: Duration,
    pub(super) duration: Option<Duration>,
    pub(super) log: Vec<String>,
}

/// Events per second, over the last pictures.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<(Instant, u64, u64)>,
    emitted: VecDeque<u64>,
    delivered: u64,
}

impl Rates {
    /// Takes the totals of a moment.
    pub(super) fn take(&mut self, view: &View) {
        let emitted = view.sources.iter().map(|source| source.emitted).sum();
        let delivered = view.sinks.iter().map(|sink| sink.delivered).sum();
        let now = Instant::now();
        if let Some((at, emitted_then, delivered_then)) = self.last {
            let seconds = (now - at).as_secs_f64().max(0.001);
            if self.emitted.len() == RATE_HISTORY {
                self.emitted.pop_front();
            }
            self.emitted.push_back(per_second(emitted, emitted_then, seconds));
            self.delivered = per_second(delivered, delivered_then, seconds);
        }
        self.last = Some((now, emitted, delivered));
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate to look at"
)]
fn per_second(now: u64, then: u64, seconds: f64) -> u64 {
    (now.saturating_sub(then) as f64 / seconds).round() as u64
}

impl Widget for &Picture<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let servers = u16::try_from(self.servers.len()).unwrap_or(u16::MAX).saturating_add(3);
        let sinks = u16::try_from(self.view.sinks.len()).unwrap_or(u16::MAX).saturating_add(3);
        let rows = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(servers),
            Constraint::Length(6),
            Constraint::Length(3),
            Constraint::Length(sinks),
            Constraint::Fill(1),
        ]);
        let [title, servers, rates, journal, sinks, log] = rows.areas(area);
        self.title().render(title, buffer);
        self.render_servers(servers, buffer);
        self.render_rates(rates, buffer);
        self.render_journal(journal, buffer);
        self.render_sinks(sinks, buffer);
        self.render_log(log, buffer);
    }
}

impl Picture<'_> {
    fn title(&self) -> Line<'_> {
        let (hour, minute) = (self.second / 3600 % 24, self.second / 60 % 60);
        let left = match self.duration {
            Some(duration) => format!("{}s left", duration.saturating_sub(self.elapsed).as_secs()),
            None => "q ends it".to_owned(),
        };
        Line::from(vec![
            " SenseOps Stats ".black().on_green(),
            format!("  a simulated Qlik Sense estate, {hour:02}:{minute:02} o'clock there, {left}").into(),
        ])
    }

    fn render_servers(&self, area: Rect, buffer: &mut Buffer) {
        let header = Row::new([
            "server",
            "state",
            "cpu",
            "",
            "committed",
            "free",
            "sessions",
            "users",
            "apps",
            "poll",
        ]);
        let rows = self.servers.iter().map(server_row);
        let cpu_history = u16::try_from(CPU_HISTORY).unwrap_or(u16::MAX);
        let widths = [10, 14, 5, cpu_history, 10, 10, 9, 6, 5, 8].map(Constraint::Length);
        let block = Block::bordered().title(" servers: health polled over mutual TLS, every second ");
        Table::new(rows, widths).header(header.bold()).block(block).render(area, buffer);
    }

    fn render_rates(&self, area: Rect, buffer: &mut Buffer) {
        let [chart, commands] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(34)]).areas(area);
        let now = self.rates.emitted.back().copied().unwrap_or(0);
        let block = Block::bordered().title(format!(" events/s: {now} in, {} out ", self.rates.delivered));
        let width = usize::from(chart.width.saturating_sub(2));
        let skipped = self.rates.emitted.len().saturating_sub(width);
        let drawn = self.rates.emitted.iter().skip(skipped).copied();
        Sparkline::default().block(block).data(drawn).style(Style::new().fg(GOOD)).render(chart, buffer);
        let lines =
            self.commands.iter().map(|(command, count)| Line::from(format!("{command:<18}{count:>12}")));
        Paragraph::new(lines.collect::<Vec<_>>())
            .block(Block::bordered().title(" users, over UDP "))
            .render(commands, buffer);
    }

    fn render_journal(&self, area: Rect, buffer: &mut Buffer) {
        let journal = &self.view.journal;
        let label = format!(
            "{} events wait, {} of {}",
            journal.events,
            mebibytes(journal.bytes),
            mebibytes(journal.max_bytes)
        );
        let place = if journal.on_disk { "on disk" } else { "in memory" };
        Gauge::default()
            .block(Block::bordered().title(format!(" journal {place} ")))
            .ratio(share(journal.bytes, journal.max_bytes))
            .gauge_style(Style::new().fg(Color::Cyan))
            .label(label)
            .render(area, buffer);
    }

    fn render_sinks(&self, area: Rect, buffer: &mut Buffer) {
        let header = Row::new(["sink", "state", "delivered", "waiting", "retries", "refused", "discarded"]);
        let widths = [16, 44, 11, 9, 8, 8, 9].map(Constraint::Length);
        let title = if self.target_is_up { " sinks " } else { " sinks: the simulated InfluxDB is away " };
        Table::new(self.view.sinks.iter().map(sink_row), widths)
            .header(header.bold())
            .block(Block::bordered().title(title))
            .render(area, buffer);
    }

    fn render_log(&self, area: Rect, buffer: &mut Buffer) {
        let lines: Vec<_> = self.log.iter().map(|line| Line::from(line.as_str()).dim()).collect();
        Paragraph::new(lines).render(area, buffer);
    }
}

fn server_row(server: &Server) -> Row<'_> {
    let state = match &server.failure {
        None => Span::styled("answers", GOOD),
        Some(reason) => Span::styled(reason.as_str(), BAD),
    };
    let cpu = server.cpu_pct.back().copied().unwrap_or(0.0);
    Row::new([
        Cell::from(server.name.as_str()),
        Cell::from(state),
        Cell::from(format!("{cpu:>3.0}%")),
        Cell::from(bars(&server.cpu_pct)).style(Style::new().fg(Color::Cyan)),
        Cell::from(format!("{:>6.1} GB", server.committed_mb / 1024.0)),
        Cell::from(format!("{:>6.1} GB", server.free_mb / 1024.0)),
        Cell::from(format!("{:>6}", server.sessions)),
        Cell::from(format!("{:>4}", server.users)),
        Cell::from(format!("{:>3}", server.apps)),
        Cell::from(format!("{:>5.1} ms", server.poll_ms)),
    ])
}

fn sink_row(sink: &SinkView) -> Row<'_> {
    let state = match &sink.condition {
        Condition::Starting => Span::raw("starting"),
        Condition::Ok => Span::styled("ok", GOOD),
        Condition::Warning(reason) | Condition::Failing(reason) => Span::styled(reason.as_str(), BAD),
    };
    let numbers = [sink.delivered, sink.lag_events, sink.retries, sink.refused, sink.discarded];
    Row::new(
        [Cell::from(sink.name.as_str()), Cell::from(state)]
            .into_iter()
            .chain(numbers.map(|n| Cell::from(n.to_string()))),
    )
}

/// One character per value, from empty to full at 100.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the eight characters"
)]
fn bars(values: &VecDeque<f64>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |value: &f64| BARS.get((value.clamp(0.0, 99.0) / 12.5) as usize).copied().unwrap_or(' ');
    values.iter().map(bar).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share to look at")]
fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a size to look at")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// What is left to say when the picture is gone.
pub(super) fn closing_words(summary: &Summary, points: u64, elapsed: Duration) -> String {
    let emitted: u64 = summary.view.sources.iter().map(|source| source.emitted).sum();
    let retries: u64 = summary.view.sinks.iter().map(|sink| sink.retries).sum();
    format!(
        "{emitted} events in {:.0} s; the simulated InfluxDB has {points} points of them; {retries} writes were repeated, {} events are undelivered.",
        elapsed.as_secs_f64(),
        summary.view.undelivered(),
    )
}

#[cfg(test)]
mod tests {
    use senseops_engine::{JournalView, SourceView};

    use super::*;
    use crate::cli::demo::screen::as_text;

    fn source(emitted: u64) -> SourceView {
        SourceView {
            name: "udp.users".into(),
            condition: Condition::Ok,
            emitted,
            lost: 0,
            restarts: 0,
            readings: Vec::new(),
        }
    }

    fn sink(name: &str, condition: Condition) -> SinkView {
        SinkView {
            name: name.into(),
            condition,
            delivered: 1200,
            refused: 1,
            discarded: 0,
            retries: 2,
            writes: 40,
            lag_events: 300,
            lag_age: Duration::from_secs(3),
            restarts: 0,
            last_success: None,
            readings: Vec::new(),
        }
    }

    fn view(emitted: u64) -> View {
        View {
            uptime: Duration::from_secs(5),
            journal: JournalView {
                events: 300,
                bytes: 64 << 20,
                max_bytes: 256 << 20,
                ..JournalView::default()
            },
            sources: vec![source(emitted)],
            sinks: vec![
                sink("influx.target", Condition::Failing("connection refused".into())),
                sink("picture", Condition::Ok),
            ],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_shows_servers_rates_journal_and_sinks() {
        let mut rates = Rates::default();
        for emitted in [0, 100, 300] {
            rates.take(&view(emitted));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let well = Server {
            name: "Server1".into(),
            poll_ms: 1.25,
            cpu_pct: [0.0, 30.0, 99.0].into(),
            committed_mb: 2048.0,
            free_mb: 512.0,
            sessions: 7.0,
            users: 3.0,
            apps: 4,
            ..Server::default()
        };
        let ill = Server { name: "Server2".into(), failure: Some("timeout".into()), ..Server::default() };
        let picture = Picture {
            view: view(300),
            servers: vec![well, ill],
            commands: vec![("Start session".into(), 42)],
            rates: &rates,
            second: 9 * 3600 + 5 * 60,
            target_is_up: false,
            elapsed: Duration::from_secs(5),
            duration: Some(Duration::from_secs(30)),
            log: vec!["WARN component is failing".into()],
        };
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 110, 25)), @"
         SenseOps Stats   a simulated Qlik Sense estate, 09:05 o'clock there, 25s left
        ┌ servers: health polled over mutual TLS, every second ──────────────────────────────────────────────────────┐
        │server     state        cpu                            committed  free       sessions  users  apps  poll    │
        │Server1    answers       99%  ▁▃█                         2.0 GB     0.5 GB       7       3     4     1.2 ms│
        │Server2    timeout        0%                              0.0 GB     0.0 GB       0       0     0     0.0 ms│
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ┌ events/s: 200 in, 0 out ─────────────────────────────────────────────────┐┌ users, over UDP ───────────────┐
        │ █                                                                        ││Start session               42  │
        │ █                                                                        ││                                │
        │██                                                                        ││                                │
        │██                                                                        ││                                │
        └──────────────────────────────────────────────────────────────────────────┘└────────────────────────────────┘
        ┌ journal in memory ─────────────────────────────────────────────────────────────────────────────────────────┐
        │███████████████████████████        300 events wait, 64.0 MiB of 256.0 MiB                                   │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ┌ sinks: the simulated InfluxDB is away ─────────────────────────────────────────────────────────────────────┐
        │sink             state                                     delivered   waiting   retries  refused  discarded│
        │influx.target    connection refused                        1200        300       2        1        0        │
        │picture          ok                                        1200        300       2        1        0        │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        WARN component is failing
        ");
    }
}
