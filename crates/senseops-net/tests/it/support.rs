//! What the tests of this crate share.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::time::Duration;

use senseops_core::Files;
use senseops_net::{Failure, HeaderMap, HttpClient, TlsSettings, Url};
use senseops_sim::SenseServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// More than anything here takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Settings as an operator writes them.
pub(crate) fn tls(settings: &serde_json::Value) -> TlsSettings {
    serde_json::from_value(settings.clone()).unwrap()
}

pub(crate) async fn client(settings: &TlsSettings, timeout: Duration) -> HttpClient {
    HttpClient::new(settings, "tls", timeout, HeaderMap::new(), &Files::default()).await.unwrap()
}

/// Where a server listens, by address: the host that its certificate has to be for.
pub(crate) fn url(server: &SenseServer) -> String {
    format!("https://{}", server.address())
}

/// The failure of a GET, its port replaced so that it can be compared.
pub(crate) async fn failure(client: &HttpClient, url: &str) -> Failure {
    let url = Url::parse(url).unwrap();
    let error = client.get(url.clone()).send().await.unwrap_err();
    let mut failure = client.explain(&url, &error);
    if let Some(port) = url.port() {
        failure.what = failure.what.replace(&port.to_string(), "PORT");
    }
    failure
}

/// Reads a request on the first connection, answers with these bytes, and closes.
pub(crate) async fn answer_once(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<()>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a server of a test")]
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _length = stream.read(&mut request).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    (address, server)
}
