//! A target that takes what an InfluxDB 1.x takes, keeps account of it, and fails as a scenario rules.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use senseops_core::BoxError;
use senseops_testkit::{Answer, HttpTarget, Recorded};
use tokio::time::sleep;

use super::arrivals::Arrivals;
use crate::program::PATIENCE;

/// How often the target is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What stands before the number of a numbered user event, in its user id.
pub(crate) const NUMBERED_USER: &str = "chaos-user-";

/// The target and its account.
pub(crate) struct Target {
    http: HttpTarget,
    arrivals: Arc<Mutex<Arrivals>>,
    /// How many writes there were since the last change of the rule.
    ruled: Arc<AtomicU64>,
}

/// One line of a write, which is one event.
pub(crate) struct Line<'a> {
    /// Its number; of an event without one, something as good.
    pub(crate) key: u64,
    pub(crate) text: &'a str,
}

/// What the target does with a write.
pub(crate) enum Ruling {
    /// Takes all and says so.
    Take,
    /// Takes nothing and answers this.
    Refuse(Answer),
    /// Takes all, but answers this.
    TakeAnd(Answer),
    /// Takes all but these keys, and answers this.
    TakeAllBut(HashSet<u64>, Answer),
}

impl Target {
    /// Starts one that takes everything.
    pub(crate) async fn start() -> Result<Self, BoxError> {
        let target =
            Self { http: HttpTarget::start().await?, arrivals: Arc::default(), ruled: Arc::default() };
        target.http.keep_no_requests();
        target.recover();
        Ok(target)
    }

    pub(crate) fn url(&self) -> String {
        self.http.url()
    }

    /// Takes everything from now on.
    pub(crate) fn recover(&self) {
        self.rule(|_request, _lines| Ruling::Take);
    }

    /// Does with every write what `rule` says from now on.
    pub(crate) fn rule(&self, rule: impl Fn(&Recorded, &[Line<'_>]) -> Ruling + Send + Sync + 'static) {
        let (arrivals, ruled) = (Arc::clone(&self.arrivals), Arc::clone(&self.ruled));
        ruled.store(0, Ordering::Relaxed);
        self.http.answer_with(move |request| {
            if request.path() != "/write" {
                return Answer::ok(r#"{"results":[{"statement_id":0}]}"#);
            }
            ruled.fetch_add(1, Ordering::Relaxed);
            let text = request.text();
            let lines: Vec<Line<'_>> = text.split_terminator('\n').map(Line::read).collect();
            let mut arrivals = lock(&arrivals);
            let mut take = |is_taken: &dyn Fn(u64) -> bool| {
                lines
                    .iter()
                    .map(|line| line.key)
                    .filter(|key| is_taken(*key))
                    .for_each(|key| arrivals.add(key));
            };
            match rule(request, &lines) {
                Ruling::Take => {
                    take(&|_| true);
                    influxdb(204)
                }
                Ruling::Refuse(answer) => answer,
                Ruling::TakeAnd(answer) => {
                    take(&|_| true);
                    answer
                }
                Ruling::TakeAllBut(refused, answer) => {
                    take(&|key| !refused.contains(&key));
                    answer
                }
            }
        });
    }

    /// What has arrived.
    pub(crate) fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        lock(&self.arrivals)
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Arrivals) -> bool) -> Result<(), BoxError> {
        let began = Instant::now();
        while !is_so(&self.arrivals()) {
            if began.elapsed() > PATIENCE {
                return Err(format!("not within {} s: {what}", PATIENCE.as_secs()).into());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Lets this time pass, and then as much as it takes until the rule of now has been used so often.
    pub(crate) async fn pass_and_rule(&self, time: Duration, writes: u64) -> Result<(), BoxError> {
        sleep(time).await;
        self.until("writes that fail", |_| self.ruled.load(Ordering::Relaxed) >= writes).await
    }
}

impl<'a> Line<'a> {
    /// Reads as little as possible: there are thousands a second, and the grammar is the matter of other tests.
    fn read(text: &'a str) -> Self {
        let digits = match text.strip_prefix("chaos_numbered,") {
            Some(rest) => rest.split_once(" n="),
            None => text.split_once(NUMBERED_USER),
        };
        let number =
            digits.and_then(|(_, rest)| rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok());
        let key = number.unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        });
        Self { key, text }
    }
}

/// An answer of InfluxDB itself.
pub(crate) fn influxdb(status: u16) -> Answer {
    Answer::status(status.try_into().unwrap_or_default()).header("x-influxdb-version", "1.8.10")
}

fn lock(arrivals: &Mutex<Arrivals>) -> MutexGuard<'_, Arrivals> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn events_are_known_by_their_numbers_or_by_all_that_they_say() {
        let key = |text| Line::read(text).key;
        assert_eq!(key(r#"chaos_numbered,lane=numbered.load n=42i,padding="xx" 1"#), 42);
        assert_eq!(key(r#"qlik_user_event user_id="chaos-user-1000000007",host="h" 1"#), 1_000_000_007);
        assert_eq!(key(r#"target_up level="ok" 1"#), key(r#"target_up level="ok" 1"#));
        assert_ne!(key(r#"target_up level="ok" 1"#), key(r#"target_up level="ok" 2"#));
    }

    #[tokio::test]
    async fn only_what_is_taken_arrives() {
        let target = Target::start().await.unwrap();
        target.rule(|_, lines| {
            Ruling::TakeAllBut(
                lines.iter().map(|line| line.key).filter(|key| *key == 2).collect(),
                influxdb(400),
            )
        });
        write(&target, "chaos_numbered,l=a n=1i 1\nchaos_numbered,l=a n=2i 2\n").await;
        target.rule(|_, _| Ruling::TakeAnd(Answer::reset()));
        write(&target, "chaos_numbered,l=a n=1i 1\nchaos_numbered,l=a n=3i 3\n").await;
        let arrivals = target.arrivals();
        assert_eq!((arrivals.count(), arrivals.duplicates(), arrivals.count_of(&[1..=3])), (2, 1, 2));
    }

    async fn write(target: &Target, body: &str) {
        let address = target.http.address();
        let request = format!(
            "POST /write HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Some answers are a reset.
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
}
