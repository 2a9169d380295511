//! Every way in which a poll fails gives one clear line, a class and a duration.
#![expect(clippy::unwrap_used, reason = "helpers between the tests")]

use senseops_core::{Condition, Event, Level, State, Value};
use senseops_qlik::kinds::{engine_health, target_up};
use senseops_sim::{Behaviour, Certificate, SenseServer};
use senseops_source_healthcheck::HealthcheckConfig;
use senseops_testkit::{Reserved, context};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{LONG, Site, build, config, run, state, url};

/// `reason: message`, after checking what is the same for all failures.
fn told(state: &State, replacements: &[(&str, &str)]) -> String {
    assert_eq!(state.level, Level::Critical);
    assert!(target_up::DURATION_MS.of(&state.fields).and_then(Value::as_f64).is_some_and(|took| took >= 0.0));
    let mut told = format!("{}: {}", target_up::REASON.text_of(&state.fields).unwrap(), state.message);
    if let Some(status) = target_up::STATUS.of(&state.fields) {
        told = format!("{status} {told}");
    }
    for (from, to) in replacements {
        told = told.replace(from, to);
    }
    assert_eq!(told.lines().count(), 1);
    told
}

/// What is told about a server over TLS with these settings.
async fn told_of(server: &SenseServer, site: &Site, tls: &serde_json::Value) -> String {
    let state = state(config(&url(server), tls)).await;
    let port = server.address().port().to_string();
    told(&state, &[(&port, "PORT"), (&site.directory().display().to_string(), "DIR")])
}

/// What is told about a server that answers like this.
async fn told_if(behaviour: Behaviour) -> String {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).behaviour(behaviour).start().await.unwrap();
    told_of(&server, &site, &site.tls()).await
}

fn body(status: u16, text: &'static str) -> Behaviour {
    Behaviour::Body { status, content_type: "application/json", bytes: text.into() }
}

#[tokio::test]
async fn a_certificate_of_another_authority() {
    let (site, other) = (Site::new(), Site::new());
    let server = SenseServer::over_tls(&other.pki).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &site.tls()).await, @"tls_untrusted: Server 1: the certificate of https://127.0.0.1:PORT is not signed by the CA in DIR/root.pem; set tls.ca to the root.pem exported from this site's QMC");
    let server =
        SenseServer::over_tls(&site.pki).certificate(Certificate::OtherAuthority).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &site.tls()).await, @"tls_untrusted: Server 1: the certificate of https://127.0.0.1:PORT is not signed by the CA in DIR/root.pem; set tls.ca to the root.pem exported from this site's QMC");
}

#[tokio::test]
async fn no_authority_configured() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &json!({})).await, @"tls_untrusted: Server 1: the certificate of https://127.0.0.1:PORT is signed by a CA that this machine does not trust; set tls.ca to the root.pem exported from this site's QMC");
}

#[tokio::test]
async fn a_certificate_for_other_names() {
    let site = Site::new();
    let names = vec!["qlik1.company.net".to_owned(), "qlik1".to_owned()];
    let server = SenseServer::over_tls(&site.pki).certificate(Certificate::For(names)).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &site.tls()).await, @"tls_name: Server 1: the certificate of https://127.0.0.1:PORT is for qlik1.company.net, qlik1, not for 127.0.0.1; if this is the right server, set tls.server_name to a name in its certificate");
}

#[tokio::test]
async fn an_expired_certificate() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).certificate(Certificate::Expired).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &site.tls()).await, @"tls_expired: Server 1: the certificate of https://127.0.0.1:PORT expired on 2021-01-01; renew it; until then, tls.verify: none goes on without protection");
}

#[tokio::test]
async fn no_client_certificate() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).start().await.unwrap();
    insta::assert_snapshot!(told_of(&server, &site, &json!({ "ca": site.files.ca })).await, @"tls_client_certificate: Server 1: https://127.0.0.1:PORT demands a client certificate; set tls.cert and tls.key to the client.pem and client_key.pem exported from this site's QMC");
}

#[tokio::test]
async fn a_client_certificate_of_another_authority() {
    let (site, other) = (Site::new(), Site::new());
    let server = SenseServer::over_tls(&site.pki).start().await.unwrap();
    let tls = json!({ "ca": site.files.ca, "cert": other.files.cert, "key": other.files.key });
    let told = told_of(&server, &site, &tls).await.replace(&other.directory().display().to_string(), "DIR");
    insta::assert_snapshot!(told, @"tls_client_certificate: Server 1: https://127.0.0.1:PORT does not accept our certificate in DIR/client.pem (DecryptError); set tls.cert and tls.key to the client.pem and client_key.pem exported from this site's QMC");
}

#[tokio::test]
async fn a_closed_port() {
    let nobody = Reserved::tcp().unwrap();
    let port = nobody.address().port();
    let state = state(config(&format!("https://127.0.0.1:{port}"), &json!({}))).await;
    insta::assert_snapshot!(told(&state, &[(&port.to_string(), "PORT")]), @"refused: Server 1: https://127.0.0.1:PORT refused the connection; check that the engine service runs, and the port (4747 unless changed)");
}

#[tokio::test]
async fn a_host_name_that_nobody_knows() {
    // No name server is asked for a label of more than 63 characters.
    let host = "x".repeat(64);
    let state = state(config(&format!("http://{host}:4747"), &json!({}))).await;
    let told = told(&state, &[(&host, "HOST")]);
    assert!(told.starts_with("dns: Server 1: the host name HOST cannot be resolved ("), "{told}");
}

#[tokio::test]
async fn a_server_that_hangs() {
    let site = Site::new();
    let server = SenseServer::over_tls(&site.pki).behaviour(Behaviour::Hang).start().await.unwrap();
    let configured = json!({
        "timeout": "3s",
        "tls": site.tls(),
        "servers": [{ "name": "Server 1", "url": url(&server) }],
    });
    let state = state(serde_json::from_value(configured).unwrap()).await;
    let port = server.address().port().to_string();
    insta::assert_snapshot!(told(&state, &[(&port, "PORT")]), @"timeout: Server 1: https://127.0.0.1:PORT did not answer within 3s; raise the timeout if it is slow but well");
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_of_its_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _length = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"version\":").await.unwrap();
        std::future::pending::<()>().await;
    };
    let configured =
        json!({ "timeout": "1s", "servers": [{ "name": "Server 1", "url": format!("http://{address}") }] });
    let state = tokio::select! {
        state = state(serde_json::from_value(configured).unwrap()) => state,
        () = server => unreachable!("it never ends"),
    };
    let port = address.port().to_string();
    insta::assert_snapshot!(told(&state, &[(&port, "PORT")]), @"200 timeout: Server 1: http://127.0.0.1:PORT did not answer within 1s; raise the timeout if it is slow but well");
}

#[tokio::test]
async fn a_server_that_closes_or_resets_the_connection_is_asked_twice() {
    for behaviour in [Behaviour::Close, Behaviour::Reset] {
        let site = Site::new();
        let server = SenseServer::over_tls(&site.pki).behaviour(behaviour).start().await.unwrap();
        let told = told_of(&server, &site, &site.tls()).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @"reset: Server 1: https://127.0.0.1:PORT closed the connection before its answer was complete; check that it accepts our client certificate, and for proxies on the way");
        }
        assert_eq!(server.requests(), 2);
    }
}

#[tokio::test]
async fn a_retry_that_hangs_does_not_hide_why_there_was_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        drop(listener.accept().await.unwrap());
        let silent = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(silent);
    };
    let configured =
        json!({ "timeout": "3s", "servers": [{ "name": "Server 1", "url": format!("http://{address}") }] });
    let state = tokio::select! {
        state = state(serde_json::from_value(configured).unwrap()) => state,
        () = server => unreachable!("it never ends"),
    };
    let port = address.port().to_string();
    insta::assert_snapshot!(told(&state, &[(&port, "PORT")]), @"reset: Server 1: http://127.0.0.1:PORT closed the connection before its answer was complete; if it expects TLS, write https://");
}

#[tokio::test]
async fn a_login_page() {
    insta::assert_snapshot!(told_if(Behaviour::LoginPage).await, @"200 login_page: Server 1: https://127.0.0.1:PORT answered a web page, most likely a login page, instead of JSON; use the engine's own port (4747) with the client certificate instead of the proxy");
}

#[tokio::test]
async fn a_redirect() {
    insta::assert_snapshot!(told_if(Behaviour::Redirect).await, @"302 redirect: Server 1: https://127.0.0.1:PORT/engine/healthcheck redirects to https://127.0.0.1:PORT/login/; use the engine's own port (4747) with the client certificate instead of the proxy");
}

#[tokio::test]
async fn a_redirect_cannot_fill_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _length = stream.read(&mut [0; 4096]).await.unwrap();
        let location = format!("https://proxy/{}", "x".repeat(5000));
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let state = tokio::select! {
        state = state(config(&url, &json!({}))) => state,
        () = server => unreachable!("it never ends"),
    };
    assert_eq!(target_up::REASON.text_of(&state.fields), Some("redirect"));
    assert!(
        state.message.contains("redirects to https://proxy/xxx") && state.message.len() < 600,
        "{state:?}"
    );
}

#[tokio::test]
async fn statuses_that_tell_of_an_error() {
    insta::assert_snapshot!(told_if(body(403, "")).await, @"403 status: Server 1: https://127.0.0.1:PORT/engine/healthcheck answered 403 Forbidden; check the client certificate and the headers: they give no access");
    insta::assert_snapshot!(told_if(body(404, "")).await, @"404 status: Server 1: https://127.0.0.1:PORT/engine/healthcheck answered 404 Not Found; check the path in the address: there is no health API below it");
    insta::assert_snapshot!(told_if(body(503, "{}")).await, @"503 status: Server 1: https://127.0.0.1:PORT/engine/healthcheck answered 503 Service Unavailable; look at the engine, and at proxies on the way");
    insta::assert_snapshot!(told_if(body(429, "")).await, @"429 status: Server 1: https://127.0.0.1:PORT/engine/healthcheck answered 429 Too Many Requests; raise the interval");
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    insta::assert_snapshot!(told_if(Behaviour::CutJson).await, @"200 bad_body: Server 1: https://127.0.0.1:PORT answered JSON that breaks off; check that the address is that of an engine, and for proxies on the way");
    insta::assert_snapshot!(told_if(body(200, "")).await, @"200 bad_body: Server 1: https://127.0.0.1:PORT answered nothing; check that the address is that of an engine, and for proxies on the way");
    insta::assert_snapshot!(told_if(body(200, "not json")).await, @"200 bad_body: Server 1: https://127.0.0.1:PORT answered something that is not JSON; check that the address is that of an engine, and for proxies on the way");
    insta::assert_snapshot!(told_if(body(200, "{\"status\": \"ok\"}")).await, @"200 bad_body: Server 1: https://127.0.0.1:PORT answered JSON, but none of the fields of the health API; check that the address is that of an engine, and for proxies on the way");
    insta::assert_snapshot!(told_if(Behaviour::TooLarge(100 * 1024 * 1024)).await, @"200 too_large: Server 1: https://127.0.0.1:PORT answered more than 4 MiB; check that the address is that of an engine");
}

#[tokio::test]
async fn a_failure_shows_in_the_health_of_the_component_and_passes() {
    let server = SenseServer::over_http().behaviour(body(503, "")).start().await.unwrap();
    let configured = json!({ "interval": "20ms", "servers": [{ "name": "Server 1", "url": url(&server) }] });
    let configured: HealthcheckConfig = serde_json::from_value(configured).unwrap();
    let (_events, test) = run(configured.clone(), 3).await;
    assert!(test.cx.health.condition().reason().starts_with("Server 1: http://127.0.0.1:"));

    let test = context("healthcheck.test.server_1");
    let mut source = build(configured, test.cx.build.clone()).await.unwrap();
    let script = async {
        test.collector.wait_for(1, LONG).await.unwrap();
        server.behave(Behaviour::Healthy);
        let well = |events: &[Event]| events.iter().any(|event| event.kind == engine_health::KIND);
        test.collector.wait_until(well, LONG).await.unwrap();
        test.trigger.request();
    };
    let (_ended, ()) = tokio::join!(source.run(test.cx.clone()), script);
    assert_eq!(test.cx.health.condition(), Condition::Ok);
}
