//! Cursors of sinks that are gone: named where an operator looks, and given up.
#![cfg(unix)]

use senseops_testkit::{Answer, HttpTarget};
use serde_json::Value;

use crate::control::{send, source, status, until};
use crate::launch::{ANY, Logged, config, free_tcp, http, output, sos};

#[test]
fn a_cursor_is_shown_and_given_up_with_and_without_a_running_instance() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let state = dir.path().join("state");
    let pipeline = format!("pipeline: {{ state_dir: {state:?}, shutdown_timeout: 1s }}\n");
    let yaml = |sinks: &[&str]| {
        let sinks: Vec<_> = sinks
            .iter()
            .map(|name| format!("{name}: {{ url: 'http://127.0.0.1:1', database: x }}"))
            .collect();
        format!(
            "{pipeline}web: {{ listen: '{web}' }}\n{}sinks: {{ console: {{ out: {{}} }}, influx: {{ {} }} }}\n",
            source(udp),
            sinks.join(", ")
        )
    };
    let path = config(dir.path(), &yaml(&["a", "b", "c"]));
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    send(web);
    until(web, |status| status["journal"]["durable_events"] == 1);
    config(dir.path(), &yaml(&["c"]));
    assert_eq!(output(&["reload", "-c", &path]).0, 0);

    let directory = state.join("journal");
    let directory = directory.to_str().unwrap();
    let table = |arguments: &[&str]| {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!(code, 0, "{stderr}");
        let rows = stdout.lines().skip_while(|line| !line.starts_with("cursor ")).skip(1);
        let rows = rows.filter_map(|row| {
            let mut words = row.split_whitespace();
            Some(format!("{} {} {}", words.next()?, words.next()?, words.next()?))
        });
        rows.collect::<Vec<_>>()
    };
    let shown = table(&["journal", "show", "-c", &path]);
    assert_eq!(shown, ["console.out yes 0", "influx.a no 1", "influx.b no 1", "influx.c yes 1"]);
    let (code, _, stderr) = output(&["journal", "forget", "influx.c", "-c", &path]);
    assert_eq!((code, stderr.as_str()), (2, "sos: influx.c is reading the journal\n"));
    let (code, stdout, _) = output(&["journal", "forget", "influx.a", "-c", &path]);
    let forgotten = "influx.a is forgotten; 1 events that waited for it are given up\n";
    assert_eq!((code, stdout.as_str()), (0, forgotten));
    // Who looks at the files themselves hears who uses them.
    let (code, _, stderr) = output(&["journal", "forget", "influx.b", "--path", directory]);
    assert_eq!(code, 4);
    assert!(stderr.contains(&program.running.0.id().to_string()), "{stderr}");
    assert_eq!(program.stop(), 0);

    assert_eq!(output(&["journal", "forget", "influx.b", "--path", directory]).0, 0);
    let shown = table(&["journal", "show", "-c", &path]);
    assert_eq!(shown, ["console.out no 0", "influx.c no 1"]);
    let (code, stdout, _) = output(&["journal", "show", "--path", directory, "--json"]);
    let status: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &status["appended_events"]), (0, &Value::from(1)));
    let (code, _, stderr) = output(&["journal", "forget", "influx.b", "--path", directory]);
    assert_eq!((code, stderr.as_str()), (2, "sos: the journal has no cursor named influx.b\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_renamed_sink_leaves_behind_is_named_by_the_reload_the_log_health_and_top() {
    let dir = tempfile::tempdir().unwrap();
    let (web, udp) = (free_tcp(), ANY);
    let target = HttpTarget::start().await.unwrap();
    target.answer_with(|_request| Answer::status(503.try_into().unwrap()));
    let yaml = |name: &str| {
        let influx = format!("influx: {{ {name}: {{ url: '{}', database: x }} }}", target.url());
        format!("web: {{ listen: '{web}' }}\n{}sinks: {{ {influx} }}\n", source(udp))
    };
    let path = config(dir.path(), &yaml("old"));
    let mut program = Logged::start(&mut sos(&["run", "-c", &path]));
    send(web);
    until(web, |status| status["sinks"][0]["lag_events"] == 1);
    config(dir.path(), &yaml("new"));
    let (code, stdout, stderr) = output(&["reload", "-c", &path]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "started sinks.influx.new; stopped sinks.influx.old; 1 unchanged\n")
    );
    let sentence =
        "1 event waits for influx.old, which is gone; `sos journal forget influx.old` gives them up";
    assert_eq!(stderr, format!("warning: {sentence}\n"));
    program.wait_for(sentence);
    let readiness: Value = serde_json::from_str(&http(web, "GET /readyz", &[]).1).unwrap();
    let journal = &readiness["components"]["pipeline.journal"];
    assert_eq!((&journal["state"], &journal["reason"]), (&"warning".into(), &sentence.into()));
    let (_, stdout, _) = output(&["top", "-c", &path]);
    assert!(stdout.contains("gone; sos journal forget influx.old gives up what waits"), "{stdout}");

    assert_eq!(output(&["journal", "forget", "influx.old", "-c", &path]).0, 0);
    let readiness: Value = serde_json::from_str(&http(web, "GET /readyz", &[]).1).unwrap();
    assert_eq!(readiness["components"]["pipeline.journal"]["state"], "ok");
    assert_eq!(status(web)["journal"]["cursors"].as_array().unwrap().len(), 1);
}
