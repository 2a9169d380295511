//! On InfluxDB v1: the lines that come out over HTTP are compared as points.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use senseops_testkit::HttpTarget;
use senseops_testkit::line_protocol::{self, FieldValue, Point};

use super::Row;

const VECTORS: &str = include_str!("../../../../senseops-dialect/tests/fixtures/butler-sos-influx1.jsonl");

/// Measurements of Butler SOS; others are ours alone and left out of the comparison.
const MEASUREMENTS: [&str; 9] =
    ["sense_server", "mem", "apps", "cpu", "session", "users", "cache", "saturated", "user_events"];

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

fn recorded(row: &Row<String>) -> Option<Vec<String>> {
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

fn sink(target: &HttpTarget, row: &Row<String>) -> String {
    format!(
        "sinks: {{ influx: {{ target: {{ url: '{}', database: senseops, naming: {}, \
         include: {{ active_docs: true, loaded_docs: true, in_memory_docs: true }} }} }} }}\n",
        target.url(),
        row.naming()
    )
}

/// What we wrote, by the name of the row, if that is not what was recorded; and how many rows there are.
async fn differences(prefix: char) -> (usize, BTreeMap<String, Vec<String>>) {
    let (mut count, mut different) = (0, BTreeMap::new());
    for row in Row::all(VECTORS, prefix) {
        let target = HttpTarget::start().await.unwrap();
        let sink = sink(&target, &row);
        if prefix == 'H' {
            row.poll(&sink).await;
        } else {
            row.receive(&sink).await;
        }
        let ours = written(&target);
        if recorded(&row).as_ref() != Some(&ours) {
            row.assert_explained("");
            different.insert(format!("{} {}", row.id, row.version), ours);
        }
        count += 1;
    }
    (count, different)
}

fn listed(different: &BTreeMap<String, Vec<String>>) -> String {
    let listed = different.iter().map(|(name, points)| format!("{name}\n    {}", points.join("\n    ")));
    listed.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn health_rows_are_equal_or_explained() {
    let (count, different) = differences('H').await;
    assert_eq!(count, 12);
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
    let (count, different) = differences('U').await;
    assert_eq!(count, 22);
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
