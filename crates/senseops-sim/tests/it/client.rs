//! An HTTP client of a few lines, so that a server is not tested by the library that it is made of.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use senseops_sim::{PemFiles, SenseServer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Client {
    /// Connects with the client certificate of `files`.
    pub(crate) async fn connect(server: &SenseServer, files: &PemFiles) -> io::Result<Self> {
        let cert = CertificateDer::from_pem_file(&files.cert).unwrap();
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        Self::over_tls(server, files, Some((cert, key))).await
    }

    pub(crate) async fn connect_without_certificate(
        server: &SenseServer,
        files: &PemFiles,
    ) -> io::Result<Self> {
        Self::over_tls(server, files, None).await
    }

    pub(crate) async fn connect_plain(server: &SenseServer) -> io::Result<Self> {
        Ok(Self { stream: Box::new(TcpStream::connect(server.address()).await?) })
    }

    async fn over_tls(
        server: &SenseServer,
        files: &PemFiles,
        identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&files.ca).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some((cert, key)) => builder.with_client_auth_cert(vec![cert], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(server.address()).await?;
        let name = ServerName::from(server.address().ip());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self { stream: Box::new(stream) })
    }

    /// Asks for the health, and reads an answer that says how long it is.
    pub(crate) async fn health(&mut self) -> io::Result<Answer> {
        self.ask("GET", "/engine/healthcheck").await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        self.send(method, path).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { head, body })
    }

    /// Sends a request, and leaves the answer unread.
    pub(crate) async fn send(&mut self, method: &str, path: &str) -> io::Result<()> {
        self.write(&format!("{method} {path} HTTP/1.1\r\nhost: sense\r\nx-who: test\r\n\r\n")).await
    }

    /// Sends a request after whose answer the server closes the connection.
    pub(crate) async fn send_last(&mut self, method: &str, path: &str) -> io::Result<()> {
        self.write(&format!("{method} {path} HTTP/1.1\r\nhost: sense\r\nconnection: close\r\n\r\n")).await
    }

    async fn write(&mut self, request: &str) -> io::Result<()> {
        self.stream.write_all(request.as_bytes()).await
    }

    /// Reads as many bytes as come, up to `limit`.
    pub(crate) async fn read_up_to(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.stream).take(limit).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
