//! Certificates and keys as people have them.

use std::path::{Path, PathBuf};

use senseops_core::{Files, chain};
use serde_json::json;

use crate::support::tls;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What opening `client.pem` with this key and passphrase says: nothing, or `setting: sentence`.
async fn open(key: &str, passphrase: Option<&str>) -> Result<(), String> {
    let settings = match passphrase {
        Some(text) => json!({ "cert": fixture("client.pem"), "key": fixture(key), "passphrase": text }),
        None => json!({ "cert": fixture("client.pem"), "key": fixture(key) }),
    };
    refusal(&settings).await
}

async fn refusal(settings: &serde_json::Value) -> Result<(), String> {
    let directory = format!("{}/", fixture("").display().to_string().trim_end_matches('/'));
    match tls(settings).client_config("tls", &Files::default()).await {
        Ok(_config) => Ok(()),
        Err(error) => Err(format!("{}: {}", error.key, chain(&error)).replace(&directory, "")),
    }
}

#[tokio::test]
async fn keys_in_the_usual_forms_are_opened() {
    for key in ["key_pkcs8.pem", "key_pkcs1.pem"] {
        assert_eq!(open(key, None).await, Ok(()), "{key}");
        // A passphrase too many does no harm.
        assert_eq!(open(key, Some("unused")).await, Ok(()), "{key}");
    }
    for key in ["key_encrypted_aes256.pem", "key_encrypted_des3.pem"] {
        assert_eq!(open(key, Some("correct-horse")).await, Ok(()), "{key}");
    }
}

#[tokio::test]
async fn an_encrypted_key_that_cannot_be_opened_is_refused_with_the_way_out() {
    insta::assert_snapshot!(open("key_encrypted_aes256.pem", None).await.unwrap_err(), @"tls.key: key_encrypted_aes256.pem is encrypted; set tls.passphrase, or convert it with `openssl pkcs8 -topk8 -nocrypt -in key_encrypted_aes256.pem -out plain_key.pem`");
    insta::assert_snapshot!(open("key_encrypted_aes256.pem", Some("wrong")).await.unwrap_err(), @"tls.passphrase: key_encrypted_aes256.pem is encrypted with another passphrase; correct it, or convert it with `openssl pkcs8 -topk8 -nocrypt -in key_encrypted_aes256.pem -out plain_key.pem`: PKCS#5 decryption failed");
    insta::assert_snapshot!(open("key_encrypted_pbes1.pem", Some("correct-horse")).await.unwrap_err(), @"tls.passphrase: key_encrypted_pbes1.pem is encrypted in a way that is not supported; convert it with `openssl pkcs8 -topk8 -nocrypt -in key_encrypted_pbes1.pem -out plain_key.pem`: PKCS#8 ASN.1 error: malformed ASN.1 DER value for OBJECT IDENTIFIER");
    insta::assert_snapshot!(open("key_encrypted_legacy.pem", Some("correct-horse")).await.unwrap_err(), @"tls.key: key_encrypted_legacy.pem is encrypted in an outdated way; convert it with `openssl pkcs8 -topk8 -nocrypt -in key_encrypted_legacy.pem -out plain_key.pem`");
}

#[tokio::test]
async fn files_that_are_missing_or_hold_something_else_are_named() {
    insta::assert_snapshot!(open("missing.pem", None).await.unwrap_err(), @"tls.key: read missing.pem: No such file or directory (os error 2)");
    insta::assert_snapshot!(open("client.pem", None).await.unwrap_err(), @"tls.key: no key in client.pem; expected a PEM file with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----");
    insta::assert_snapshot!(open("key_of_another.pem", None).await.unwrap_err(), @"tls.key: the key in key_of_another.pem does not belong to the certificate in client.pem: keys may not be consistent: KeyMismatch");
    insta::assert_snapshot!(refusal(&json!({ "ca": fixture("missing.pem") })).await.unwrap_err(), @"tls.ca: read missing.pem: No such file or directory (os error 2)");
    insta::assert_snapshot!(refusal(&json!({ "ca": fixture("key_pkcs8.pem") })).await.unwrap_err(), @r#"tls.ca: no certificate in key_pkcs8.pem; expected a PEM file with -----BEGIN CERTIFICATE----- (export from the QMC as "Platform independent PEM-format")"#);
}

#[tokio::test]
async fn a_passphrase_that_is_not_set_is_named() {
    let settings = json!({
        "cert": fixture("client.pem"),
        "key": fixture("key_encrypted_aes256.pem"),
        "passphrase": { "env": "SENSEOPS_NOT_SET" },
    });
    insta::assert_snapshot!(refusal(&settings).await.unwrap_err(), @"tls.passphrase: the environment variable SENSEOPS_NOT_SET, which should hold the secret, is not set");
}
