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

use super::board::Server;
use crate::cli::table::size;

/// How many rates are drawn.
const RATE_HISTORY: usize = 120;
const TITLE_HEIGHT: u16 = 1;
const JOURNAL_HEIGHT: u16 = 3;
const LOW_CHART: u16 = 3;
const HIGH_CHART: u16 = 6;
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

/// A column of a table, which a narrow screen may not have room for.
struct Column<T> {
    title: &'static str,
    width: u16,
    /// Lower ones are shown first.
    rank: u8,
    cell: fn(&T) -> Cell<'_>,
}

const SERVER_COLUMNS: [Column<Server>; 10] = [
    Column { title: "server", width: 10, rank: 0, cell: |server| Cell::from(server.name.as_str()) },
    Column { title: "state", width: 14, rank: 1, cell: server_state },
    Column { title: "cpu", width: 4, rank: 2, cell: server_cpu },
    Column { title: "", width: 24, rank: 9, cell: server_chart },
    Column { title: "committed", width: 9, rank: 5, cell: |server| gigabytes(server.committed_mb) },
    Column { title: "free", width: 8, rank: 7, cell: |server| gigabytes(server.free_mb) },
    Column {
        title: "sessions",
        width: 8,
        rank: 3,
        cell: |server| Cell::from(format!("{:>8}", server.sessions)),
    },
    Column { title: "users", width: 5, rank: 4, cell: |server| Cell::from(format!("{:>5}", server.users)) },
    Column { title: "apps", width: 4, rank: 8, cell: |server| Cell::from(format!("{:>4}", server.apps)) },
    Column {
        title: "poll",
        width: 8,
        rank: 6,
        cell: |server| Cell::from(format!("{:>5.1} ms", server.poll_ms)),
    },
];

const SINK_COLUMNS: [Column<SinkView>; 7] = [
    Column { title: "sink", width: 14, rank: 0, cell: |sink| Cell::from(sink.name.as_str()) },
    Column { title: "state", width: 12, rank: 1, cell: sink_state },
    Column { title: "delivered", width: 9, rank: 2, cell: |sink| count(sink.delivered) },
    Column { title: "waiting", width: 8, rank: 3, cell: |sink| count(sink.lag_events) },
    Column { title: "retries", width: 8, rank: 4, cell: |sink| count(sink.retries) },
    Column { title: "refused", width: 8, rank: 6, cell: |sink| count(sink.refused) },
    Column { title: "discarded", width: 9, rank: 5, cell: |sink| count(sink.discarded) },
];

/// Events per second, over the last pictures.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<(Instant, u64, u64)>,
    emitted: VecDeque<u64>,
    /// To the first sink.
    delivered: u64,
}

impl Rates {
    /// Takes the totals of a moment.
    pub(super) fn take(&mut self, view: &View) {
        let emitted = view.sources.iter().map(|source| source.emitted).sum();
        let delivered = view.sinks.first().map_or(0, |sink| sink.delivered);
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
        let sinks = table_height(self.view.sinks.len());
        let above_and_below = TITLE_HEIGHT + JOURNAL_HEIGHT + sinks;
        // On a low screen the chart gives way first, then servers.
        let servers =
            table_height(self.servers.len()).min(area.height.saturating_sub(above_and_below + LOW_CHART));
        let chart = area.height.saturating_sub(above_and_below + servers).clamp(LOW_CHART, HIGH_CHART);
        let rows = Layout::vertical([
            Constraint::Length(TITLE_HEIGHT),
            Constraint::Length(servers),
            Constraint::Length(chart),
            Constraint::Length(JOURNAL_HEIGHT),
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
        let shown = usize::from(area.height.saturating_sub(3));
        let hidden = self.servers.len().saturating_sub(shown);
        let more = if hidden == 0 { String::new() } else { format!("and {hidden} more: ") };
        let title = format!(" servers, {more}health polled over mutual TLS, every second ");
        let width = area.width.saturating_sub(2);
        let columns = fitting(&SERVER_COLUMNS, width);
        let header = Row::new(columns.iter().map(|column| column.title)).bold();
        let rows = self
            .servers
            .iter()
            .take(shown)
            .map(|server| Row::new(columns.iter().map(|column| (column.cell)(server))));
        let widths = columns.iter().map(|column| Constraint::Length(column.width));
        Table::new(rows, widths).header(header).block(Block::bordered().title(title)).render(area, buffer);
    }

    fn render_rates(&self, area: Rect, buffer: &mut Buffer) {
        let [chart, commands] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(26)]).areas(area);
        let now = self.rates.emitted.back().copied().unwrap_or(0);
        let title = format!(" {now} events/s emitted, {}/s delivered to InfluxDB ", self.rates.delivered);
        let block = Block::bordered().title(title);
        let width = usize::from(chart.width.saturating_sub(2));
        let skipped = self.rates.emitted.len().saturating_sub(width);
        let drawn = self.rates.emitted.iter().skip(skipped).copied();
        Sparkline::default().block(block).data(drawn).style(Style::new().fg(GOOD)).render(chart, buffer);
        let lines =
            self.commands.iter().map(|(command, count)| Line::from(format!("{command:<17}{count:>7}")));
        Paragraph::new(lines.collect::<Vec<_>>())
            .block(Block::bordered().title(" users, over UDP "))
            .render(commands, buffer);
    }

    fn render_journal(&self, area: Rect, buffer: &mut Buffer) {
        let journal = &self.view.journal;
        let label =
            format!("{} events wait, {} of {}", journal.events, size(journal.bytes), size(journal.max_bytes));
        let place = if journal.on_disk { "on disk" } else { "in memory" };
        Gauge::default()
            .block(Block::bordered().title(format!(" journal {place} ")))
            .ratio(share(journal.bytes, journal.max_bytes))
            .gauge_style(Style::new().fg(Color::Cyan))
            .label(label)
            .render(area, buffer);
    }

    fn render_sinks(&self, area: Rect, buffer: &mut Buffer) {
        let columns = fitting(&SINK_COLUMNS, area.width.saturating_sub(2));
        let header = Row::new(columns.iter().map(|column| column.title)).bold();
        let rows =
            self.view.sinks.iter().map(|sink| Row::new(columns.iter().map(|column| (column.cell)(sink))));
        // The state takes what the numbers leave.
        let width = |column: &&Column<SinkView>| match column.title {
            "state" => Constraint::Fill(1),
            _ => Constraint::Length(column.width),
        };
        let title = if self.target_is_up { " sinks " } else { " sinks: the simulated InfluxDB is away " };
        Table::new(rows, columns.iter().map(width))
            .header(header)
            .block(Block::bordered().title(title))
            .render(area, buffer);
    }

    fn render_log(&self, area: Rect, buffer: &mut Buffer) {
        let lines: Vec<_> = self.log.iter().map(|line| Line::from(line.as_str()).dim()).collect();
        Paragraph::new(lines).render(area, buffer);
    }
}

/// The columns that fit, most important ones first considered, in their order.
fn fitting<T>(columns: &[Column<T>], width: u16) -> Vec<&Column<T>> {
    let mut by_rank: Vec<_> = columns.iter().enumerate().collect();
    by_rank.sort_by_key(|(_, column)| column.rank);
    let mut left = width + 1;
    by_rank.retain(|(_, column)| {
        let fits = column.width < left;
        if fits {
            left -= column.width + 1;
        }
        fits
    });
    by_rank.sort_by_key(|(at, _)| *at);
    by_rank.into_iter().map(|(_, column)| column).collect()
}

fn table_height(rows: usize) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3)
}

fn server_state(server: &Server) -> Cell<'_> {
    Cell::from(match &server.failure {
        None => Span::styled("answers", GOOD),
        Some(reason) => Span::styled(reason.as_str(), BAD),
    })
}

fn server_cpu(server: &Server) -> Cell<'_> {
    Cell::from(format!("{:>3.0}%", server.cpu_pct.back().copied().unwrap_or(0.0)))
}

fn server_chart(server: &Server) -> Cell<'_> {
    Cell::from(bars(&server.cpu_pct)).style(Style::new().fg(Color::Cyan))
}

fn sink_state(sink: &SinkView) -> Cell<'_> {
    Cell::from(match &sink.condition {
        Condition::Starting => Span::raw("starting"),
        Condition::Ok => Span::styled("ok", GOOD),
        Condition::Warning(reason) | Condition::Failing(reason) => Span::styled(reason.as_str(), BAD),
    })
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

fn gigabytes(megabytes: f64) -> Cell<'static> {
    Cell::from(format!("{:>5.1} GB", megabytes / 1024.0))
}

fn count(number: u64) -> Cell<'static> {
    Cell::from(format!("{number:>8}"))
}

#[expect(clippy::cast_precision_loss, reason = "a share to look at")]
fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

/// What is left to say when the picture is gone.
pub(super) fn closing_words(summary: &Summary, points: u64, elapsed: Duration) -> String {
    let emitted: u64 = summary.view.sources.iter().map(|source| source.emitted).sum();
    let retries: u64 = summary.view.sinks.iter().map(|sink| sink.retries).sum();
    format!(
        "{emitted} events in {:.0} s; the simulated InfluxDB has {points} points of them (a health sample is eight); {retries} writes were repeated, {} events are undelivered.",
        elapsed.as_secs_f64(),
        summary.view.undelivered(),
    )
}

#[cfg(test)]
mod tests {
    use senseops_engine::{AttemptsView, Histogram, JournalView, Overflow, SourceView};

    use super::*;
    use crate::cli::screen::as_text;

    fn source(emitted: u64) -> SourceView {
        SourceView {
            name: "udp.users".into(),
            condition: Condition::Ok,
            emitted,
            lost: 0,
            rate_limited: 0,
            restarts: 0,
            certificates: Vec::new(),
            readings: Vec::new(),
        }
    }

    fn sink(name: &str, condition: Condition) -> SinkView {
        SinkView {
            name: name.into(),
            condition,
            delivered: 1200,
            refused: 1,
            dead_letters: 0,
            discarded: 0,
            retries: 2,
            writes: 40,
            attempts: AttemptsView::default(),
            write_seconds: Histogram::default(),
            overflow: Overflow::DropOldest,
            lag_events: 300,
            lag_bytes: 60_000,
            lag_age: Duration::from_secs(3),
            restarts: 0,
            last_success: None,
            certificates: Vec::new(),
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
            ..View::default()
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
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 80, 16)), @"
         SenseOps Stats   a simulated Qlik Sense estate, 09:05 o'clock there, 25s left
        ┌ servers, and 1 more: health polled over mutual TLS, every second ────────────┐
        │server     state          cpu  committed free     sessions users apps poll    │
        │Server1    answers         99%   2.0 GB    0.5 GB        7     3    4   1.2 ms│
        └──────────────────────────────────────────────────────────────────────────────┘
        ┌ 200 events/s emitted, 0/s delivered to InfluxDB ───┐┌ users, over UDP ───────┐
        │▄█                                                  ││Start session         42│
        └────────────────────────────────────────────────────┘└────────────────────────┘
        ┌ journal in memory ───────────────────────────────────────────────────────────┐
        │████████████████████300 events wait, 64.0 MiB of 256.0 MiB                    │
        └──────────────────────────────────────────────────────────────────────────────┘
        ┌ sinks: the simulated InfluxDB is away ───────────────────────────────────────┐
        │sink           state            delivered waiting  retries  refused  discarded│
        │influx.target  connection refus     1200       300        2        1        0 │
        │picture        ok                   1200       300        2        1        0 │
        └──────────────────────────────────────────────────────────────────────────────┘
        ");
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 110, 25)), @"
         SenseOps Stats   a simulated Qlik Sense estate, 09:05 o'clock there, 25s left
        ┌ servers, health polled over mutual TLS, every second ──────────────────────────────────────────────────────┐
        │server     state          cpu                           committed free     sessions users apps poll         │
        │Server1    answers         99% ▁▃█                        2.0 GB    0.5 GB        7     3    4   1.2 ms     │
        │Server2    timeout          0%                            0.0 GB    0.0 GB        0     0    0   0.0 ms     │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ┌ 200 events/s emitted, 0/s delivered to InfluxDB ─────────────────────────────────┐┌ users, over UDP ───────┐
        │ █                                                                                ││Start session         42│
        │ █                                                                                ││                        │
        │██                                                                                ││                        │
        │██                                                                                ││                        │
        └──────────────────────────────────────────────────────────────────────────────────┘└────────────────────────┘
        ┌ journal in memory ─────────────────────────────────────────────────────────────────────────────────────────┐
        │███████████████████████████        300 events wait, 64.0 MiB of 256.0 MiB                                   │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ┌ sinks: the simulated InfluxDB is away ─────────────────────────────────────────────────────────────────────┐
        │sink           state                                          delivered waiting  retries  refused  discarded│
        │influx.target  connection refused                                 1200       300        2        1        0 │
        │picture        ok                                                 1200       300        2        1        0 │
        └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        WARN component is failing
        ");
    }
}
