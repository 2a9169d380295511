//! Every recorded row of Butler SOS for health and user events: the recorded input goes in as bytes over TLS or UDP,
//! and what comes out at the target is compared. A row is equal, or pinned with what we write instead and explained in
//! `docs/compatibility.md`.

mod influx;
mod mqtt;

use senseops_sim::{Behaviour, Estate, EstateConfig};
use serde_json::Value;

use crate::support::{listener, plan, run, until, with_app_names};

const APPS: &[(&str, &str)] = &[
    ("1a1e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", "Sales, EMEA"),
    ("2b2e4c6b-1f8b-4b1a-9d56-2a3b4c5d6e7f", "HR \"core\""),
];

/// A row of the recordings; what was expected is in the words of the target.
struct Row<E> {
    id: String,
    version: String,
    input: Value,
    expected: Vec<E>,
}

impl<E: serde::de::DeserializeOwned> Row<E> {
    /// The rows whose id begins so.
    fn all(vectors: &'static str, prefix: char) -> impl Iterator<Item = Self> {
        let rows = vectors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(move |row| row["id"].as_str().unwrap().starts_with(prefix)).map(|mut row| Self {
            id: row["id"].as_str().unwrap().to_owned(),
            version: row["version"].as_str().unwrap().to_owned(),
            input: row["input"].take(),
            expected: serde_json::from_value(row["expected"].take()).unwrap(),
        })
    }
}

impl<E> Row<E> {
    fn naming(&self) -> &'static str {
        match self.version.as_str() {
            "2.1.1" => "butler-sos-2",
            "9.2.0" => "butler-sos-9",
            "N1" => "butler-sos",
            other => panic!("no generation wrote {other}"),
        }
    }

    /// Runs it through a pipeline: a server answers with the input, and `sinks` get what becomes of it.
    async fn poll(&self, sinks: &str) {
        let estate = Estate::start(EstateConfig { servers: 1, ..EstateConfig::default() }).await.unwrap();
        let server = &estate.servers()[0];
        let (status, content_type, body) = match &self.input {
            Value::String(html) => (200, "text/html", html.clone()),
            input if input["http_status"].is_u64() => (
                u16::try_from(input["http_status"].as_u64().unwrap()).unwrap(),
                "text/plain",
                input["body"].to_string(),
            ),
            input => (200, "application/json", input.to_string()),
        };
        server.behave(Behaviour::Body { status, content_type, bytes: body.into() });
        let port = server.address().port();
        let pem = estate.pem_files();
        let about = if self.version == "2.1.1" {
            "name: sense1"
        } else {
            "name: 'Server 1', description: Central node, tags: { server_group: DEV }"
        };
        let yaml = format!(
            "{sinks}sources: {{ healthcheck: {{ qlik: {{ interval: 1h, tls: {{ ca: '{}', cert: '{}', key: '{}' }}, \
             servers: [ {{ {about}, url: 'https://localhost:{port}' }} ] }} }} }}\n",
            pem.ca.display(),
            pem.cert.display(),
            pem.key.display(),
        );
        // Each poll emits its health, if any, together with the state of the server.
        let polled = |view: &senseops::View| view.sources[0].emitted > 0;
        run(with_app_names(plan(&yaml), APPS), async |handle| until(&handle, polled).await).await;
    }

    /// Runs it through a pipeline: the input comes as a datagram, and `sinks` get what becomes of it.
    async fn receive(&self, sinks: &str) {
        let yaml = format!(
            "{sinks}sources: {{ udp: {{ users: {{ listen: '127.0.0.1:0', allow: [ 127.0.0.1 ], labels: {{ qs_env: dev }}, \
             exclude: [ {{ directory: LAB, user_id: testuser1 }} ] }} }} }}\n",
        );
        let received = |view: &senseops::View| {
            view.sources[0].readings.iter().any(|reading| reading.name == "received" && reading.value == 1)
        };
        run(with_app_names(plan(&yaml), APPS), async |handle| {
            let sender = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            sender.send_to(self.input.as_str().unwrap().as_bytes(), listener(&handle)).await.unwrap();
            until(&handle, received).await;
        })
        .await;
    }

    /// A row that differs must be explained: in the table under its name and generation, in a row that has the word.
    fn assert_explained(&self, word: &str) {
        let document = include_str!("../../../../docs/compatibility.md");
        let generation = if self.version == "N1" { "15" } else { self.version.split('.').next().unwrap() };
        let explained = document.lines().filter_map(|line| line.strip_prefix("| ")).any(|row| {
            let mut cells = row.split(" | ");
            let (ids, generations) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
            ids.split(", ").any(|cell| cell == self.id)
                && generations.split(' ').any(|cell| cell == generation)
                && row.contains(word)
        });
        assert!(
            explained,
            "docs/compatibility.md has no row with {word:?} for {} at generation {generation}",
            self.id
        );
    }
}
