//! The ways in which TLS can fail, as a client hears of them.

use rustls::CertificateError;
use rustls::pki_types::pem::PemObject;
use senseops_sim::{Certificate, ClientCheck, PemFiles, Pki, SenseServer};

use crate::client::Client;

/// Polls a server with this certificate, and tells what went wrong.
async fn failure(certificate: Certificate) -> rustls::Error {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let files = pki.write_to(dir.path()).unwrap();
    let server = SenseServer::over_tls(&pki).certificate(certificate).start().await.unwrap();
    poll(&server, &files).await.unwrap_err()
}

async fn poll(server: &SenseServer, files: &PemFiles) -> Result<(), rustls::Error> {
    let asked = async { Client::connect(server, files).await?.health().await };
    asked.await.map(drop).map_err(tls_error)
}

fn tls_error(error: std::io::Error) -> rustls::Error {
    *error.into_inner().unwrap().downcast().unwrap()
}

#[tokio::test]
async fn a_client_with_the_exported_files_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let files = pki.write_to(dir.path()).unwrap();
    let server = SenseServer::over_tls(&pki).start().await.unwrap();
    assert_eq!(poll(&server, &files).await, Ok(()));
    let names: Vec<_> = [&files.ca, &files.cert, &files.key].map(|path| path.file_name().unwrap()).into();
    assert_eq!(names, ["root.pem", "client.pem", "client_key.pem"]);
}

#[tokio::test]
async fn an_expired_certificate_is_told() {
    let error = failure(Certificate::Expired).await;
    assert!(
        matches!(error, rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told() {
    let error = failure(Certificate::For(vec!["sense.example.com".to_owned()])).await;
    assert!(
        matches!(error, rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_told() {
    let error = failure(Certificate::OtherAuthority).await;
    assert_eq!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
}

#[tokio::test]
async fn recreated_certificates_do_not_fit_the_old_root() {
    let (old_dir, new_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (Pki::new().unwrap(), Pki::new().unwrap());
    let old_files = old.write_to(old_dir.path()).unwrap();
    let new_files = new.write_to(new_dir.path()).unwrap();
    let server = SenseServer::over_tls(&new).start().await.unwrap();
    assert!(poll(&server, &old_files).await.is_err());
    // With the new root but the old client certificate, it is the server that refuses.
    let error = poll(&server, &PemFiles { ca: new_files.ca.clone(), ..old_files }).await.unwrap_err();
    assert!(matches!(error, rustls::Error::AlertReceived(_)), "{error:?}");
    assert_eq!(poll(&server, &new_files).await, Ok(()));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_unless_none_is_demanded() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let files = pki.write_to(dir.path()).unwrap();
    let strict = SenseServer::over_tls(&pki).start().await.unwrap();
    let asked = async { Client::connect_without_certificate(&strict, &files).await?.health().await };
    let error = tls_error(asked.await.map(drop).unwrap_err());
    assert_eq!(error, rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired));

    let open = SenseServer::over_tls(&pki).clients(ClientCheck::None).start().await.unwrap();
    let mut client = Client::connect_without_certificate(&open, &files).await.unwrap();
    assert!(client.health().await.unwrap().head.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_server_of_another_program_gets_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new().unwrap();
    let files = pki.write_server_to(dir.path(), &Certificate::Valid).unwrap();
    let root = rustls::pki_types::CertificateDer::from_pem_file(&files.ca).unwrap();
    assert_eq!(root, pki.root());
    assert_eq!(files.cert, dir.path().join("server.pem"));
    assert!(rustls::pki_types::PrivateKeyDer::from_pem_file(&files.key).is_ok());
}

#[test]
fn a_missing_directory_is_told_with_the_file() {
    let error = Pki::new().unwrap().write_to("/nonexistent/pems".as_ref()).unwrap_err();
    insta::assert_snapshot!(error, @"write /nonexistent/pems/root.pem");
}

#[cfg(unix)]
#[test]
fn a_key_is_for_its_owner_alone_also_where_one_was_for_all() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("client_key.pem"), "old").unwrap();
    let files = Pki::new().unwrap().write_to(dir.path()).unwrap();
    let mode = std::fs::metadata(&files.key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
