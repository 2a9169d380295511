//! Verifiers of server certificates that rustls does not have.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Verifies everything, maybe against one name instead of the host in the URL. A server may show a certificate that is
/// itself trusted, as one that signed itself must be: rustls refuses it if it also says that it is a CA.
#[derive(Debug)]
struct Roots {
    inner: Arc<WebPkiServerVerifier>,
    trusted: Arc<RootCertStore>,
    name: Option<ServerName<'static>>,
}

/// Believes every certificate. The server must still prove that it has the key to the one it shows.
#[derive(Debug)]
struct Nothing(WebPkiSupportedAlgorithms);

/// A verifier that trusts these certificates and what they signed, for `name` if there is one.
pub(super) fn roots(
    trusted: Arc<RootCertStore>,
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, VerifierBuilderError> {
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(&trusted), provider).build()?;
    Ok(Arc::new(Roots { inner, trusted, name }))
}

/// A verifier that believes every certificate.
pub(super) fn nothing(provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Nothing(provider.signature_verification_algorithms))
}

impl Roots {
    fn has(&self, certificate: &CertificateDer<'_>) -> Result<bool, Error> {
        let mut own = RootCertStore::empty();
        own.add(certificate.clone().into_owned())?;
        Ok(own.roots.iter().all(|anchor| self.trusted.roots.contains(anchor)))
    }
}

impl ServerCertVerifier for Roots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = self.name.as_ref().unwrap_or(host);
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // Its dates are looked at before its uses, and its name after.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.has(end_entity)? => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Nothing {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
