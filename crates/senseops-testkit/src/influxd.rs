//! A real InfluxDB 1.x for tests.

use std::net::SocketAddr;

use http::StatusCode;
use senseops_core::BoxError;
use serde_json::Value;
use thiserror::Error;

use crate::ServerError;
use crate::http_client::{self, percent_encoded};
use crate::server::Server;

/// A private InfluxDB 1.x: own data, own loopback ports, no reporting. Ended and removed when dropped.
#[derive(Debug)]
pub struct Influxd {
    server: Server,
    http: SocketAddr,
    login: Option<(String, String)>,
}

/// How a private InfluxDB is configured; the default is as installed, without authentication.
#[derive(Clone, Debug, Default)]
pub struct InfluxdOptions {
    /// Name and password of an administrator. `Some` turns authentication on.
    pub login: Option<(String, String)>,
    /// The largest body of a write, in bytes (`max-body-size`).
    pub max_body_bytes: Option<u64>,
    /// How many series a database may have (`max-series-per-database`); points of further ones are dropped.
    pub max_series_per_database: Option<u64>,
    /// How many values a tag may have (`max-values-per-tag`); points with further ones are dropped.
    pub max_values_per_tag: Option<u64>,
}

/// A query was not answered.
#[derive(Debug, Error)]
pub enum QueryError {
    /// No answer came, or none that is JSON.
    #[error("query influxd")]
    Failed(#[source] BoxError),
    /// The server refused.
    #[error("influxd refused the query with {status}: {text}")]
    Refused {
        /// Of the answer.
        status: StatusCode,
        /// What it said.
        text: String,
    },
}

impl Influxd {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When `influxd` is not installed or does not start.
    pub async fn start(options: InfluxdOptions) -> Result<Self, ServerError> {
        let mut server = Server::find("influxd", "influxdb")?;
        let [http, rpc] = server.addresses()?;
        let config = server.write("influxdb.conf", &config(&server, http, rpc, &options))?;
        let arguments =
            ["run", "-config"].map(str::to_owned).into_iter().chain([config.display().to_string()]);
        server.start(arguments.collect(), || ping(http)).await?;
        let mut influxd = Self { server, http, login: None };
        if let Some((name, password)) = &options.login {
            let password = password.replace('\\', "\\\\").replace('\'', "\\'");
            let statement = format!("CREATE USER \"{name}\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES");
            influxd.query("", &statement).await.map_err(|error| ServerError::Silent {
                program: "influxd",
                log: influxd.server.log_tail(),
                source: error.into(),
            })?;
            influxd.login = options.login;
        }
        Ok(influxd)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http
    }

    /// Where it listens, as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Asks the server to end and waits until it has. What it answered is on disk.
    pub async fn stop(&mut self) {
        self.server.stop().await;
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again with the same data and on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        let http = self.http;
        self.server.start_again(|| ping(http)).await
    }

    /// Runs a statement of `InfluxQL`, as the administrator if there is one. `database` may be empty where the
    /// statement does not need one. Gives the answer as it comes: `{"results": [{"series": […]}]}`, times in
    /// nanoseconds.
    ///
    /// # Errors
    /// When the server does not answer, or refuses the statement.
    pub async fn query(&self, database: &str, statement: &str) -> Result<Value, QueryError> {
        let path = self.login.as_ref().map_or("/query".to_owned(), |(name, password)| {
            format!("/query?u={}&p={}", percent_encoded(name), percent_encoded(password))
        });
        let form = [("db", database), ("q", statement), ("epoch", "ns")];
        let reply = http_client::post_form(self.http, &path, &form).await.map_err(QueryError::Failed)?;
        let refused = |text: &str| QueryError::Refused { status: reply.status, text: text.to_owned() };
        if !reply.status.is_success() {
            return Err(refused(&String::from_utf8_lossy(&reply.body)));
        }
        let answer: Value =
            serde_json::from_slice(&reply.body).map_err(|error| QueryError::Failed(error.into()))?;
        match answer.pointer("/results/0/error").and_then(Value::as_str) {
            Some(text) => Err(refused(text)),
            None => Ok(answer),
        }
    }

    /// The rows of the only series that the statement gives: each row its columns, the time first. Empty when there
    /// is no series.
    ///
    /// # Errors
    /// See [`query`](Self::query).
    pub async fn rows(&self, database: &str, statement: &str) -> Result<Vec<Vec<Value>>, QueryError> {
        let answer = self.query(database, statement).await?;
        let rows = answer.pointer("/results/0/series/0/values").and_then(Value::as_array);
        Ok(rows.into_iter().flatten().filter_map(Value::as_array).cloned().collect())
    }
}

async fn ping(address: SocketAddr) -> Result<(), BoxError> {
    match http_client::get(address, "/ping").await?.status {
        StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
        status => Err(format!("ping answered {status}").into()),
    }
}

fn config(server: &Server, http: SocketAddr, rpc: SocketAddr, options: &InfluxdOptions) -> String {
    let directory = server.directory().display();
    let login = options.login.is_some();
    let limit =
        |name: &str, value: Option<u64>| value.map_or(String::new(), |value| format!("{name} = {value}\n"));
    let max_series = limit("max-series-per-database", options.max_series_per_database);
    let max_values = limit("max-values-per-tag", options.max_values_per_tag);
    let max_body = limit("max-body-size", options.max_body_bytes);
    // Single quotes: the path must be taken as it is.
    format!(
        "reporting-disabled = true\nbind-address = '{rpc}'\n\n\
         [meta]\ndir = '{directory}/meta'\n\n\
         [data]\ndir = '{directory}/data'\nwal-dir = '{directory}/wal'\nquery-log-enabled = false\n\
         {max_series}{max_values}\n\
         [http]\nbind-address = '{http}'\nlog-enabled = false\nauth-enabled = {login}\n{max_body}\n\
         [monitor]\nstore-enabled = false\n\n[subscriber]\nenabled = false\n\n\
         [continuous_queries]\nenabled = false\n\n[logging]\nlevel = 'warn'\nsuppress-logo = true\n"
    )
}
