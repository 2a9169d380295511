//! One InfluxDB server: where it is, who we are, and what is asked of it besides writing.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use influxdb::integrations::serde_integration::DatabaseQueryResult;
use influxdb::{Query, ReadQuery};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_ENCODING;
use senseops_core::{BoxError, WriteError};
use senseops_net::{Failure, HttpClient, Reason, Url, excerpt, origin_of};
use serde::Deserialize;

use crate::RetentionPolicy;
use crate::answer::Answer;

/// A server and a database on it.
pub(crate) struct Server {
    pub(crate) client: HttpClient,
    pub(crate) url: Url,
    pub(crate) database: String,
    pub(crate) retention_policy: Option<RetentionPolicy>,
    /// Name and password.
    pub(crate) login: Option<(String, String)>,
    pub(crate) gzip: bool,
}

/// A row of `SHOW DATABASES`.
#[derive(Deserialize)]
struct Database {
    name: String,
}

impl Server {
    /// Scheme, host and port, for sentences.
    pub(crate) fn origin(&self) -> String {
        origin_of(&self.url)
    }

    /// Offers lines.
    pub(crate) async fn write(&self, lines: Bytes) -> Result<Answer, WriteError> {
        let mut url = self.endpoint("write");
        url.query_pairs_mut().append_pair("db", &self.database).append_pair("precision", "ns");
        let request = self.client.post(url);
        let request = if self.gzip {
            request.header(CONTENT_ENCODING, "gzip").body(gzip(&lines).map_err(WriteError::unavailable)?)
        } else {
            request.body(lines)
        };
        self.send(request).await.map_err(WriteError::unavailable)
    }

    /// Creates the database, together with its retention policy, so that none is ever left without.
    pub(crate) async fn create_database(&self) -> Result<(), WriteError> {
        let policy = self.retention_policy.as_ref().map_or(String::new(), |policy| {
            let (seconds, name) = (policy.duration.get().as_secs(), quoted(policy.name.as_str()));
            format!(" WITH DURATION {seconds}s REPLICATION 1 NAME {name}")
        });
        let statement = format!("CREATE DATABASE {}{policy}", quoted(&self.database));
        let answer = self.query(ReadQuery::new(statement)).await.map_err(WriteError::unavailable)?;
        if !answer.status.is_success() {
            return Err(answer.to_error(&self.origin()));
        }
        match answer.result() {
            Ok(_) => Ok(()),
            Err(text) => {
                let (origin, text) = (self.origin(), excerpt(text.as_bytes()));
                let what = format!("{origin} cannot create the database {}: {text}", self.database);
                Err(denied(what, "create it by hand"))
            }
        }
    }

    /// A write found no database, although it was just created.
    pub(crate) fn has_lost_its_database(&self) -> WriteError {
        let what = format!(
            "{} still says that the database {} does not exist, right after it was created",
            self.origin(),
            self.database
        );
        denied(what, "if several servers answer at this url, create it on each of them")
    }

    /// What answers, and whether the database is there.
    pub(crate) async fn look(&self) -> Result<String, BoxError> {
        let ping = self.send(self.client.get(self.endpoint("ping"))).await?;
        let Some(version) = ping.version().filter(|_| ping.status.is_success()) else {
            return Err(Box::new(ping.failure(&self.origin())));
        };
        let answer = self.query(ReadQuery::new("SHOW DATABASES")).await?;
        if !answer.status.is_success() {
            return Err(Box::new(answer.failure(&self.origin())));
        }
        let databases = answer.databases().map_err(|text| {
            format!("{} cannot list databases: {}", self.origin(), excerpt(text.as_bytes()))
        })?;
        let state = if databases.contains(&self.database) { "exists" } else { "will be created" };
        Ok(format!("InfluxDB {version}, database {} {state}", self.database))
    }

    async fn query(&self, query: ReadQuery) -> Result<Answer, Failure> {
        let statement =
            query.build().map_err(|error| Failure::new(Reason::BadBody, error.to_string(), ""))?;
        let mut url = self.endpoint("query");
        url.query_pairs_mut().append_pair("q", &statement.get());
        self.send(self.client.post(url)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = match &self.login {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        };
        match request.send().await {
            Ok(response) => Ok(Answer::read(response).await),
            Err(error) => Err(self.client.explain(&self.url, &error)),
        }
    }

    fn endpoint(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        url
    }
}

impl Answer {
    /// The result of the only statement, or its error at any length.
    fn result(&self) -> Result<DatabaseQueryResult, String> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let result: DatabaseQueryResult =
            serde_json::from_slice(&self.body).map_err(|error| error.to_string())?;
        match result.results.first().map(|result| result.get("error")) {
            Some(None) => Ok(result),
            Some(Some(error)) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Err("an answer without a result".into()),
        }
    }

    fn databases(&self) -> Result<Vec<String>, String> {
        let rows = self.result()?.deserialize_next::<Database>().map_err(|error| error.to_string())?;
        Ok(rows.series.into_iter().flat_map(|series| series.values).map(|database| database.name).collect())
    }
}

fn denied(what: String, advice: &str) -> WriteError {
    WriteError::Denied(Box::new(Failure::new(Reason::Status, what, advice)))
}

/// A name as `InfluxQL` quotes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Level 1 takes a tenth of the size for a third of a microsecond per point.
fn gzip(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 8), Compression::fast());
    encoder.write_all(lines)?;
    encoder.finish()
}
