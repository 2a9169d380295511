//! Certificates of a simulated estate.
//!
//! Sense makes its own certificate authority at installation, and administrators export from it what a client of
//! the engine needs: `root.pem`, `client.pem` and `client_key.pem`. So does [`Pki`].

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, crypto};
use thiserror::Error;

/// A certificate authority of its own, and what it issues.
pub struct Pki {
    root: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// Where certificates were written, under the names that Sense gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFiles {
    /// The certificate authority, `root.pem`.
    pub ca: PathBuf,
    /// The certificate: `client.pem`, or `server.pem`.
    pub cert: PathBuf,
    /// Its private key, PKCS#8 without a passphrase: `client_key.pem`, or `server_key.pem`.
    pub key: PathBuf,
}

/// How good the certificate of a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1` and `::1`, by the authority at hand.
    #[default]
    Valid,
    /// For these host names and addresses instead.
    For(Vec<String>),
    /// As valid as [`Certificate::Valid`], until the year 2021.
    Expired,
    /// As [`Certificate::Valid`], but by an authority that nobody knows. Two [`Pki::new`] differ in another way:
    /// their authorities have one name and two keys, as after Sense's certificates were recreated.
    OtherAuthority,
    /// As [`Certificate::Valid`], but it signed itself and says that it is an authority, as `openssl req -x509` makes it.
    SelfSigned,
}

/// What a server demands of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCheck {
    /// A certificate by its own authority, as the engine does.
    #[default]
    Required,
    /// Nothing.
    None,
}

/// Certificates cannot be made, used or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The certificate cannot be made.
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    /// The certificate cannot be used for TLS.
    #[error("configure tls")]
    Tls(#[from] rustls::Error),
    /// The authority cannot be used to check clients.
    #[error("configure the check of client certificates")]
    Check(#[from] VerifierBuilderError),
    /// A file cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A certificate with its key.
struct Identity {
    cert: rcgen::Certificate,
    key: KeyPair,
}

const AUTHORITY: &str = "sense-CA";
const UNKNOWN_AUTHORITY: &str = "stranger-CA";

impl Pki {
    /// A new authority.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, PkiError> {
        Self::named(AUTHORITY)
    }

    fn named(authority: &str) -> Result<Self, PkiError> {
        let mut params = params_for(authority, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?;
        Ok(Self { root, issuer: Issuer::new(params, key) })
    }

    /// Writes `root.pem` and a new `client.pem` and `client_key.pem` into a directory that exists.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_to(&self, dir: &Path) -> Result<PemFiles, PkiError> {
        let mut params = params_for("QlikClient", Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.write(dir, "client", &self.sign(params)?)
    }

    /// Writes `root.pem` and a new `server.pem` and `server_key.pem` into a directory that exists, for servers that
    /// are other programs.
    ///
    /// # Errors
    /// When a file cannot be written, or one of the names is none.
    pub fn write_server_to(&self, dir: &Path, certificate: &Certificate) -> Result<PemFiles, PkiError> {
        self.write(dir, "server", &self.issue(certificate)?)
    }

    /// What a TLS server needs.
    ///
    /// # Errors
    /// When one of the names of the certificate is none.
    pub fn server_config(
        &self,
        certificate: &Certificate,
        clients: ClientCheck,
    ) -> Result<ServerConfig, PkiError> {
        let identity = self.issue(certificate)?;
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            ClientCheck::None => builder.with_no_client_auth(),
            ClientCheck::Required => {
                let mut roots = RootCertStore::empty();
                roots.add(self.root.der().clone())?;
                let check = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
                builder.with_client_cert_verifier(check)
            }
        };
        let mut config = builder.with_single_cert(vec![identity.cert_der()], identity.key_der())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The certificate of the authority, for clients in the same program.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    fn issue(&self, certificate: &Certificate) -> Result<Identity, PkiError> {
        let names = match certificate {
            Certificate::For(names) => names.clone(),
            Certificate::Valid
            | Certificate::Expired
            | Certificate::OtherAuthority
            | Certificate::SelfSigned => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        };
        let mut params = params_for("QlikSense", names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match certificate {
            Certificate::Valid | Certificate::For(_) => self.sign(params),
            Certificate::Expired => {
                params.not_after = date_time_ymd(2021, 1, 1);
                self.sign(params)
            }
            Certificate::OtherAuthority => Self::named(UNKNOWN_AUTHORITY)?.sign(params),
            Certificate::SelfSigned => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let key = KeyPair::generate()?;
                Ok(Identity { cert: params.self_signed(&key)?, key })
            }
        }
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Identity, PkiError> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        Ok(Identity { cert: params.signed_by(&key, &self.issuer)?, key })
    }

    fn write(&self, dir: &Path, owner: &str, identity: &Identity) -> Result<PemFiles, PkiError> {
        let files = PemFiles {
            ca: dir.join("root.pem"),
            cert: dir.join(format!("{owner}.pem")),
            key: dir.join(format!("{owner}_key.pem")),
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| PkiError::Write { path, source }
        };
        fs::write(&files.ca, self.root.pem()).map_err(failed(&files.ca))?;
        fs::write(&files.cert, identity.cert.pem()).map_err(failed(&files.cert))?;
        write_private(&files.key, &identity.key.serialize_pem()).map_err(failed(&files.key))?;
        Ok(files)
    }
}

/// Writes a file that its owner alone may read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

        let mut file = options.mode(0o600).open(path)?;
        // One that was there keeps its mode.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())
    }
    #[cfg(not(unix))]
    options.open(path)?.write_all(text.as_bytes())
}

impl Identity {
    fn cert_der(&self) -> CertificateDer<'static> {
        self.cert.der().clone()
    }

    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// Valid from 2020 to 2099.
fn params_for(name: &str, subject_alt_names: Vec<String>) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(subject_alt_names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    Ok(params)
}

/// Without its key.
impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pki")
    }
}
