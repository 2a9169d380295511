//! Every way to fail has a class and a sentence.

use std::time::Duration;

use senseops_net::{Reason, TlsSettings};
use senseops_sim::{Behaviour, Certificate, ClientCheck, Pki, SenseServer};
use senseops_testkit::Reserved;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{LONG, answer_once, client, failure, tls, url};

#[tokio::test]
async fn a_closed_port_refuses() {
    let client = client(&TlsSettings::default(), LONG).await;
    let nobody = Reserved::tcp().unwrap();
    let failure = failure(&client, &format!("http://{}/", nobody.address())).await;
    assert_eq!(failure.reason, Reason::Refused);
    insta::assert_snapshot!(failure, @"http://127.0.0.1:PORT refused the connection; check that the service runs and that the port is right");
}

#[tokio::test]
async fn a_host_without_an_address_is_a_matter_of_dns() {
    // No name server is asked for a label of more than 63 characters.
    let host = "x".repeat(64);
    let client = client(&TlsSettings::default(), LONG).await;
    let failure = failure(&client, &format!("http://{host}/")).await;
    assert_eq!(failure.reason, Reason::Dns);
    assert!(failure.what.starts_with(&format!("the host name {host} cannot be resolved (")), "{failure}");
}

#[tokio::test]
async fn a_host_that_no_certificate_can_be_for_is_a_matter_of_dns() {
    let client = client(&TlsSettings::default(), LONG).await;
    let failure = failure(&client, "https://-qlik-/").await;
    assert_eq!(failure.reason, Reason::Dns);
    insta::assert_snapshot!(failure, @"-qlik- is no host name; check its spelling");
}

#[tokio::test]
async fn silence_is_a_timeout_before_and_after_the_connection() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let client = client(&TlsSettings::default(), Duration::from_secs(3)).await;
    let (plain, tls) = (format!("http://127.0.0.1:{port}/"), format!("https://127.0.0.1:{port}/"));
    let (unanswered, unconnected) = tokio::join!(failure(&client, &plain), failure(&client, &tls));
    assert_eq!(unanswered.reason, Reason::Timeout);
    insta::assert_snapshot!(unanswered, @"http://127.0.0.1:PORT did not answer within 3s; raise the timeout if it is slow but well");
    assert_eq!(unconnected.reason, Reason::Timeout);
    insta::assert_snapshot!(unconnected, @"no connection to https://127.0.0.1:PORT within 2.4s; check the address, and the firewalls on the way");
}

#[tokio::test]
async fn an_exchange_may_go_without_a_limit_of_its_own() {
    let server = SenseServer::over_http().start().await.unwrap();
    let client = client(&TlsSettings::default(), Duration::MAX).await;
    let url = format!("http://{}/engine/healthcheck", server.address());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_failed_handshake_may_have_two_reasons() {
    let handshake_failure = b"\x15\x03\x03\x00\x02\x02\x28";
    let (address, _server) = answer_once(handshake_failure).await;
    let failure = failure(&client(&TlsSettings::default(), LONG).await, &format!("https://{address}/")).await;
    assert_eq!(failure.reason, Reason::Tls);
    insta::assert_snapshot!(failure, @"https://127.0.0.1:PORT demands a client certificate, or shares no cipher with us; set tls.cert and tls.key, and let it speak TLS 1.2 or 1.3");
}

#[tokio::test]
async fn http_and_tls_mixed_up_is_recognised_both_ways() {
    let client = client(&TlsSettings::default(), LONG).await;
    let (plain, _server) = answer_once("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let no_tls = failure(&client, &format!("https://{plain}/")).await;
    assert_eq!(no_tls.reason, Reason::Tls);
    insta::assert_snapshot!(no_tls, @"https://127.0.0.1:PORT does not answer in TLS; check the port; if it does not speak TLS, write http://");
    let (tls, _server) = answer_once(b"\x15\x03\x01\x00\x02\x02\x46").await;
    let no_http = failure(&client, &format!("http://{tls}/")).await;
    assert_eq!(no_http.reason, Reason::BadBody);
    insta::assert_snapshot!(no_http, @"http://127.0.0.1:PORT does not answer in HTTP; if it expects TLS, write https://");
}

#[tokio::test]
async fn a_connection_closed_early_is_a_reset() {
    let client = client(&TlsSettings::default(), LONG).await;
    let (address, _server) = answer_once("").await;
    let failure = failure(&client, &format!("http://{address}/")).await;
    assert_eq!(failure.reason, Reason::Reset);
    insta::assert_snapshot!(failure, @"http://127.0.0.1:PORT closed the connection before its answer was complete; if it expects TLS, write https://");
}

#[tokio::test]
async fn an_unknown_authority_is_told_apart_from_a_renewed_one() {
    let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
    let files = pki.write_to(directory.path()).unwrap();
    let ca = files.ca.display().to_string();
    let stranger =
        SenseServer::over_tls(&pki).certificate(Certificate::OtherAuthority).start().await.unwrap();
    let renewed_pki = Pki::new().unwrap();
    let renewed = SenseServer::over_tls(&renewed_pki).start().await.unwrap();

    let configured = client(&tls(&json!({ "ca": ca })), LONG).await;
    for server in [&stranger, &renewed] {
        let failure = failure(&configured, &url(server)).await;
        assert_eq!(failure.reason, Reason::TlsUntrusted);
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.to_string().replace(&ca, "root.pem"), @"the certificate of https://127.0.0.1:PORT is not signed by the CA in root.pem; set tls.ca to the certificate of the CA that signed it");
        }
    }
    let unconfigured = client(&TlsSettings::default(), LONG).await;
    insta::assert_snapshot!(failure(&unconfigured, &url(&stranger)).await, @"the certificate of https://127.0.0.1:PORT is signed by a CA that this machine does not trust; set tls.ca to the certificate of the CA that signed it");
}

#[tokio::test]
async fn another_name_can_be_expected_instead_of_the_host() {
    let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
    let ca = pki.write_to(directory.path()).unwrap().ca;
    let names = vec!["qlik.local".to_owned(), "10.1.2.3".to_owned()];
    let server = SenseServer::over_tls(&pki)
        .certificate(Certificate::For(names))
        .clients(ClientCheck::None)
        .start()
        .await
        .unwrap();

    let mismatch = failure(&client(&tls(&json!({ "ca": ca })), LONG).await, &url(&server)).await;
    assert_eq!(mismatch.reason, Reason::TlsName);
    insta::assert_snapshot!(mismatch, @"the certificate of https://127.0.0.1:PORT is for qlik.local, 10.1.2.3, not for 127.0.0.1; if this is the right server, set tls.server_name to a name in its certificate");
    let wrong =
        failure(&client(&tls(&json!({ "ca": ca, "server_name": "other.local" })), LONG).await, &url(&server))
            .await;
    insta::assert_snapshot!(wrong, @"the certificate of https://127.0.0.1:PORT is for qlik.local, 10.1.2.3, not for other.local; if this is the right server, set tls.server_name to a name in its certificate");
    for name in ["qlik.local", "10.1.2.3"] {
        let client = client(&tls(&json!({ "ca": ca, "server_name": name })), LONG).await;
        let url = format!("{}/engine/healthcheck", url(&server));
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_certificate_without_names_cannot_be_verified() {
    let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
    let ca = pki.write_to(directory.path()).unwrap().ca;
    let server = SenseServer::over_tls(&pki)
        .certificate(Certificate::For(Vec::new()))
        .clients(ClientCheck::None)
        .start()
        .await
        .unwrap();
    let failure = failure(&client(&tls(&json!({ "ca": ca })), LONG).await, &url(&server)).await;
    insta::assert_snapshot!(failure, @"the certificate of https://127.0.0.1:PORT is for no name at all, not for 127.0.0.1; have it issued with a subjectAltName, or set tls.verify: none for this server");
    let url = format!("{}/engine/healthcheck", url(&server));
    let careless = client(&tls(&json!({ "verify": "none" })), LONG).await;
    assert_eq!(careless.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_expired_certificate_is_accepted_only_without_verification() {
    let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
    let ca = pki.write_to(directory.path()).unwrap().ca;
    let server = SenseServer::over_tls(&pki)
        .certificate(Certificate::Expired)
        .clients(ClientCheck::None)
        .start()
        .await
        .unwrap();
    let failure = failure(&client(&tls(&json!({ "ca": ca })), LONG).await, &url(&server)).await;
    assert_eq!(failure.reason, Reason::TlsExpired);
    insta::assert_snapshot!(failure, @"the certificate of https://127.0.0.1:PORT expired on 2021-01-01; renew it; until then, tls.verify: none goes on without protection");
    let url = format!("{}/engine/healthcheck", url(&server));
    let careless = client(&tls(&json!({ "verify": "none" })), LONG).await;
    assert_eq!(careless.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_server_that_misses_or_refuses_our_certificate_says_so() {
    let (pki, other) = (Pki::new().unwrap(), Pki::new().unwrap());
    let (directory, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = pki.write_to(directory.path()).unwrap();
    let theirs = other.write_to(foreign.path()).unwrap();
    let server = SenseServer::over_tls(&pki).start().await.unwrap();

    let without = failure(&client(&tls(&json!({ "ca": ours.ca })), LONG).await, &url(&server)).await;
    assert_eq!(without.reason, Reason::TlsClientCertificate);
    insta::assert_snapshot!(without, @"https://127.0.0.1:PORT demands a client certificate; set tls.cert and tls.key");
    let settings = json!({ "ca": ours.ca, "cert": theirs.cert, "key": theirs.key });
    let refused = failure(&client(&tls(&settings), LONG).await, &url(&server)).await;
    assert_eq!(refused.reason, Reason::TlsClientCertificate);
    let foreign = foreign.path().display().to_string();
    insta::assert_snapshot!(refused.to_string().replace(&foreign, "DIR"), @"https://127.0.0.1:PORT does not accept our certificate in DIR/client.pem (DecryptError); set tls.cert and tls.key to a certificate that its own CA issued");
}

#[tokio::test]
async fn a_connection_is_kept_alive_and_a_redirect_is_not_followed() {
    let (pki, directory) = (Pki::new().unwrap(), tempfile::tempdir().unwrap());
    let files = pki.write_to(directory.path()).unwrap();
    let server = SenseServer::over_tls(&pki).behaviour(Behaviour::Redirect).start().await.unwrap();
    let client = client(&tls(&json!({ "ca": files.ca, "cert": files.cert, "key": files.key })), LONG).await;
    for _ in 0..3 {
        let response = client.get(format!("{}/engine/healthcheck", url(&server))).send().await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(response.bytes().await.unwrap().len(), 0);
    }
    assert_eq!((server.requests(), server.connections()), (3, 1));
}
