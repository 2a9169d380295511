//! What a terminal shows, read from a pseudo terminal by an emulator.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use vt100::Parser;

use crate::control::{send, source, until};
use crate::launch::{ANY, Logged, Running, config, free_tcp, sos};

/// A program in a terminal.
struct Terminal {
    running: Running,
    keys: ChildStdin,
    shown: ChildStdout,
    screen: Parser,
}

impl Terminal {
    /// Starts `sos` with these arguments, which need no quoting, in a terminal of this size.
    fn start(rows: u16, columns: u16, arguments: &[&str]) -> Self {
        let command = format!(
            "stty rows {rows} cols {columns}; exec {} {}",
            env!("CARGO_BIN_EXE_sos"),
            arguments.join(" ")
        );
        let mut script = Command::new("script");
        script.args(["-qefc", &command, "/dev/null"]).env("TERM", "xterm-256color").env_remove("SOS_TOKEN");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { running: Running(child), keys, shown, screen: Parser::new(rows, columns, 0) }
    }

    /// What is on the screen once it is as it should be.
    fn until(&mut self, done: impl Fn(&str) -> bool) -> String {
        let mut bytes = [0; 4096];
        loop {
            let text = self.screen.screen().contents();
            if done(&text) {
                return text;
            }
            let count = self.shown.read(&mut bytes).unwrap();
            assert!(count > 0, "it ended, and what was on the screen is\n{text}");
            self.screen.process(&bytes[..count]);
        }
    }

    /// Asks it to end and gives the exit code.
    fn quit(mut self) -> i32 {
        self.keys.write_all(b"q").unwrap();
        let _last_picture = self.shown.read_to_end(&mut Vec::new());
        self.running.0.wait().unwrap().code().unwrap()
    }
}

#[test]
fn top_shows_figures_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let web = free_tcp();
    let yaml = format!(
        "web: {{ listen: '{web}' }}\n{}sinks: {{ influx: {{ a_target_with_a_long_name: {{ url: 'http://127.0.0.1:1', database: x }} }} }}\n",
        source(ANY)
    );
    let path = config(dir.path(), &yaml);
    let _program = Logged::start(&mut sos(&["run", "-c", &path]));
    for _ in 0..123 {
        send(web);
    }
    until(web, |status| status["sinks"][0]["lag_events"] == 123);
    let shown = |columns: u16| {
        let mut terminal = Terminal::start(24, columns, &["top", "-c", &path]);
        let text = terminal.until(|text| row(text, "influx.a_").is_some());
        assert_eq!(terminal.quit(), 0);
        text
    };
    let wide = shown(120);
    assert_eq!(
        row(&wide, "component").unwrap(),
        ["component", "events", "rate/s", "waiting", "age", "lost", "last", "success", "state"]
    );
    assert!(wide.contains("influx.a_target_with_a_long_name"), "{wide}");
    let narrow = shown(80);
    assert_eq!(row(&narrow, "component").unwrap().last(), Some(&"state".to_owned()), "{narrow}");
    let sink = row(&narrow, "influx.a_").unwrap();
    assert!(sink.contains(&"123".to_owned()), "{narrow}");
    assert!(narrow.contains("failing:"), "{narrow}");
    assert!(narrow.contains('…'), "what is cut says so: {narrow}");
    let tiny = shown(60);
    assert!(row(&tiny, "influx.a_").unwrap().contains(&"123".to_owned()), "{tiny}");
}

/// The words of the row that begins so.
fn row(text: &str, begin: &str) -> Option<Vec<String>> {
    let inside = text.lines().map(|line| line.trim_matches(['│', ' ']));
    let row = inside.into_iter().find(|line| line.starts_with(begin))?;
    Some(row.split_whitespace().map(str::to_owned).collect())
}
