//! Pipelines from configuration, with what tests need to see.

use std::net::SocketAddr;
use std::time::Duration;

use senseops::{
    Build, BuildError, Context, Factory, Handle, LabelSet, Pipeline, Plan, Planned, Source, SourceError,
    SourceSpec, View, async_trait,
};
use senseops_qlik::AppNames;
use tokio::time::{sleep, timeout};

/// The longest that anything in these tests may take.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// The plan that a configuration text asks for.
pub(crate) fn plan(yaml: &str) -> Plan {
    match senseops::config::load_str(&senseops::builtin(), "test.yaml", yaml, []) {
        Ok(loaded) => loaded.plan,
        Err(problems) => panic!("{problems}"),
    }
}

/// Waits until the pipeline looks as it should.
pub(crate) async fn until(handle: &Handle, done: impl Fn(&View) -> bool) {
    let waiting = async {
        while !done(&handle.view()) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let came = timeout(LONGEST, waiting).await.is_ok();
    assert!(came, "it never came to that: {:#?}", handle.view());
}

/// Runs the pipeline while `work` goes on, drains it, and gives what it came to.
pub(crate) async fn run<Fut: Future<Output = ()>>(
    plan: Plan,
    work: impl FnOnce(Handle) -> Fut,
) -> senseops::Summary {
    let pipeline = Pipeline::open(plan).await.unwrap();
    let handle = pipeline.handle();
    pipeline.run_until(work(handle)).await
}

/// Where the one listener of the pipeline is.
pub(crate) fn listener(handle: &Handle) -> SocketAddr {
    handle.view().listeners[0].address
}

/// Fills the pipeline's table of app names, as a source that asks the repository service will.
pub(crate) fn with_app_names(mut plan: Plan, names: &'static [(&'static str, &'static str)]) -> Plan {
    plan.sources.push(SourceSpec {
        name: "app_names.fixture".into(),
        labels: LabelSet::default(),
        rate_limit: None,
        components: vec![Planned::single(FixedNames(names))],
    });
    plan
}

#[derive(PartialEq)]
struct FixedNames(&'static [(&'static str, &'static str)]);

#[async_trait]
impl Factory<Box<dyn Source>> for FixedNames {
    async fn build(&self, build: Build) -> Result<Box<dyn Source>, BuildError> {
        build
            .shared
            .get::<AppNames>()
            .replace(self.0.iter().map(|(id, name)| ((*id).into(), (*name).into())));
        Ok(Box::new(Idle))
    }
}

struct Idle;

#[async_trait]
impl Source for Idle {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        cx.shutdown.requested().await;
        Ok(())
    }
}
