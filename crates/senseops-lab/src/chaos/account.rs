//! What became of the events of a scenario.

use std::fmt;
use std::time::Duration;

use crate::program::Ended;

/// Events in and out, and every promise that did not hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Events, or datagrams, that were given to the program.
    pub(crate) sent: u64,
    /// How many of them the target has.
    pub(crate) arrived: u64,
    /// How many of them the program says are lost or refused.
    pub(crate) counted: u64,
    /// How many the target got again.
    pub(crate) duplicates: u64,
    /// The memory of the program after it was warm and at the end, in MiB.
    pub(crate) resident: Option<(f64, f64)>,
    /// What else was seen.
    pub(crate) remark: String,
    /// Why the scenario was not run, if so.
    pub(crate) skipped: Option<&'static str>,
    /// The promises that did not hold.
    pub(crate) broken: Vec<String>,
}

/// An account with its name and time.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: &'static str,
    seconds: f64,
    account: Account,
}

impl Account {
    /// Nothing can be said but why.
    pub(crate) fn failed(why: &impl fmt::Display) -> Self {
        Self { broken: vec![why.to_string()], ..Self::default() }
    }

    /// Nothing was tried, since the machine lacks something.
    pub(crate) fn skipped(why: &'static str) -> Self {
        Self { skipped: Some(why), ..Self::default() }
    }

    /// Takes over what the program counted as refused, discarded or lost of what its sources emitted.
    pub(crate) fn count_losses(&mut self, ended: &Ended) {
        self.counted += ended.sinks.of("refused") + ended.sinks.of("discarded") + ended.sources.of("lost");
        let undelivered = ended.sinks.of("undelivered");
        self.demand(undelivered == 0, || format!("{undelivered} events not delivered at the end"));
        self.demand(ended.code == Some(0), || format!("exit code {:?}", ended.code));
    }

    /// Demands that all that was sent has arrived or is counted.
    pub(crate) fn balance(&mut self) {
        let Self { sent, arrived, counted, .. } = *self;
        self.demand(sent == arrived + counted, || {
            format!("{sent} sent, but {arrived} arrived + {counted} counted")
        });
        self.demand(sent > 0, || "nothing was sent".into());
    }

    /// Demands that nothing was lost, counted or not.
    pub(crate) fn demand_all(&mut self) {
        self.balance();
        self.demand(self.counted == 0, || "events were lost".into());
    }

    /// Demands that the memory has not grown by more than this.
    pub(crate) fn demand_memory(&mut self, most_mib: f64) {
        if let Some((before, after)) = self.resident {
            self.demand(after - before <= most_mib, || format!("memory grew by {:.1} MiB", after - before));
        }
    }

    /// Notes it if a promise does not hold.
    pub(crate) fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    pub(crate) fn row(self, name: &'static str, took: Duration) -> Row {
        Row { name, seconds: took.as_secs_f64(), account: self }
    }
}

impl Row {
    pub(crate) fn is_broken(&self) -> bool {
        !self.account.broken.is_empty()
    }

    fn cells(&self) -> [String; 8] {
        let Self { name, seconds, account } = self;
        let resident =
            account.resident.map_or_else(String::new, |(before, after)| format!("{before:.0} → {after:.0}"));
        let verdict = if self.is_broken() {
            format!("**broken**: {}", account.broken.join("; ").replace('\n', " "))
        } else if let Some(why) = account.skipped {
            format!("not run: {why}")
        } else if account.remark.is_empty() {
            "kept".into()
        } else {
            format!("kept; {}", account.remark)
        };
        [
            format!("`{name}`"),
            account.sent.to_string(),
            account.arrived.to_string(),
            account.counted.to_string(),
            account.duplicates.to_string(),
            format!("{seconds:.0}"),
            resident,
            verdict,
        ]
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, sent, arrived, counted, duplicates, seconds, resident, verdict] = self.cells();
        write!(f, "{sent} sent = {arrived} arrived + {counted} counted, {duplicates} twice; {seconds} s; ")?;
        write!(f, "{resident} MiB; {verdict}")
    }
}

pub(crate) fn markdown(rows: &[Row]) -> String {
    let head = "| scenario | sent | arrived | counted losses | duplicates | seconds | resident MiB | verdict |\n\
                |---|---|---|---|---|---|---|---|\n";
    let row = |row: &Row| format!("| {} |\n", row.cells().join(" | "));
    head.to_owned() + &rows.iter().map(row).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(account: Account) -> Row {
        account.row("name", Duration::from_secs(3))
    }

    #[test]
    fn an_event_that_is_neither_there_nor_counted_breaks_the_promise() {
        let mut account = Account { sent: 10, arrived: 7, counted: 2, ..Account::default() };
        account.balance();
        let row = row(account);
        assert!(row.is_broken());
        assert_eq!(
            row.to_string(),
            "10 sent = 7 arrived + 2 counted, 0 twice; 3 s;  MiB; **broken**: 10 sent, but 7 arrived + 2 counted"
        );
    }

    #[test]
    fn a_loss_that_is_counted_keeps_the_balance_but_is_a_loss() {
        let mut account = Account { sent: 10, arrived: 8, counted: 2, ..Account::default() };
        account.balance();
        assert!(!row(account.clone()).is_broken());
        account.demand_all();
        assert!(row(account).is_broken());
    }
}
