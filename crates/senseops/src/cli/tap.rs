//! `sos tap`: events of a running instance as they happen.

use std::io::{self, Write};
use std::time::Duration;

use senseops_config::Registry;
use senseops_core::Event;
use senseops_sink_console::Pretty;
use senseops_wire::Lossless;
use serde::{Deserialize, Serialize};

use super::args;
use super::exit::Exit;
use super::instance::{Instance, InstanceError};
use super::output;
use super::signals::{self, Hangup};

/// The longest line. An event of a source has a bound far below.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// A line of the stream: an event with its source, or how many events are not in it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    source: String,
    event: Option<Lossless<Event>>,
    missed: u64,
}

/// A line of the output.
#[derive(Serialize)]
struct Shown {
    source: String,
    event: Event,
}

/// Where lines of the stream become lines of the output.
struct Printer<W> {
    out: W,
    json: bool,
    /// Events to come, if that is limited.
    left: Option<u64>,
    missed: u64,
}

pub(super) async fn tap(registry: &Registry, args: &args::Tap) -> io::Result<Exit> {
    let (stop, _) = signals::stop_requested(Hangup::Stops)?;
    let mut printer = Printer { out: output::stdout(), json: args.json, left: args.count, missed: 0 };
    let ended = tokio::select! {
        ended = follow(registry, args, &mut printer) => ended?,
        () = stop => Ok(()),
    };
    if printer.missed > 0 {
        output::complain(format_args!("{} events were missed, they came too fast", printer.missed))?;
    }
    match ended {
        Ok(()) => Ok(Exit::Done),
        Err(error) => error.tell(),
    }
}

/// Prints until the instance stops, or enough was printed.
async fn follow<W: Write>(
    registry: &Registry,
    args: &args::Tap,
    printer: &mut Printer<W>,
) -> io::Result<Result<(), InstanceError>> {
    let instance = match Instance::find(registry, &args.access, Duration::MAX).await {
        Ok(instance) => instance,
        Err(error) => return Ok(Err(error)),
    };
    let kinds: Vec<String> = args.kinds.iter().map(ToString::to_string).collect();
    let kinds = kinds.iter().map(|kind| ("kind", kind.as_str()));
    let sources = args.sources.iter().map(|source| ("source", source.as_str()));
    let query: Vec<_> = kinds.chain(sources).collect();
    let mut stream = match instance.stream("/api/v1/events", &query).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    let mut buffer = Vec::new();
    while printer.left != Some(0) {
        match instance.next(&mut stream).await {
            Ok(Some(piece)) => buffer.extend_from_slice(piece.as_ref()),
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
        let complete = buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in buffer.drain(..complete).as_slice().split(|byte| *byte == b'\n') {
            printer.print(line)?;
        }
        if buffer.len() > MAX_LINE_BYTES {
            buffer.clear();
        }
    }
    Ok(Ok(()))
}

impl<W: Write> Printer<W> {
    /// Prints one line of the stream. An empty one only says that the instance is still there.
    fn print(&mut self, line: &[u8]) -> io::Result<()> {
        if line.is_empty() || self.left == Some(0) {
            return Ok(());
        }
        let Ok(Line { source, event, missed }) = serde_json::from_slice(line) else { return Ok(()) };
        self.missed += missed;
        let Some(Lossless(event)) = event else { return Ok(()) };
        if self.json {
            serde_json::to_writer(&mut self.out, &Shown { source, event })?;
            writeln!(self.out)?;
        } else {
            writeln!(self.out, "{}", Pretty::plain(&event))?;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use senseops_core::{Body, Fields, Kind};
    use serde_json::json;

    use super::*;

    fn printed(lines: &[&str], json: bool, left: Option<u64>) -> (String, u64) {
        let mut printer = Printer { out: Vec::new(), json, left, missed: 0 };
        for line in lines {
            printer.print(line.as_bytes()).unwrap();
        }
        (String::from_utf8(printer.out).unwrap(), printer.missed)
    }

    #[test]
    fn events_are_printed_up_to_the_limit_and_what_was_missed_is_counted() {
        let event = Event::new(
            Kind::new("a.b"),
            &Arc::default(),
            Body::Measurement(Fields::default().with("n", 7_u64)),
        );
        let sent = json!({ "source": "udp.users", "event": Lossless(&event) }).to_string();
        let expected = serde_json::to_string(&Shown { source: "udp.users".into(), event }).unwrap();
        let lines = [&sent, "", r#"{"missed":7}"#, &sent, &sent, "no json"];
        let (text, missed) = printed(&lines, true, Some(2));
        assert_eq!((text, missed), (format!("{expected}\n{expected}\n"), 7));
        assert_eq!(printed(&lines, false, None).0.lines().count(), 3);
    }
}
