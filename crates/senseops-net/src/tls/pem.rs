//! Certificates and keys from PEM files, as Qlik Sense exports them.

use std::path::Path;
use std::sync::Arc;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument, pkcs5};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use senseops_core::{BuildError, Files, Timestamp};
use tokio::task::spawn_blocking;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::ClientIdentity;
use crate::blocking::Blocking;
use crate::file::{READ_TIME, read_file, read_secret_file};
use crate::resolve;

/// The CAs that this machine trusts, while they are being loaded.
static SYSTEM_ROOTS: Blocking<(), Arc<RootCertStore>> = Blocking::new();

const ENCRYPTED_PKCS8: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_PKCS1: &str = "Proc-Type: 4,ENCRYPTED";

/// The CAs in a file.
pub(super) async fn roots(path: &Path, key: &str, files: &Files) -> Result<Arc<RootCertStore>, BuildError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, key, files).await? {
        roots.add(certificate).map_err(|cause| {
            BuildError::at(key, format!("use a certificate in {} as a CA", path.display())).because(cause)
        })?;
    }
    Ok(Arc::new(roots))
}

/// The CAs that this machine trusts. A machine that trusts none is no error: it may only talk plain HTTP.
pub(super) async fn system_roots(key: &str) -> Result<Arc<RootCertStore>, BuildError> {
    let load = |(): &()| {
        let mut roots = RootCertStore::empty();
        // Stores of real machines hold a few that no one can use.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    let loaded = SYSTEM_ROOTS.run((), READ_TIME, load).await;
    loaded.map_err(|cause| BuildError::at(key, "load the CAs that this machine trusts").because(cause))
}

/// The client certificate with its chain, and its key.
pub(super) async fn identity(
    identity: &ClientIdentity,
    key: &str,
    files: &Files,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), BuildError> {
    let certificates = certificates(&identity.cert, &format!("{key}.cert"), files).await?;
    let content = read_secret_file(&identity.key, &format!("{key}.key"), files).await?;
    let content = content.bytes.as_slice();
    if identity.key == identity.cert {
        // What is noted last counts, and that was a key.
        note_end(&certificates, &identity.cert, content, files);
    }
    let text = String::from_utf8_lossy(content);
    let private_key = if text.contains(ENCRYPTED_PKCS8) {
        decrypt(identity, &text, key, files).await?
    } else if text.contains(ENCRYPTED_PKCS1) {
        return Err(BuildError::at(
            format!("{key}.key"),
            format!(
                "{} is encrypted in an outdated way; {}",
                identity.key.display(),
                conversion(&identity.key)
            ),
        ));
    } else {
        plain_key(content, &identity.key, &format!("{key}.key"))?
    };
    Ok((certificates, private_key))
}

async fn certificates(
    path: &Path,
    key: &str,
    files: &Files,
) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let content = read_file(path, key, files).await?;
    let content = content.bytes.as_slice();
    let certificates = rustls_pemfile::certs(&mut &*content).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|cause| {
        BuildError::at(key, format!("read certificates in {}", path.display())).because(cause)
    })?;
    if certificates.is_empty() {
        let message = format!(
            "no certificate in {}; expected a PEM file with -----BEGIN CERTIFICATE----- (export from the QMC as \
             \"Platform independent PEM-format\")",
            path.display()
        );
        return Err(BuildError::at(key, message));
    }
    note_end(&certificates, path, content, files);
    Ok(certificates)
}

fn note_end(certificates: &[CertificateDer<'_>], path: &Path, content: &[u8], files: &Files) {
    if let Some(first) = certificates.iter().filter_map(|certificate| end_of(certificate)).min() {
        files.note_certificates(path, content, first);
    }
}

/// When a certificate ends. `None` for one that only a more lenient reader understands: TLS decides whether it is of use.
fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_system_time().into())
}

fn plain_key(content: &[u8], path: &Path, key: &str) -> Result<PrivateKeyDer<'static>, BuildError> {
    let found = rustls_pemfile::private_key(&mut &*content)
        .map_err(|cause| BuildError::at(key, format!("read the key in {}", path.display())).because(cause))?;
    found.ok_or_else(|| {
        let message = format!(
            "no key in {}; expected a PEM file with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----",
            path.display()
        );
        BuildError::at(key, message)
    })
}

async fn decrypt(
    identity: &ClientIdentity,
    text: &str,
    key: &str,
    files: &Files,
) -> Result<PrivateKeyDer<'static>, BuildError> {
    let path = identity.key.display();
    let Some(secret) = &identity.passphrase else {
        let message = format!("{path} is encrypted; set {key}.passphrase, or {}", conversion(&identity.key));
        return Err(BuildError::at(format!("{key}.key"), message));
    };
    let passphrase_key = format!("{key}.passphrase");
    let passphrase = resolve(secret, &passphrase_key, files).await?;
    let begin = text.find(ENCRYPTED_PKCS8).unwrap_or_default();
    let pem = text.get(begin..).unwrap_or_default().to_owned();
    // Passphrases are made slow to try on purpose.
    let opened = spawn_blocking(move || open(&pem, &passphrase))
        .await
        .map_err(|cause| BuildError::at(&passphrase_key, format!("decrypt {path}")).because(cause))?;
    opened.map_err(|cause| {
        let way_out = conversion(&identity.key);
        let message = if matches!(cause, pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed)) {
            format!("{path} is encrypted with another passphrase; correct it, or {way_out}")
        } else {
            format!("{path} is encrypted in a way that is not supported; {way_out}")
        };
        BuildError::at(passphrase_key, message).because(cause)
    })
}

fn open(pem: &str, passphrase: &str) -> Result<PrivateKeyDer<'static>, pkcs8::Error> {
    let (_label, document) = SecretDocument::from_pem(pem)?;
    let encrypted: EncryptedPrivateKeyInfoRef<'_> = document.as_bytes().try_into()?;
    let plain = encrypted.decrypt(passphrase)?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

/// How to make a key that every version of this program can read.
fn conversion(path: &Path) -> String {
    format!("convert it with `openssl pkcs8 -topk8 -nocrypt -in {} -out plain_key.pem`", path.display())
}
