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
    /// How many may be missing that the program has not counted itself.
    pub(crate) may_miss: u64,
    /// How many the target got again.
    pub(crate) duplicates: u64,
    /// The memory of the program after it was warm and at the end, in MiB.
    pub(crate) resident: Option<(f64, f64)>,
    /// What else was seen.
    pub(crate) remark: String,
    /// Whether seconds and memory are judged, and not only shown: other work on the machine changes both.
    pub(crate) judges_machine: bool,
    /// Why the scenario was not run, if so.
    pub(crate) not_run: Option<&'static str>,
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
    /// One that judges what the machine has a part in, or not.
    pub(crate) fn new(judges_machine: bool) -> Self {
        Self { judges_machine, ..Self::default() }
    }

    /// Nothing can be said but why.
    pub(crate) fn failed(why: &impl fmt::Display) -> Self {
        Self { broken: vec![why.to_string()], ..Self::default() }
    }

    /// Nothing was tried, since the machine lacks something.
    pub(crate) fn not_run(why: &'static str) -> Self {
        Self { not_run: Some(why), ..Self::default() }
    }

    /// Takes over what the program counted as refused, discarded or lost of what its sources emitted.
    pub(crate) fn count_losses(&mut self, ended: &Ended) {
        self.counted += ended.sinks.of("refused") + ended.sinks.of("discarded") + ended.sources.of("lost");
        let undelivered = ended.sinks.of("undelivered");
        self.demand(undelivered == 0, || format!("{undelivered} events not delivered at the end"));
        self.demand(ended.code == Some(0), || format!("exit code {:?}", ended.code));
    }

    /// How many have not arrived and were not counted.
    pub(crate) fn uncounted(&self) -> u64 {
        self.sent.saturating_sub(self.arrived + self.counted)
    }

    /// Demands that all that was sent has arrived or is counted, but for what may be missing.
    pub(crate) fn balance(&mut self) {
        let Self { sent, arrived, counted, may_miss, .. } = *self;
        let uncounted = self.uncounted();
        self.demand(uncounted <= may_miss, || {
            format!("{uncounted} lost without a count, more than {may_miss}")
        });
        self.demand(arrived + counted <= sent, || {
            format!("{sent} sent, but {arrived} arrived + {counted} counted")
        });
        self.demand(sent > 0, || "nothing was sent".into());
    }

    /// Demands that nothing was lost, counted or not.
    pub(crate) fn demand_all(&mut self) {
        self.balance();
        self.demand(self.counted == 0, || "events were lost".into());
    }

    /// Demands that the memory has not grown by more than this, where that is judged.
    pub(crate) fn demand_memory(&mut self, most_mib: f64) {
        if let Some((before, after)) = self.resident {
            self.demand_of_machine(after - before <= most_mib, || {
                format!("memory grew by {:.1} MiB", after - before)
            });
        }
    }

    /// Demands that something took no longer than this, where that is judged.
    pub(crate) fn demand_time(&mut self, what: &str, took: Duration, most: Duration) {
        self.demand_of_machine(took <= most, || format!("{} s: {what}", took.as_secs()));
    }

    /// Notes it if a promise does not hold in which the machine has a part, where that is judged.
    pub(crate) fn demand_of_machine(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.demand(holds || !self.judges_machine, otherwise);
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

    pub(crate) fn was_run(&self) -> bool {
        self.account.not_run.is_none()
    }

    fn verdict(&self) -> String {
        let Account { broken, not_run, remark, .. } = &self.account;
        match not_run {
            Some(why) => format!("**not run**: {why}"),
            None if self.is_broken() => format!("**broken**: {}", broken.join("; ").replace('\n', " ")),
            None if remark.is_empty() => "kept".into(),
            None => format!("kept; {remark}"),
        }
    }

    fn cells(&self) -> [String; 9] {
        let Self { name, seconds, account } = self;
        let resident =
            account.resident.map_or_else(String::new, |(before, after)| format!("{before:.0} → {after:.0}"));
        [
            format!("`{name}`"),
            account.sent.to_string(),
            account.arrived.to_string(),
            account.counted.to_string(),
            account.uncounted().to_string(),
            account.duplicates.to_string(),
            format!("{seconds:.0}"),
            resident,
            self.verdict(),
        ]
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, sent, arrived, counted, uncounted, duplicates, seconds, resident, verdict] = self.cells();
        write!(
            f,
            "{sent} sent = {arrived} arrived + {counted} counted + {uncounted} not, {duplicates} twice; "
        )?;
        write!(f, "{seconds} s; {resident} MiB; {verdict}")
    }
}

pub(crate) fn markdown(rows: &[Row]) -> String {
    let head = "| scenario | sent | arrived | counted losses | uncounted losses | duplicates | seconds | resident MiB | verdict |\n\
                |---|---|---|---|---|---|---|---|---|\n";
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
            "10 sent = 7 arrived + 2 counted + 1 not, 0 twice; 3 s;  MiB; **broken**: 1 lost without a count, more than 0"
        );
    }

    #[test]
    fn an_event_that_nobody_sent_breaks_the_promise_too() {
        let mut account = Account { sent: 10, arrived: 9, counted: 2, may_miss: 5, ..Account::default() };
        account.balance();
        assert!(row(account).is_broken());
    }

    #[test]
    fn a_crash_may_cost_so_much_without_a_count_and_no_more() {
        for (may_miss, is_broken) in [(2, true), (3, false)] {
            let mut account = Account { sent: 10, arrived: 7, may_miss, ..Account::default() };
            account.balance();
            assert_eq!(row(account).is_broken(), is_broken, "{may_miss}");
        }
    }

    #[test]
    fn a_loss_that_is_counted_keeps_the_balance_but_is_a_loss() {
        let mut account = Account { sent: 10, arrived: 8, counted: 2, ..Account::default() };
        account.balance();
        assert!(!row(account.clone()).is_broken());
        account.demand_all();
        assert!(row(account).is_broken());
    }

    #[test]
    fn memory_and_seconds_are_judged_only_where_the_machine_has_nothing_else_to_do() {
        for judged in [false, true] {
            let mut account = Account { resident: Some((20.0, 90.0)), ..Account::new(judged) };
            account.demand_memory(64.0);
            account.demand_time("too late", Duration::from_secs(2), Duration::from_secs(1));
            assert_eq!(account.broken.len(), if judged { 2 } else { 0 });
        }
    }

    #[test]
    fn what_was_not_run_is_not_kept() {
        let row = row(Account::not_run("no disk"));
        assert!(!row.was_run() && !row.is_broken());
        assert!(markdown(&[row]).ends_with("| **not run**: no disk |\n"));
    }
}
