//! How this product talks TLS and HTTP.
//!
//! [`TlsSettings`] is what an operator writes; [`HttpClient`] is the only HTTP client in the tree, with a time limit,
//! without proxies or redirects, and able to explain its failures: [`Failure`] is one sentence that names the server
//! and says what to do. [`classify`] turns an HTTP answer into what the engine should do with a batch.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use senseops_net::{HeaderMap, HttpClient, TlsSettings, Url};
//!
//! let client = HttpClient::new(&TlsSettings::default(), "tls", Duration::from_secs(5), HeaderMap::new()).await?;
//! let url = Url::parse("http://localhost:8086/ping")?;
//! match client.get(url.clone()).send().await {
//!     Ok(response) => println!("{}", response.status()),
//!     Err(error) => println!("{}", client.explain(&url, &error)),
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod client;
mod explain;
mod failure;
mod file;
mod headers;
mod names;
mod tls;

pub use answer::{BodyError, Refusal, classify, excerpt, read_limited, retry_after};
pub use client::HttpClient;
pub use failure::{Failure, Reason, origin_of};
pub use file::resolve;
pub use headers::Headers;
pub use reqwest::header::{self, HeaderMap, HeaderValue};
pub use reqwest::{RequestBuilder, Response, StatusCode};
pub use tls::{ClientIdentity, TlsSettings, Verify};
pub use url::Url;
