//! You will see a web service of your own with a pipeline in it: its orders are events, and its router shows how the
//! pipeline is.
//!
//! The service owns runtime, router and shutdown. What it needs of SenseOps Stats are the features `web` and
//! `sink-console`.
#![expect(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use senseops::sinks::console::ConsoleConfig;
use senseops::{Body, Event, Fields, Handle, Kind, LabelSet, Outcome, Pipeline};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A measurement with the field `items`.
const ORDER: Kind = Kind::new("shop.order");

/// An order is accepted once its event is in the journal.
async fn order(State(pipeline): State<Handle>, Path(items): Path<u64>) -> StatusCode {
    let labels = Arc::new(LabelSet::from_iter([("shop", "main")]));
    let event = Event::new(ORDER, &labels, Body::Measurement(Fields::default().with("items", items)));
    match pipeline.emit(vec![event]).await.outcome_now().await {
        Outcome::Stored | Outcome::Held => StatusCode::ACCEPTED,
        Outcome::Lost => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pipeline = Pipeline::builder()
        .program("shop", env!("CARGO_PKG_VERSION"))
        .sink("print", ConsoleConfig::default())
        .build()
        .await?;
    let handle = pipeline.handle();
    let service = Router::new()
        .route("/", get(async || "the shop is open\n"))
        .route("/orders/{items}", post(order))
        .with_state(handle.clone())
        // Behind whatever guards your own pages: it has /status, /metrics and the control API.
        .nest("/pipeline", senseops::web::router(handle, None));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    let customers = async {
        for items in [3, 1, 4] {
            println!("{}", ask(address, &format!("POST /orders/{items}")).await?);
        }
        println!("{}", ask(address, "GET /pipeline/readyz").await?);
        Ok(())
    };
    // The pipeline ends after the service, so that no order is lost.
    let mut served = Ok(());
    pipeline
        .run_until(async {
            served = tokio::select! {
                result = axum::serve(listener, service) => result,
                result = customers => result,
            };
        })
        .await;
    Ok(served?)
}

/// The first and the last line of the answer.
async fn ask(address: std::net::SocketAddr, request: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request =
        format!("{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let lines: Vec<_> = answer.lines().collect();
    let ends = [lines.first(), lines.last()].into_iter().flatten().copied();
    Ok(ends.collect::<Vec<_>>().join(" "))
}
