//! Announcing that holds have ended: subscribers hear of it though nobody asks for anything.
//!
//! A hold counts as ended from its `expires_at` on, whether this runs or not. So an announcement may be late, or come
//! twice: the second one is answered as a duplicate.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::broker::PublishError;
use common::headers::HeaderLines;
use common::kinds::expiry::{AnnounceExpiry, REQUESTED, SUBJECT};
use common::message::{Outgoing, add_event_headers};
use common::service::now;
use common::wire::REQUESTS;
use tokio::sync::watch;

use super::context::Engine;
use crate::core::book::usage::PaymentKey;
use crate::store;

/// Between two looks at what has ended.
const INTERVAL: Duration = Duration::from_secs(1);
/// What the margin begins with, once an announcement was refused.
const MARGIN_MIN: TimeDelta = TimeDelta::seconds(1);
/// No hold ends later than this after it was authorised, so no margin helps beyond it.
const MARGIN_MAX: TimeDelta = TimeDelta::days(31);
/// Announcements that one look may lead to: a thousand a second keeps up with more holds than people make.
const ANNOUNCED_MAX: i64 = 1000;

impl Engine {
    /// Announces ends while this ledger leads, and only what is not announced in requests up to `written`.
    ///
    /// Trouble is not the end of leading: it is told, and tried again.
    pub(super) async fn announce_expiries(&self, mut written: watch::Receiver<u64>) -> Never {
        let mut pace = Pace::default();
        let mut look = tokio::time::interval(INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            match self.announce_due(&mut pace).await {
                Ok(0) => {}
                // What was announced must be decided before the rows can say so.
                Ok(last) => {
                    if written.wait_for(|written| *written >= last).await.is_err() {
                        // The pipeline has ended, and this with it.
                        std::future::pending::<()>().await;
                    }
                }
                Err(error) => {
                    pace.forget();
                    tracing::warn!(%error, "the ends of holds can't be announced, trying again");
                }
            }
        }
    }

    /// Announces what is due now; the sequence of the last announcement, or 0.
    async fn announce_due(&self, pace: &mut Pace) -> Result<u64, AnnounceError> {
        let until = pace.due_until(now());
        let due = store::unannounced_holds(&self.pool, until, ANNOUNCED_MAX).await?;
        let messages: Vec<Outgoing> = pace.choose(due).into_iter().map(announcement).collect();
        let mut last = 0;
        for stored in self
            .publisher
            .publish_each(REQUESTS, &messages, None)
            .await?
        {
            last = last.max(stored.await?.sequence);
        }
        Ok(last)
    }
}

/// Ends are judged by the broker's clock, and ours may be ahead of it: then an announcement comes too early and is
/// refused. Each refusal doubles a margin, so few are refused however far the clocks differ, and none is late by more than
/// twice that.
#[derive(Debug, Default)]
struct Pace {
    /// By how much our clock is taken to be ahead.
    margin: TimeDelta,
    /// What was announced at the last look.
    announced: HashSet<PaymentKey>,
}

impl Pace {
    /// What ended up to here is due.
    fn due_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - self.margin
    }

    /// Of what is due, what to announce. What is due still, though its announcement has been decided, was refused.
    fn choose(&mut self, due: Vec<PaymentKey>) -> Vec<PaymentKey> {
        if due.iter().any(|hold| self.announced.contains(hold)) {
            self.margin = (self.margin * 2).clamp(MARGIN_MIN, MARGIN_MAX);
            self.forget();
            return Vec::new();
        }
        self.announced = due.iter().cloned().collect();
        due
    }

    /// It is not known what was announced.
    fn forget(&mut self) {
        self.announced.clear();
    }
}

fn announcement((client_id, hold_id): PaymentKey) -> Outgoing {
    let mut headers = HeaderLines::default();
    add_event_headers(&mut headers, REQUESTED, hold_id, "/ledger");
    let body = AnnounceExpiry { client_id, hold_id };
    Outgoing {
        subject: SUBJECT.to_owned(),
        headers,
        payload: serde_json::to_vec(&body).expect("ids are JSON").into(),
    }
}

/// Nothing that ends.
pub(super) type Never = std::convert::Infallible;

#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Broker(#[from] PublishError),
}

#[cfg(test)]
mod tests {
    use common::ids::PaymentId;
    use uuid::Uuid;

    use super::*;

    /// Looks every second at a hold, with a clock that is so far ahead of the broker's: how often the hold was announced
    /// too early, and how late the announcement came that was not.
    fn announced(ahead: TimeDelta) -> (u32, TimeDelta) {
        let hold: PaymentKey = (
            "shop".parse().expect("a client"),
            PaymentId(Uuid::from_u128(7)),
        );
        let ends: DateTime<Utc> = "2026-11-28T12:00:00Z".parse().expect("a time");
        let (mut pace, mut early) = (Pace::default(), 0);
        let mut broker = ends - ahead - TimeDelta::seconds(5);
        loop {
            broker += TimeDelta::seconds(1);
            let due = (ends <= pace.due_until(broker + ahead)).then(|| hold.clone());
            match pace.choose(due.into_iter().collect()).is_empty() {
                true => {}
                false if broker < ends => early += 1,
                false => return (early, broker - ends),
            }
        }
    }

    #[test]
    fn a_clock_that_is_ahead_announces_too_early_a_few_times_only() {
        assert_eq!(announced(TimeDelta::zero()), (0, TimeDelta::zero()));
        for (ahead, early_max) in [(1, 1), (10, 5), (300, 10), (7200, 14)] {
            let (early, late) = announced(TimeDelta::seconds(ahead));
            assert!(early <= early_max, "{early} too early at {ahead} s");
            assert!(
                late <= TimeDelta::seconds(ahead + 1),
                "{late} late at {ahead} s"
            );
        }
    }

    #[test]
    fn what_was_not_stored_is_announced_again() {
        let hold: PaymentKey = (
            "shop".parse().expect("a client"),
            PaymentId(Uuid::from_u128(7)),
        );
        let mut pace = Pace::default();
        assert_eq!(pace.choose(vec![hold.clone()]), std::slice::from_ref(&hold));
        pace.forget();
        assert_eq!(pace.choose(vec![hold.clone()]), [hold]);
        assert_eq!(pace.margin, TimeDelta::zero());
    }
}
