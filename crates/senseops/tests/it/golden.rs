//! Every recorded row of Butler SOS for health and user events on InfluxDB v1: the recorded input goes in as bytes
//! over TLS or UDP, and the lines that come out over HTTP are compared as points. A row is equal, or pinned here
//! with what we write instead and explained in `docs/compatibility.md`.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use senseops_sim::{Behaviour, Estate, EstateConfig};
use senseops_testkit::HttpTarget;
use senseops_testkit::line_protocol::{self, FieldValue, Point};
use serde_json::Value;

use crate::support::{free_udp, plan, run, until, with_app_names};

const VECTORS: &str = include_str!("../../../senseops-dialect/tests/fixtures/butler-sos-influx1.jsonl");

const APPS: &[(&str, &str)] = &[
    ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", "Sales, EMEA"),
    ("2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", "HR \"core\""),
];

/// Measurements of Butler SOS; others are ours alone and left out of the comparison.
const MEASUREMENTS: [&str; 9] =
    ["sense_server", "mem", "apps", "cpu", "session", "users", "cache", "saturated", "user_events"];

struct Row {
    id: String,
    version: String,
    input: Value,
    expected: Vec<String>,
}

fn rows(prefix: char) -> impl Iterator<Item = Row> {
    let rows = VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(move |row| row["id"].as_str().unwrap().starts_with(prefix)).map(|mut row| Row {
        id: row["id"].as_str().unwrap().to_owned(),
        version: row["version"].as_str().unwrap().to_owned(),
        input: row["input"].take(),
        expected: serde_json::from_value(row["expected"].take()).unwrap(),
    })
}

fn naming(version: &str) -> &'static str {
    match version {
        "2.1.1" => "butler-sos-2",
        "9.2.0" => "butler-sos-9",
        "N1" => "butler-sos",
        other => panic!("no generation wrote {other}"),
    }
}

/// Points in a form that does not depend on the order of tags, fields and lines, nor on time: recorded points of v1
/// have none, and the uptime changes while one looks.
fn comparable(points: impl IntoIterator<Item = Point>) -> Vec<String> {
    let mut shown: Vec<String> = points
        .into_iter()
        .filter(|point| MEASUREMENTS.contains(&point.measurement.as_str()))
        .map(|mut point| {
            for (name, value) in &mut point.fields {
                if let FieldValue::Text(text) = value
                    && name == "uptime"
                    && !text.is_empty()
                {
                    "<uptime>".clone_into(text);
                }
            }
            let tags: Vec<_> = point.tags.iter().map(|(name, text)| format!(",{name}={text}")).collect();
            let fields: Vec<_> =
                point.fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            format!("{}{} {}", point.measurement, tags.concat(), fields.join(","))
        })
        .collect();
    shown.sort();
    shown
}

fn recorded(row: &Row) -> Option<Vec<String>> {
    let parsed: Result<Vec<_>, _> = row.expected.iter().map(|line| line_protocol::parse(line)).collect();
    // What Butler SOS wrote is not always something that InfluxDB takes.
    parsed.ok().map(comparable)
}

fn written(target: &HttpTarget) -> Vec<String> {
    let requests = target.requests();
    let bodies: Vec<String> = requests
        .iter()
        .filter(|request| request.uri.path() == "/write")
        .map(|request| String::from_utf8(request.body.to_vec()).unwrap())
        .collect();
    comparable(bodies.iter().flat_map(|body| body.lines()).map(|line| line_protocol::parse(line).unwrap()))
}

fn influx(url: &str, version: &str) -> String {
    format!(
        "sinks: {{ influx: {{ target: {{ url: '{url}', database: senseops, naming: {}, \
         include: {{ active_docs: true, loaded_docs: true, in_memory_docs: true }} }} }} }}\n",
        naming(version)
    )
}

async fn health(row: &Row) -> Vec<String> {
    let estate = Estate::start(EstateConfig { servers: 1, ..EstateConfig::default() }).await.unwrap();
    let server = &estate.servers()[0];
    let (status, content_type, body) = match &row.input {
        Value::String(html) => (200, "text/html", html.clone()),
        input if input["http_status"].is_u64() => (
            u16::try_from(input["http_status"].as_u64().unwrap()).unwrap(),
            "text/plain",
            input["body"].to_string(),
        ),
        input => (200, "application/json", input.to_string()),
    };
    server.behave(Behaviour::Body { status, content_type, bytes: body.into() });
    let target = HttpTarget::start().await.unwrap();
    let port = server.address().port();
    let pem = estate.pem_files();
    let about = if row.version == "2.1.1" {
        "name: sense1"
    } else {
        "name: 'Server 1', description: Central node, tags: { server_group: DEV }"
    };
    let yaml = format!(
        "{}sources: {{ healthcheck: {{ qlik: {{ interval: 1h, tls: {{ ca: '{}', cert: '{}', key: '{}' }}, \
         servers: [ {{ {about}, url: 'https://localhost:{port}' }} ] }} }} }}\n",
        influx(&target.url(), &row.version),
        pem.ca.display(),
        pem.cert.display(),
        pem.key.display(),
    );
    // Each poll emits its health, if any, together with the state of the server.
    let polled = |view: &senseops::View| view.sources[0].emitted > 0;
    run(with_app_names(plan(&yaml), APPS), async |handle| until(&handle, polled).await).await;
    written(&target)
}

async fn user_event(row: &Row) -> Vec<String> {
    let target = HttpTarget::start().await.unwrap();
    let listen = free_udp();
    let yaml = format!(
        "{}sources: {{ udp: {{ users: {{ listen: '{listen}', allow: [ 127.0.0.1 ], labels: {{ qs_env: dev }}, \
         exclude: [ {{ directory: LAB, user_id: testuser1 }} ] }} }} }}\n",
        influx(&target.url(), &row.version),
    );
    let received = |view: &senseops::View| {
        view.sources[0].readings.iter().any(|reading| reading.name == "received" && reading.value == 1)
    };
    run(with_app_names(plan(&yaml), APPS), async |handle| {
        let sender = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sender.send_to(row.input.as_str().unwrap().as_bytes(), listen).await.unwrap();
        until(&handle, received).await;
    })
    .await;
    written(&target)
}

/// Every row by its name, with what we wrote if that is not what was recorded.
fn differences(results: Vec<(Row, Vec<String>)>) -> (usize, BTreeMap<String, Vec<String>>) {
    let count = results.len();
    let different = results
        .into_iter()
        .filter(|(row, ours)| recorded(row).as_ref() != Some(ours))
        .map(|(row, ours)| (format!("{} {}", row.id, row.version), ours))
        .collect();
    (count, different)
}

fn listed(different: &BTreeMap<String, Vec<String>>) -> String {
    let listed = different.iter().map(|(name, points)| format!("{name}\n    {}", points.join("\n    ")));
    listed.collect::<Vec<_>>().join("\n")
}

/// A row that differs must be explained: in the table under its name and generation.
fn assert_explained(different: &BTreeMap<String, Vec<String>>) {
    let document = include_str!("../../../../docs/compatibility.md");
    for name in different.keys() {
        let (id, version) = name.split_once(' ').unwrap();
        let generation = if version == "N1" { "15" } else { version.split('.').next().unwrap() };
        let explained = document.lines().filter_map(|line| line.strip_prefix("| ")).any(|row| {
            let mut cells = row.split(" | ");
            let (ids, generations) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
            ids.split(", ").any(|cell| cell == id) && generations.split(' ').any(|cell| cell == generation)
        });
        assert!(explained, "docs/compatibility.md has no row for {id} at generation {generation}");
    }
}

#[tokio::test]
async fn health_rows_are_equal_or_explained() {
    let mut results = Vec::new();
    for row in rows('H') {
        let ours = health(&row).await;
        results.push((row, ours));
    }
    let (count, different) = differences(results);
    assert_eq!(count, 12);
    assert_explained(&different);
    assert_snapshot!(listed(&different), @r#"
    H10 N1
        apps,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"),active_docs_count=Int(1),active_docs_names=Text("\"Sales, EMEA\""),active_session_docs_names=Text(""),calls=Int(48213),in_memory_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,3c3e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,SessionApp_9f1c"),in_memory_docs_count=Int(4),in_memory_docs_names=Text("\"3c3e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f\",\"HR \"core\"\",\"Sales, EMEA\""),in_memory_session_docs_names=Text("\"SessionApp_9f1c\""),loaded_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,SessionApp_9f1c"),loaded_docs_count=Int(3),loaded_docs_names=Text("\"HR \"core\"\",\"Sales, EMEA\""),loaded_session_docs_names=Text("\"SessionApp_9f1c\""),selections=Int(917)
        cache,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 added=Int(119),bytes_added=Int(8812034),hits=Int(301),lookups=Int(420),replaced=Int(4)
        cpu,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 total=Int(7)
        mem,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 allocated=Int(1024),comitted=Int(412),free=Int(28671)
        sense_server,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 started=Text("20240115T083000.000Z"),uptime=Text("<uptime>"),version=Text("12.1477.0")
        session,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(3),total=Int(12)
        users,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(2),total=Int(9)
    H5 N1
        apps,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"),active_docs_count=Int(1),active_docs_names=Text("\"Sales, EMEA\""),active_session_docs_names=Text(""),calls=Int(48213),in_memory_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,3c3e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,SessionApp_9f1c"),in_memory_docs_count=Int(4),in_memory_docs_names=Text("\"3c3e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f\",\"HR \"core\"\",\"Sales, EMEA\""),in_memory_session_docs_names=Text("\"SessionApp_9f1c\""),loaded_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,SessionApp_9f1c"),loaded_docs_count=Int(3),loaded_docs_names=Text("\"HR \"core\"\",\"Sales, EMEA\""),loaded_session_docs_names=Text("\"SessionApp_9f1c\""),selections=Int(917)
        cpu,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 total=Int(7)
        mem,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 allocated=Int(1024),comitted=Int(412),free=Int(28671)
        sense_server,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 started=Text("20240115T083000.000Z"),uptime=Text("<uptime>"),version=Text("12.1477.0")
        session,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(3),total=Int(12)
        users,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(2),total=Int(9)
    H6 N1
        apps,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f"),active_docs_count=Int(1),active_docs_names=Text("\"Sales, EMEA\""),active_session_docs_names=Text(""),calls=Int(48213),loaded_docs=Text("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f,SessionApp_9f1c"),loaded_docs_count=Int(3),loaded_docs_names=Text("\"HR \"core\"\",\"Sales, EMEA\""),loaded_session_docs_names=Text("\"SessionApp_9f1c\""),selections=Int(917)
        cache,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 added=Int(119),bytes_added=Int(8812034),hits=Int(301),lookups=Int(420),replaced=Int(4)
        cpu,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 total=Int(7)
        mem,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 allocated=Int(1024),comitted=Int(412),free=Int(28671)
        saturated,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 saturated=Bool(false)
        sense_server,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 started=Text("20240115T083000.000Z"),uptime=Text("<uptime>"),version=Text("12.1477.0")
        session,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(3),total=Int(12)
        users,host=localhost,server_description=Central node,server_group=DEV,server_name=Server 1 active=Int(2),total=Int(9)
    "#);
}

#[tokio::test]
async fn user_event_rows_are_equal_or_explained() {
    let mut results = Vec::new();
    for row in rows('U') {
        let ours = user_event(&row).await;
        results.push((row, ours));
    }
    let (count, different) = differences(results);
    assert_eq!(count, 22);
    assert_explained(&different);
    assert_snapshot!(listed(&different), @r#"
    U11 9.2.0
        user_events,event_action=Start session,host=pro2-win1,origin=Not available,qs_env=dev,userDirectory=LAB,userFull=LAB\uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu,userId=uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu userFull=Text("LAB\\uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"),userId=Text("uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu")
    U4 9.2.0
        user_events,event_action=Stop session,host=pro2-win1,qs_env=dev,userDirectory=LAB,userFull=LAB\anna,userId=anna userFull=Text("LAB\\anna"),userId=Text("anna")
    U4 N1
        user_events,event_action=Stop session,host=pro2-win1,qs_env=dev,userDirectory=LAB,userFull=LAB\anna,userId=anna userFull=Text("LAB\\anna"),userId=Text("anna")
    U5 9.2.0
        user_events,event_action=Start session,host=pro2-win1,qs_env=dev userId=Text("")
    U5 N1
        user_events,event_action=Start session,host=pro2-win1,qs_env=dev userId=Text("")
    U8 9.2.0
        user_events,event_action=Start session,host=pro2-win1,origin=Not available,qs_env=dev userId=Text("")
    U8 N1
        user_events,event_action=Start session,host=pro2-win1,origin=Not available,qs_env=dev userId=Text("")
    "#);
}
