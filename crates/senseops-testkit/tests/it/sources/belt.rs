//! An origin in memory with every behaviour, and a source for it that is correct but for one chosen flaw.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use senseops_core::{
    Body, BoxError, Build, Context, Event, Fields, Kind, LabelSet, Outcome, Source, SourceError, async_trait,
};
use senseops_testkit::{Keeps, OriginBehaviour, sample};
use tokio::time::sleep;

/// Events lie on it until someone looks.
#[derive(Clone)]
pub(crate) struct Belt(Arc<Mutex<Content>>);

struct Content {
    keeps: Keeps,
    behaviour: OriginBehaviour,
    numbers: VecDeque<u64>,
    taken: bool,
    /// Whether anybody would hear what happens now.
    is_watched: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    EmitsNothing,
    Invents,
    LosesOfABurst,
    TellsTwice,
    Reorders,
    MakesLabels,
    ShoutsItsKind,
    IgnoresShutdown,
    IgnoresShutdownWhileEmitting,
    EndsAfterALoss,
    StartsAtTheEnd,
    KeepsItsPlace,
    EndsWhenDown,
    QuietWhenDown,
    NeverRecovers,
    NeedsOriginToBuild,
    PanicsOnGarbage,
    ProbesNothing,
}

pub(crate) struct BeltSource {
    belt: Belt,
    flaw: Option<Flaw>,
    labels: Arc<LabelSet>,
}

impl Belt {
    pub(crate) fn new(keeps: Keeps) -> Self {
        let numbers = VecDeque::new();
        Self(Arc::new(Mutex::new(Content {
            keeps,
            behaviour: OriginBehaviour::Answer,
            numbers,
            taken: false,
            is_watched: false,
        })))
    }

    pub(crate) fn put(&self, number: u64) {
        let mut content = self.0.lock().unwrap();
        match content.keeps {
            Keeps::Latest => content.numbers.clear(),
            Keeps::Nothing if !content.is_watched => return,
            Keeps::Nothing | Keeps::Everything => {}
        }
        content.numbers.push_back(number);
    }

    pub(crate) fn behave(&self, behaviour: OriginBehaviour) {
        self.0.lock().unwrap().behaviour = behaviour;
    }

    /// What lies there, or why nobody can tell.
    async fn look(&self) -> Result<Vec<u64>, &'static str> {
        sleep(Duration::from_millis(1)).await;
        let behaviour = self.0.lock().unwrap().behaviour;
        match behaviour {
            OriginBehaviour::Down => Err("nobody is there"),
            OriginBehaviour::Garbage => Err("not a number"),
            OriginBehaviour::Hang => pending().await,
            OriginBehaviour::Answer | _ => Ok(self.take()),
        }
    }

    fn take(&self) -> Vec<u64> {
        let mut content = self.0.lock().unwrap();
        match content.keeps {
            Keeps::Latest => content.numbers.iter().copied().collect(),
            Keeps::Everything | Keeps::Nothing => content.numbers.drain(..).collect(),
        }
    }
}

impl BeltSource {
    pub(crate) fn build(belt: Belt, flaw: Option<Flaw>, build: &Build) -> Result<Box<dyn Source>, BoxError> {
        let down = belt.0.lock().unwrap().behaviour == OriginBehaviour::Down;
        if flaw == Some(Flaw::NeedsOriginToBuild) && down {
            return Err("connect to the belt".into());
        }
        if flaw == Some(Flaw::StartsAtTheEnd) {
            drop(belt.take());
        }
        if flaw == Some(Flaw::KeepsItsPlace) && std::mem::replace(&mut belt.0.lock().unwrap().taken, true) {
            return Err(format!("{} has a place at the belt already", build.component).into());
        }
        Ok(Box::new(Self { belt, flaw, labels: Arc::new(LabelSet::from_iter([("belt", "1")])) }))
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn event(&self, number: u64) -> Event {
        let labels = if self.has(Flaw::MakesLabels) {
            Arc::new((*self.labels).clone())
        } else {
            Arc::clone(&self.labels)
        };
        let kind = Kind::new(if self.has(Flaw::ShoutsItsKind) { "Belt Number" } else { "belt.number" });
        let number = i64::try_from(number).unwrap();
        Event::new(kind, &labels, Body::Measurement(Fields::default().with(sample::NUMBER, number)))
    }

    fn events(&self, mut numbers: Vec<u64>) -> Vec<Event> {
        match self.flaw {
            Some(Flaw::EmitsNothing) => numbers.clear(),
            Some(Flaw::Invents) if numbers.contains(&5) => numbers.push(77),
            Some(Flaw::LosesOfABurst) if numbers.len() > 100 => drop(numbers.remove(50)),
            Some(Flaw::Reorders) => numbers.reverse(),
            Some(Flaw::TellsTwice) => {
                numbers = numbers.into_iter().flat_map(|number| [number, number]).collect();
            }
            _ => {}
        }
        numbers.into_iter().map(|number| self.event(number)).collect()
    }

    async fn look(&self, cx: &Context) -> Result<(), SourceError> {
        match self.belt.look().await {
            Ok(numbers) => {
                if !self.has(Flaw::NeverRecovers) {
                    cx.health.ok();
                }
                let events = self.events(numbers);
                if events.is_empty() {
                    return Ok(());
                }
                let outcome = cx.emitter.emit(events).await.outcome().await;
                if self.has(Flaw::EndsAfterALoss) && outcome == Outcome::Lost {
                    return Err(BoxError::from("the journal took nothing").into());
                }
            }
            Err("nobody is there") if self.has(Flaw::QuietWhenDown) => {}
            Err("nobody is there") if self.has(Flaw::EndsWhenDown) => {
                return Err(BoxError::from("nobody is there").into());
            }
            Err(reason) => {
                assert!(!(self.has(Flaw::PanicsOnGarbage) && reason == "not a number"), "{reason}");
                cx.health.failing(reason);
            }
        }
        Ok(())
    }
}

impl Drop for BeltSource {
    fn drop(&mut self) {
        let mut content = self.belt.0.lock().unwrap();
        content.is_watched = false;
        if content.keeps == Keeps::Nothing {
            content.numbers.clear();
        }
    }
}

#[async_trait]
impl Source for BeltSource {
    async fn run(&mut self, cx: Context) -> Result<(), SourceError> {
        self.belt.0.lock().unwrap().is_watched = true;
        let heeds = !matches!(self.flaw, Some(Flaw::IgnoresShutdown | Flaw::IgnoresShutdownWhileEmitting));
        loop {
            let look = self.look(&cx);
            let looked = if heeds { cx.shutdown.unless_requested(look).await } else { Some(look.await) };
            looked.unwrap_or(Ok(()))?;
            if cx.shutdown.is_requested() && !self.has(Flaw::IgnoresShutdown) {
                if self.has(Flaw::KeepsItsPlace) {
                    self.belt.0.lock().unwrap().taken = false;
                }
                return Ok(());
            }
        }
    }

    async fn probe(&mut self) -> Result<Option<String>, BoxError> {
        let down = self.belt.0.lock().unwrap().behaviour == OriginBehaviour::Down;
        if down && !self.has(Flaw::ProbesNothing) {
            return Err("nobody is there".into());
        }
        Ok(Some("the belt is there".into()))
    }
}
