//! The listener over TLS.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use senseops_core::host::ShutdownTrigger;
use senseops_core::{Files, chain};
use senseops_net::{Limits, Listener, Reason, ServerTls, TlsSettings};
use senseops_sim::{Certificate, PemFiles, Pki};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{LONG, client, failure, tls};

/// Serves over TLS; the trigger stops it.
async fn serve(settings: &ServerTls) -> (String, ShutdownTrigger) {
    serve_within(settings, Limits::default()).await
}

async fn serve_within(settings: &ServerTls, limits: Limits) -> (String, ShutdownTrigger) {
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(address, Some(settings), "web", &Files::default()).await.unwrap();
    let (url, stop) = (format!("https://{}", listener.local_addr()), ShutdownTrigger::default());
    let router = Router::new().route("/", get(|| async { "hello" }));
    #[expect(clippy::disallowed_methods, reason = "what a program does with its listener")]
    tokio::spawn(listener.with_limits(limits).serve(router, stop.shutdown()));
    (url, stop)
}

fn server_tls(files: &PemFiles, client_ca: Option<&Path>) -> ServerTls {
    let settings = json!({ "cert": files.cert, "key": files.key, "client_ca": client_ca });
    serde_json::from_value(settings).unwrap()
}

async fn answer(settings: &TlsSettings, url: &str) -> String {
    client(settings, LONG).await.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_ca_is_served() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let files = pki.write_server_to(directory.path(), &Certificate::default()).unwrap();
    let (url, _stop) = serve(&server_tls(&files, None)).await;
    assert_eq!(answer(&tls(&json!({ "ca": files.ca })), &url).await, "hello");
    let stranger = client(&TlsSettings::default(), LONG).await;
    assert_eq!(failure(&stranger, &url).await.reason, Reason::TlsUntrusted);
}

#[tokio::test]
async fn where_clients_need_a_certificate_only_those_that_have_one_are_served() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let server = pki.write_server_to(directory.path(), &Certificate::default()).unwrap();
    let ours = pki.write_to(directory.path()).unwrap();
    let (url, _stop) = serve(&server_tls(&server, Some(&server.ca))).await;
    let known = tls(&json!({ "ca": server.ca, "cert": ours.cert, "key": ours.key }));
    assert_eq!(answer(&known, &url).await, "hello");
    let unknown = client(&tls(&json!({ "ca": server.ca })), LONG).await;
    assert_eq!(failure(&unknown, &url).await.reason, Reason::TlsClientCertificate);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_is_cut() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let files = pki.write_server_to(directory.path(), &Certificate::default()).unwrap();
    let limits = Limits { head_time: Duration::from_millis(200), ..Limits::default() };
    let (url, _stop) = serve_within(&server_tls(&files, None), limits).await;
    let mut stream = TcpStream::connect(url.trim_start_matches("https://")).await.unwrap();
    stream.write_all(&hello_of_tls_1_1()[..20]).await.unwrap();
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the connection ends").unwrap_or_default();
    assert_eq!(answer, [0; 0]);
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let files = pki.write_server_to(directory.path(), &Certificate::default()).unwrap();
    let refusal = async |settings: ServerTls| {
        let files = Files::default();
        let bound = Listener::bind("127.0.0.1:0".parse().unwrap(), Some(&settings), "web", &files);
        let error = bound.await.unwrap_err();
        let directory = format!("{}/", directory.path().display());
        format!("{}: {}", error.key, chain(&error)).replace(&directory, "")
    };
    let missing = directory.path().join("missing.pem");
    insta::assert_snapshot!(refusal(server_tls(&files, Some(&missing))).await, @"web.tls.client_ca: read missing.pem: No such file or directory (os error 2)");
    insta::assert_snapshot!(refusal(server_tls(&files, Some(&files.key))).await, @r#"web.tls.client_ca: no certificate in server_key.pem; expected a PEM file with -----BEGIN CERTIFICATE----- (export from the QMC as "Platform independent PEM-format")"#);
    let swapped = PemFiles { cert: files.ca.clone(), ..files.clone() };
    insta::assert_snapshot!(refusal(server_tls(&swapped, None)).await, @"web.tls.key: the key in server_key.pem does not belong to the certificate in root.pem: keys may not be consistent: KeyMismatch");
}

/// A `ClientHello` of TLS 1.1 that offers `TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA`.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    // Extensions, of which there is one: signature_algorithms (13).
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_client_of_tls_1_1_is_refused() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let files = pki.write_server_to(directory.path(), &Certificate::default()).unwrap();
    let (url, _stop) = serve(&server_tls(&files, None)).await;
    let mut stream = TcpStream::connect(url.trim_start_matches("https://")).await.unwrap();
    stream.write_all(&hello_of_tls_1_1()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version (70).
    assert_eq!(answer.first(), Some(&0x15), "{answer:x?}");
    assert!(answer.ends_with(&[2, 70]), "{answer:x?}");
}

#[tokio::test]
async fn the_client_offers_tls_1_2_and_1_3_only() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", server.local_addr().unwrap());
    let client = client(&TlsSettings::default(), LONG).await;
    let (request, hello) = tokio::join!(client.get(&url).send(), async {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut hello = vec![0; 4096];
        let length = stream.read(&mut hello).await.unwrap();
        hello.truncate(length);
        hello
    });
    request.unwrap_err();
    // The extension supported_versions (43): its length, that of the list, and the list.
    let begin = hello.windows(4).position(|bytes| bytes == [0, 43, 0, 5]).expect("supported_versions");
    let mut versions: Vec<_> = hello[begin + 5..begin + 9].chunks(2).map(<[u8]>::to_vec).collect();
    versions.sort();
    assert_eq!(versions, [[3, 3], [3, 4]]);
}
