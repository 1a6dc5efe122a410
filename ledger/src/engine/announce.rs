//! Announcing that holds have ended: subscribers hear of it though nobody asks for anything.
//!
//! A hold counts as ended from its `expires_at` on, whether this runs or not. So an announcement may be late, or come
//! twice: the second one is answered as a duplicate.

use std::time::Duration;

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
/// Announcements that one look may lead to: a thousand a second keeps up with more holds than people make.
const ANNOUNCED_MAX: i64 = 1000;

impl Engine {
    /// Announces ends while this ledger leads, and only what is not announced in requests up to `written`.
    ///
    /// Trouble is not the end of leading: it is told, and tried again.
    pub(super) async fn announce_expiries(&self, mut written: watch::Receiver<u64>) -> Never {
        let mut look = tokio::time::interval(INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            match self.announce_due().await {
                Ok(0) => {}
                // What was announced must be decided before the rows can say so.
                Ok(last) => {
                    if written.wait_for(|written| *written >= last).await.is_err() {
                        // The pipeline has ended, and this with it.
                        std::future::pending::<()>().await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the ends of holds can't be announced, trying again");
                }
            }
        }
    }

    /// Announces what is due now; the sequence of the last announcement, or 0.
    async fn announce_due(&self) -> Result<u64, AnnounceError> {
        let due = store::unannounced_holds(&self.pool, now(), ANNOUNCED_MAX).await?;
        let messages: Vec<Outgoing> = due.into_iter().map(announcement).collect();
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
