//! The metrics, read by a parser of their own.

use std::collections::{BTreeMap, BTreeSet};

use senseops_web::{
    CertificateStatus, HistogramStatus, ProcessStatus, Reading, SinkStatus, SourceStatus, Status, metrics,
    router,
};

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

#[test]
fn every_figure_of_a_status_is_a_metric() {
    let reading = |name: &str, is_counter| Reading {
        name: name.into(),
        labels: [
            ("reason".to_owned(), "odd \"one\"\\\n".to_owned()),
            ("component".to_owned(), "x".to_owned()),
        ]
        .into(),
        value: 3,
        is_counter,
    };
    let certificates = vec![CertificateStatus { path: "C:\\ca.pem".into(), expires_unix_seconds: 2e9 }];
    let status = Status {
        sources: vec![SourceStatus {
            name: "udp.users".into(),
            lost: 1,
            rate_limited: 2,
            readings: vec![reading("restarts", true), reading("5xx-answers", false)],
            certificates: certificates.clone(),
            ..SourceStatus::default()
        }],
        sinks: vec![SinkStatus {
            name: "influx.main".into(),
            write_seconds: HistogramStatus { bounds: vec![0.1, 1.0], counts: vec![4, 0, 1], sum: 7.5 },
            certificates,
            readings: vec![reading("restarts", true)],
            ..SinkStatus::default()
        }],
        process: Some(ProcessStatus { max_fds: Some(1024), ..ProcessStatus::default() }),
        ..Status::default()
    };
    let text = metrics(&status);
    let (source, sink) = (("component", "udp.users"), ("component", "influx.main"));
    let own = [("own_component", "x"), ("reason", "odd \"one\"\\\n")];
    for (name, labels, expected) in [
        ("sos_source_lost_events_total", vec![source, ("reason", "journal")], "1"),
        ("sos_source_lost_events_total", vec![source, ("reason", "rate_limit")], "2"),
        ("sos_source_restarts_total", vec![source], "0"),
        ("sos_source_own_restarts_total", vec![source, own[0], own[1]], "3"),
        ("sos_source__5xx_answers", vec![source, own[0], own[1]], "3"),
        ("sos_sink_own_restarts_total", vec![sink, own[0], own[1]], "3"),
        ("sos_sink_write_seconds_bucket", vec![sink, ("le", "0.1")], "4"),
        ("sos_sink_write_seconds_bucket", vec![sink, ("le", "1")], "4"),
        ("sos_sink_write_seconds_bucket", vec![sink, ("le", "+Inf")], "5"),
        ("sos_sink_write_seconds_count", vec![sink], "5"),
        ("sos_sink_write_seconds_sum", vec![sink], "7.5"),
        ("sos_certificate_expiry_timestamp_seconds", vec![sink, ("path", "C:\\ca.pem")], "2000000000"),
        ("process_max_fds", vec![], "1024"),
    ] {
        assert_eq!(value(&text, name, &labels), expected, "{name}");
    }
}
