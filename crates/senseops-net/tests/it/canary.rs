//! Secrets are shown nowhere, whatever they are made of.
#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::time::Duration;

use proptest::prelude::*;
use senseops_core::settings::Secret;
use senseops_core::{BuildError, Files, chain};
use senseops_net::{HeaderMap, Headers, HttpClient, ServerTls, TlsSettings, Token};
use serde_json::json;
use tokio::runtime::Builder;

const CANARY: &str = "canary";

/// A text with the canary in it, and with all that could make a parser complain about it.
fn secret() -> impl Strategy<Value = String> {
    ("\\PC{0,8}", "[\\x00-\\x7f\u{e4}]{0,8}").prop_map(|(before, after)| format!("{before}{CANARY}{after}"))
}

/// What an operator could get to see of an outcome.
fn shown<T: std::fmt::Debug>(outcome: Result<T, BuildError>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?} {error:#?} {}", chain(&error)),
    }
}

async fn everything_shown_of(text: &str) -> Vec<String> {
    let (files, secret) = (Files::default(), Secret::Text(text.to_owned()));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    tokio::fs::write(&path, text).await.expect("a file");
    let from_file = json!({ "file": path });

    let written = serde_json::from_value::<Headers>(json!({ "Authorization": text }));
    let named = serde_json::from_value::<Headers>(json!({ format!("Cookie: {text}"): "" }));
    let read: Headers = serde_json::from_value(json!({ "Authorization": from_file })).expect("headers");
    let tls = json!({ "cert": "none.pem", "key": "none.pem", "passphrase": text });
    let client: TlsSettings = serde_json::from_value(tls.clone()).expect("settings");
    let server: ServerTls = serde_json::from_value(tls).expect("settings");
    let headers = match &written {
        Ok(headers) => headers.resolve("headers", &files).await,
        Err(_) => Ok(HeaderMap::new()),
    };
    let sending = headers.as_ref().cloned().unwrap_or_default();
    vec![
        format!("{secret:?} {written:?} {named:?} {client:?} {server:?} {files:?}"),
        shown(headers),
        shown(read.resolve("headers", &files).await),
        shown(Token::resolve(&secret, "token", &files).await),
        shown(client.client_config("tls", &files).await),
        shown(HttpClient::new(&TlsSettings::default(), "tls", Duration::MAX, sending, &files).await),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_secret_is_shown_nowhere(text in secret()) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        for shown in runtime.block_on(everything_shown_of(&text)) {
            prop_assert!(!shown.contains(CANARY), "{shown}");
        }
    }
}

/// An encrypted key takes long to open, so this is not among the others.
#[tokio::test]
async fn a_wrong_passphrase_is_not_shown() {
    let fixture = |name| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let tls = json!({
        "cert": fixture("client.pem"), "key": fixture("key_encrypted_aes256.pem"), "passphrase": CANARY,
    });
    let tls: TlsSettings = serde_json::from_value(tls).unwrap();
    let shown = shown(tls.client_config("tls", &Files::default()).await);
    assert!(shown.contains("another passphrase") && !shown.contains(CANARY), "{shown}");
}
