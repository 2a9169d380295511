//! What an operator writes about TLS, and the client configuration it stands for.

mod pem;
mod server;
mod verify;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use senseops_core::schemars::{self, JsonSchema, Schema, SchemaGenerator};
use senseops_core::settings::{Secret, Warning};
use senseops_core::{BuildError, Files};
use serde::Deserialize;

pub use self::server::ServerTls;
pub(crate) use self::server::Terminator;

/// How to talk TLS to a server. All of it is optional: without anything, the server must have a certificate that this
/// machine trusts, for the host in the URL.
///
/// As a table: `ca`, `cert`, `key`, `passphrase`, `server_name`, `verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawTlsSettings")]
pub struct TlsSettings {
    /// A PEM file of the CAs that may have signed the server's certificate, or of that itself. Without it: those this
    /// machine trusts.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub identity: Option<ClientIdentity>,
    /// The name that the server's certificate must be for, instead of the host in the URL.
    pub server_name: Option<ServerName<'static>>,
    /// How the server's certificate is verified; [`Verify::Full`] unless set.
    pub verify: Option<Verify>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// A PEM file of the certificate, followed by those that link it to a CA.
    pub cert: PathBuf,
    /// A PEM file of the key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Opens an encrypted key (PKCS#8 `ENCRYPTED PRIVATE KEY`).
    pub passphrase: Option<Secret>,
}

/// How the certificate of a server is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// It must be signed by a trusted CA, be valid now, and be for the right name.
    #[default]
    Full,
    /// Not at all: whoever answers is believed.
    None,
}

/// How to talk TLS to a server.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawTlsSettings {
    /// A PEM file of the CAs that may have signed the server's certificate. Without it: those this machine trusts.
    ca: Option<PathBuf>,
    /// A PEM file of our certificate, followed by those that link it to a CA. Needs `key`.
    cert: Option<PathBuf>,
    /// A PEM file of the key of that certificate: PKCS#8, PKCS#1 or SEC1.
    key: Option<PathBuf>,
    /// Opens an encrypted key.
    passphrase: Option<Secret>,
    /// The name that the server's certificate must be for, instead of the host in the URL.
    server_name: Option<String>,
    /// How the server's certificate is verified. Default full.
    verify: Option<Verify>,
}

impl JsonSchema for TlsSettings {
    fn schema_name() -> Cow<'static, str> {
        "TlsSettings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawTlsSettings::json_schema(generator)
    }
}

impl TlsSettings {
    /// These settings over those of `base`, key by key; `cert`, `key` and `passphrase` go together.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        Self {
            ca: self.ca.or_else(|| base.ca.clone()),
            identity: self.identity.or_else(|| base.identity.clone()),
            server_name: self.server_name.or_else(|| base.server_name.clone()),
            verify: self.verify.or(base.verify),
        }
    }

    /// What an operator should know about them. `key` is the setting that holds them.
    pub fn warnings(&self, key: &str) -> Vec<Warning> {
        let passphrase = self.identity.as_ref().and_then(|identity| identity.passphrase.as_ref());
        let mut warnings =
            Vec::from_iter(passphrase.and_then(|secret| secret.warning(&format!("{key}.passphrase"))));
        if self.verify == Some(Verify::None) {
            let message = "certificates are not verified, so anyone on the way can answer in the server's place; \
                           set tls.ca, and tls.server_name if only the name differs";
            warnings.push(Warning::at(format!("{key}.verify"), message));
        }
        warnings
    }

    /// Reads the files, and notes them in `files`. `key` is the setting that holds these settings, for errors. TLS 1.2 is
    /// the oldest version that is spoken.
    ///
    /// # Errors
    /// When a file cannot be read, holds nothing usable, or the key does not belong to the certificate.
    pub async fn client_config(&self, key: &str, files: &Files) -> Result<ClientConfig, BuildError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| BuildError::at(key, "choose TLS versions").because(cause))?;
        let builder = match self.verify.unwrap_or_default() {
            Verify::None => builder.dangerous().with_custom_certificate_verifier(verify::nothing(&provider)),
            Verify::Full if self.ca.is_none() && self.server_name.is_none() => {
                builder.with_root_certificates(self.roots(key, files).await?)
            }
            Verify::Full => {
                let verifier =
                    verify::roots(self.roots(key, files).await?, self.server_name.clone(), provider)
                        .map_err(|cause| {
                            BuildError::at(format!("{key}.ca"), "this machine trusts no CA; set tls.ca")
                                .because(cause)
                        })?;
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => {
                let (certificates, private_key) = pem::identity(identity, key, files).await?;
                builder
                    .with_client_auth_cert(certificates, private_key)
                    .map_err(|cause| identity.is_unusable(key, cause))
            }
        }
    }

    async fn roots(&self, key: &str, files: &Files) -> Result<Arc<rustls::RootCertStore>, BuildError> {
        match &self.ca {
            Some(path) => pem::roots(path, &format!("{key}.ca"), files).await,
            None => pem::system_roots(key).await,
        }
    }
}

impl ClientIdentity {
    /// The key and the certificate were read, but TLS refuses them. `key` is the table that names them.
    fn is_unusable(&self, key: &str, cause: rustls::Error) -> BuildError {
        let (key_file, cert_file) = (self.key.display(), self.cert.display());
        let message = if matches!(cause, rustls::Error::InconsistentKeys(_)) {
            format!("the key in {key_file} does not belong to the certificate in {cert_file}")
        } else {
            format!("the key in {key_file} or the certificate in {cert_file} cannot be used")
        };
        BuildError::at(format!("{key}.key"), message).because(cause)
    }
}

impl TryFrom<RawTlsSettings> for TlsSettings {
    type Error = String;

    fn try_from(raw: RawTlsSettings) -> Result<Self, String> {
        let identity = match (raw.cert, raw.key, raw.passphrase) {
            (Some(cert), Some(key), passphrase) => Some(ClientIdentity { cert, key, passphrase }),
            (None, None, None) => None,
            (Some(_), None, _) => {
                return Err("`cert` needs `key`, the file of the key that belongs to it".into());
            }
            (None, Some(_), _) => {
                return Err("`key` needs `cert`, the file of the certificate it belongs to".into());
            }
            (None, None, Some(_)) => return Err("`passphrase` needs `cert` and `key`".into()),
        };
        let server_name = raw
            .server_name
            .map(|name| {
                ServerName::try_from(name.clone())
                    .map_err(|_invalid| format!("server_name: {name:?} is not a host name or IP address"))
            })
            .transpose()?;
        Ok(Self { ca: raw.ca, identity, server_name, verify: raw.verify })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<TlsSettings, String> {
        serde_json::from_str(json).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn halves_of_an_identity_are_refused() {
        insta::assert_snapshot!(parse(r#"{"cert": "client.pem"}"#).unwrap_err(), @"`cert` needs `key`, the file of the key that belongs to it");
        insta::assert_snapshot!(parse(r#"{"key": "client_key.pem"}"#).unwrap_err(), @"`key` needs `cert`, the file of the certificate it belongs to");
        insta::assert_snapshot!(parse(r#"{"passphrase": {"env": "P"}}"#).unwrap_err(), @"`passphrase` needs `cert` and `key`");
        insta::assert_snapshot!(parse(r#"{"server_name": "not a host"}"#).unwrap_err(), @r#"server_name: "not a host" is not a host name or IP address"#);
        insta::assert_snapshot!(parse(r#"{"verify": "off"}"#).unwrap_err(), @"unknown variant `off`, expected `full` or `none` at line 1 column 16");
        insta::assert_snapshot!(parse(r#"{"verify": "none", "rejectUnauthorized": false}"#).unwrap_err(), @"unknown field `rejectUnauthorized`, expected one of `ca`, `cert`, `key`, `passphrase`, `server_name`, `verify` at line 1 column 39");
    }

    #[test]
    fn the_settings_of_one_server_win_key_by_key() {
        let base = parse(r#"{"ca": "root.pem", "cert": "client.pem", "key": "client_key.pem"}"#).unwrap();
        let merged = parse(r#"{"server_name": "qlik.local", "verify": "none"}"#).unwrap().over(&base);
        assert_eq!(merged.ca, Some("root.pem".into()));
        assert_eq!(merged.identity, base.identity);
        assert_eq!(merged.server_name.clone(), ServerName::try_from("qlik.local").ok());
        assert_eq!(merged.verify, Some(Verify::None));
        assert_eq!(parse("{}").unwrap().over(&merged), merged);
    }

    #[test]
    fn what_weakens_security_is_warned_about() {
        let settings = r#"{"cert": "c", "key": "k", "passphrase": "canary", "verify": "none"}"#;
        let settings = parse(settings).unwrap();
        let keys: Vec<_> = settings.warnings("tls").into_iter().map(|warning| warning.key).collect();
        assert_eq!(keys, ["tls.passphrase", "tls.verify"]);
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
