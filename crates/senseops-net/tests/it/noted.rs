//! What a component was built from is noted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use senseops_core::Files;
use senseops_core::host::Noted;
use senseops_core::settings::Secret;
use senseops_net::{HeaderMap, Headers, HttpClient, resolve};
use senseops_sim::Pki;
use serde_json::json;

use crate::support::{LONG, tls};

fn names(files: &Files) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.noted().into_iter().map(|(path, _)| name(path)).collect()
}

fn noted(files: &Files, path: &Path) -> Noted {
    files.noted().into_iter().find(|(noted, _)| noted == path).expect("it is noted").1
}

#[tokio::test]
async fn every_file_of_a_client_is_noted_and_certificates_with_their_end() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let pem = pki.write_to(directory.path()).unwrap();
    let files = Files::default();
    let settings = tls(&json!({ "ca": pem.ca, "cert": pem.cert, "key": pem.key }));
    HttpClient::new(&settings, "tls", LONG, HeaderMap::new(), &files).await.unwrap();
    assert_eq!(names(&files), ["client.pem", "client_key.pem", "root.pem"]);
    assert_eq!(noted(&files, &pem.key).expires, None);
    for certificate in [&pem.cert, &pem.ca] {
        assert_eq!(
            noted(&files, certificate).expires.map(|time| time.to_string()).as_deref(),
            Some("2099-12-31T00:00:00Z")
        );
    }
}

#[tokio::test]
async fn of_several_certificates_the_first_to_end_counts() {
    let fixture = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let directory = tempfile::tempdir().unwrap();
    let expires = async |path: &Path| {
        let files = Files::default();
        tls(&json!({ "ca": path })).client_config("tls", &files).await.unwrap();
        noted(&files, path).expires.unwrap()
    };
    let long = fixture("client.pem");
    let short = Pki::new().unwrap().write_to(directory.path()).unwrap().ca;
    let mut both = tokio::fs::read(&long).await.unwrap();
    both.extend(tokio::fs::read(&short).await.unwrap());
    let bundle = directory.path().join("bundle.pem");
    tokio::fs::write(&bundle, both).await.unwrap();
    let (long, short) = (expires(&long).await, expires(&short).await);
    assert_ne!(long, short);
    assert_eq!(expires(&bundle).await, long.min(short));
}

#[tokio::test]
async fn a_certificate_and_its_key_may_be_in_one_file() {
    let (directory, pki) = (tempfile::tempdir().unwrap(), Pki::new().unwrap());
    let pem = pki.write_to(directory.path()).unwrap();
    let mut both = tokio::fs::read(&pem.cert).await.unwrap();
    both.extend(tokio::fs::read(&pem.key).await.unwrap());
    tokio::fs::write(&pem.cert, both).await.unwrap();
    let files = Files::default();
    let settings = tls(&json!({ "ca": pem.ca, "cert": pem.cert, "key": pem.cert }));
    settings.client_config("tls", &files).await.unwrap();
    assert!(noted(&files, &pem.cert).expires.is_some());
}

#[tokio::test]
async fn secrets_in_files_are_noted_and_others_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let (token, session) = (directory.path().join("token"), directory.path().join("session"));
    tokio::fs::write(&token, "canary").await.unwrap();
    tokio::fs::write(&session, "canary").await.unwrap();
    let files = Files::default();
    resolve(&Secret::File(token), "token", &files).await.unwrap();
    resolve(&Secret::Text("canary".into()), "token", &files).await.unwrap();
    let headers = json!({ "X-Qlik-Session": { "file": session }, "X-Site": "one" });
    let headers: Headers = serde_json::from_value(headers).unwrap();
    headers.resolve("headers", &files).await.unwrap();
    assert_eq!(names(&files), ["session", "token"]);
}
