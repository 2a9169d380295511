//! The program keeps its books, whatever its parts do.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

const EVENTS: usize = 1_200;

fn configuration(stored: &str) -> String {
    format!(
        "sources: {{ numbered: {{ load: {{ count: {EVENTS}, panics_after: 500, stored: '{stored}' }} }} }}\n\
         sinks:\n  console: {{ main: {{ format: json, delivery: {{ max_age: 10ms }} }} }}\n  \
         panicking: {{ main: {{ panics: 2, delivery: {{ max_age: 10ms }} }} }}\n"
    )
}

#[test]
fn every_number_is_stored_once_through_panics_on_both_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (config, stored) = (directory.path().join("sos.yaml"), directory.path().join("stored"));
    fs::write(&config, configuration(&stored.display().to_string())).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_senseops-chaos"))
        .args(["--log-format", "json", "run", "-c"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(program.stdout.take().unwrap()).lines().take(EVENTS);
    let mut numbers: Vec<u64> = printed.map(|line| number(&line.unwrap())).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..).take(EVENTS).collect::<Vec<u64>>());

    let stop = Command::new("kill").args(["-s", "TERM", &program.id().to_string()]).status().unwrap();
    assert!(stop.success() && program.wait().unwrap().success());
    let mut log = String::new();
    program.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("\"delivered\":1200").count(), 2, "{log}");
    let stored = String::from_utf8(fs::read(stored).unwrap()).unwrap();
    assert!(
        stored
            .lines()
            .all(|line| line.split(' ').filter_map(|number| number.parse::<u64>().ok()).count() == 2)
    );
    assert_eq!(stored.lines().last(), Some("1000 1199"));
}

fn number(line: &str) -> u64 {
    let (_, rest) = line.split_once("\"n\":").unwrap();
    rest.split(|char: char| !char.is_ascii_digit()).next().unwrap().parse().unwrap()
}
