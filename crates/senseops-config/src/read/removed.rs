//! What was taken out of a value so that the rest of it could be read.

use figment::error::Kind;

/// Remembers what was taken out, by where it is in the file.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// Items of lists; the positions of later items no longer count them.
    items: Vec<Vec<String>>,
    /// Whatever may be missed by the table that it was in.
    causes: Vec<Vec<String>>,
    /// Keys that were probably meant by unknown ones.
    meant: Vec<Vec<String>>,
}

impl Removed {
    /// An unknown key was taken out, and the one that was meant by it.
    pub(super) fn key(&mut self, written: Vec<String>, meant: Option<&str>) {
        if let (Some(meant), Some((_, table))) = (meant, written.split_last()) {
            self.meant.push(below(table, meant));
        }
        self.causes.push(written);
    }

    /// A value was taken out.
    pub(super) fn value(&mut self, written: Vec<String>, is_item: bool) {
        if is_item {
            self.items.push(written.clone());
        }
        self.causes.push(written);
    }

    /// A path as it is in the file: counting the list items that were taken out.
    pub(super) fn as_written(&self, at: &[String]) -> Vec<String> {
        let mut written: Vec<String> = Vec::with_capacity(at.len());
        for key in at {
            let key = match key.parse() {
                Ok(position) => self.position_as_written(&written, position).to_string(),
                Err(_not_a_position) => key.clone(),
            };
            written.push(key);
        }
        written
    }

    fn position_as_written(&self, list: &[String], mut position: usize) -> usize {
        let position_in_list = |item: &Vec<String>| match item.split_last() {
            Some((last, parent)) if parent == list => last.parse().ok(),
            Some(_) | None => None,
        };
        let mut gone: Vec<usize> = self.items.iter().filter_map(position_in_list).collect();
        gone.sort_unstable();
        for item in gone {
            if item <= position {
                position += 1;
            }
        }
        position
    }

    /// Whether a key is only missing because it was taken out, or because it is misspelled.
    pub(super) fn explains_missing(&self, table: &[String], key: &str) -> bool {
        let missing = below(table, key);
        self.causes.iter().chain(&self.meant).any(|path| *path == missing)
    }

    /// Whether an error of a whole table is about something that was taken out of it.
    pub(super) fn explains(&self, kind: &Kind, written: &[String]) -> bool {
        let concerns_the_whole = matches!(kind, Kind::Message(_) | Kind::InvalidLength(..));
        concerns_the_whole
            && self.causes.iter().any(|cause| cause.len() > written.len() && cause.starts_with(written))
    }
}

fn below(table: &[String], key: &str) -> Vec<String> {
    let mut path = table.to_vec();
    path.push(key.to_owned());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn positions_count_the_items_that_were_taken_out() {
        let mut removed = Removed::default();
        for (now, written) in
            [("servers.1", "servers.1"), ("servers.0", "servers.0"), ("servers.1", "servers.3")]
        {
            assert_eq!(removed.as_written(&path(now)), path(written));
            removed.value(path(written), true);
        }
        assert_eq!(removed.as_written(&path("servers.0.tags.0")), path("servers.2.tags.0"));
        assert_eq!(removed.as_written(&path("other.0")), path("other.0"));
    }
}
