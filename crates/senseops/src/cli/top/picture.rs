//! The picture of a running instance.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Block, Cell, Gauge, Table, Widget};
use senseops_web::{State, Status};

use super::columns::Columns;
use super::components::Row;
use super::table::{harmless, size, span};

const TITLE_HEIGHT: u16 = 1;
const JOURNAL_HEIGHT: u16 = 3;

/// Everything that one picture shows.
pub(super) struct Picture {
    pub(super) status: Status,
    pub(super) rows: Vec<Row>,
    /// Why the instance does not answer any more, if so.
    pub(super) trouble: Option<String>,
}

impl Widget for &Picture {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let rows = Layout::vertical([
            Constraint::Length(TITLE_HEIGHT),
            Constraint::Length(JOURNAL_HEIGHT),
            Constraint::Fill(1),
        ]);
        let [title, journal, components] = rows.areas(area);
        self.title().render(title, buffer);
        self.render_journal(journal, buffer);
        self.render_components(components, buffer);
    }
}

impl Picture {
    fn title(&self) -> Line<'_> {
        let ready = if self.status.ready { "ready".green() } else { "not ready".red() };
        let rest = match (&self.trouble, &self.status.process) {
            (Some(trouble), _) => Span::styled(format!(", {}", harmless(trouble)), Color::Red),
            (None, Some(process)) => Span::raw(format!(
                ", up {}, {} resident, q ends this",
                span(self.status.uptime_seconds),
                size(process.resident_memory_bytes)
            )),
            (None, None) => Span::raw(format!(", up {}, q ends this", span(self.status.uptime_seconds))),
        };
        let program = format!(" {} ", self.status.program);
        Line::from(vec![program.black().on_green(), format!(" {} ", self.status.version).into(), ready, rest])
    }

    fn render_journal(&self, area: Rect, buffer: &mut Buffer) {
        let journal = &self.status.journal;
        let trouble = journal.failure.as_ref().or(journal.unreadable.as_ref());
        let place = match (&journal.path, trouble) {
            (_, Some(trouble)) => format!(" journal: {} ", harmless(trouble)),
            (Some(path), None) => format!(" journal in {path} "),
            (None, None) => " journal in memory ".to_owned(),
        };
        let label =
            format!("{} events wait, {} of {}", journal.events, size(journal.bytes), size(journal.max_bytes));
        let colour = if trouble.is_some() { Color::Red } else { Color::Cyan };
        Gauge::default()
            .block(Block::bordered().title(place))
            .ratio(share(journal.bytes, journal.max_bytes))
            .gauge_style(Style::new().fg(colour))
            .label(label)
            .render(area, buffer);
    }

    fn render_components(&self, area: Rect, buffer: &mut Buffer) {
        let shown = usize::from(area.height.saturating_sub(3));
        let hidden = self.rows.len().saturating_sub(shown);
        let more = if hidden == 0 { String::new() } else { format!(", {hidden} more do not fit") };
        // Whoever has trouble is looked for first.
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        if hidden > 0 {
            rows.sort_by_key(|row| std::cmp::Reverse(row.state));
        }
        let rows: Vec<Row> = rows.into_iter().take(shown).cloned().collect();
        let columns = Columns::of(&rows, usize::from(area.width.saturating_sub(2)));
        let widths =
            columns.widths().map(|width| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
        let widths: Vec<_> = widths.collect();
        let header = widgets::Row::new(columns.texts(Row::HEADER).map(|(_, title)| title)).bold();
        let rows = rows.into_iter().map(|row| {
            let colour = colour(row.state);
            widgets::Row::new(columns.texts(row.cells()).map(|(title, text)| {
                let cell = Cell::from(text);
                if title == "state" { cell.style(colour) } else { cell }
            }))
        });
        let title = format!(" sources, relays and sinks{more} ");
        Table::new(rows, widths).header(header).block(Block::bordered().title(title)).render(area, buffer);
    }
}

fn colour(state: State) -> Style {
    match state {
        State::Ok => Style::new().fg(Color::Green),
        State::Starting => Style::new(),
        State::Warning => Style::new().fg(Color::Yellow),
        State::Failing => Style::new().fg(Color::Red),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share to look at")]
fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use senseops_web::{CursorStatus, Health, JournalStatus, SinkStatus, SourceStatus};

    use super::*;
    use crate::cli::screen::as_text;
    use crate::cli::top::components::rows;

    #[test]
    fn a_picture_shows_the_journal_and_every_component() {
        let status = Status {
            program: "sos".into(),
            version: "1.2.3".into(),
            uptime_seconds: 300.0,
            journal: JournalStatus {
                events: 7,
                bytes: 64 << 20,
                max_bytes: 256 << 20,
                cursors: vec![CursorStatus {
                    name: "influx.old".into(),
                    lag_events: 4711,
                    lag_age_seconds: 7200.0,
                    ..CursorStatus::default()
                }],
                ..JournalStatus::default()
            },
            sources: vec![SourceStatus {
                name: "udp.users".into(),
                emitted: 1200,
                ..SourceStatus::default()
            }],
            sinks: vec![SinkStatus {
                name: "influx.main".into(),
                health: Health {
                    state: State::Failing,
                    reason: "http://influx:8086 refused the connection; check that the service runs".into(),
                },
                delivered: 123_456_789,
                lag_events: 7,
                lag_age_seconds: 12.0,
                last_success_seconds: Some(12.0),
                ..SinkStatus::default()
            }],
            ..Status::default()
        };
        let picture = Picture { rows: rows(&status, None), status, trouble: None };
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 120, 10)), @"
         sos  1.2.3 not ready, up 5 min, q ends this
        ┌ journal in memory ───────────────────────────────────────────────────────────────────────────────────────────────────┐
        │██████████████████████████████           7 events wait, 64.0 MiB of 256.0 MiB                                         │
        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ┌ sources, relays and sinks ───────────────────────────────────────────────────────────────────────────────────────────┐
        │component      events rate/s waiting  age lost last success state                                                     │
        │udp.users        1200                        0              starting                                                  │
        │influx.main 123456789              7 12 s    0     12 s ago failing: http://influx:8086 refused the connection; check…│
        │influx.old                      4711  2 h    0              gone; sos journal forget influx.old gives up what waits   │
        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ");
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 80, 10)), @"
         sos  1.2.3 not ready, up 5 min, q ends this
        ┌ journal in memory ───────────────────────────────────────────────────────────┐
        │████████████████████ 7 events wait, 64.0 MiB of 256.0 MiB                     │
        └──────────────────────────────────────────────────────────────────────────────┘
        ┌ sources, relays and sinks ───────────────────────────────────────────────────┐
        │component      events rate/s waiting  age lost state                          │
        │udp.users        1200                        0 starting                       │
        │influx.main 123456789              7 12 s    0 failing: http://influx:8086 re…│
        │influx.old                      4711  2 h    0 gone; sos journal forget influ…│
        └──────────────────────────────────────────────────────────────────────────────┘
        ");
        insta::assert_snapshot!(as_text(&picture, Rect::new(0, 0, 80, 8)), @"
         sos  1.2.3 not ready, up 5 min, q ends this
        ┌ journal in memory ───────────────────────────────────────────────────────────┐
        │████████████████████ 7 events wait, 64.0 MiB of 256.0 MiB                     │
        └──────────────────────────────────────────────────────────────────────────────┘
        ┌ sources, relays and sinks, 2 more do not fit ────────────────────────────────┐
        │component      events rate/s waiting  age lost state                          │
        │influx.main 123456789              7 12 s    0 failing: http://influx:8086 re…│
        └──────────────────────────────────────────────────────────────────────────────┘
        ");
    }
}
