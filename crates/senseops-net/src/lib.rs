//! How this product talks TLS and HTTP.
//!
//! [`Endpoint`], [`Login`], [`Headers`] and [`TlsSettings`] are what an operator writes; [`HttpClient`] is the only HTTP
//! client in the tree, with a time limit, without proxies or redirects, and able to explain its failures: [`Failure`] is
//! one sentence that names the server and says what to do; [`explain`] does the same for connections other than
//! HTTP. [`classify`] turns an HTTP answer into what the engine should do with a batch. [`Listener`] is the only HTTP
//! listener, with optional TLS ([`ServerTls`]) and with [`Limits`] to what a client may take; [`Token`] lets in who may
//! come. Every file that is read for a component is noted in its [`Files`](senseops_core::Files), and given up after ten
//! seconds: on a file system that hangs it costs one thread, which keeps neither a listener nor a runtime from ending.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use senseops_core::Files;
//! use senseops_net::{HeaderMap, HttpClient, TlsSettings, Url};
//!
//! let client = HttpClient::new(&TlsSettings::default(), "tls", Duration::from_secs(5), HeaderMap::new(), &Files::default()).await?;
//! let url = Url::parse("http://localhost:8086/ping")?;
//! match client.get(url.clone()).send().await {
//!     Ok(response) => println!("{}", response.status()),
//!     Err(error) => println!("{}", client.explain(&url, &error)),
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod blocking;
mod client;
mod endpoint;
mod explain;
mod exposure;
mod failure;
#[cfg(all(test, unix))]
mod fifo;
mod file;
mod headers;
mod listener;
mod login;
mod names;
mod tls;
mod token;

pub use answer::{BodyError, Refusal, classify, excerpt, read_limited, retry_after};
pub use client::HttpClient;
pub use endpoint::{Endpoint, Protocol};
pub use explain::explain;
pub use failure::{Failure, Reason, origin_of};
pub use file::resolve;
pub use headers::Headers;
pub use listener::{Limits, Listener, RequestBody, SlowBody};
pub use login::Login;
pub use reqwest::header::{self, HeaderMap, HeaderValue};
pub use reqwest::{RequestBuilder, Response, StatusCode};
pub use tls::{ClientIdentity, ServerTls, TlsSettings, Verify};
pub use token::Token;
pub use url::Url;
