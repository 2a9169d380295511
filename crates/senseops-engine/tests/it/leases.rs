//! Sockets belong to the pipeline and outlive the components that use them.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use senseops_core::host::{IntoComponents, PlannedSink, PlannedSource, Protocol};
use senseops_core::{
    Accepts, Batch, Build, BuildError, Context, Factory, PlanError, Sink, Source, SourceError, WriteError,
    async_trait,
};
use senseops_engine::{Builder, Handle, ListenerView, Pipeline};
use tokio::io::AsyncReadExt;

use crate::support::{Rebuilt, Scripted, numbered, run, until};

/// Emits the number that each connection brings. With a negative one it fails.
#[derive(Clone, PartialEq)]
struct Listener {
    address: SocketAddr,
    revision: i64,
}

struct Listening(TcpListener);

impl Listener {
    /// At any port.
    fn anywhere(revision: i64) -> Self {
        Self { address: "127.0.0.1:0".parse().unwrap(), revision }
    }

    fn open(&self, build: &Build) -> Result<Listening, BuildError> {
        let listener = build.leases.tcp(self.address);
        listener.map(Listening).map_err(|error| BuildError::at("listen", "open the socket").because(error))
    }
}

#[async_trait]
impl Source for Listening {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let listener = tokio::net::TcpListener::from_std(self.0.try_clone().unwrap()).unwrap();
        while let Some(accepted) = cx.shutdown.unless_requested(listener.accept()).await {
            let number = accepted.unwrap().0.read_i64().await.unwrap();
            cx.emitter.emit_now(vec![numbered(number)]).ignore();
            if number < 0 {
                return Err(SourceError("sent away".into()));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for Listening {
    fn accepts(&self) -> Accepts {
        Accepts::everything()
    }

    async fn write(&self, _batch: &Batch) -> Result<(), WriteError> {
        Ok(())
    }
}

#[async_trait]
impl Factory<Box<dyn Source>> for Listener {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(self.open(&build)?))
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Listener {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(Arc::new(self.open(&build)?))
    }
}

impl IntoComponents<Box<dyn Source>> for Listener {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

impl IntoComponents<Arc<dyn Sink>> for Listener {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

fn pipeline() -> Builder {
    Pipeline::builder()
}

/// The one listener of the pipeline.
fn listener(handle: &Handle) -> ListenerView {
    let listeners = handle.view().listeners;
    let [listener] = &listeners[..] else { panic!("{listeners:?}") };
    listener.clone()
}

fn send(number: i64, address: SocketAddr) {
    TcpStream::connect(address).unwrap().write_all(&number.to_be_bytes()).unwrap();
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn what_connects_while_a_listener_is_rebuilt_or_replaced_is_accepted_later() {
    let sink = Arc::new(Scripted::willing());
    let plan = |revision| {
        pipeline()
            .source("telemetry.in", Listener::anywhere(revision))
            .sink("all", Rebuilt(Arc::clone(&sink)))
    };
    run(plan(0).build().await.unwrap(), async |handle| {
        let before = listener(&handle);
        assert_eq!((before.component.as_str(), before.protocol), ("telemetry.in", Protocol::Tcp));
        assert_ne!(before.address.port(), 0);
        send(-1, before.address);
        until(&handle, |view| view.sources[0].condition.reason() == "sent away").await;
        send(1, before.address);
        until(&handle, |view| view.sources[0].restarts == 1).await;
        send(2, before.address);
        let reloading = handle.reload(plan(1).plan().unwrap());
        assert_eq!(reloading.await.unwrap().restarted, ["sources.telemetry.in"]);
        send(3, before.address);
        until(&handle, |view| view.sinks[0].delivered == 4).await;
        assert_eq!(listener(&handle), before);
    })
    .await;
    let mut written = sink.log.written();
    written.sort_unstable();
    assert_eq!(written, [-1, 1, 2, 3]);
}

#[tokio::test]
async fn an_address_is_lent_to_one_component_and_the_other_is_told_whose_it_is() {
    let address = free_address();
    let listener = || Listener { address, revision: 0 };
    let built = pipeline().source("one.in", listener()).source("other.in", listener()).build().await;
    assert_eq!(
        built.unwrap_err().to_string(),
        format!(
            "sources.other.in: open the socket: bind tcp {address}: sources.one.in listens there already"
        )
    );
    assert!(TcpListener::bind(address).is_ok(), "what could not be opened holds nothing");
}

#[tokio::test]
async fn a_source_and_a_sink_of_one_name_do_not_share_a_socket() {
    let address = free_address();
    let listener = || Listener { address, revision: 0 };
    let built = pipeline().source("sos.main", listener()).sink("sos.main", listener()).build().await;
    assert_eq!(
        built.unwrap_err().to_string(),
        format!(
            "sources.sos.main: open the socket: bind tcp {address}: sinks.sos.main listens there already"
        )
    );
}

#[tokio::test]
async fn an_address_goes_to_a_new_component_when_its_owner_leaves_and_nothing_is_refused() {
    let address = free_address();
    let sink = Arc::new(Scripted::willing());
    let plan = |name: &str| {
        pipeline().source(name, Listener { address, revision: 0 }).sink("all", Rebuilt(Arc::clone(&sink)))
    };
    run(plan("old.in").build().await.unwrap(), async |handle| {
        send(1, address);
        until(&handle, |view| view.sources[0].emitted == 1).await;
        handle.reload(plan("new.in").plan().unwrap()).await.unwrap();
        send(2, address);
        until(&handle, |view| view.sources[0].emitted == 1).await;
        assert_eq!(listener(&handle).component, "new.in");
        handle.reload(pipeline().sink("all", Rebuilt(Arc::clone(&sink))).plan().unwrap()).await.unwrap();
        assert_eq!(handle.view().listeners, []);
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    })
    .await;
    assert_eq!(sink.log.written(), [1, 2]);
}
