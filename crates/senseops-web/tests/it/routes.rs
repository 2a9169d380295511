//! What each address answers.

use http_body_util::BodyExt;
use insta::assert_snapshot;
use senseops_web::{Readiness, ReloadReport, State, Status, router};

use crate::support::{ask, controlled, event, send, until, with_pipeline};

#[tokio::test]
async fn a_failing_sink_makes_the_program_unready_and_leaves_it_alive() {
    with_pipeline(async |handle| {
        let router = router(handle.clone(), None);
        assert_eq!(ask(&router, "GET", "/readyz").await.0, 200);
        handle.emit(vec![event(1)]).await.ignore();
        until(&handle, |view| view.sinks[1].retries > 0 && view.sinks[0].delivered == 1).await;
        let (code, body) = ask(&router, "GET", "/readyz").await;
        assert_eq!(code, 503);
        let readiness: Readiness = serde_json::from_str(&body).unwrap();
        assert!(!readiness.ready);
        assert_eq!(readiness.components["pipeline.journal"].state, State::Ok);
        assert_eq!(readiness.components["well"].state, State::Ok);
        assert_eq!(readiness.components["down"].state, State::Failing);
        assert!(readiness.components["down"].reason.contains("refused"));
        assert_eq!(ask(&router, "GET", "/livez").await, (200, "ok\n".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn the_status_is_read_back_as_it_was_written() {
    with_pipeline(async |handle| {
        let router = router(handle.clone(), None);
        handle.emit(vec![event(1), event(2)]).await.ignore();
        until(&handle, |view| view.sinks[0].delivered == 2).await;
        let (code, body) = ask(&router, "GET", "/status").await;
        assert_eq!(code, 200);
        let status: Status = serde_json::from_str(&body).unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), body);
        assert_eq!((status.embedder.emitted, status.sinks[0].delivered), (2, 2));
        assert_eq!((status.journal.appended_events, status.journal.durable_events), (2, 2));
        let cursors: Vec<_> = status.journal.cursors.iter().map(|cursor| cursor.name.as_str()).collect();
        assert_eq!(cursors, ["down", "well"]);
        let (_, journal) = ask(&router, "GET", "/api/v1/journal").await;
        let journal: senseops_web::JournalStatus = serde_json::from_str(&journal).unwrap();
        assert_eq!(journal.cursors.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn events_that_are_asked_for_come_one_a_line() {
    let mut stream = None;
    with_pipeline(async |handle| {
        let router = router(handle.clone(), None);
        let response = send(&router, "GET", "/api/v1/events?kind=other.*&kind=test.*").await;
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let mut body = response.into_body();
        handle.emit(vec![event(7), event(8)]).await.ignore();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let lines: Vec<serde_json::Value> = String::from_utf8(frame.to_vec())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            (&lines[0]["event"]["fields"]["n"], &lines[1]["event"]["fields"]["n"]),
            (&7.into(), &8.into())
        );
        assert!(lines[0]["source"].is_string());
        stream = Some(body);
    })
    .await;
    // The stream ends with the pipeline.
    assert!(stream.unwrap().frame().await.is_none());
}

#[tokio::test]
async fn only_so_many_may_watch() {
    with_pipeline(async |handle| {
        let router = router(handle, None);
        let mut watching = Vec::new();
        for _ in 0..senseops_web::MAX_TAPS {
            let response = send(&router, "GET", "/api/v1/events").await;
            assert_eq!(response.status(), 200);
            watching.push(response);
        }
        let (code, body) = ask(&router, "GET", "/api/v1/events").await;
        assert_eq!(code, 503);
        assert_snapshot!(body, @r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"16 others watch already"}"#);
        watching.pop();
        assert_eq!(send(&router, "GET", "/api/v1/events").await.status(), 200);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_words() {
    with_pipeline(async |handle| {
        let router = router(handle, None);
        let mut answers = Vec::new();
        for (method, path) in [
            ("GET", "/nothing"),
            ("GET", "/api/v1/events?kind=qlik*"),
            ("GET", "/api/v1/events?sort=time"),
            ("POST", "/api/v1/reload"),
            ("DELETE", "/api/v1/journal/cursors/nobody"),
            ("DELETE", "/api/v1/journal/cursors/well"),
        ] {
            let (code, body) = ask(&router, method, path).await;
            answers.push(format!("{method} {path}: {code} {body}"));
        }
        assert_snapshot!(answers.join("\n"), @r#"
        GET /nothing: 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"there is nothing at this address"}
        GET /api/v1/events?kind=qlik*: 400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"\"qlik*\" is neither a kind such as qlik.user_event nor a pattern such as qlik.* or *"}
        GET /api/v1/events?sort=time: 400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"\"sort\" is not known here; there are `kind` and `source`"}
        POST /api/v1/reload: 501 {"type":"about:blank","title":"Not Implemented","status":501,"detail":"this program has no configuration that it could read anew"}
        DELETE /api/v1/journal/cursors/nobody: 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"the journal has no cursor named nobody"}
        DELETE /api/v1/journal/cursors/well: 409 {"type":"about:blank","title":"Conflict","status":409,"detail":"well is reading the journal"}
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_reload_answers_what_it_changed_or_why_it_did_not() {
    with_pipeline(async |handle| {
        let report =
            ReloadReport { started: vec!["sinks.mqtt.main".into()], unchanged: 2, ..ReloadReport::default() };
        let well = controlled(&handle, Ok(report.clone()));
        let (code, body) = ask(&well, "POST", "/api/v1/reload").await;
        assert_eq!((code, serde_json::from_str::<ReloadReport>(&body).unwrap()), (200, report));
        assert_eq!(ask(&well, "GET", "/api/v1/reload").await.0, 405);
        let badly = controlled(&handle, Err("sos.yaml:1:1: x: unknown key".into()));
        let (code, body) = ask(&badly, "POST", "/api/v1/reload").await;
        assert_eq!(code, 422);
        assert_snapshot!(body, @r#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"sos.yaml:1:1: x: unknown key"}"#);
    })
    .await;
}
