//! Running another plan without losing anything.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::host::{IntoComponents, PlannedSink, PlannedSource};
use senseops_core::{
    Build, BuildError, Context, Factory, LabelSet, PlanError, Sink, Source, SourceError, WriteError,
    async_trait,
};
use senseops_engine::{Builder, Delivery, Only, Overflow, Pipeline, PipelineSettings, Reloaded, Tapped};
use tokio::time::{Instant, sleep};

use crate::support::{Rebuilt, Scripted, emit, number, numbered, run, source_fn, until};

fn pipeline() -> Builder {
    Pipeline::builder()
}

#[tokio::test(start_paused = true)]
async fn only_what_has_changed_is_restarted_and_nothing_is_lost() {
    let idle = source_fn(|_, cx| async move {
        cx.shutdown.requested().await;
        Ok(())
    });
    let (kept, changed) = (Arc::new(Scripted::willing()), Arc::new(Scripted::willing()));
    let sinks = |builder: Builder, delivery| {
        builder.sink("kept", Rebuilt(Arc::clone(&kept))).sink_with(
            "changed",
            delivery,
            Rebuilt(Arc::clone(&changed)),
        )
    };
    let first =
        sinks(pipeline().source("stays", idle.clone()).source("goes", idle.clone()), Delivery::default());
    let second = || {
        let delivery = Delivery { max_age: "50ms".parse().unwrap(), ..Delivery::default() };
        sinks(pipeline().source("stays", idle.clone()).source("comes", idle.clone()), delivery)
            .plan()
            .unwrap()
    };
    let summary = run(first.build().await.unwrap(), async |handle| {
        emit(&handle, 0..10).await;
        let reloaded = handle.reload(second()).await.unwrap();
        assert_eq!(
            reloaded,
            Reloaded {
                started: vec!["sources.comes".into()],
                restarted: vec!["sinks.changed".into()],
                stopped: vec!["sources.goes".into()],
                unchanged: 2,
                not_applied: vec![],
                left_behind: vec![],
            }
        );
        emit(&handle, 10..20).await;
        let again = handle.reload(second()).await.unwrap();
        assert_eq!(again, Reloaded { unchanged: 4, ..Reloaded::default() });
    })
    .await;
    let all: Vec<i64> = (0..20).collect();
    assert_eq!(kept.log.written(), all);
    assert_eq!(changed.log.written(), all);
    assert_eq!([&kept, &changed].map(|sink| sink.log.built.load(Ordering::Relaxed)), [1, 2]);
    let delivered: Vec<_> =
        summary.view.sinks.iter().map(|sink| (sink.name.as_str(), sink.delivered)).collect();
    assert_eq!(delivered, [("kept", 20), ("changed", 20)], "the counters go on");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_replaced_while_its_target_is_down_leaves_its_events_to_the_next() {
    let down = Arc::new(Scripted::new(|_, _| Err(WriteError::unavailable("down"))));
    let up = Arc::new(Scripted::willing());
    let first = pipeline().sink("target", Rebuilt(Arc::clone(&down)));
    let begin = Instant::now();
    let summary = run(first.build().await.unwrap(), async |handle| {
        emit(&handle, 0..5).await;
        until(&handle, |view| view.sinks[0].retries > 0).await;
        handle.reload(pipeline().sink("target", Rebuilt(Arc::clone(&up))).plan().unwrap()).await.unwrap();
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    assert_eq!(up.log.written(), [0, 1, 2, 3, 4]);
    assert_eq!(summary.view.undelivered(), 0);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_missed_is_counted_once_however_often_it_is_replaced() {
    let mut settings = PipelineSettings::default();
    settings.journal.max_bytes = Some("64KiB".parse().unwrap());
    let plan = |answer: fn() -> Result<(), WriteError>| {
        let sink = Arc::new(Scripted::new(move |_, _| answer()));
        pipeline().settings(settings.clone()).sink("target", Rebuilt(sink))
    };
    let down = || Err(WriteError::unavailable("down"));
    let summary = run(plan(down).build().await.unwrap(), async |handle| {
        emit(&handle, 0..5000).await;
        for _ in 0..3 {
            handle.reload(plan(down).plan().unwrap()).await.unwrap();
        }
        handle.reload(plan(|| Ok(())).plan().unwrap()).await.unwrap();
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    let sink = &summary.view.sinks[0];
    assert!(sink.discarded > 0);
    assert_eq!(sink.delivered + sink.discarded, 5000);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_must_miss_nothing_misses_nothing_while_it_is_replaced() {
    let mut settings = PipelineSettings::default();
    settings.journal.max_bytes = Some("64KiB".parse().unwrap());
    let fast = source_fn(|_, cx| async move {
        for number in 0..3000 {
            cx.emitter.emit(vec![numbered(number)]).await.ignore();
        }
        cx.shutdown.requested().await;
        Ok(())
    });
    let written = Arc::new(Scripted::willing());
    let plan = || {
        let mut strict = Scripted::willing();
        (strict.takes, strict.log) = (Duration::from_secs(1), Arc::clone(&written.log));
        let delivery = Delivery {
            overflow: Overflow::Block,
            max_events: NonZeroUsize::new(100).unwrap(),
            ..Delivery::default()
        };
        // Of those that are replaced, this one goes last.
        let down = Scripted::new(|_, _| Err(WriteError::unavailable("down")));
        pipeline()
            .settings(settings.clone())
            .source("fast", fast.clone())
            .sink_with("strict", delivery, Rebuilt(Arc::new(strict)))
            .sink("down", Rebuilt(Arc::new(down)))
    };
    let summary = run(plan().build().await.unwrap(), async |handle| {
        until(&handle, |view| view.sinks[0].delivered > 0).await;
        handle.reload(plan().plan().unwrap()).await.unwrap();
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    assert_eq!(summary.view.sinks[0].discarded, 0);
    assert_eq!(written.log.written(), (0..3000).collect::<Vec<i64>>());
}

struct Unbuildable;

impl PartialEq for Unbuildable {
    fn eq(&self, _other: &Self) -> bool {
        false
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Unbuildable {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let taken = build.leases.udp("127.0.0.1:0".parse().unwrap(), 65_536).unwrap();
        Err(BuildError::at("tls.ca", format!("no CA for {}", taken.socket.local_addr().unwrap().ip())))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Unbuildable {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_opened_changes_nothing() {
    let sink = Arc::new(Scripted::willing());
    let first = pipeline().sink("all", Rebuilt(Arc::clone(&sink)));
    let summary = run(first.build().await.unwrap(), async |handle| {
        let bad = pipeline().sink("other", Rebuilt(Arc::clone(&sink))).sink("bad", Unbuildable);
        let error = handle.reload(bad.plan().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "sinks.bad: no CA for 127.0.0.1");
        emit(&handle, 0..3).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 1, 2]);
    assert_eq!(summary.view.sinks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn settings_that_need_a_new_start_are_named() {
    let sink = Arc::new(Scripted::willing());
    let first = pipeline().sink("all", Rebuilt(Arc::clone(&sink)));
    run(first.build().await.unwrap(), async |handle| {
        let mut settings = PipelineSettings::default();
        settings.journal.max_bytes = Some("1MiB".parse().unwrap());
        let plan = pipeline().settings(settings).sink("all", Rebuilt(Arc::clone(&sink))).plan().unwrap();
        assert_eq!(handle.reload(plan).await.unwrap().not_applied, ["pipeline.journal"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_sink_sees_what_is_emitted_while_another_goes() {
    let down = Rebuilt(Arc::new(Scripted::new(|_, _| Err(WriteError::unavailable("down")))));
    let new = Arc::new(Scripted::willing());
    run(pipeline().sink("old", down).build().await.unwrap(), async |handle| {
        emit(&handle, [0]).await;
        until(&handle, |view| view.sinks[0].retries > 0).await;
        let later = async {
            sleep(Duration::from_secs(1)).await;
            emit(&handle, [1]).await;
        };
        let plan = pipeline().sink("new", Rebuilt(Arc::clone(&new))).plan().unwrap();
        let (reloaded, ()) = tokio::join!(handle.reload(plan), later);
        assert_eq!(reloaded.unwrap().stopped, ["sinks.old"]);
    })
    .await;
    assert_eq!(new.log.written(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_the_host_program_emits_has_the_labels_of_the_new_plan() {
    let labels = Arc::new(Mutex::new(Vec::new()));
    let plan = |site: &str| {
        let seen = Arc::clone(&labels);
        let sink = Scripted::new(move |_, batch| {
            seen.lock().unwrap().extend(batch.iter().map(|event| event.labels.to_string()));
            Ok(())
        });
        let labels = LabelSet::from_iter([("site", site)]);
        pipeline()
            .settings(PipelineSettings { labels, ..PipelineSettings::default() })
            .sink("all", Rebuilt(Arc::new(sink)))
    };
    run(plan("old").build().await.unwrap(), async |handle| {
        emit(&handle, [0]).await;
        handle.reload(plan("new").plan().unwrap()).await.unwrap();
        emit(&handle, [1]).await;
    })
    .await;
    assert_eq!(*labels.lock().unwrap(), ["site=old", "site=new"]);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_has_ended_says_so() {
    let built = pipeline().sink("all", Arc::new(Scripted::willing())).build().await.unwrap();
    let handle = built.handle();
    built.run_until(async {}).await;
    let error = handle.reload(pipeline().plan().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the pipeline does not run any more");
}

/// Emits a number for each datagram, as long as it runs.
#[derive(Clone, PartialEq)]
struct Listener {
    address: SocketAddr,
    revision: i64,
}

struct Listening(UdpSocket);

#[async_trait]
impl Factory<Box<dyn Source>> for Listener {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(Listening(build.leases.udp(self.address, 1 << 20).unwrap().socket)))
    }
}

#[async_trait]
impl Source for Listening {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        let socket = tokio::net::UdpSocket::from_std(self.0.try_clone().unwrap()).unwrap();
        let mut buffer = [0; 8];
        while let Some(received) = cx.shutdown.unless_requested(socket.recv(&mut buffer)).await {
            assert_eq!(received.unwrap(), 8);
            cx.emitter.emit_now(vec![numbered(i64::from_be_bytes(buffer))]).ignore();
        }
        Ok(())
    }
}

impl IntoComponents<Box<dyn Source>> for Listener {
    fn into_components(self) -> Result<Vec<PlannedSource>, PlanError> {
        Ok(vec![PlannedSource::single(self)])
    }
}

#[tokio::test]
async fn no_datagram_is_lost_when_a_listener_is_replaced() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sink = Arc::new(Scripted::willing());
    let plan = |revision| {
        pipeline().source("users", Listener { address, revision }).sink("all", Rebuilt(Arc::clone(&sink)))
    };
    run(plan(-1).build().await.unwrap(), async |handle| {
        for round in 0..20_i64 {
            for number in 0..50 {
                sender.send_to(&(round * 50 + number).to_be_bytes(), address).unwrap();
            }
            let reloaded = handle.reload(plan(round).plan().unwrap()).await.unwrap();
            assert_eq!(reloaded.restarted, ["sources.users"]);
        }
        until(&handle, |view| view.sinks[0].delivered == 1000).await;
    })
    .await;
    let mut written = sink.log.written();
    written.sort_unstable();
    assert_eq!(written, (0..1000).collect::<Vec<i64>>());
}

/// Takes what the password in a file allows.
#[derive(Clone)]
struct Keeper {
    password: PathBuf,
    log: Arc<Scripted>,
}

impl PartialEq for Keeper {
    fn eq(&self, other: &Self) -> bool {
        self.password == other.password
    }
}

#[async_trait]
impl Factory<Arc<dyn Sink>> for Keeper {
    async fn build(&self, build: Build) -> Result<Arc<dyn Sink>, BuildError> {
        let password = tokio::fs::read(&self.password)
            .await
            .map_err(|cause| BuildError::at("password", "read it").because(cause))?;
        build.files.note(&self.password, &password);
        let log = Arc::clone(&self.log.log);
        let mut sink = if password == b"right" {
            Scripted::willing()
        } else {
            Scripted::new(|_, _| Err(WriteError::Denied("wrong password".into())))
        };
        sink.log = log;
        Ok(Arc::new(sink))
    }
}

impl IntoComponents<Arc<dyn Sink>> for Keeper {
    fn into_components(self) -> Result<Vec<PlannedSink>, PlanError> {
        Ok(vec![PlannedSink::single(self)])
    }
}

#[tokio::test]
async fn a_file_that_changes_leads_to_a_new_sink_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    tokio::fs::write(&password, "wrong").await.unwrap();
    let sink = Arc::new(Scripted::willing());
    let built = pipeline().sink("strict", Keeper { password: password.clone(), log: Arc::clone(&sink) });
    let begin = Instant::now();
    run(built.build().await.unwrap(), async |handle| {
        emit(&handle, 0..3).await;
        until(&handle, |view| view.sinks[0].retries > 0).await;
        tokio::fs::write(&password, "right").await.unwrap();
        until(&handle, |view| view.sinks[0].lag_events == 0).await;
    })
    .await;
    assert_eq!(sink.log.written(), [0, 1, 2]);
    assert!(begin.elapsed() < Duration::from_secs(30), "the pause of a denied write was cut short");
}

#[tokio::test(start_paused = true)]
async fn a_tap_shows_what_it_is_asked_for_and_ends_with_the_pipeline() {
    let built = pipeline().sink("all", Arc::new(Scripted::willing())).build().await.unwrap();
    let handle = built.handle();
    let filter = Only { kinds: vec!["test.*".into()], sources: vec![] };
    let mut tap = handle.tap(filter);
    let mut nothing = handle.tap(Only { kinds: vec!["other".into()], ..Only::default() });
    run(built, async |handle| {
        emit(&handle, [7]).await;
        let Some(Tapped::Events { source, events }) = tap.next().await else { panic!("an event") };
        assert_eq!((source.as_str(), number(&events[0])), ("embedder", 7));
        // About twice what may wait for a tap.
        emit(&handle, 0..40_000).await;
        let Some(Tapped::Missed(missed)) = tap.next().await else { panic!("a slow tap is told") };
        assert!((10_000..30_000).contains(&missed), "{missed}");
        sleep(Duration::from_secs(1)).await;
    })
    .await;
    assert_eq!(nothing.next().await, None);
}
