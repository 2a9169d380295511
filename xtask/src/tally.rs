//! How many tests were run, read from what the test runners print.

use std::fmt;
use std::ops::AddAssign;

/// A number of tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// What a line of output adds: the summary of `cargo nextest run`, or that of a test binary.
    pub(crate) fn of_line(line: &str) -> Self {
        // An indented "test result" is part of the output of a failed test, which nextest shows.
        let summary = line.trim_start().starts_with("Summary [") || line.starts_with("test result: ");
        let mut tally = Self::default();
        if !summary {
            return tally;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        for (number, what) in words.iter().zip(words.iter().skip(1)) {
            let Ok(number) = number.parse::<u32>() else { continue };
            match what.trim_end_matches([',', ';']) {
                "passed" => tally.passed += number,
                "failed" | "timed" => tally.failed += number,
                "skipped" | "ignored" => tally.skipped += number,
                _other => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_both_runners_are_counted() {
        for (line, expected) in [
            ("     Summary [   1.204s] 12 tests run: 12 passed, 3 skipped", (12, 0, 3)),
            ("Summary [ 61.1s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 0 skipped", (6, 3, 0)),
            (
                "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s",
                (7, 0, 1),
            ),
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 38 filtered out",
                (0, 0, 0),
            ),
            ("        PASS [   0.004s] xtask tally::tests::x", (0, 0, 0)),
            ("this line says that 3 passed", (0, 0, 0)),
        ] {
            let (passed, failed, skipped) = expected;
            assert_eq!(Tally::of_line(line), Tally { passed, failed, skipped }, "{line}");
        }
    }
}
