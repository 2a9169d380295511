//! The metrics, read by a parser of their own.

use std::collections::{BTreeMap, BTreeSet};

use senseops_core::host::Reading;
use senseops_core::{LabelSet, Timestamp};
use senseops_engine::figures::{self, Figure};
use senseops_engine::{CertificateView, Histogram};
use senseops_web::{ProcessStatus, Status, metrics, router};

use crate::support::{ask, event, send, until, with_pipeline};

/// Values by name and labels, after everything was checked that Prometheus checks.
fn parse(text: &str) -> BTreeMap<(String, BTreeMap<String, String>), String> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap().to_owned();
            assert!(families.insert(name.clone()), "{name} comes twice");
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            family = (name, kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels_of(labels.strip_suffix('}').unwrap())),
            None => (series, BTreeMap::new()),
        };
        let is_histogram = family.1 == "histogram";
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert_eq!(if is_histogram { base.unwrap() } else { name }, family.0);
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert_eq!(samples.insert((name.to_owned(), labels), value.to_owned()), None, "{line} comes twice");
    }
    samples
}

fn labels_of(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("\\{other} is no escape"),
                }),
                (end, '"') => break end,
                (_, c) => value.push(c),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None);
        text = rest.split_at(end + 1).1.trim_start_matches(',');
    }
    labels
}

fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> String {
    let labels = labels.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    parse(text)[&(name.to_owned(), labels)].clone()
}

#[tokio::test]
async fn a_running_pipeline_has_metrics_that_prometheus_reads() {
    with_pipeline(async |handle| {
        handle.emit(vec![event(1)]).await.ignore();
        until(&handle, |view| view.sinks[1].retries > 0 && view.sinks[0].delivered == 1).await;
        let router = router(handle, None);
        let (_, text) = ask(&router, "GET", "/metrics").await;
        let well = [("component", "well")];
        assert_eq!(value(&text, "sos_embedder_emitted_events_total", &[]), "1");
        assert_eq!(value(&text, "sos_sink_delivered_events_total", &well), "1");
        assert_eq!(value(&text, "sos_sink_lag_events", &[("component", "down")]), "1");
        let condition = |condition| [("component", "down"), ("role", "sink"), ("condition", condition)];
        assert_eq!(value(&text, "sos_component_condition", &condition("failing")), "1");
        assert_eq!(value(&text, "sos_component_condition", &condition("ok")), "0");
        assert_eq!(value(&text, "sos_ready", &[]), "0");
        assert!(
            value(&text, "sos_sink_last_success_timestamp_seconds", &well).parse::<f64>().unwrap() > 1.7e9
        );
        if cfg!(target_os = "linux") {
            assert_ne!(value(&text, "process_resident_memory_bytes", &[]), "0");
        }
        let response = send(&router, "GET", "/metrics").await;
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    })
    .await;
}

#[tokio::test]
async fn a_figure_of_a_components_own_has_its_name_and_its_sentence() {
    with_pipeline(async |handle| {
        let mut view = handle.view();
        let labels = LabelSet::from_iter([("reason", "odd \"one\"\\\n"), ("component", "x")]);
        let reading = |name, is_counter| {
            let (help, labels) = ("What is counted.", labels.clone());
            Reading { name, help, labels, value: 3, is_counter }
        };
        let expires = Timestamp::from_nanos(2_000_000_000_000_000_000);
        let certificate = CertificateView { path: "C:\\ca.pem".into(), expires };
        let sink = &mut view.sinks[0];
        sink.readings = vec![reading("restarts", true), reading("5xx-answers", false)];
        sink.certificates = vec![certificate];
        sink.write_seconds = Histogram { bounds: &[0.1, 1.0], counts: vec![4, 0, 1], sum: 7.5 };
        view.process = Some(ProcessStatus { max_fds: Some(1024), ..ProcessStatus::default() });

        let text = metrics(&view, &handle.conditions());
        let component = ("component", "well");
        let own = [("own_component", "x"), ("reason", "odd \"one\"\\\n")];
        for (name, labels, expected) in [
            ("sos_sink_restarts_total", vec![component], "0"),
            ("sos_sink_own_restarts_total", vec![component, own[0], own[1]], "3"),
            ("sos_sink__5xx_answers", vec![component, own[0], own[1]], "3"),
            ("sos_sink_write_seconds_bucket", vec![component, ("le", "0.1")], "4"),
            ("sos_sink_write_seconds_bucket", vec![component, ("le", "1")], "4"),
            ("sos_sink_write_seconds_bucket", vec![component, ("le", "+Inf")], "5"),
            ("sos_sink_write_seconds_count", vec![component], "5"),
            ("sos_sink_write_seconds_sum", vec![component], "7.5"),
            (
                "sos_certificate_expiry_timestamp_seconds",
                vec![component, ("path", "C:\\ca.pem")],
                "2000000000",
            ),
            ("process_max_fds", vec![], "1024"),
            ("sos_journal_cursor_attached", vec![("cursor", "well")], "1"),
        ] {
            assert_eq!(value(&text, name, &labels), expected, "{name}");
        }
        assert!(text.contains("# HELP sos_sink_own_restarts_total What is counted.\n"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_status_has_each_figure_by_the_name_that_the_lists_give_it() {
    fn named<T>(figures: &[Figure<T>]) -> Vec<&'static str> {
        figures.iter().map(|figure| figure.name).collect()
    }
    with_pipeline(async |handle| {
        let status = serde_json::to_value(Status::of(&handle)).unwrap();
        let journal = &status["journal"];
        for (names, part, words) in [
            // A reason says more than that there is one.
            (named(figures::JOURNAL), journal, &["failing", "durable"][..]),
            (named(figures::CURSOR), &journal["cursors"][0], &[]),
            (named(figures::DEAD_LETTERS), &status["dead_letters"], &["failing"]),
            (named(figures::PROCESS), &status["process"], &[]),
            (named(figures::EMBEDDER), &status["embedder"], &[]),
            (named(figures::SINK), &status["sinks"][0], &[]),
        ] {
            for name in names.into_iter().filter(|name| !words.contains(name)) {
                assert!(part.get(name).is_some(), "{name} is not in {part:#}");
            }
        }
        for (in_words, of) in [("failure", journal), ("outlives_the_program", journal)] {
            assert!(of.get(in_words).is_some(), "{in_words} is not in {of:#}");
        }
    })
    .await;
}
