//! Whether a service can do its work now, and if not, what is in the way.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;

/// Between two questions to a part.
const INTERVAL: Duration = Duration::from_secs(1);
/// A part that answers later than this does not answer.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// What is in the way of a service's work, by part. Clones share it.
#[derive(Debug, Clone)]
pub struct Readiness(watch::Sender<Parts>);

/// Parts, each with a sentence about it that begins with a verb: `NATS`, `does not answer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Without them the service can't work.
    pub missing: BTreeMap<&'static str, String>,
    /// Without them it works, but what it does has no effect yet.
    pub late: BTreeMap<&'static str, String>,
}

/// The service's own part, while it starts.
const ITSELF: &str = "the service";
/// Its part when it leaves: a start that ends late does not take it back.
const INSTANCE: &str = "this instance";

impl Readiness {
    /// Of a service that is starting.
    #[must_use]
    pub fn starting() -> Self {
        let this = Self(watch::Sender::default());
        this.missing(ITSELF, Some("is starting".to_owned()));
        this
    }

    /// It has started.
    pub fn started(&self) {
        self.missing(ITSELF, None);
    }

    /// It will stop soon: send nothing new here.
    pub fn leaves(&self) {
        self.missing(INSTANCE, Some("is leaving".to_owned()));
    }

    /// Says what is wrong with a part that the service needs; `None` when all is well.
    pub fn missing(&self, part: &'static str, trouble: Option<String>) {
        self.change(part, trouble, |parts| &mut parts.missing);
    }

    /// Says what is wrong with a part that the service can do without for a while.
    pub fn late(&self, part: &'static str, trouble: Option<String>) {
        self.change(part, trouble, |parts| &mut parts.late);
    }

    /// What is wrong now.
    #[must_use]
    pub fn parts(&self) -> Parts {
        self.0.borrow().clone()
    }

    fn change(
        &self,
        part: &'static str,
        trouble: Option<String>,
        list: impl FnOnce(&mut Parts) -> &mut BTreeMap<&'static str, String>,
    ) {
        self.0.send_modify(|parts| {
            let list = list(parts);
            match trouble {
                Some(trouble) => {
                    if !list.contains_key(part) && part != ITSELF {
                        tracing::warn!("{part} {trouble}");
                    }
                    list.insert(part, trouble);
                }
                None => {
                    if list.remove(part).is_some() && part != ITSELF {
                        tracing::info!("{part} is well again");
                    }
                }
            }
        });
    }

    /// Asks a part that the service needs every second how it does, for ever. A question that is not answered in time is
    /// still waited for: so a part that hangs is never asked twice at a time.
    pub async fn probe(
        &self,
        part: &'static str,
        mut ask: impl AsyncFnMut() -> Result<(), String>,
    ) -> Infallible {
        loop {
            let mut asking = pin!(ask());
            let answer = match tokio::time::timeout(SILENCE_MAX, &mut asking).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.missing(part, Some("does not answer".to_owned()));
                    asking.await
                }
            };
            self.missing(part, answer.err());
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_leaves_is_not_ready_though_it_has_only_now_started() {
        let readiness = Readiness::starting();
        readiness.leaves();
        readiness.started();
        assert_eq!(readiness.parts().missing["this instance"], "is leaving");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_is_named_and_asked_once_at_a_time() {
        let readiness = Readiness::starting();
        readiness.started();
        assert_eq!(readiness.parts(), Parts::default());
        let mut asked = 0;
        let probing = readiness.probe("NATS", async || {
            asked += 1;
            if asked == 2 {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Ok(())
        });
        let watching = async {
            tokio::time::sleep(INTERVAL + SILENCE_MAX + Duration::from_millis(10)).await;
            assert_eq!(readiness.parts().missing["NATS"], "does not answer");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(readiness.parts(), Parts::default());
        };
        tokio::select! {
            never = probing => match never {},
            () = watching => {}
        }
        assert!((2..10).contains(&asked), "{asked}");
    }
}
