//! What an operator writes about TLS of a listener, and the acceptor it stands for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use senseops_core::host::ContentDigest;
use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::{Secret, Warning};
use senseops_core::{BuildError, Files, chain};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::{ClientIdentity, pem};
use crate::file;

/// How a listener talks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// A PEM file of the certificate, followed by those that link it to a CA.
    pub cert: PathBuf,
    /// A PEM file of the key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Opens an encrypted key (PKCS#8 `ENCRYPTED PRIVATE KEY`).
    #[serde(default)]
    pub passphrase: Option<Secret>,
    /// A PEM file of the CAs of which clients must have a certificate. Without it, they need none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// Ends the TLS of connections, with the certificate that is in the files now.
pub(crate) struct Terminator {
    settings: ServerTls,
    key: String,
    files: Files,
    acceptor: watch::Sender<TlsAcceptor>,
    /// What the files held that are in use.
    used: Contents,
    /// Whether the last reading of the files gave nothing usable.
    is_outdated: bool,
}

/// Files by what they hold.
type Contents = BTreeMap<PathBuf, ContentDigest>;

impl ServerTls {
    /// What an operator should know about them. `key` is the setting that holds them.
    pub fn warnings(&self, key: &str) -> Vec<Warning> {
        let passphrase = self.passphrase.as_ref();
        Vec::from_iter(passphrase.and_then(|secret| secret.warning(&format!("{key}.passphrase"))))
    }

    /// The files, each with the setting that names it. `key` is the setting that holds them all.
    fn paths(&self, key: &str) -> impl Iterator<Item = (&Path, String)> {
        let passphrase = match &self.passphrase {
            Some(Secret::File(path)) => Some(path),
            Some(Secret::Env(_) | Secret::Text(_)) | None => None,
        };
        let all = [
            ("cert", Some(&self.cert)),
            ("key", Some(&self.key)),
            ("passphrase", passphrase),
            ("client_ca", self.client_ca.as_ref()),
        ];
        all.into_iter().filter_map(move |(name, path)| Some((path?.as_path(), format!("{key}.{name}"))))
    }

    /// What the files held when they were last read for a component.
    fn contents(&self, files: &Files) -> Contents {
        let noted = files.noted().into_iter().map(|(path, noted)| (path, noted.digest));
        noted.filter(|(path, _)| self.paths("").any(|(ours, _)| ours == path)).collect()
    }

    /// Reads the files, and notes them in `files`. TLS 1.2 is the oldest version that is spoken.
    async fn server_config(&self, key: &str, files: &Files) -> Result<ServerConfig, BuildError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| BuildError::at(key, "choose TLS versions").because(cause))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let key = format!("{key}.client_ca");
                let roots = pem::roots(path, &key, files).await?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(
                    |cause| {
                        BuildError::at(&key, format!("check clients with {}", path.display())).because(cause)
                    },
                )?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let identity = ClientIdentity {
            cert: self.cert.clone(),
            key: self.key.clone(),
            passphrase: self.passphrase.clone(),
        };
        let (certificates, private_key) = pem::identity(&identity, key, files).await?;
        let mut config = builder
            .with_single_cert(certificates, private_key)
            .map_err(|cause| identity.is_unusable(key, cause))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Terminator {
    /// Reads the files for the first time.
    pub(crate) async fn new(settings: &ServerTls, key: String, files: &Files) -> Result<Self, BuildError> {
        let acceptor = TlsAcceptor::from(Arc::new(settings.server_config(&key, files).await?));
        let used = settings.contents(files);
        Ok(Self {
            settings: settings.clone(),
            key,
            files: files.clone(),
            acceptor: watch::Sender::new(acceptor),
            used,
            is_outdated: false,
        })
    }

    /// For each next connection, whatever the files hold then.
    pub(crate) fn acceptor(&self) -> watch::Receiver<TlsAcceptor> {
        self.acceptor.subscribe()
    }

    /// Reads the files again and again.
    #[expect(clippy::infinite_loop, reason = "the listener drops it when it ends")]
    pub(crate) async fn follow_files(mut self, interval: Duration) -> Infallible {
        loop {
            sleep(interval).await;
            self.renew().await;
        }
    }

    /// Reads the files again. If they are of no use, such as between the change of one and the other, all stays as it is.
    async fn renew(&mut self) {
        let cert = self.settings.cert.display();
        match self.renewed().await {
            Ok(renewed) => {
                if let Some(acceptor) = renewed {
                    info!(%cert, "certificate of the listener renewed");
                    self.acceptor.send_replace(acceptor);
                    self.used = self.settings.contents(&self.files);
                } else if self.is_outdated {
                    info!(%cert, "certificate of the listener is as before");
                }
                self.is_outdated = false;
            }
            Err(error) => {
                if !self.is_outdated {
                    warn!(error = %chain(&error), "certificate of the listener cannot be renewed");
                }
                self.is_outdated = true;
            }
        }
    }

    /// What the files stand for now, unless they hold what is in use.
    async fn renewed(&self) -> Result<Option<TlsAcceptor>, BuildError> {
        let mut has_changed = false;
        for (path, key) in self.settings.paths(&self.key) {
            let content = file::read(path, &key).await?;
            has_changed |= self.used.get(path) != Some(&ContentDigest::of(&content.bytes));
        }
        if !has_changed {
            return Ok(None);
        }
        let config = self.settings.server_config(&self.key, &self.files).await?;
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::pki_types::{CertificateDer, ServerName};
    use senseops_sim::{Certificate, Pki};
    use tokio::io::duplex;
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::TlsSettings;

    /// The certificate that a client is shown.
    async fn shown(terminator: &Terminator) -> CertificateDer<'static> {
        let settings: TlsSettings = serde_json::from_str(r#"{"verify": "none"}"#).unwrap();
        let client = settings.client_config("tls", &Files::default()).await.unwrap();
        let (ours, theirs) = duplex(16 * 1024);
        let name = ServerName::try_from("localhost").unwrap();
        let client = TlsConnector::from(Arc::new(client)).connect(name, theirs);
        let acceptor = terminator.acceptor().borrow().clone();
        let (_served, connected) = tokio::join!(acceptor.accept(ours), client);
        let connected = connected.unwrap();
        connected.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    async fn content(path: &Path) -> Vec<u8> {
        tokio::fs::read(path).await.unwrap()
    }

    #[tokio::test]
    async fn rotated_files_are_used_once_they_fit_together() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let old = Pki::new().unwrap().write_server_to(first.path(), &Certificate::default()).unwrap();
        let new = Pki::new().unwrap().write_server_to(second.path(), &Certificate::default()).unwrap();
        let settings =
            ServerTls { cert: old.cert.clone(), key: old.key.clone(), passphrase: None, client_ca: None };
        let files = Files::default();
        let mut terminator = Terminator::new(&settings, "tls".into(), &files).await.unwrap();
        let at_first = shown(&terminator).await;

        terminator.renew().await;
        assert_eq!(shown(&terminator).await, at_first);
        tokio::fs::write(&old.cert, content(&new.cert).await).await.unwrap();
        terminator.renew().await;
        assert_eq!(shown(&terminator).await, at_first, "with the new certificate and the old key");
        tokio::fs::write(&old.key, content(&new.key).await).await.unwrap();
        terminator.renew().await;
        assert_ne!(shown(&terminator).await, at_first);
        assert_eq!(files.noted().len(), 2);
    }

    #[test]
    fn a_passphrase_as_text_is_warned_about_and_not_shown() {
        let settings = r#"{"cert": "server.pem", "key": "server_key.pem", "passphrase": "canary"}"#;
        let settings: ServerTls = serde_json::from_str(settings).unwrap();
        let keys: Vec<_> = settings.warnings("tls").into_iter().map(|warning| warning.key).collect();
        assert_eq!(keys, ["tls.passphrase"]);
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
