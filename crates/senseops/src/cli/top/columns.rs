//! Which columns of the table fit on the screen. A figure is shown whole or not at all; names and words may be cut.

use super::components::Row;

/// Column by column as in [`Row::HEADER`]: how wide, or `None` where it does not fit.
pub(super) struct Columns([Option<usize>; Row::HEADER.len()]);

/// Which figures go first where there is no room for all.
const EXPENDABLE: [usize; 6] = [6, 4, 2, 1, 3, 5];
/// As much of a name tells components apart.
const SHORT_NAME: usize = 16;
/// As much of the words tells how a component is.
const SHORT_STATE: usize = 28;

impl Columns {
    /// Columns for these rows, with a blank between them, in `room` characters.
    pub(super) fn of(rows: &[Row], room: usize) -> Self {
        let mut widest = Row::HEADER.map(|title| chars(title.trim_start_matches('>')));
        for row in rows {
            for (width, cell) in widest.iter_mut().zip(row.clone().cells()) {
                *width = chars(&cell).max(*width);
            }
        }
        let [name, .., state] = widest;
        let mut widths = widest.map(Some);
        let [first, .., last] = &mut widths;
        (*first, *last) = (Some(name.min(SHORT_NAME)), Some(state.min(SHORT_STATE)));
        for column in EXPENDABLE {
            if taken(&widths) > room
                && let Some(width) = widths.get_mut(column)
            {
                *width = None;
            }
        }
        // What is left is for the names first.
        for (column, wanted) in [(0, name), (widths.len() - 1, state)] {
            let rest = room.saturating_sub(taken(&widths));
            if let Some(Some(width)) = widths.get_mut(column) {
                *width = wanted.min(*width + rest);
            }
        }
        Self(widths)
    }

    /// The widths of those that fit.
    pub(super) fn widths(&self) -> impl Iterator<Item = usize> {
        self.0.iter().copied().flatten()
    }

    /// What stands in those that fit: cut where that is necessary, and to the right where the title says so.
    pub(super) fn texts<T: AsRef<str>>(
        &self,
        texts: [T; Row::HEADER.len()],
    ) -> impl Iterator<Item = (&'static str, String)> {
        let columns = self.0.into_iter().zip(Row::HEADER).zip(texts);
        columns.filter_map(|((width, title), text)| {
            let (width, text) = (width?, text.as_ref().trim_start_matches('>'));
            let text = cut(text, width);
            Some((title, if title.starts_with('>') { format!("{text:>width$}") } else { text }))
        })
    }
}

/// All columns together with the blanks between them.
fn taken(widths: &[Option<usize>]) -> usize {
    let columns = widths.iter().flatten();
    columns.clone().sum::<usize>() + columns.count().saturating_sub(1)
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// As much of a text as fits, with a mark where something is missing.
fn cut(text: &str, width: usize) -> String {
    if chars(text) <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain((width > 0).then_some('…')).collect()
}
