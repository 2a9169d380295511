//! Who is answered over the listener, and in which form.

use insta::assert_snapshot;
use senseops_web::{Web, WebConfig};

use crate::support::{answer, event, until, with_listener};

/// A request without a body.
fn request(line: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().flat_map(|header| [header, "\n"]).collect();
    format!("{line} HTTP/1.1\nHost: localhost\nConnection: close\n{headers}\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn without_a_token_what_comes_from_elsewhere_is_refused_with_the_way_out() {
    with_listener("{}", async |address, _| {
        let by_proxy = request("GET /status", &["X-Forwarded-For: 1.2.3.4"]);
        assert_snapshot!(answer(address, &by_proxy).await, @r#"
        HTTP/1.1 403 Forbidden
        content-type: application/problem+json
        content-length: 239
        connection: close

        {"type":"about:blank","title":"Forbidden","status":403,"detail":"without a token no proxy is answered, and the header x-forwarded-for comes from one; set web.token, and let clients of the proxy present it as `Authorization: Bearer TOKEN`"}
        "#);
        let by_name = "GET /status HTTP/1.1\nHost: rebound.example\nConnection: close\n\n";
        assert_snapshot!(answer(address, by_name).await, @r#"
        HTTP/1.1 403 Forbidden
        content-type: application/problem+json
        content-length: 148
        connection: close

        {"type":"about:blank","title":"Forbidden","status":403,"detail":"without a token only localhost is answered; to ask by another name, set web.token"}
        "#);
        let by_page = request("POST /api/v1/reload", &["Origin: http://localhost"]);
        assert_snapshot!(answer(address, &by_page).await, @r#"
        HTTP/1.1 403 Forbidden
        content-type: application/problem+json
        content-length: 100
        connection: close

        {"type":"about:blank","title":"Forbidden","status":403,"detail":"web pages may not change anything"}
        "#);
    })
    .await;
}

#[tokio::test]
async fn where_there_is_a_token_it_must_be_presented() {
    with_listener("token: canary", async |address, _| {
        assert_snapshot!(answer(address, &request("GET /status", &[])).await, @r#"
        HTTP/1.1 401 Unauthorized
        content-type: application/problem+json
        www-authenticate: Bearer
        content-length: 102
        connection: close

        {"type":"about:blank","title":"Unauthorized","status":401,"detail":"the token of web.token is needed"}
        "#);
        let wrong = request("GET /status", &["Authorization: Bearer canary2"]);
        assert_eq!(status(&answer(address, &wrong).await), "401");
        let by_proxy = ["Authorization: Bearer canary", "Forwarded: for=1.2.3.4", "Via: 1.1 proxy"];
        assert_eq!(status(&answer(address, &request("GET /status", &by_proxy)).await), "200");
    })
    .await;
}

#[tokio::test]
async fn strangers_hear_one_word_about_life_and_readiness() {
    const TOKEN: &str = "Authorization: Bearer canary";
    const PROXY: &str = "X-Forwarded-For: 1.2.3.4";
    for (yaml, stranger, friend) in [("token: canary", &[][..], &[TOKEN][..]), ("{}", &[PROXY], &[])] {
        with_listener(yaml, async |address, handle| {
            let ask = async |path, headers: &[&str]| {
                let answer = answer(address, &request(&format!("GET {path}"), headers)).await;
                answer
                    .split_once("\n\n")
                    .map(|(head, body)| (status(head).to_owned(), body.to_owned()))
                    .unwrap()
            };
            let said = |status: &str, body: &str| (status.to_owned(), body.to_owned());
            assert_eq!(ask("/readyz", stranger).await, said("200", "ready\n"));
            assert_eq!(ask("/livez", stranger).await, said("200", "ok\n"));
            handle.emit(vec![event(1)]).await.ignore();
            until(&handle, |view| view.sinks[1].retries > 0).await;
            assert_eq!(ask("/readyz", stranger).await, said("503", "not ready\n"));
            assert_eq!(ask("/livez", stranger).await, said("200", "ok\n"));
            let (status, body) = ask("/readyz", friend).await;
            assert_eq!(status, "503");
            assert!(body.contains("\"ready\":false") && body.contains("refused"), "{body}");
        })
        .await;
    }
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    with_listener("{}", async |address, _| {
        assert_snapshot!(answer(address, &request("GET /nothing", &[])).await, @r#"
        HTTP/1.1 404 Not Found
        content-type: application/problem+json
        content-length: 99
        connection: close

        {"type":"about:blank","title":"Not Found","status":404,"detail":"there is nothing at this address"}
        "#);
        assert_snapshot!(answer(address, &request("GET /api/v1/reload", &[])).await, @r#"
        HTTP/1.1 405 Method Not Allowed
        content-type: application/problem+json
        allow: POST
        content-length: 130
        connection: close

        {"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"this address takes only the methods that `Allow` lists"}
        "#);
        assert_snapshot!(answer(address, &request("POST /livez", &[])).await, @r#"
        HTTP/1.1 405 Method Not Allowed
        content-type: application/problem+json
        allow: GET,HEAD
        content-length: 130
        connection: close

        {"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"this address takes only the methods that `Allow` lists"}
        "#);
        assert_snapshot!(answer(address, &request("POST /api/v1/reload", &[])).await, @r#"
        HTTP/1.1 422 Unprocessable Entity
        content-type: application/problem+json
        content-length: 106
        connection: close

        {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"sos.yaml:1:1: x: unknown key"}
        "#);
        assert_snapshot!(answer(address, &request("GET /api/v1/events?kind=qlik*", &[])).await, @r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        content-length: 154
        connection: close

        {"type":"about:blank","title":"Bad Request","status":400,"detail":"\"qlik*\" is neither a kind such as qlik.user_event nor a pattern such as qlik.* or *"}
        "#);
        assert_snapshot!(answer(address, &request("POST /api/v1/dead-letters/replay?sinks=x", &[])).await, @r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        content-length: 146
        connection: close

        {"type":"about:blank","title":"Bad Request","status":400,"detail":"the query cannot be understood: sinks: unknown field `sinks`, expected `sink`"}
        "#);
        assert_snapshot!(answer(address, &request("DELETE /api/v1/journal/cursors/%ff", &[])).await, @r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        content-length: 105
        connection: close

        {"type":"about:blank","title":"Bad Request","status":400,"detail":"Invalid URL: Invalid UTF-8 in `name`"}
        "#);
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_too_large_or_broken_are_problems_too() {
    with_listener("{}", async |address, _| {
        let announced = request("POST /api/v1/reload", &["Content-Length: 1048577"]);
        assert_snapshot!(answer(address, &announced).await, @r#"
        HTTP/1.1 413 Payload Too Large
        content-type: application/problem+json
        content-length: 120
        connection: close

        {"type":"about:blank","title":"Payload Too Large","status":413,"detail":"a request body may have 1048576 bytes at most"}
        "#);
        let chunks = format!("100001\n{}\n0\n\n", "x".repeat(1_048_577));
        let chunked = request("POST /api/v1/reload", &["Transfer-Encoding: chunked"]) + &chunks;
        assert_eq!(answer(address, &chunked).await, answer(address, &announced).await);
        let broken = request("POST /api/v1/reload", &["Transfer-Encoding: chunked"]) + "many\n";
        assert_snapshot!(answer(address, &broken).await, @r#"
        HTTP/1.1 400 Bad Request
        content-type: application/problem+json
        content-length: 111
        connection: close

        {"type":"about:blank","title":"Bad Request","status":400,"detail":"the request body cannot be read to its end"}
        "#);
    })
    .await;
}

#[tokio::test]
async fn without_a_token_nobody_can_listen_for_other_machines() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let open = WebConfig { listen: everywhere, ..WebConfig::default() };
    assert_eq!(Web::bind(&open).await.unwrap_err().key, "token");
    let here = WebConfig { listen: "127.0.0.1:0".parse().unwrap(), ..WebConfig::default() };
    let mut web = Web::bind(&here).await.unwrap();
    assert_eq!(web.move_to(everywhere).await.unwrap_err().key, "token");
    assert!(web.local_addr().ip().is_loopback());
}
